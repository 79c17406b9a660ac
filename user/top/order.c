// SPDX-License-Identifier: GPL-2.0-only
/*
 * order.c - what a column shows of a row, which rows pass the filter, in which order, and where the cursor is.
 */
#include <stdlib.h>
#include <string.h>

#include "model/finding.h"
#include "model/machine.h"
#include "model/snapshot.h"
#include "top/top.h"

const struct sonde_top_page_info sonde_top_pages[SONDE_TOP_PAGES] = {
#define SONDE_TOP_PAGE(symbol, title, empty, overview) [SONDE_TOP_##symbol] = { title, empty, overview },
#include "top/page.def"
#undef SONDE_TOP_PAGE
};

/* All pages' columns, those of a page together. */
static const struct {
	enum sonde_top_page page;
	struct sonde_top_column column;
} columns[] = {
#define SONDE_TOP_COLUMN(page, value, form, rates, totals, width, from)                                                \
	{ SONDE_TOP_##page, { SONDE_TOP_##value, SONDE_TOP_FORM_##form, { rates, totals }, width, from } },
#include "top/column.def"
#undef SONDE_TOP_COLUMN
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

size_t sonde_top_columns(enum sonde_top_page page, const struct sonde_top_column *out[SONDE_TOP_COLUMNS_MAX])
{
	size_t nr = 0;

	for (size_t i = 0; i < NR_COLUMNS && nr < SONDE_TOP_COLUMNS_MAX; i++)
		if (columns[i].page == page)
			out[nr++] = &columns[i].column;
	return nr;
}

static double ratio(u64 a, u64 b)
{
	return b ? (double)a / (double)b : 0;
}

double sonde_top_number(const struct sonde_top_row *row, enum sonde_top_value value)
{
	switch (value) {
	case SONDE_TOP_TIME:
	case SONDE_TOP_WASTE:
		return (double)row->time_ns;
	case SONDE_TOP_CALLS:
	case SONDE_TOP_SCOPES:
		return (double)row->calls;
	case SONDE_TOP_ERRORS:
		return (double)row->errors;
	case SONDE_TOP_REFUSED:
		return (double)row->refused;
	case SONDE_TOP_REQUESTS:
		return (double)row->requests;
	case SONDE_TOP_MEAN:
		return row->hist ? ratio(row->hist->sum_ns, row->calls) : 0;
	case SONDE_TOP_P99:
		return (double)row->p99_ns;
	case SONDE_TOP_ROWS:
		return ratio(row->rows, row->calls);
	case SONDE_TOP_QUERIES_EACH:
		return ratio(row->queries, row->requests_all);
	case SONDE_TOP_CPU:
		return (double)row->cpu_ns;
	case SONDE_TOP_WAIT:
		return (double)row->wait_ns;
	case SONDE_TOP_SENT:
		return (double)row->sent;
	case SONDE_TOP_RECEIVED:
		return (double)row->received;
	case SONDE_TOP_EACH:
		return row->finding->calls_median;
	default:
		return 0;
	}
}

const char *sonde_top_text(const struct sonde_top_row *row, enum sonde_top_value value)
{
	switch (value) {
	case SONDE_TOP_PROCESS:
		return row->process;
	case SONDE_TOP_WHAT:
		return row->what;
	case SONDE_TOP_DATABASE:
		return row->query->database;
	case SONDE_TOP_KIND:
		return sonde_finding_kind_title(row->finding->kind);
	case SONDE_TOP_SCOPE:
		return row->finding->scope_name;
	default:
		return "";
	}
}

static bool is_text(enum sonde_top_value value)
{
	return value <= SONDE_TOP_SCOPE;
}

struct ordering {
	enum sonde_top_value value;
	bool ascending;
};

static int compare_numbers(double a, double b)
{
	return (a < b) - (a > b);
}

/* Greatest first, but text from A to Z; then by time, then by what does not change from one reading to the next. */
static int by_value(const void *pa, const void *pb, void *ctx)
{
	const struct sonde_top_row *a = pa, *b = pb;
	const struct ordering *ordering = ctx;
	int order = is_text(ordering->value) ? strcmp(sonde_top_text(a, ordering->value), sonde_top_text(b, ordering->value))
					     : compare_numbers(sonde_top_number(a, ordering->value),
							       sonde_top_number(b, ordering->value));

	if (ordering->ascending)
		order = -order;
	if (!order)
		order = compare_numbers((double)a->time_ns, (double)b->time_ns);
	if (!order)
		order = compare_numbers((double)(a->cpu_ns + a->calls), (double)(b->cpu_ns + b->calls));
	if (!order)
		order = strcmp(a->process, b->process);
	return order ? order : (a->key > b->key) - (a->key < b->key);
}

static bool holds(const char *text, const char *filter)
{
	return text && strcasestr(text, filter);
}

static bool passes(const struct sonde_top_row *row, enum sonde_top_page page, const struct sonde_top_state *state)
{
	const char *filter = state->filter;

	if (state->inside && page != SONDE_TOP_PROCESSES) {
		if (strcmp(row->process, state->inside_name) != 0)
			return false;
		if (state->by_pid && row->pid != state->inside_pid)
			return false;
	}
	if (!filter[0] || holds(row->process, filter) || holds(row->what, filter))
		return true;
	if (page == SONDE_TOP_FINDINGS)
		return holds(sonde_finding_kind_title(row->finding->kind), filter) || holds(row->finding->scope_name, filter);
	if (page == SONDE_TOP_QUERIES || page == SONDE_TOP_ENDPOINTS)
		return holds(row->query->database, filter) || holds(row->query->server, filter);
	return false;
}

static void filter_rows(struct sonde_top_list *list, enum sonde_top_page page, const struct sonde_top_state *state)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->nr; i++) {
		if (passes(&list->row[i], page, state))
			list->row[kept++] = list->row[i];
		else
			free(list->row[i].hist);
	}
	list->hidden = list->nr - kept;
	list->nr = kept;
}

size_t sonde_top_cursor(const struct sonde_top_view *view, const struct sonde_top_state *state, enum sonde_top_page page)
{
	const struct sonde_top_list *list = &view->list[page];

	for (size_t i = 0; i < list->nr && state->cursor[page]; i++)
		if (list->row[i].key == state->cursor[page])
			return i;
	if (!list->nr)
		return 0;
	return state->at[page] < list->nr ? state->at[page] : list->nr - 1;
}

int sonde_top_look(struct sonde_top_view *view, struct sonde_top_state *state, const struct sonde_top_reading *first,
		   const struct sonde_top_reading *before, const struct sonde_top_reading *now)
{
	int err;

	*view = (struct sonde_top_view){};
	err = sonde_top_rows(view, state, first, before, now);
	for (size_t i = 0; i < SONDE_TOP_PAGES; i++) {
		enum sonde_top_page page = (enum sonde_top_page)i;
		struct ordering ordering = { state->sort[i], state->ascending[i] };
		struct sonde_top_list *list = &view->list[i];

		filter_rows(list, page, state);
		if (list->nr)
			qsort_r(list->row, list->nr, sizeof(*list->row), by_value, &ordering);
		state->at[i] = sonde_top_cursor(view, state, page);
	}
	return err;
}

void sonde_top_view_free(struct sonde_top_view *view)
{
	for (size_t page = 0; page < SONDE_TOP_PAGES; page++) {
		for (size_t i = 0; i < view->list[page].nr; i++)
			free(view->list[page].row[i].hist);
		free(view->list[page].row);
	}
	*view = (struct sonde_top_view){};
}

void sonde_top_reading_free(struct sonde_top_reading *reading)
{
	sonde_snapshot_free(reading->rows);
	sonde_snapshot_free(reading->calls);
	sonde_machine_free(reading->machine);
	*reading = (struct sonde_top_reading){};
}
