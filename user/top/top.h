/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * top.h - what `sonde top` shows: rows made of two readings, what keys do, and the screen as lines of text. Pure: nothing here
 *	   reads the machine or knows of a terminal library.
 *
 *	readings + state -> rows (rows.c, order.c) -> screen (screen.c, detail.c)
 *	key + rows -> state (key.c)
 */
#ifndef SONDE_TOP_TOP_H
#define SONDE_TOP_TOP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "sonde/key.h"

struct sonde_finding;
struct sonde_machine;
struct sonde_query;
struct sonde_snapshot;
struct sonde_syscall;

enum sonde_top_page {
#define SONDE_TOP_PAGE(symbol, title, empty, overview) SONDE_TOP_##symbol,
#include "page.def"
#undef SONDE_TOP_PAGE
	SONDE_TOP_PAGES,
};

struct sonde_top_page_info {
	const char *title;
	const char *empty;
	bool overview;
};

extern const struct sonde_top_page_info sonde_top_pages[SONDE_TOP_PAGES];

/* What a column shows of a row. */
enum sonde_top_value {
	SONDE_TOP_PROCESS, /* name of the process */
	SONDE_TOP_WHAT, /* text of a statement, endpoint, call */
	SONDE_TOP_DATABASE,
	SONDE_TOP_KIND, /* of a finding */
	SONDE_TOP_SCOPE, /* where a finding is */
	SONDE_TOP_TIME,
	SONDE_TOP_CALLS,
	SONDE_TOP_ERRORS,
	SONDE_TOP_REFUSED, /* 4xx */
	SONDE_TOP_REQUESTS,
	SONDE_TOP_MEAN,
	SONDE_TOP_P99,
	SONDE_TOP_ROWS, /* of one execution */
	SONDE_TOP_QUERIES_EACH, /* of one request */
	SONDE_TOP_CPU,
	SONDE_TOP_WAIT,
	SONDE_TOP_SENT,
	SONDE_TOP_RECEIVED,
	SONDE_TOP_WASTE,
	SONDE_TOP_SCOPES,
	SONDE_TOP_EACH,
};

/* How a value is written: over the interval, or in all. */
enum sonde_top_form {
	SONDE_TOP_FORM_TEXT,
	SONDE_TOP_FORM_SHARE, /* nanoseconds: per cent of the time, or a duration */
	SONDE_TOP_FORM_RATE, /* a count: a second, or in all */
	SONDE_TOP_FORM_BAD_RATE, /* the same of what should not be */
	SONDE_TOP_FORM_BYTES, /* the same of bytes */
	SONDE_TOP_FORM_DURATION, /* nanoseconds */
	SONDE_TOP_FORM_MEAN,
	SONDE_TOP_FORM_COUNT,
};

struct sonde_top_column {
	enum sonde_top_value value;
	enum sonde_top_form form;
	const char *title[2]; /* of rates, of totals */
	u8 width;
	u8 from;
};

#define SONDE_TOP_COLUMNS_MAX 12 /* of a page */

/** sonde_top_columns - fill @out with those of a page, from left to right; returns their number */
size_t sonde_top_columns(enum sonde_top_page page, const struct sonde_top_column *out[SONDE_TOP_COLUMNS_MAX]);

/**
 * struct sonde_top_reading - what is known at one moment; the pointers may be NULL
 * @at_ns: CLOCK_MONOTONIC
 * @rows: statements, endpoints, findings
 * @calls: system calls
 */
struct sonde_top_reading {
	u64 at_ns;
	struct sonde_snapshot *rows;
	struct sonde_snapshot *calls;
	struct sonde_machine *machine;
};

/** sonde_top_reading_free - what it points to; it is empty afterwards */
void sonde_top_reading_free(struct sonde_top_reading *reading);

/**
 * struct sonde_top_row - a row of a page; numbers are those of the interval, or totals
 * @key: the same row in every reading
 * @pid: of one process, @nr_procs: how many it stands for
 * @of: what it is about: a query, endpoint, finding, call of the newest reading (of several processes: the first one)
 * @hist: of the time of one call; NULL: none
 * @queries: statements sent by requests of an endpoint, in all, @requests_all: how many requests
 */
struct sonde_top_row {
	u64 key;
	const char *process;
	u32 pid;
	u32 nr_procs;
	const char *what;
	union {
		const void *of;
		const struct sonde_query *query;
		const struct sonde_finding *finding;
		const struct sonde_syscall *call;
	};
	u64 time_ns;
	u64 calls;
	u64 errors;
	u64 refused;
	u64 requests;
	u64 rows;
	u64 cpu_ns;
	u64 wait_ns;
	u64 sent;
	u64 received;
	u64 p99_ns;
	u64 queries;
	u64 requests_all;
	struct sonde_hist *hist;
};

/** struct sonde_top_list - rows of a page */
struct sonde_top_list {
	struct sonde_top_row *row;
	size_t nr;
	size_t room;
	size_t hidden; /* by the filter */
};

/** struct sonde_top_sums - of the whole machine, in the time that the rows stand for */
struct sonde_top_sums {
	u64 window_ns;
	u64 calls, errors, time_ns;
	u64 requests, failed;
	u64 cpu_ns, wait_ns;
	u64 received, sent; /* by network interfaces */
	u32 nr_cpus;
	u64 lost, doubts; /* since the start */
};

struct sonde_top_view {
	struct sonde_top_list list[SONDE_TOP_PAGES];
	struct sonde_top_sums sums;
	const struct sonde_top_reading *now;
};

#define SONDE_TOP_FILTER 64

enum sonde_top_focus {
	SONDE_TOP_LISTS,
	SONDE_TOP_DETAIL,
	SONDE_TOP_HELP,
};

/* Whether system calls are counted. */
enum sonde_top_calls {
	SONDE_TOP_CALLS_OFF,
	SONDE_TOP_CALLS_ON, /* while their page is open */
	SONDE_TOP_CALLS_ALWAYS,
	SONDE_TOP_CALLS_FAILED,
};

/**
 * struct sonde_top_state - what keys change
 * @page: the one the cursor is in; @zoom: it has the screen to itself
 * @cursor: key of the row it is on, @at: its number, where that row has gone
 * @sort: value that a page is sorted by, @ascending: least first
 * @inside: key of the process whose rows are shown (0: of all); @inside_name, @inside_pid: what to show of it
 * @totals: since the start, not of the interval
 * @narrow: who is traced was chosen: processes without statements and requests are not listed
 * @by_pid: each process by itself, not those of one name together
 * @edit: the filter is being typed
 * @detail, @detail_page: row whose detail is shown; @scroll: lines above the first one shown
 * @width, @height: of the terminal
 * @utf8: it shows UTF-8
 */
struct sonde_top_state {
	enum sonde_top_focus focus;
	enum sonde_top_page page;
	bool zoom;
	u64 cursor[SONDE_TOP_PAGES];
	size_t at[SONDE_TOP_PAGES];
	enum sonde_top_value sort[SONDE_TOP_PAGES];
	bool ascending[SONDE_TOP_PAGES];
	u64 inside;
	char inside_name[SONDE_COMM_BYTES + 1];
	u32 inside_pid;
	bool totals;
	bool narrow;
	bool by_pid;
	bool frozen;
	bool edit;
	char filter[SONDE_TOP_FILTER];
	u64 detail;
	enum sonde_top_page detail_page;
	size_t scroll;
	enum sonde_top_calls calls;
	u64 interval_ns;
	unsigned int width, height;
	bool utf8;
};

/** sonde_top_begin - the state at first: the overview, sorted by time */
void sonde_top_begin(struct sonde_top_state *state);

/**
 * sonde_top_look - make the rows, sorted and filtered as @state says; puts the cursors of @state on rows that are there
 * @first: the reading at the start of the run, @before: the one before @now (NULL: there is none)
 *
 * Returns 0 or -ENOMEM. The rows point into the readings; free them with sonde_top_view_free() either way.
 */
int sonde_top_look(struct sonde_top_view *view, struct sonde_top_state *state, const struct sonde_top_reading *first,
		   const struct sonde_top_reading *before, const struct sonde_top_reading *now);

void sonde_top_view_free(struct sonde_top_view *view);

/** sonde_top_number - what a row has in a column of numbers; nanoseconds, counts, bytes */
double sonde_top_number(const struct sonde_top_row *row, enum sonde_top_value value);

/** sonde_top_text - the same of a column of text */
const char *sonde_top_text(const struct sonde_top_row *row, enum sonde_top_value value);

/* Only for user/top: rows neither sorted nor filtered; number of the row that the cursor of @page is on. */
int sonde_top_rows(struct sonde_top_view *view, const struct sonde_top_state *state, const struct sonde_top_reading *first,
		   const struct sonde_top_reading *before, const struct sonde_top_reading *now);
size_t sonde_top_cursor(const struct sonde_top_view *view, const struct sonde_top_state *state, enum sonde_top_page page);

/* Keys that are no characters; characters are themselves. */
enum sonde_top_key {
	SONDE_TOP_KEY_UP = 0x110000,
	SONDE_TOP_KEY_DOWN,
	SONDE_TOP_KEY_LEFT,
	SONDE_TOP_KEY_RIGHT,
	SONDE_TOP_KEY_PAGE_UP,
	SONDE_TOP_KEY_PAGE_DOWN,
	SONDE_TOP_KEY_HOME,
	SONDE_TOP_KEY_END,
	SONDE_TOP_KEY_ENTER,
	SONDE_TOP_KEY_ESCAPE,
	SONDE_TOP_KEY_TAB,
	SONDE_TOP_KEY_BACK_TAB,
	SONDE_TOP_KEY_BACKSPACE,
};

/** sonde_top_press - what a key does; false: the end is asked for */
bool sonde_top_press(struct sonde_top_state *state, const struct sonde_top_view *view, u32 key);

#endif /* SONDE_TOP_TOP_H */
