// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace.c - the run of a tracing subcommand.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/str.h"
#include "cmd/program.h"
#include "cmd/report.h"
#include "cmd/sandbox.h"
#include "cmd/signals.h"
#include "cmd/trace.h"
#include "load/capture.h"
#include "model/snapshot.h"

#define MAX_WAIT_NS 200000000ULL /* ends of processes are noticed this late at most */
#define GRACE_NS 3000000000ULL /* how long a program may take to end after Ctrl-C */

const struct sonde_opt_choice sonde_trace_outs[] = {
#define SONDE_OUT(symbol, name) { name, SONDE_OUT_##symbol },
#include "out/out.def"
#undef SONDE_OUT
	{ NULL, 0 },
};

/* One run. */
struct run {
	const struct sonde_trace_config *config;
	const struct sonde_trace_source *source;
	void *collector;
	struct sonde_load *load;
	struct sonde_program program;
	struct sonde_watch watch;
	struct sonde_report report;
	struct sonde_sandbox sandbox;
	u64 start_ns; /* CLOCK_MONOTONIC, like the two below */
	u64 stop_ns; /* when the end was asked for (0: not yet) */
	u64 last_ns; /* previous snapshot */
	u64 mono_to_unix_ns;
	int gate; /* exit code of the gate */
};

static u64 unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

void sonde_trace_not_loaded(const struct sonde_load_error *err, char **argv)
{
	struct sonde_buf hint = {};

	sonde_error("%s", err->text);
	if (err->exit_code != SONDE_EXIT_PRIVILEGE || !geteuid())
		return;
	sonde_buf_str(&hint, "sudo ");
	sonde_str_quote(&hint, program_invocation_name);
	for (; *argv; argv++) {
		sonde_buf_add(&hint, " ", 1);
		sonde_str_quote(&hint, *argv);
	}
	if (!hint.failed)
		sonde_error("try: %s", hint.s);
	sonde_buf_free(&hint);
}

/* Everything up to the moment from which statements are seen. Returns -1 to go on, or an exit code. */
static int begin(struct run *run, struct sonde_load_opts *opts, char **argv, int program)
{
	const struct sonde_trace_config *config = run->config;
	struct sonde_load_error load_err = { .exit_code = SONDE_EXIT_FAILURE };
	int err;

	if (sonde_watch_open(&run->watch, config->pids.pid, config->pids.nr))
		return SONDE_EXIT_FAILURE;
	opts->pids = config->pids.pid;
	opts->nr_pids = config->pids.nr;
	opts->comm = config->comm;
	opts->cgroup = config->cgroup;
	if (program) {
		/* Before anything is loaded: the child inherits nothing. */
		err = sonde_program_fork(&run->program, argv + program, run->source->env);
		if (err) {
			sonde_error("cannot start a process: %s", strerror(-err));
			return SONDE_EXIT_FAILURE;
		}
		opts->pids = &run->program.pid;
		opts->nr_pids = 1;
		opts->follow_children = true;
		opts->program = run->program.name;
	}
	sonde_sandbox_limit();
	err = sonde_load_new(&run->load, opts, &load_err);
	if (err) {
		sonde_trace_not_loaded(&load_err, argv);
		return load_err.exit_code;
	}
	run->start_ns = run->last_ns = sonde_clock_ns();
	run->mono_to_unix_ns = unix_ns() - run->start_ns;
	sonde_debug("tracing");
	err = run->source->begin ? run->source->begin(run->collector, opts) : 0;
	if (err) {
		sonde_error("cannot look at processes: %s", strerror(-err));
		return SONDE_EXIT_FAILURE;
	}
	if (!program)
		return -1;
	err = sonde_program_exec(&run->program);
	if (!err)
		return -1;
	sonde_error("cannot run '%s': %s", run->program.name, strerror(-err));
	return SONDE_EXIT_FAILURE;
}

/* Prints what has happened, for sources that tell of it one by one. */
static int live(struct run *run)
{
	if (!run->source->live)
		return 0;
	return run->source->live(run->collector, run->load, &run->report, run->mono_to_unix_ns);
}

/* Takes a snapshot and reports it. */
static int report(struct run *run, bool final)
{
	u64 now = sonde_clock_ns();
	struct sonde_snapshot *snapshot;
	int err;

	err = sonde_load_drain(run->load, run->source->event, run->collector);
	if (err >= 0)
		err = live(run);
	if (err == -EPIPE)
		return err;
	if (err >= 0)
		err = run->source->read(run->collector, run->load);
	snapshot = err < 0 ? NULL : run->source->snapshot(run->collector);
	if (!snapshot) {
		sonde_error("cannot read the numbers: %s", strerror(err < 0 ? -err : ENOMEM));
		return err < 0 ? err : -ENOMEM;
	}
	snapshot->start_unix_ns = run->start_ns + run->mono_to_unix_ns;
	snapshot->mono_to_unix_ns = run->mono_to_unix_ns;
	snapshot->duration_ns = (run->stop_ns ? run->stop_ns : now) - run->start_ns;
	snapshot->recent_ns = now - run->last_ns;
	snapshot->final = final;
	snapshot->capture = sonde_capture_name(sonde_load_capture(run->load));
	run->last_ns = now;
	if (final)
		sonde_sandbox_traced(&run->sandbox);
	if (final && run->source->last)
		run->source->last(run->collector, snapshot);
	err = sonde_report(&run->report, snapshot);
	if (final && run->source->gate)
		run->gate = run->source->gate(run->source->ctx, snapshot);
	sonde_snapshot_free(snapshot);
	return err;
}

/*
 * Whether the run is over. After Ctrl-C a program gets time to end by itself, so that its last statements count; a
 * signal that a process sent to sonde alone is passed on to it.
 */
static bool over(struct run *run, u64 now)
{
	int sig = sonde_signals_stop();

	if (run->program.pid && sonde_program_ended(&run->program))
		return true;
	if (sonde_watch_all_ended(&run->watch))
		return true;
	if (run->source->over && run->source->over(run->collector, run->load))
		return true;
	if (run->config->duration_ns && now - run->start_ns >= run->config->duration_ns)
		return true;
	if (!sig)
		return false;
	if (!run->program.pid)
		return true;
	if (!run->stop_ns) {
		run->stop_ns = now;
		if (sonde_signals_by_process())
			kill(run->program.pid, sig);
	}
	return now - run->stop_ns >= GRACE_NS;
}

static int wait_ms(const struct run *run, u64 now, u64 next_ns)
{
	u64 until = now + MAX_WAIT_NS;

	if (next_ns && next_ns < until)
		until = next_ns;
	if (run->config->duration_ns && run->start_ns + run->config->duration_ns < until)
		until = run->start_ns + run->config->duration_ns;
	return until > now ? (int)((until - now + 999999) / 1000000) : 0;
}

static int loop(struct run *run)
{
	u64 interval = sonde_report_interval(&run->report), next, now;
	int err;

	next = interval ? run->start_ns + interval : 0;
	while (true) {
		now = sonde_clock_ns();
		if (over(run, now))
			break;
		if (sonde_report_disturbed(&run->report) || (next && now >= next)) {
			err = report(run, false);
			if (err)
				return err;
			/* What was missed while the machine slept is not made up for. */
			while (next && next <= now)
				next += interval;
		}
		err = sonde_load_poll(run->load, wait_ms(run, now, next), run->source->event, run->collector);
		if (err < 0 && err != -EINTR) {
			sonde_error("cannot read events: %s", strerror(-err));
			return err;
		}
		if (err > 0 && run->source->tick)
			(void)run->source->tick(run->collector, run->load); /* tried again with the next report */
		err = live(run);
		if (!err && run->source->every)
			err = run->source->every(run->collector, run->load);
		if (err)
			return err;
	}
	run->stop_ns = now;
	return 0;
}

int sonde_trace_run(const struct sonde_trace_config *config, const struct sonde_trace_source *source,
		    struct sonde_load_opts *opts, char **argv, int program)
{
	struct run run = { .config = config, .source = source };
	int code, err, final_err;

	if (program && config->pids.nr) {
		sonde_error("-p and a program to start exclude each other\nTry 'sonde %s --help'.", source->command);
		return SONDE_EXIT_USAGE;
	}
	sonde_log_verbose(config->verbose);
	sonde_signals_catch();
	run.collector = source->create();
	if (!run.collector) {
		sonde_error("out of memory");
		return SONDE_EXIT_FAILURE;
	}
	if (source->configure)
		source->configure(run.collector, source->ctx);
	code = begin(&run, opts, argv, program);
	if (code >= 0)
		goto out_free;
	run.sandbox = (struct sonde_sandbox){ .file = config->file ?: source->file,
					      .program = program,
					      .explain = source->connects };
	sonde_sandbox_enter(&run.sandbox, run.load);
	sonde_report_begin(&run.report, config, source->command, program || source->live);
	run.report.opts.slow = source->live;
	err = loop(&run);
	if (source->end && source->end(run.collector))
		err = err ?: -ENOMEM;
	sonde_program_reap(&run.program);
	sonde_load_stop(run.load);
	sonde_report_last(&run.report);
	sonde_program_tell(&run.program);
	/* Whatever went wrong, what is known by now is worth showing, unless nobody is there to read it. */
	final_err = err == -EPIPE ? 0 : report(&run, true);
	code = err || final_err ? SONDE_EXIT_FAILURE : run.gate;

out_free:
	if (!run.load)
		sonde_program_abandon(&run.program);
	sonde_load_free(run.load);
	sonde_watch_close(&run.watch);
	source->destroy(run.collector);
	return code;
}
