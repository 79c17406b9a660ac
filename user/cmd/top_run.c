// SPDX-License-Identifier: GPL-2.0-only
/*
 * top_run.c - the run of `sonde top`: readings at an interval, keys as they come, the screen after each.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "cmd/program.h"
#include "cmd/report.h"
#include "cmd/sandbox.h"
#include "cmd/signals.h"
#include "cmd/top.h"
#include "collect/machine.h"
#include "collect/syscall.h"
#include "model/snapshot.h"
#include "model/syscall_name.h"
#include "sonde/config.h"
#include "top/curses.h"

#define MAX_WAIT_MS 200 /* ends of processes and signals between two waits are noticed this late at most */
#define FIRST_NS 1000000000ULL /* the first numbers come after this long, whatever the interval */

struct top {
	const struct sonde_top_config *config;
	struct sonde_load *load;
	void *rows; /* collector of statements, endpoints, findings */
	struct sonde_sysc *calls; /* of system calls */
	struct sonde_watch watch;
	struct sonde_top_state state;
	struct sonde_top_view view;
	struct sonde_top_reading first, before, now; /* @before and @now are what the screen shows */
	u64 start_ns; /* CLOCK_MONOTONIC */
	u64 next_ns; /* when new numbers are due */
	u64 mono_to_unix_ns;
	bool anew; /* draw everything */
};

/* ---- readings ---- */

static int read_calls(struct top *top, struct sonde_top_reading *reading)
{
	struct sonde_sysc_maps maps = {
		.rows = sonde_load_map(top->load, SONDE_MAP_SYSCALL_ROWS),
		.errors = sonde_load_map(top->load, SONDE_MAP_SYSCALL_ERRORS),
		.procs = sonde_load_map(top->load, SONDE_MAP_PROCS),
		.counters = sonde_load_map(top->load, SONDE_MAP_COUNTERS),
		.iter = -1,
	};
	int err = sonde_sysc_read(top->calls, &maps);

	if (err)
		return err;
	reading->calls = sonde_sysc_snapshot(top->calls);
	return reading->calls ? 0 : -ENOMEM;
}

static bool counts_calls(const struct top *top)
{
	return top->state.calls == SONDE_TOP_CALLS_ON || top->state.calls == SONDE_TOP_CALLS_ALWAYS;
}

static int take(struct top *top, struct sonde_top_reading *reading)
{
	int err = sonde_load_drain(top->load, sonde_rows_event, top->rows);

	*reading = (struct sonde_top_reading){ .at_ns = sonde_clock_ns() };
	if (err >= 0)
		err = sonde_rows_read(top->rows, top->load);
	reading->rows = err < 0 ? NULL : sonde_rows_snapshot(top->rows);
	if (!reading->rows)
		return err < 0 ? err : -ENOMEM;
	reading->rows->start_unix_ns = top->start_ns + top->mono_to_unix_ns;
	reading->rows->mono_to_unix_ns = top->mono_to_unix_ns;
	reading->rows->duration_ns = reading->at_ns - top->start_ns;
	sonde_report_host(reading->rows);
	reading->machine = sonde_machine_read(top->now.machine);
	if (!reading->machine)
		return -ENOMEM;
	return counts_calls(top) ? read_calls(top, reading) : 0;
}

/* The newest reading becomes the one before. */
static int read_again(struct top *top)
{
	struct sonde_top_reading reading;
	int err = take(top, &reading);

	if (err) {
		sonde_top_reading_free(&reading);
		sonde_error("cannot read the numbers: %s", strerror(-err));
		return err;
	}
	/* The very first one stays: totals begin with it. */
	if (top->before.at_ns && top->before.at_ns != top->first.at_ns)
		sonde_top_reading_free(&top->before);
	top->before = top->now;
	top->now = reading;
	top->next_ns = reading.at_ns + top->config->trace.interval_ns;
	return 0;
}

/* System calls are counted while their page is shown. */
static int follow_page(struct top *top)
{
	bool shown = top->state.page == SONDE_TOP_SYSCALLS;
	int err;

	if (top->state.calls == SONDE_TOP_CALLS_ALWAYS || top->state.calls == SONDE_TOP_CALLS_FAILED ||
	    shown == (top->state.calls == SONDE_TOP_CALLS_ON))
		return 0;
	err = sonde_load_turn(top->load, SONDE_VIEW_SYSCALL, shown);
	if (err) {
		top->state.calls = SONDE_TOP_CALLS_FAILED;
		sonde_warn("cannot count system calls: %s", strerror(-err));
		return 0;
	}
	top->state.calls = shown ? SONDE_TOP_CALLS_ON : SONDE_TOP_CALLS_OFF;
	if (!shown)
		return 0;
	top->state.frozen = false;
	err = read_again(top);
	if (top->next_ns > sonde_clock_ns() + FIRST_NS)
		top->next_ns = sonde_clock_ns() + FIRST_NS;
	return err;
}

/* ---- screen ---- */

static int look(struct top *top)
{
	sonde_top_view_free(&top->view);
	return sonde_top_look(&top->view, &top->state, &top->first, top->before.at_ns ? &top->before : NULL, &top->now);
}

static int draw(struct top *top)
{
	struct sonde_top_screen screen;
	int err;

	sonde_curses_size(&top->state.width, &top->state.height);
	err = look(top);
	if (!err)
		err = sonde_top_draw(&screen, &top->state, &top->view);
	if (err)
		return err;
	sonde_curses_draw(&screen, top->anew);
	top->anew = false;
	sonde_top_screen_free(&screen);
	return 0;
}

/* Takes all keys there are; *@pressed is set if there was one. Returns 1 when the end is asked for, 0, or -errno. */
static int keys(struct top *top, bool *pressed)
{
	u32 key;
	int err;

	while ((key = sonde_curses_key())) {
		*pressed = true;
		if (key == 'L' - '@') { /* Ctrl-L */
			top->anew = true;
			continue;
		}
		if (!sonde_top_press(&top->state, &top->view, key))
			return 1;
		err = follow_page(top);
		if (!err)
			err = look(top); /* for the next key */
		if (err)
			return err;
	}
	return 0;
}

/* ---- the run ---- */

static bool over(const struct top *top, u64 now)
{
	const struct sonde_trace_config *config = &top->config->trace;

	if (sonde_signals_stop())
		return true;
	if (sonde_watch_all_ended((struct sonde_watch *)&top->watch))
		return true;
	return config->duration_ns && now - top->start_ns >= config->duration_ns;
}

/* Waits for keys, events, signals, and until something is due. Returns 1 when the terminal is gone, else 0 or -errno. */
static int wait(struct top *top)
{
	u64 now = sonde_clock_ns(), due = top->next_ns > now ? (top->next_ns - now + 999999) / 1000000 : 0;
	int timeout = due < MAX_WAIT_MS && !top->state.frozen ? (int)due : MAX_WAIT_MS, err;
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };

	fds[1].fd = sonde_load_ready(top->load, &timeout);
	if (poll(fds, 2, timeout) < 0 && errno != EINTR)
		return -errno;
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		return 1;
	err = sonde_load_poll(top->load, 0, sonde_rows_event, top->rows);
	if (err > 0)
		(void)sonde_rows_tick(top->rows, top->load); /* tried again with the next reading */
	return err < 0 && err != -EINTR ? err : 0;
}

static void suspend(struct top *top)
{
	sonde_curses_pause();
	kill(getpid(), SIGSTOP);
	sonde_curses_resume();
	top->anew = true;
}

static int loop(struct top *top)
{
	bool changed = true;
	int err;

	while (!over(top, sonde_clock_ns())) {
		if (sonde_signals_suspend())
			suspend(top);
		top->anew |= sonde_signals_resized();
		if (!top->state.frozen && sonde_clock_ns() >= top->next_ns) {
			err = read_again(top);
			if (err)
				return err;
			changed = true;
		}
		if (changed || top->anew) {
			err = draw(top);
			if (err)
				return err;
		}
		changed = false;
		err = wait(top);
		if (!err)
			err = keys(top, &changed);
		if (err)
			return err < 0 ? err : 0;
	}
	return 0;
}

/* Everything up to the moment from which things are counted. Returns -1 to go on, or an exit code. */
static int begin(struct top *top, struct sonde_load_opts *opts, char **argv)
{
	const struct sonde_trace_config *config = &top->config->trace;
	struct sonde_load_error err = { .exit_code = SONDE_EXIT_FAILURE };
	struct timespec ts;

	if (sonde_watch_open(&top->watch, config->pids.pid, config->pids.nr))
		return SONDE_EXIT_FAILURE;
	opts->pids = config->pids.pid;
	opts->nr_pids = config->pids.nr;
	opts->comm = config->comm;
	opts->cgroup = config->cgroup;
	sonde_sandbox_limit();
	if (sonde_load_new(&top->load, opts, &err)) {
		sonde_trace_not_loaded(&err, argv);
		return err.exit_code;
	}
	top->start_ns = sonde_clock_ns();
	clock_gettime(CLOCK_REALTIME, &ts);
	top->mono_to_unix_ns = (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec - top->start_ns;
	top->state.calls = top->config->syscalls ? SONDE_TOP_CALLS_ALWAYS : SONDE_TOP_CALLS_OFF;
	return -1;
}

/* With the terminal: from the first reading to the last key. */
static int on_terminal(struct top *top)
{
	struct sonde_sandbox sandbox = { .terminal = true, .standby = !top->config->syscalls };
	int err;

	sonde_log_hold(true);
	sonde_signals_hold_suspend();
	err = sonde_curses_start();
	if (err) {
		sonde_log_hold(false);
		sonde_error("cannot set up the terminal: %s", strerror(-err));
		return err;
	}
	sonde_sandbox_enter(&sandbox, top->load);
	err = take(top, &top->now);
	if (!err) {
		top->first = top->now;
		top->next_ns = top->now.at_ns +
			       (top->config->trace.interval_ns < FIRST_NS ? top->config->trace.interval_ns : FIRST_NS);
		err = loop(top);
	}
	sonde_curses_stop();
	sonde_log_hold(false);
	if (err)
		sonde_error("%s", strerror(-err));
	return err;
}

static void free_all(struct top *top)
{
	bool first_is_shown = top->first.at_ns == top->now.at_ns || top->first.at_ns == top->before.at_ns;

	sonde_top_view_free(&top->view);
	sonde_top_reading_free(&top->now);
	sonde_top_reading_free(&top->before);
	if (!first_is_shown)
		sonde_top_reading_free(&top->first);
	sonde_load_free(top->load);
	sonde_watch_close(&top->watch);
	sonde_rows_destroy(top->rows);
	sonde_sysc_free(top->calls);
}

int sonde_top_run(const struct sonde_top_config *config, char **argv)
{
	static struct sonde_syscall_config calls;
	struct sonde_load_opts opts = { .syscalls = &calls };
	struct top top = { .config = config };
	const char *wrong = sonde_curses_check();
	int code;

	if (wrong) {
		sonde_error("%s", wrong);
		return SONDE_EXIT_USAGE;
	}
	sonde_log_verbose(config->trace.verbose);
	sonde_signals_catch();
	sonde_top_begin(&top.state);
	top.state.narrow = config->trace.pids.nr || config->trace.comm || config->trace.cgroup;
	top.state.interval_ns = config->trace.interval_ns;
	top.state.utf8 = sonde_report_utf8();
	top.rows = sonde_rows_create();
	top.calls = sonde_sysc_new();
	if (!top.rows || !top.calls) {
		sonde_error("out of memory");
		free_all(&top);
		return SONDE_EXIT_FAILURE;
	}
	for (u32 nr = 0; nr < SONDE_SYSCALL_MAX; nr++)
		calls.what[nr] = (u8)(sonde_syscall_what(nr) | SONDE_SYSCALL_TRACED);
	sonde_findings_configure(top.rows, &config->findings);
	sonde_sysc_by(top.calls, SONDE_SYSCALL_BY_PROCESS, 0);
	sonde_rows_load(&config->rows, &opts);
	sonde_findings_load(&config->findings, &opts);
	*(config->syscalls ? &opts.with : &opts.standby) = 1u << SONDE_VIEW_SYSCALL;
	code = begin(&top, &opts, argv);
	if (code < 0) {
		code = on_terminal(&top) ? SONDE_EXIT_FAILURE : SONDE_EXIT_OK;
		sonde_load_stop(top.load);
	}
	free_all(&top);
	return code;
}
