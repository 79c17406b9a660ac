// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow_class.c - the slow-query report: one statement.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/digest.h"
#include "model/hist.h"
#include "model/slow.h"
#include "out/out.h"
#include "out/slow.h"
#include "out/text.h"

#define LABEL 12 /* columns of what stands in front of a line */
#define MAX_NAMES 8 /* that a line lists */

static void label(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *name)
{
	sonde_text_style(buf, opts, SONDE_STYLE_DIM);
	sonde_buf_printf(buf, "  %-*s", LABEL - 2, name);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
}

/* The title of a part that has lines of its own. */
static void title(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *name, const char *note)
{
	sonde_text_style(buf, opts, SONDE_STYLE_DIM);
	sonde_buf_printf(buf, "  %s%s\n", name, note);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
}

/* A line of foreign names, as much as fits. */
static void line(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *name, struct sonde_buf *text)
{
	label(buf, opts, name);
	sonde_utf8_fit(buf, text->s ? text->s : "", text->len, opts->width > LABEL + 20 ? opts->width - LABEL : 20);
	sonde_buf_add(buf, "\n", 1);
	buf->failed = buf->failed || text->failed;
	sonde_buf_free(text);
}

/* Sum, min, mean, max, percentiles and deviation, as the line above names them. */
static void times(struct sonde_buf *buf, const struct sonde_hist *hist, double stddev_ns)
{
	struct sonde_hist_summary sum;
	char t[SONDE_STR_SHORT];
	u64 value[8];

	sonde_hist_summarize(hist, &sum);
	value[0] = sum.sum_ns;
	value[1] = sum.min_ns;
	value[2] = sum.count ? sum.sum_ns / sum.count : 0;
	value[3] = sum.max_ns;
	value[4] = sum.p50_ns;
	value[5] = sum.p95_ns;
	value[6] = sum.p99_ns;
	value[7] = (u64)(stddev_ns + 0.5);
	for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++)
		sonde_buf_printf(buf, " %7s", sonde_str_ns(t, value[i]));
	sonde_buf_add(buf, "\n", 1);
}

/* Durations, and those to the first byte unless they read the same. */
static void durations(struct sonde_buf *buf, const struct sonde_class *class, const struct sonde_out_opts *opts)
{
	struct sonde_buf done = {}, first = {};

	times(&done, &class->sum.done, class->stddev_ns);
	times(&first, &class->sum.first, sonde_hist_stddev(&class->sum.first));
	label(buf, opts, "");
	sonde_buf_str(buf, "   total     min     avg     max     p50     p95     p99  stddev\n");
	label(buf, opts, "time");
	sonde_buf_add(buf, done.s ? done.s : "", done.len);
	if (done.len != first.len || (done.s && first.s && memcmp(done.s, first.s, done.len))) {
		label(buf, opts, "first byte");
		sonde_buf_add(buf, first.s ? first.s : "", first.len);
	}
	buf->failed = buf->failed || done.failed || first.failed;
	sonde_buf_free(&done);
	sonde_buf_free(&first);
}

/* Drawn where it tells more than the line of durations. */
static void histogram(struct sonde_buf *buf, const struct sonde_hist *hist, const struct sonde_out_opts *opts)
{
	struct sonde_buf text = {};

	sonde_slow_hist(hist, &text);
	if (text.len && memchr(text.s, '\n', text.len - 1)) {
		title(buf, opts, "histogram", "");
		sonde_buf_add(buf, text.s, text.len);
	}
	buf->failed = buf->failed || text.failed;
	sonde_buf_free(&text);
}

static void bytes_text(char out[SONDE_STR_SHORT], u64 bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(out, SONDE_STR_SHORT, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void amounts(struct sonde_buf *buf, const struct sonde_class *class, const struct sonde_out_opts *opts)
{
	const struct sonde_query *sum = &class->sum;
	char a[SONDE_STR_SHORT + 8], b[SONDE_STR_SHORT];

	label(buf, opts, "rows");
	sonde_buf_printf(buf, "%s, %s a call\n", sonde_str_group(a, sum->rows),
			 sonde_str_rate(b, sum->count ? (double)sum->rows / (double)sum->count : 0));
	if (sum->sent_bytes || sum->recv_bytes) {
		label(buf, opts, "bytes");
		bytes_text(a, sum->sent_bytes);
		bytes_text(b, sum->recv_bytes);
		sonde_buf_printf(buf, "%s sent, %s received\n", a, b);
	}
}

static void errors(struct sonde_buf *buf, const struct sonde_class *class, const struct sonde_out_opts *opts)
{
	const struct sonde_query *sum = &class->sum;
	struct sonde_buf text = {};
	char n[SONDE_STR_SHORT + 8];
	bool first = true;

	if (!sum->errors)
		return;
	sonde_buf_printf(&text, "%s (%.1f %%):", sonde_str_group(n, sum->errors),
			 100 * (double)sum->errors / (double)(sum->count ? sum->count : 1));
	for (u32 i = 0; i < SONDE_ERR_CLASSES; i++) {
		if (!sum->error_class[i])
			continue;
		sonde_buf_printf(&text, "%s %s %s", first ? "" : ",", sonde_str_group(n, sum->error_class[i]),
				 sonde_error_class_name(i));
		first = false;
	}
	if (sum->sqlstate[0])
		sonde_buf_printf(&text, ", last SQLSTATE %s", sum->sqlstate);
	if (sum->code)
		sonde_buf_printf(&text, ", last number %u", sum->code);
	line(buf, opts, "errors", &text);
}

enum part { DATABASE, USER, HOST, PROCESS };

static const char *part_of(const struct sonde_query *query, enum part part)
{
	return part == DATABASE ? query->database
	       : part == USER	? query->user
	       : part == HOST	? query->server
				: query->process;
}

/* Names of one kind over all rows of the class, each once, with its share of the calls where there are several. */
static void names(struct sonde_buf *buf, const struct sonde_class *class, enum part part, const char *title,
		  const struct sonde_out_opts *opts)
{
	struct sonde_buf text = {};
	size_t nr = 0, left = 0;

	for (size_t i = 0; i < class->nr_rows; i++) {
		const char *name = part_of(class->rows[i], part);
		u64 calls = 0;
		u32 pids = 0, pid = 0;
		bool before = false;

		for (size_t k = 0; k < class->nr_rows; k++) {
			const struct sonde_query *row = class->rows[k];

			if (strcmp(part_of(row, part), name))
				continue;
			before |= k < i;
			calls += row->count;
			pids += row->pid != pid;
			pid = row->pid;
		}
		if (before || !name[0])
			continue;
		if (nr++ >= MAX_NAMES) {
			left++;
			continue;
		}
		sonde_buf_printf(&text, "%s%s", nr > 1 ? ", " : "", name);
		if (part == PROCESS && pids == 1)
			sonde_buf_printf(&text, " (pid %u)", pid);
		if (calls < class->sum.count)
			sonde_buf_printf(&text, " %.0f %%", 100 * (double)calls / (double)class->sum.count);
	}
	if (left)
		sonde_buf_printf(&text, " and %zu more", left);
	if (nr)
		line(buf, opts, title, &text);
	sonde_buf_free(&text);
}

/* Which requests send it, over all processes. */
static void callers(struct sonde_buf *buf, const struct sonde_snapshot *snapshot, const struct sonde_class *class,
		    const struct sonde_out_opts *opts)
{
	struct sonde_buf text = {};
	size_t shown = 0, left = 0, nr;

	for (size_t i = 0; i < class->nr_rows; i++) {
		const struct sonde_caller *caller =
			sonde_snapshot_callers(snapshot, class->sum.id, class->rows[i]->pid, &nr);

		for (size_t k = 0; k < i; k++)
			if (class->rows[k]->pid == class->rows[i]->pid)
				nr = 0; /* another row of the same process has told */
		for (size_t k = 0; k < nr; k++) {
			if (!caller[k].name[0])
				continue;
			if (shown == MAX_NAMES) {
				left++;
				continue;
			}
			sonde_buf_printf(&text, "%s%s (%llu calls in %llu)", shown++ ? ", " : "", caller[k].name,
					 (unsigned long long)caller[k].calls, (unsigned long long)caller[k].scopes);
		}
	}
	if (left)
		sonde_buf_printf(&text, " and %zu more", left);
	if (shown)
		line(buf, opts, "endpoints", &text);
	sonde_buf_free(&text);
}

static void slowest(struct sonde_buf *buf, const struct sonde_snapshot *snapshot, const struct sonde_class *class,
		    const struct sonde_out_opts *opts)
{
	const struct sonde_slow *slow = class->slowest;
	struct sonde_buf text = {};
	char t[SONDE_STR_SHORT];

	if (!slow)
		return;
	sonde_buf_printf(&text, "%s at ", sonde_str_ns(t, slow->done_ns));
	sonde_slow_time(&text, slow->start_ns + snapshot->mono_to_unix_ns, true);
	sonde_buf_printf(&text, " by %s(%u), %llu row%s", slow->process[0] ? slow->process : "?", slow->pid,
			 (unsigned long long)slow->rows, slow->rows == 1 ? "" : "s");
	if (slow->scope_name[0])
		sonde_buf_printf(&text, ", in %s", slow->scope_name);
	line(buf, opts, "slowest", &text);
}

static const struct sonde_slow_plan *plan_of(const struct sonde_snapshot *snapshot, u64 id)
{
	for (size_t i = 0; i < snapshot->nr_plans; i++)
		if (snapshot->plans[i].id == id)
			return &snapshot->plans[i];
	return NULL;
}

/* Lines of a text that has its own. */
static void lines(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n"), indent = strspn(text, " ");

		if (indent > len)
			indent = len;
		sonde_slow_wrap(buf, opts, text + indent, len - indent, 4 + indent);
		text += len + (text[len] == '\n');
	}
}

static void statement(struct sonde_buf *buf, const struct sonde_class *class, const struct sonde_out_opts *opts)
{
	title(buf, opts, "statement", class->sum.partial ? " (only its beginning)" : "");
	if (class->sum.text)
		sonde_slow_wrap(buf, opts, class->sum.text, class->sum.text_len, 4);
	else
		sonde_buf_str(buf, "    (its text was not seen)\n");
}

/* An execution with its literals, how the database runs it, and what would make it faster. */
static void texts(struct sonde_buf *buf, const struct sonde_snapshot *snapshot, const struct sonde_class *class,
		  const struct sonde_out_opts *opts)
{
	const struct sonde_slow_plan *plan = plan_of(snapshot, class->sum.id);
	const struct sonde_slow *slow = class->slowest;

	if (slow && slow->example) {
		title(buf, opts, "example", slow->example_whole ? "" : " (not complete)");
		sonde_slow_wrap(buf, opts, slow->example, slow->example_len, 4);
	}
	if (!plan)
		return;
	title(buf, opts, "plan", "");
	lines(buf, opts, plan->text);
	if (!plan->advice[0])
		return;
	title(buf, opts, "advice", "");
	lines(buf, opts, plan->advice);
}

void sonde_slow_class(const struct sonde_snapshot *snapshot, const struct sonde_digest *digest,
		      const struct sonde_class *class, size_t rank, const struct sonde_out_opts *opts,
		      struct sonde_buf *buf)
{
	double wall = snapshot->duration_ns ? (double)snapshot->duration_ns : 1;
	const struct sonde_query *sum = &class->sum;
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];
	struct sonde_buf head = {};

	sonde_buf_printf(&head, "# %zu  %s  %s, id %016llx", rank, sum->name, sonde_proto_name(sum->proto),
			 (unsigned long long)sum->id);
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, head.s ? head.s : "", head.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_free(&head);
	sonde_buf_add(buf, "\n", 1);
	statement(buf, class, opts);
	label(buf, opts, "calls");
	sonde_buf_printf(buf, "%s (%s/s)", sonde_str_group(n, sum->count),
			 sonde_str_rate(t, (double)sum->count / wall * 1e9));
	if (sum->waits)
		sonde_buf_str(buf, ", waits by intent: not in the sums of time");
	else
		sonde_buf_printf(buf, ", %.1f %% of the time, concurrency %.2f, V/M %.2f",
				 digest->total_ns ? 100 * (double)sum->done.sum_ns / (double)digest->total_ns : 0,
				 (double)sum->done.sum_ns / wall, class->v_m);
	sonde_buf_add(buf, "\n", 1);
	durations(buf, class, opts);
	amounts(buf, class, opts);
	errors(buf, class, opts);
	names(buf, class, DATABASE, "databases", opts);
	names(buf, class, USER, "users", opts);
	names(buf, class, HOST, "hosts", opts);
	names(buf, class, PROCESS, "processes", opts);
	callers(buf, snapshot, class, opts);
	label(buf, opts, "seen");
	sonde_slow_time(buf, sum->first_seen_ns + snapshot->mono_to_unix_ns, true);
	sonde_buf_str(buf, " to ");
	sonde_slow_time(buf, sum->last_seen_ns + snapshot->mono_to_unix_ns, true);
	sonde_buf_add(buf, "\n", 1);
	slowest(buf, snapshot, class, opts);
	histogram(buf, &sum->done, opts);
	texts(buf, snapshot, class, opts);
}
