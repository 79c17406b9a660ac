// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame.c - what stands around the lists: the machine in two lines, keys in the last one, the help.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "base/utf8.h"
#include "model/snapshot.h"
#include "top/screen.h"

#define ONE_LINE 12u /* a screen of fewer lines has one line of header */

/* Appends @text, unless there is no room for all of it. */
static void part(struct sonde_top_screen *screen, enum sonde_top_style style, const char *text)
{
	unsigned int columns = sonde_utf8_columns(text, strlen(text));

	if (screen->nr && screen->line[screen->nr - 1].columns + columns <= screen->width)
		sonde_top_put(screen, style, 0, false, text);
}

static const char *rate(char out[SONDE_STR_SHORT], u64 count, const struct sonde_top_view *view, bool totals)
{
	u64 ns = view->sums.window_ns;

	if (totals)
		return sonde_str_count(out, count);
	return sonde_str_rate(out, ns ? (double)count * 1e9 / (double)ns : 0);
}

static double share(u64 ns, const struct sonde_top_view *view)
{
	return view->sums.window_ns ? (double)ns / (double)view->sums.window_ns : 0;
}

static void put_title(struct sonde_top_screen *screen, const struct sonde_top_state *state, const struct sonde_top_view *view)
{
	const struct sonde_snapshot *rows = view->now->rows;
	char text[160], t[SONDE_STR_SHORT], clock[16];
	struct tm tm;
	time_t now;

	sonde_top_new_line(screen);
	part(screen, SONDE_TOP_BOLD, "sonde top");
	if (state->frozen)
		part(screen, SONDE_TOP_WARN, "  FROZEN");
	if (state->inside) {
		snprintf(text, sizeof(text), state->by_pid ? "  in %s[%u]" : "  in %s", state->inside_name, state->inside_pid);
		part(screen, SONDE_TOP_WARN, text);
	}
	if (state->filter[0] && !state->edit) {
		snprintf(text, sizeof(text), "  filter \"%s\"", state->filter);
		part(screen, SONDE_TOP_WARN, text);
	}
	if (view->sums.lost) {
		snprintf(text, sizeof(text), "  LOST %s", sonde_str_count(t, view->sums.lost));
		part(screen, SONDE_TOP_BAD, text);
	}
	if (!rows)
		return;
	if (state->totals)
		snprintf(text, sizeof(text), "  totals of %s", sonde_str_ns(t, rows->duration_ns));
	else
		snprintf(text, sizeof(text), "  rates of the last %s", sonde_str_ns(t, view->sums.window_ns));
	part(screen, SONDE_TOP_PLAIN, text);
	now = (time_t)((rows->start_unix_ns + rows->duration_ns) / 1000000000);
	if (localtime_r(&now, &tm) && strftime(clock, sizeof(clock), "%H:%M:%S", &tm)) {
		snprintf(text, sizeof(text), "  %s  %s", clock, rows->host.name);
		part(screen, SONDE_TOP_PLAIN, text);
	}
}

static void put_machine(struct sonde_top_screen *screen, const struct sonde_top_state *state, const struct sonde_top_view *view)
{
	const struct sonde_top_sums *sums = &view->sums;
	const char *per = state->totals ? "" : "/s";
	char text[160], a[SONDE_STR_SHORT], b[SONDE_STR_SHORT];

	sonde_top_new_line(screen);
	snprintf(text, sizeof(text), "db %s%s", rate(a, sums->calls, view, state->totals), per);
	part(screen, SONDE_TOP_PLAIN, text);
	/* So many statements are under way on average. */
	snprintf(text, sizeof(text), " %.1f busy", share(sums->time_ns, view));
	part(screen, SONDE_TOP_PLAIN, text);
	if (sums->errors) {
		snprintf(text, sizeof(text), " %s%s failed", rate(a, sums->errors, view, state->totals), per);
		part(screen, SONDE_TOP_BAD, text);
	}
	snprintf(text, sizeof(text), "  http %s%s", rate(a, sums->requests, view, state->totals), per);
	part(screen, SONDE_TOP_PLAIN, text);
	if (sums->failed) {
		snprintf(text, sizeof(text), " %s%s 5xx", rate(a, sums->failed, view, state->totals), per);
		part(screen, SONDE_TOP_BAD, text);
	}
	snprintf(text, sizeof(text), "  cpu %.1f of %u", share(sums->cpu_ns, view), sums->nr_cpus);
	part(screen, SONDE_TOP_PLAIN, text);
	snprintf(text, sizeof(text), "  run-queue %.1f", share(sums->wait_ns, view));
	part(screen, share(sums->wait_ns, view) > sums->nr_cpus ? SONDE_TOP_WARN : SONDE_TOP_PLAIN, text);
	snprintf(text, sizeof(text), "  net in %s out %s", rate(a, sums->received, view, state->totals),
		 rate(b, sums->sent, view, state->totals));
	part(screen, SONDE_TOP_PLAIN, text);
}

void sonde_top_header(struct sonde_top_screen *screen, const struct sonde_top_state *state, const struct sonde_top_view *view)
{
	put_title(screen, state, view);
	if (state->height >= ONE_LINE)
		put_machine(screen, state, view);
}

/* ---- keys ---- */

struct hint {
	const char *key;
	const char *does;
};

static void put_hints(struct sonde_top_screen *screen, const struct hint *hint, size_t nr)
{
	char text[64];

	for (size_t i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "%s%s %s", i ? "  " : "", hint[i].key, hint[i].does);
		if (screen->line[screen->nr - 1].columns + strlen(text) > screen->width)
			break;
		snprintf(text, sizeof(text), "%s%s", i ? "  " : "", hint[i].key);
		sonde_top_put(screen, SONDE_TOP_BOLD, 0, false, text);
		snprintf(text, sizeof(text), " %s", hint[i].does);
		sonde_top_put(screen, SONDE_TOP_DIM, 0, false, text);
	}
}

#define PUT_HINTS(screen, hints) put_hints(screen, hints, sizeof(hints) / sizeof((hints)[0]))

void sonde_top_keys(struct sonde_top_screen *screen, const struct sonde_top_state *state)
{
	static const struct hint lists[] = {
		{ "q", "quit" },     { "?", "help" },	 { "Enter", "open" },	 { "Tab", "page" }, { "s", "sort" },
		{ "/", "filter" },   { "t", "totals" },	 { "Space", "freeze" },	 { "g", "pids" },   { "z", "zoom" },
		{ "5", "syscalls" }, { "r", "reverse" }, { "Esc", "back" },
	};
	static const struct hint inside[] = {
		{ "q", "quit" },   { "?", "help" },   { "Esc", "back" },     { "Enter", "open" }, { "Tab", "page" },
		{ "s", "sort" },   { "/", "filter" }, { "t", "totals" }, { "Space", "freeze" },
	};
	static const struct hint text[] = {
		{ "q", "quit" }, { "Esc", "back" }, { "Up/Down", "scroll" }, { "t", "totals" }, { "Space", "freeze" },
	};

	sonde_top_new_line(screen);
	if (screen->failed)
		return;
	if (state->edit) {
		sonde_top_say(screen, SONDE_TOP_BOLD, "filter: %s_", state->filter);
		sonde_top_say(screen, SONDE_TOP_DIM, "   Enter keep  Esc all");
	} else if (state->focus != SONDE_TOP_LISTS) {
		PUT_HINTS(screen, text);
	} else if (state->inside || state->filter[0] || state->zoom) {
		PUT_HINTS(screen, inside);
	} else {
		PUT_HINTS(screen, lists);
	}
}

/* ---- help ---- */

#define KEY_COLUMNS 19u
#define HELP_LINES 8 /* of one key or column */

/* A key or column and what it is; without @text: the title of what follows. */
static const struct {
	const char *key;
	const char *text;
} help[] = {
	{ "KEYS", NULL },
	{ "Up Down PgUp PgDn", "move the cursor, or scroll; Home, End: to the first row, the last one; k, j: up, down" },
	{ "Tab, Shift-Tab", "the next list, the one before" },
	{ "1 2 3 4 5", "processes, queries, endpoints, findings, system calls, each on a screen of its own; 0: the overview; z: this list "
		       "alone, or all" },
	{ "Enter", "of a process: its own queries, endpoints and findings; of a query, endpoint or finding: all about it, down to the place "
		   "in the code" },
	{ "Esc", "one step back" },
	{ "s, S (or > <)", "sort by the next column, by the one before; r: the other way round" },
	{ "/", "show only rows that contain a text: process, statement, endpoint, database, server" },
	{ "t", "totals since the start, or rates of the last interval" },
	{ "g", "processes one by one, or those of one name together" },
	{ "Space", "freeze the screen; counting goes on" },
	{ "Ctrl-L", "draw the screen anew" },
	{ "q, Ctrl-C", "quit" },
	{ "COLUMNS", NULL },
	{ "DB%, TIME%", "time in statements, requests, calls, as a share of the time that has passed: 250 means that two and a half of them "
			"were under way on average" },
	{ "CALLS/s, REQ/s", "statements sent; HTTP requests answered" },
	{ "ERR/s, 5xx/s", "statements that failed; requests answered with a server error" },
	{ "AVG, P99", "time of one of them: on average; 99 of 100 took no longer" },
	{ "CPU%", "of one processor" },
	{ "RUNQ%", "time that threads were ready to run but had no processor, on the scale of CPU%" },
	{ "SENT/s, RECV/s", "bytes of statements, HTTP requests and their replies, as counted on sockets" },
	{ "QRY/REQ", "statements sent by one request of the endpoint, since the start" },
	{ "WASTE TIMES EACH", "of a finding, since the start: time that need not be, in how many units of work (requests, transactions), and "
			      "how many executions in each" },
	{ "THE MACHINE, IN THE SECOND LINE", NULL },
	{ "db", "statements, and how many were under way on average (busy)" },
	{ "cpu, run-queue", "processors in use, threads waiting for one, on average" },
	{ "net", "bytes by network interfaces, the loopback left out" },
	{ "SYSTEM CALLS", NULL },
	{ "5", "counting them costs every process that makes any, so they are counted only while this list is shown, or all the time with "
	       "sonde top --syscalls" },
};

void sonde_top_help(struct sonde_top_screen *text)
{
	bool wide = text->width > 2 * KEY_COLUMNS;

	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++) {
		if (help[i].text) {
			sonde_top_wrap(text, SONDE_TOP_PLAIN, wide ? KEY_COLUMNS : 10, HELP_LINES, help[i].key, help[i].text);
			continue;
		}
		if (i)
			sonde_top_new_line(text);
		sonde_top_new_line(text);
		sonde_top_put(text, SONDE_TOP_HEAD, 0, false, help[i].key);
	}
}
