// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow.c - the slow-query report: what there was in all, which statements took most of the time, then each by itself.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/digest.h"
#include "model/slow.h"
#include "out/out.h"
#include "out/slow.h"
#include "out/text.h"

#define MAX_NAMES 6 /* databases that the head of the report lists */
#define NUMBERS 47 /* columns of the profile before the statement */

void sonde_slow_time(struct sonde_buf *buf, u64 unix_ns, bool date)
{
	time_t seconds = (time_t)(unix_ns / 1000000000);
	char text[32];
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof(text), date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &tm))
		return;
	sonde_buf_printf(buf, "%s.%03u", text, (unsigned int)(unix_ns / 1000000 % 1000));
}

void sonde_slow_wrap(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *s, size_t len, size_t indent)
{
	size_t width = opts->width > indent + 20 ? opts->width - indent : 20, begin = 0, blank = 0, columns = 0, bytes;

	for (size_t at = 0; at < len; at += bytes) {
		size_t char_columns;

		sonde_utf8_next(s + at, len - at, &bytes);
		char_columns = sonde_utf8_columns(s + at, bytes);
		if (columns + char_columns > width) {
			size_t end = blank > begin ? blank : at;

			sonde_buf_fill(buf, ' ', indent);
			sonde_utf8_clean(buf, s + begin, end - begin);
			sonde_buf_add(buf, "\n", 1);
			begin = end + (blank > begin);
			columns = sonde_utf8_columns(s + begin, at - begin);
			blank = 0;
		}
		if (s[at] == ' ' || s[at] == '\n' || s[at] == '\t')
			blank = at;
		columns += char_columns;
	}
	sonde_buf_fill(buf, ' ', indent);
	sonde_utf8_clean(buf, s + begin, len - begin);
	sonde_buf_add(buf, "\n", 1);
}

static double seconds(u64 ns)
{
	return ns ? (double)ns / 1e9 : 1;
}

static bool named_before(const struct sonde_digest *digest, size_t end)
{
	const struct sonde_query *query = digest->rows[end];

	for (size_t i = 0; i < end; i++)
		if (digest->rows[i]->proto == query->proto && !strcmp(digest->rows[i]->database, query->database) &&
		    !strcmp(digest->rows[i]->server, query->server))
			return true;
	return false;
}

static void databases(struct sonde_buf *buf, const struct sonde_snapshot *snapshot, const struct sonde_digest *digest,
		      const struct sonde_out_opts *opts)
{
	struct sonde_buf line = {};
	size_t nr = 0, more = 0;

	for (size_t i = 0; i < snapshot->nr_queries; i++) {
		const struct sonde_query *query = digest->rows[i];

		if (named_before(digest, i))
			continue;
		if (nr++ >= MAX_NAMES) {
			more++;
			continue;
		}
		sonde_buf_printf(&line, "%s%s%s%s%s%s", nr > 1 ? ", " : "", sonde_proto_name(query->proto),
				 query->database[0] ? " " : "", query->database, query->server[0] ? " at " : "",
				 query->server);
	}
	if (more)
		sonde_buf_printf(&line, " and %zu more", more);
	sonde_buf_str(buf, "databases    ");
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width - 13);
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_free(&line);
}

static void overall(struct sonde_buf *buf, const struct sonde_snapshot *snapshot, const struct sonde_digest *digest,
		    const struct sonde_out_opts *opts)
{
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];

	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_buf_printf(buf, "sonde %s: %s statements, %zu different, in %s", opts->command,
			 sonde_str_group(n, digest->calls), digest->nr, sonde_str_ns(t, snapshot->duration_ns));
	if (snapshot->capture[0])
		sonde_buf_printf(buf, " [%s]", snapshot->capture);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_printf(buf, "\nrate         %s/s",
			 sonde_str_rate(t, (double)digest->calls / seconds(snapshot->duration_ns)));
	sonde_buf_printf(buf, ", concurrency %.2f (sum of times %s)\n",
			 seconds(digest->total_ns) / seconds(snapshot->duration_ns) * (digest->total_ns != 0),
			 sonde_str_ns(t, digest->total_ns));
	if (digest->calls) {
		sonde_buf_str(buf, "time range   ");
		sonde_slow_time(buf, digest->first_ns + snapshot->mono_to_unix_ns, true);
		sonde_buf_str(buf, " to ");
		sonde_slow_time(buf, digest->last_ns + snapshot->mono_to_unix_ns, true);
		sonde_buf_add(buf, "\n", 1);
	}
	if (digest->errors) {
		sonde_text_style(buf, opts, SONDE_STYLE_BAD);
		sonde_buf_printf(buf, "errors       %s\n", sonde_str_group(n, digest->errors));
		sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	}
	if (snapshot->slow_ns)
		sonde_buf_printf(buf, "slow         %s took %s or longer\n",
				 sonde_str_group(n, snapshot->slow_total + snapshot->counter[SONDE_CNT_SLOW_DROPPED]),
				 sonde_str_ns(t, snapshot->slow_ns));
	if (digest->calls)
		databases(buf, snapshot, digest, opts);
}

/* Rank, share, total, calls, time per call, V/M. */
static void numbers(struct sonde_buf *buf, const struct sonde_digest *digest, const struct sonde_class *class,
		    size_t rank)
{
	const struct sonde_query *sum = &class->sum;
	char total[SONDE_STR_SHORT], calls[SONDE_STR_SHORT], each[SONDE_STR_SHORT], v_m[SONDE_STR_SHORT];
	char share[16] = "waits";

	if (!sum->waits)
		snprintf(share, sizeof(share), "%.1f%%",
			 digest->total_ns ? 100 * (double)sum->done.sum_ns / (double)digest->total_ns : 0);
	sonde_str_rate(v_m, class->v_m);
	sonde_buf_printf(buf, "%5zu %6s %7s %7s %9s %6s  ", rank, share, sonde_str_ns(total, sum->done.sum_ns),
			 sonde_str_count(calls, sum->count), sonde_str_ns(each, (u64)(class->mean_ns + 0.5)),
			 class->v_m < 0.005 ? "0.00" : v_m);
}

/* Sum of what the report leaves out. */
static void rest(struct sonde_buf *buf, const struct sonde_digest *digest, size_t from)
{
	char total[SONDE_STR_SHORT], calls[SONDE_STR_SHORT], share[16];
	u64 ns = 0, nr = 0;

	for (size_t i = from; i < digest->nr; i++) {
		ns += digest->classes[i].sum.waits ? 0 : digest->classes[i].sum.done.sum_ns;
		nr += digest->classes[i].sum.count;
	}
	snprintf(share, sizeof(share), "%.1f%%", digest->total_ns ? 100 * (double)ns / (double)digest->total_ns : 0);
	sonde_buf_printf(buf, "      %6s %7s %7s                   %zu more (--top shows more)\n", share,
			 sonde_str_ns(total, ns), sonde_str_count(calls, nr), digest->nr - from);
}

static void profile(struct sonde_buf *buf, const struct sonde_digest *digest, const struct sonde_out_opts *opts,
		    size_t nr)
{
	unsigned int room = opts->width > NUMBERS + 20 ? opts->width - NUMBERS : 20;

	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_buf_str(buf, " rank  share   total   calls time/call    V/M  statement\n");
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	for (size_t i = 0; i < nr; i++) {
		const struct sonde_query *sum = &digest->classes[i].sum;
		bool fits = sum->text && sonde_utf8_columns(sum->text, sum->text_len) <= room;

		numbers(buf, digest, &digest->classes[i], i + 1);
		if (fits)
			sonde_utf8_clean(buf, sum->text, sum->text_len);
		else
			sonde_utf8_fit(buf, sum->name, strlen(sum->name), room);
		sonde_buf_add(buf, "\n", 1);
	}
	if (nr < digest->nr)
		rest(buf, digest, nr);
}

void sonde_slow_text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	struct sonde_digest digest;
	size_t nr;

	if (sonde_digest_make(&digest, snapshot)) {
		buf->failed = true;
		return;
	}
	nr = opts->top && opts->top < digest.nr ? opts->top : digest.nr;
	overall(buf, snapshot, &digest, opts);
	sonde_buf_add(buf, "\n", 1);
	if (digest.nr) {
		profile(buf, &digest, opts, nr);
		sonde_buf_add(buf, "\n", 1);
	} else {
		sonde_text_empty(buf, opts, snapshot);
		sonde_buf_add(buf, "\n", 1);
	}
	for (size_t i = 0; i < nr; i++) {
		sonde_slow_class(snapshot, &digest, &digest.classes[i], i + 1, opts, buf);
		sonde_buf_add(buf, "\n", 1);
	}
	sonde_text_coverage(buf, opts, snapshot);
	sonde_digest_free(&digest);
}

/* Of a path the last part: the report names all of it. */
static const char *short_server(const char *server)
{
	const char *slash = server[0] == '/' ? strrchr(server, '/') : NULL;

	return slash && slash[1] ? slash + 1 : server;
}

void sonde_slow_line(const struct sonde_slow *slow, u64 mono_to_unix_ns, const struct sonde_out_opts *opts,
		     struct sonde_buf *buf)
{
	const char *text = slow->example ? slow->example : slow->text, *server = short_server(slow->server);
	size_t len = slow->example ? slow->example_len : slow->text_len, used;
	struct sonde_buf head = {};
	char t[SONDE_STR_SHORT];

	sonde_slow_time(&head, slow->start_ns + mono_to_unix_ns, false);
	sonde_buf_printf(
		&head, " %7s  %s(%u) %s %s%s%s%s%s", sonde_str_ns(t, slow->done_ns),
		slow->process[0] ? slow->process : "?", slow->pid, slow->role == SONDE_ROLE_SERVER ? "serves" : "->",
		server, server[0] && slow->database[0] ? "/" : "", slow->database,
		server[0] || slow->database[0] ? "" : sonde_proto_name(slow->proto), slow->scope_name[0] ? "  " : "");
	sonde_buf_printf(&head, "%s  %llu row%s  ", slow->scope_name, (unsigned long long)slow->rows,
			 slow->rows == 1 ? "" : "s");
	if (slow->failed && slow->sqlstate[0])
		sonde_buf_printf(&head, "FAILED (%s)  ", slow->sqlstate);
	else if (slow->failed)
		sonde_buf_str(&head, "FAILED  ");
	if (head.failed) {
		buf->failed = true;
		sonde_buf_free(&head);
		return;
	}
	used = sonde_utf8_columns(head.s, head.len);
	sonde_utf8_clean(buf, head.s, head.len);
	if (!text) {
		text = slow->name;
		len = strlen(text);
	}
	/* Some of the statement always shows: a line may be longer than the terminal is wide. */
	sonde_utf8_fit(buf, text, len, opts->width > used + 20 ? (unsigned int)(opts->width - used) : 20);
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_free(&head);
}
