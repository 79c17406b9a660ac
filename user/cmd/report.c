// SPDX-License-Identifier: GPL-2.0-only
/*
 * report.c - where reports of a run go.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cmd/report.h"
#include "cmd/signals.h"
#include "cmd/trace.h"
#include "model/snapshot.h"
#include "out/live.h"

#define LIVE_INTERVAL_NS 1000000000ULL
#define FILE_WIDTH 160 /* columns of a report that no terminal shows */
#define MIN_WIDTH 40
#define TEXT_TOP 40
#define SLOW_TOP 10

bool sonde_report_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

void sonde_report_begin(struct sonde_report *report, const struct sonde_trace_config *config, const char *command,
			bool program)
{
	const char *term = getenv("TERM");
	bool dumb = !term || !*term || !strcmp(term, "dumb");

	*report = (struct sonde_report){ .config = config, .out = sonde_outs[config->out] };
	report->terminal = isatty(STDOUT_FILENO);
	report->live = report->terminal && report->out->people && !dumb && !program;
	report->opts.command = command;
	report->opts.color = report->terminal && !dumb && !is_set("NO_COLOR");
	report->opts.utf8 = sonde_report_utf8();
	if (!report->live)
		return;
	sonde_log_hold(true);
	sonde_signals_hold_suspend();
	sonde_live_start(STDOUT_FILENO);
}

u64 sonde_report_interval(const struct sonde_report *report)
{
	if (report->config->interval_ns)
		return report->config->interval_ns;
	return report->live ? LIVE_INTERVAL_NS : 0;
}

bool sonde_report_disturbed(struct sonde_report *report)
{
	bool resized = sonde_signals_resized();

	if (!report->live)
		return false;
	if (!sonde_signals_suspend())
		return resized;
	sonde_live_stop();
	raise(SIGSTOP);
	sonde_live_start(STDOUT_FILENO);
	return true;
}

void sonde_report_last(struct sonde_report *report)
{
	if (!report->live)
		return;
	sonde_live_stop();
	report->live = false;
	sonde_log_hold(false);
}

/* The size may change from one report to the next. */
static void measure(struct sonde_report *report, bool to_file)
{
	struct sonde_out_opts *opts = &report->opts;
	unsigned int width = FILE_WIDTH, height = 0;
	const char *columns = getenv("COLUMNS");
	u64 value;

	if (columns && sonde_str_u64(columns, strlen(columns), &value) && value <= 10000)
		width = (unsigned int)value;
	if (report->terminal && !to_file)
		sonde_live_size(STDOUT_FILENO, &width, &height);
	opts->width = width > MIN_WIDTH ? width : MIN_WIDTH;
	opts->height = report->live ? height : 0;
	opts->top = report->config->top;
	if (opts->top == SONDE_TOP_DEFAULT)
		opts->top = report->out->people && !report->live ? (opts->slow ? SLOW_TOP : TEXT_TOP) : 0;
}

void sonde_report_host(struct sonde_snapshot *snapshot)
{
	struct utsname uts;

	if (uname(&uts))
		return;
	memcpy(snapshot->host.name, uts.nodename, sizeof(snapshot->host.name));
	memcpy(snapshot->host.kernel, uts.release, sizeof(snapshot->host.kernel));
	memcpy(snapshot->host.arch, uts.machine, sizeof(snapshot->host.arch));
}

static int render(struct sonde_report *report, const struct sonde_snapshot *snapshot, bool to_file,
		  struct sonde_buf *buf)
{
	struct sonde_out_opts opts;

	measure(report, to_file);
	opts = report->opts;
	opts.color = opts.color && !to_file;
	report->out->render(snapshot, &opts, buf);
	return buf->failed ? -ENOMEM : 0;
}

static int to_stdout(struct sonde_report *report, const struct sonde_snapshot *snapshot)
{
	struct sonde_buf buf = {};
	int err = render(report, snapshot, false, &buf);

	if (!err && report->live)
		err = sonde_live_draw(buf.s, buf.len);
	else if (!err && !snapshot->final && report->out->people)
		sonde_buf_add(&buf, "\n", 1); /* between this table and the next */
	if (!err && report->lines && report->out->people)
		err = sonde_file_write_all(STDOUT_FILENO, "\n", 1);
	report->lines = false;
	if (!err && !report->live)
		err = sonde_file_write_all(STDOUT_FILENO, buf.s, buf.len);
	if (err)
		sonde_error("cannot write the report to stdout: %s", strerror(-err));
	sonde_buf_free(&buf);
	return err;
}

static int to_file(struct sonde_report *report, const struct sonde_snapshot *snapshot)
{
	const char *file = report->config->file;
	struct sonde_buf buf = {};
	int err = render(report, snapshot, true, &buf);

	if (!err)
		err = sonde_file_replace(file, buf.s, buf.len);
	sonde_buf_free(&buf);
	if (err)
		sonde_error("cannot write %s: %s", file, strerror(-err));
	else if (snapshot->final)
		sonde_note("report written to %s", file);
	return err;
}

/* Writes what stands in @buf, and frees it. */
static int put_line(struct sonde_report *report, struct sonde_buf *buf)
{
	int err = buf->failed ? -ENOMEM : sonde_file_write_all(STDOUT_FILENO, buf->s, buf->len);

	report->lines = true;
	if (err)
		sonde_error("cannot write to stdout: %s", strerror(-err));
	sonde_buf_free(buf);
	return err;
}

int sonde_report_slow(struct sonde_report *report, const struct sonde_slow *slow, u64 mono_to_unix_ns)
{
	struct sonde_buf buf = {};

	measure(report, false);
	report->out->slow(slow, mono_to_unix_ns, &report->opts, &buf);
	return put_line(report, &buf);
}

int sonde_report_line(struct sonde_report *report,
		      void (*line)(const void *what, const void *ctx, bool people, const struct sonde_out_opts *opts,
				   struct sonde_buf *buf),
		      const void *what, const void *ctx)
{
	struct sonde_buf buf = {};

	measure(report, false);
	line(what, ctx, report->out->people, &report->opts, &buf);
	return put_line(report, &buf);
}

int sonde_report(struct sonde_report *report, struct sonde_snapshot *snapshot)
{
	bool asked = report->config->interval_ns || snapshot->final;
	int err = 0;

	if (!snapshot->host.name[0]) /* else it was recorded, elsewhere perhaps */
		sonde_report_host(snapshot);
	if (report->live)
		err = to_stdout(report, snapshot);
	if (report->config->file && asked) {
		err = to_file(report, snapshot);
		/* Not lost with the file, and no reason to end before the end. */
		if (err && snapshot->final)
			to_stdout(report, snapshot);
		else if (err)
			err = 0;
	} else if (!report->live && asked) {
		err = to_stdout(report, snapshot);
	}
	return err;
}
