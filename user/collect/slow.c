// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow.c - collects slow executions.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/table.h"
#include "collect/db.h"
#include "collect/slow.h"
#include "model/slow.h"
#include "model/snapshot.h"
#include "proto/example.h"
#include "sonde/event.h"

/* One execution. It may be kept as one of the slowest, as one of the latest, and wait to be handed out. */
struct kept {
	struct kept *next; /* to be handed out */
	u32 refs;
	u32 mark; /* of the snapshot it went into */
	size_t len; /* of @event, as it came */
	struct sonde_event_slow event; /* allocated up to @len */
};

struct statement {
	struct kept *slowest[SONDE_SLOW_EACH]; /* slowest first */
};

struct sonde_slow_log {
	struct sonde_table statements; /* id -> struct statement */
	struct kept *latest[SONDE_SLOW_LATEST];
	struct kept *first, **last; /* not handed out yet */
	u64 total;
	u32 mark;
};

struct sonde_slow_log *sonde_slow_log_new(void)
{
	struct sonde_slow_log *log = calloc(1, sizeof(*log));

	if (log)
		log->last = &log->first;
	return log;
}

static void put(struct kept *kept)
{
	if (kept && !--kept->refs)
		free(kept);
}

static void free_statement(void *value)
{
	struct statement *s = value;

	for (size_t i = 0; i < SONDE_SLOW_EACH; i++)
		put(s->slowest[i]);
	free(s);
}

static struct kept *pop(struct sonde_slow_log *log)
{
	struct kept *kept = log->first;

	if (!kept)
		return NULL;
	log->first = kept->next;
	if (!log->first)
		log->last = &log->first;
	return kept;
}

void sonde_slow_log_free(struct sonde_slow_log *log)
{
	struct kept *kept;

	if (!log)
		return;
	while ((kept = pop(log)))
		put(kept);
	sonde_table_free(&log->statements, free_statement);
	for (size_t i = 0; i < SONDE_SLOW_LATEST; i++)
		put(log->latest[i]);
	free(log);
}

u64 sonde_slow_log_total(const struct sonde_slow_log *log)
{
	return log->total;
}

/* Among the slowest of its statement, if it is. */
static int keep_slowest(struct sonde_slow_log *log, struct kept *kept)
{
	struct statement *s = sonde_table_get(&log->statements, kept->event.key.id);
	size_t i = SONDE_SLOW_EACH;

	if (!s && log->statements.nr >= SONDE_SLOW_STATEMENTS)
		return 0;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		if (sonde_table_put(&log->statements, kept->event.key.id, s)) {
			free(s);
			return -ENOMEM;
		}
	}
	while (i && (!s->slowest[i - 1] || s->slowest[i - 1]->event.done_ns < kept->event.done_ns))
		i--;
	if (i == SONDE_SLOW_EACH)
		return 0;
	put(s->slowest[SONDE_SLOW_EACH - 1]);
	memmove(&s->slowest[i + 1], &s->slowest[i], (SONDE_SLOW_EACH - 1 - i) * sizeof(struct kept *));
	s->slowest[i] = kept;
	kept->refs++;
	return 0;
}

int sonde_slow_log_event(struct sonde_slow_log *log, const void *event, size_t size)
{
	struct kept *kept, **latest = &log->latest[log->total % SONDE_SLOW_LATEST];
	struct sonde_event head;

	if (size < sizeof(head))
		return -EINVAL;
	memcpy(&head, event, sizeof(head));
	if (head.type != SONDE_EVENT_SLOW)
		return 0;
	if (size < SONDE_EVENT_SLOW_HEAD || size > sizeof(kept->event))
		return -EINVAL;
	kept = calloc(1, offsetof(struct kept, event) + size);
	if (!kept)
		return -ENOMEM;
	memcpy(&kept->event, event, size);
	kept->len = size;
	if (kept->event.example_len > size - SONDE_EVENT_SLOW_HEAD) {
		free(kept);
		return -EINVAL;
	}
	kept->refs = 2; /* the list to hand out, the latest */
	*log->last = kept;
	log->last = &kept->next;
	put(*latest);
	*latest = kept;
	log->total++;
	return keep_slowest(log, kept);
}

static int describe(const struct kept *kept, struct sonde_db *db, struct sonde_slow *slow)
{
	const struct sonde_event_slow *e = &kept->event;
	const char *scope = e->name ? sonde_db_label(db, e->name) : NULL;
	struct sonde_buf example = {};
	int err;

	*slow = (struct sonde_slow){ .tid = e->tid,
				     .scope = e->scope,
				     .verb = e->verb,
				     .failed = e->flags & SONDE_SLOW_FAILED,
				     .start_ns = e->start_ns,
				     .done_ns = e->done_ns,
				     .first_ns = e->first_ns,
				     .rows = e->rows,
				     .bytes = e->bytes,
				     .scope_name = scope ? scope : "" };
	for (size_t i = 0; i < 5; i++)
		slow->sqlstate[i] = (char)(e->sqlstate >> 8 * i);
	slow->code = (u32)(e->sqlstate >> 40);
	err = sonde_db_describe(db, &e->key, slow);
	if (err || !e->example_len)
		return err;
	slow->example_whole = sonde_example(e->key.proto, e->flags, (const u8 *)e->example, e->example_len,
					    slow->named ? NULL : slow->text, slow->text_len, &example);
	if (example.failed) {
		sonde_buf_free(&example);
		return -ENOMEM;
	}
	slow->example = example.s;
	slow->example_len = example.len;
	return 0;
}

const struct sonde_query_key *sonde_slow_log_peek(const struct sonde_slow_log *log)
{
	return log->first ? &log->first->event.key : NULL;
}

int sonde_slow_log_next(struct sonde_slow_log *log, struct sonde_db *db, struct sonde_slow *slow)
{
	struct kept *kept = pop(log);
	int err;

	if (!kept)
		return 0;
	err = describe(kept, db, slow);
	put(kept);
	return err ? err : 1;
}

static int slowest_first(const void *pa, const void *pb)
{
	const struct sonde_slow *a = pa, *b = pb;

	if (a->done_ns != b->done_ns)
		return a->done_ns < b->done_ns ? 1 : -1;
	return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

/* Once, though it may be kept twice. */
static int add(struct sonde_slow_log *log, struct kept *kept, struct sonde_db *db, struct sonde_snapshot *snapshot)
{
	int err;

	if (!kept || kept->mark == log->mark)
		return 0;
	kept->mark = log->mark;
	err = describe(kept, db, &snapshot->slow[snapshot->nr_slow]);
	if (!err)
		snapshot->nr_slow++;
	return err;
}

int sonde_slow_log_snapshot(struct sonde_slow_log *log, struct sonde_db *db, struct sonde_snapshot *snapshot)
{
	size_t room = log->statements.nr * SONDE_SLOW_EACH + SONDE_SLOW_LATEST;
	int err = 0;

	snapshot->slow = calloc(room, sizeof(*snapshot->slow));
	if (!snapshot->slow)
		return -ENOMEM;
	snapshot->slow_total = log->total;
	log->mark++;
	for (size_t i = 0; i < log->statements.size && !err; i++) {
		struct statement *s = log->statements.slots[i].value;

		for (size_t k = 0; s && k < SONDE_SLOW_EACH && !err; k++)
			err = add(log, s->slowest[k], db, snapshot);
	}
	for (size_t i = 0; i < SONDE_SLOW_LATEST && !err; i++)
		err = add(log, log->latest[i], db, snapshot);
	if (snapshot->nr_slow)
		qsort(snapshot->slow, snapshot->nr_slow, sizeof(*snapshot->slow), slowest_first);
	return err;
}
