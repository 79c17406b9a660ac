/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * track.bpf.h - from messages to completed statements: the bookkeeping that all protocols share.
 *
 * Each statement sent joins a queue on its connection and leaves it with its own completion, so that pipelined
 * ones are each timed. A batch (a simple query, or everything up to a Sync) ends with one end-of-batch reply: the
 * last entry of the batch carries the mark, and the reply clears whatever the server skipped because of an error.
 */
#ifndef SONDE_TRACK_BPF_H
#define SONDE_TRACK_BPF_H

#include "agg.bpf.h"
#include "window.bpf.h"
#include "sonde/proto.h"
#include "sonde/sql.h"

#define TRACK_BATCH 64 /* statements of one simple query that are each looked at */
#define TRACK_SYNC 2 /* argument of track_push(): sets entry.sync */
#define TRACK_CHAIN 64 /* entry.flags: starts when the one before it completes (several statements in one query) */

static __always_inline struct entry *track_entry(struct conn *c, u32 seq)
{
	struct entry *e = &c->fifo[seq & (CONN_INLINE - 1)];
	struct pipeline_key key = { .conn = c->id, .seq = seq };

	if (seq - c->head >= c->tail - c->head)
		return NULL;
	if (SONDE_LIKELY(e->seq == seq))
		return e;
	return bpf_map_lookup_elem(&pipeline, &key);
}

static __always_inline void track_pop(struct conn *c)
{
	if (SONDE_UNLIKELY(c->fifo[c->head & (CONN_INLINE - 1)].seq != c->head)) {
		struct pipeline_key key = { .conn = c->id, .seq = c->head };

		bpf_map_delete_elem(&pipeline, &key);
	}
	c->head++;
}

/**
 * track_push - append an entry to the queue; a statement that finds no room is counted as lost
 *
 * A subprogram of its own, like others below: inlined where it is used it would cost the verifier each time.
 */
__noinline int track_push(struct conn *c, u64 id, u64 params, u32 verb, u32 flags)
{
	bool counted = flags & ENTRY_STATEMENT && !(flags & ENTRY_MORE);
	struct xfer *x = xfer_get();
	struct entry e = {
		.id = id,
		.params = params,
		.flags = flags & ~TRACK_SYNC,
		.verb = verb,
		.sync = !!(flags & TRACK_SYNC),
	};

	if (!c || !x)
		return 0;
	e.start_ns = x->now;
	e.seq = c->tail;
	e.sent = c->sent;
	if (counted)
		count(SONDE_CNT_SEEN);
	c->sent = 0;
	if (SONDE_LIKELY(c->tail - c->head < CONN_INLINE)) {
		c->fifo[c->tail & (CONN_INLINE - 1)] = e;
	} else {
		struct pipeline_key key = { .conn = c->id, .seq = c->tail };

		if (c->tail - c->head >= CONN_PIPELINE_MAX || bpf_map_update_elem(&pipeline, &key, &e, BPF_ANY)) {
			if (counted)
				count(SONDE_CNT_LOST_PIPELINE);
			return 0;
		}
	}
	c->tail++;
	return 0;
}

/* A batch ends here: mark its last entry, or leave a bare mark. */
static __always_inline void track_sync(struct conn *c)
{
	struct entry *last = track_entry(c, c->tail - 1);

	if (last && !last->sync)
		last->sync = 1;
	else
		track_push(c, 0, 0, 0, TRACK_SYNC);
}

/** track_text - the text of the statement just normalised goes out, once */
__noinline int track_text(struct conn *c)
{
	u32 slot = 0, partial;
	struct sonde_sql *s = bpf_map_lookup_elem(&sql, &slot);

	if (!c || !s || agg_text_known(s->id))
		return 0;
	partial = s->flags & SONDE_SQL_PARTIAL ? SONDE_TEXT_PARTIAL : 0;
	if (partial)
		count(SONDE_CNT_TEXT_CUT);
	agg_text(0, s->id, c->proto, s->verb, partial, s->text, s->text_len);
	return 0;
}

/* The same, for the common case that it is the connection's last statement again. */
static __always_inline void track_text_once(struct conn *c, u64 id)
{
	if (SONDE_LIKELY(c->text_id == id))
		return;
	track_text(c);
	c->text_id = id;
}

/** track_step - sonde_again_step() */
__noinline int track_step(struct conn *c, u32 off, u32 len)
{
	struct sonde_win *w = window();

	return c && w ? sonde_again_step(&c->again, w, off, len) : -1;
}

/* sonde_again_match() */
static __always_inline u64 track_again(struct conn *c, u32 off, u32 len)
{
	int ret = 0;

	sonde_again_start(&c->again);
	for (u32 i = 0; i < SONDE_AGAIN_STEPS; i++) {
		ret = track_step(c, off, len);
		if (ret)
			break;
	}
	return ret == 1 ? c->again.hash | 1 : 0;
}

/** track_byte - sonde_again_byte() for byte @i of the text at @off */
__noinline int track_byte(struct conn *c, u32 off, u32 i)
{
	struct sonde_win *w = window();

	if (c && w)
		sonde_again_byte(&c->again, i, sonde_win_u8(w, off + i));
	return 0;
}

/* The statement came twice in a row: be ready for it to come again with other literals. Rare. */
static __always_inline void track_cut(struct conn *c, u32 off, u32 len, const struct sonde_sql *s)
{
	sonde_again_begin(&c->again, s->id, s->verb);
	for (u32 i = 0; i < SONDE_AGAIN_BYTES; i++) {
		if (i >= len)
			break;
		track_byte(c, off, i);
	}
	sonde_again_end(&c->again, len);
}

/* Whether it is worth it: the normaliser has just found the last statement again, alone in a short text. */
static __always_inline bool track_repeats(const struct conn *c, const struct sonde_sql *s, u32 len)
{
	return c->text_id == s->id && c->again.id != s->id && s->verb >= SONDE_SQL_SELECT &&
	       s->verb <= SONDE_SQL_DELETE && len <= SONDE_AGAIN_BYTES && !(s->flags & SONDE_SQL_PARTIAL);
}

/* SONDE_OP_QUERY: every statement of the text joins the queue. @end: end of the window's data. */
static __always_inline void track_query(struct conn *c, u32 off, u32 len, u32 end, u32 dialect)
{
	u32 stop = off + len, begin = off, flags = ENTRY_STATEMENT, slot = 0;
	bool cut = stop > end;
	u64 literals;

	if (!cut && c->again.nr && len <= SONDE_AGAIN_BYTES) {
		literals = track_again(c, off, len);
		if (literals) {
			c->text_id = c->again.id;
			track_push(c, c->again.id, literals, c->again.verb, ENTRY_STATEMENT);
			track_sync(c);
			return;
		}
	}
	if (cut)
		stop = end;
	for (u32 i = 0; i < TRACK_BATCH && off < stop; i++) {
		struct sonde_sql *s = bpf_map_lookup_elem(&sql, &slot);

		if (!s || sonde_sql_run(0, off, stop - off, dialect | (cut ? SONDE_SQL_CUT : 0)))
			break;
		off = s->end;
		if (s->flags & SONDE_SQL_EMPTY)
			continue;
		if (!i && off >= stop && track_repeats(c, s, len))
			track_cut(c, begin, len, s);
		track_text_once(c, s->id);
		track_push(c, s->id, s->literals, s->verb, flags);
		flags = ENTRY_STATEMENT | TRACK_CHAIN;
	}
	if (!(flags & TRACK_CHAIN))
		track_push(c, 0, 0, 0, ENTRY_EMPTY | TRACK_SYNC);
	else
		track_sync(c);
}

/** track_alias - say that the statement known by name @named has a text after all */
__noinline int track_alias(struct conn *c, u64 named, u64 id)
{
	struct sonde_event_alias e = {
		.head = { .type = SONDE_EVENT_ALIAS, .size = sizeof(e) },
		.named = named,
		.id = id,
	};

	if (!c)
		return 0;
	e.head.time_ns = bpf_ktime_get_ns();
	e.peer = c->peer;
	e.tgid = c->proc.tgid;
	e.start = c->proc.start;
	if (bpf_ringbuf_output(&events, &e, sizeof(e), 0))
		count(SONDE_CNT_TEXT_DROPPED);
	else
		count(SONDE_CNT_RING_EVENTS);
	return 0;
}

/* What the statement to be prepared is: id 0 for an empty one. @flags: dialect, SONDE_SQL_CUT. 0, or -1 if not known. */
static __always_inline int track_prepared(struct conn *c, u32 off, u32 len, u32 flags, struct name_value *value)
{
	u64 raw = flags & SONDE_SQL_CUT ? 0 : window_hash_text(off, len);
	struct raw_text *known, text = {};
	struct sonde_sql *s;
	u32 slot = 0;

	raw = raw ? raw ^ (u64)c->proto << 1 : 0;
	known = raw ? bpf_map_lookup_elem(&raw_texts, &raw) : NULL;
	if (known && (c->text_id == known->id || agg_text_known(known->id))) {
		value->id = known->id;
		value->verb = known->verb;
		c->text_id = known->id;
		return 0;
	}
	s = bpf_map_lookup_elem(&sql, &slot);
	if (!s || sonde_sql_run(0, off, len, flags))
		return -1;
	value->verb = s->verb;
	if (s->flags & SONDE_SQL_EMPTY)
		return 0;
	value->id = s->id;
	track_text_once(c, s->id);
	text.id = s->id;
	text.verb = s->verb;
	if (raw)
		bpf_map_update_elem(&raw_texts, &raw, &text, BPF_NOEXIST);
	return 0;
}

/* SONDE_OP_PREPARE */
static __always_inline void track_prepare(struct conn *c, u64 now, u64 name, u32 off, u32 len, u32 end, u32 dialect)
{
	struct name_key key = { .conn = c->id, .name = name };
	struct name_value value = {}, *old;
	u32 stop = off + len;

	if (off > end || track_prepared(c, off, stop > end ? end - off : len, stop > end ? dialect | SONDE_SQL_CUT : dialect, &value))
		return;
	c->parse_id = value.id;
	c->parse_verb = value.verb;
	c->parse_ns = now;
	if (!name) {
		c->unnamed_id = value.id;
		c->unnamed_verb = value.verb;
		c->unnamed_flags = value.id ? 0 : ENTRY_EMPTY;
		return;
	}
	if (!value.id)
		value.flags = ENTRY_EMPTY;
	old = bpf_map_lookup_elem(&prepared, &key);
	if (old && old->flags & ENTRY_NAMED && value.id)
		track_alias(c, old->id, value.id);
	c->prepared_name = 0;
	if (bpf_map_update_elem(&prepared, &key, &value, BPF_ANY))
		count(SONDE_CNT_PREPARED_FULL);
}

/* The id of a statement that was prepared before sonde attached: known by its name only. */
static __always_inline u64 track_named_id(u64 name)
{
	return sonde_mix64(name ^ 0x73746d74); /* "stmt" */
}

/** track_named - send the name, @len bytes at @off in the window, in place of the text */
__noinline int track_named(struct conn *c, u64 name, u32 off, u32 len)
{
	u64 id = track_named_id(name);
	struct sonde_win *w = window();

	if (!c || !w || agg_text_known(id))
		return 0;
	if (len > SONDE_NAME_BYTES)
		len = SONDE_NAME_BYTES;
	agg_text(0, id, c->proto, 0, SONDE_TEXT_NAME, &w->b[off & (SONDE_WIN_BYTES - 1)], len);
	return 0;
}

/* SONDE_OP_BIND: the portal stands for the statement from now on. */
static __always_inline void track_bind(struct conn *c, u64 portal, u64 name, u32 off, u32 len)
{
	struct name_key key = { .conn = c->id, .name = name };
	struct name_value value = {}, *found;

	if (!name) {
		value.id = c->unnamed_id;
		value.flags = c->unnamed_flags;
		value.verb = c->unnamed_verb;
	} else if (SONDE_LIKELY(c->prepared_name == name)) {
		value.id = c->prepared_id;
		value.flags = c->prepared_flags;
		value.verb = c->prepared_verb;
	} else {
		found = bpf_map_lookup_elem(&prepared, &key);
		if (found)
			value = *found;
	}
	if (SONDE_UNLIKELY(!value.id && !(value.flags & ENTRY_EMPTY))) {
		track_named(c, name, off, len);
		value.id = track_named_id(name);
		value.flags = ENTRY_NAMED;
		if (!name) {
			c->unnamed_id = value.id;
			c->unnamed_flags = value.flags;
		} else if (bpf_map_update_elem(&prepared, &key, &value, BPF_ANY)) {
			count(SONDE_CNT_PREPARED_FULL);
		}
	}
	if (name) {
		c->prepared_name = name;
		c->prepared_id = value.id;
		c->prepared_flags = value.flags;
		c->prepared_verb = value.verb;
	}
	if (!portal) {
		c->portal_id = value.id;
		c->portal_flags = value.flags;
		c->portal_verb = value.verb;
		c->fe_flags &= ~CONN_PORTAL_USED;
		return;
	}
	key.name = portal | NAME_PORTAL;
	if (bpf_map_update_elem(&prepared, &key, &value, BPF_ANY))
		count(SONDE_CNT_PREPARED_FULL);
}

/* SONDE_OP_EXECUTE: running a portal again fetches further rows of the same execution. */
static __always_inline void track_execute(struct conn *c, u64 portal)
{
	struct name_key key = { .conn = c->id, .name = portal | NAME_PORTAL };
	u32 flags = ENTRY_STATEMENT | ENTRY_EXTENDED;
	struct name_value value = {}, *found;

	if (!portal) {
		value.id = c->portal_id;
		value.flags = c->portal_flags;
		value.verb = c->portal_verb;
		if (c->fe_flags & CONN_PORTAL_USED)
			flags |= ENTRY_MORE;
		c->fe_flags |= CONN_PORTAL_USED;
	} else {
		found = bpf_map_lookup_elem(&prepared, &key);
		if (found) {
			value = *found;
			flags |= value.flags & ENTRY_MORE;
			found->flags |= ENTRY_MORE;
		}
	}
	if (SONDE_UNLIKELY(!value.id && !(value.flags & ENTRY_EMPTY))) { /* bound before sonde attached */
		track_named(c, 0, 0, 0);
		value.id = track_named_id(0);
		value.flags = ENTRY_NAMED;
	}
	if (value.flags & ENTRY_EMPTY)
		flags = ENTRY_EMPTY | ENTRY_EXTENDED;
	c->parse_id = 0; /* from here on an error is the execution's */
	track_push(c, value.id, 0, value.verb, flags | (value.flags & ENTRY_NAMED));
}

/* SONDE_OP_CLOSE */
static __always_inline void track_close(struct conn *c, u64 name)
{
	struct name_key key = { .conn = c->id, .name = name };

	if (!name) {
		c->unnamed_id = 0;
		return;
	}
	c->prepared_name = 0;
	bpf_map_delete_elem(&prepared, &key);
}

static __always_inline void track_key(const struct conn *c, u64 id, u32 flags, struct sonde_query_key *key)
{
	key->id = id;
	key->peer = c->peer;
	key->proc = c->proc;
	key->proto = c->proto;
	key->role = c->role;
	key->flags = flags & ENTRY_NAMED ? SONDE_KEY_NAMED : 0;
	key->pad = 0;
}

/**
 * track_finish - the oldest statement is complete: into its row, out of the queue
 * @failed: 0, or 1 + enum sonde_error_class
 */
__noinline int track_finish(struct conn *c, u64 rows, u32 failed, u64 sqlstate)
{
	struct xfer *x = xfer_get();
	struct done d = {
		.rows = rows,
		.failed = !!failed,
		.sqlstate = sqlstate,
		.error_class = failed ? failed - 1 : 0,
	};
	struct sonde_query_key key;
	struct entry *e;
	u64 start, now;
	u32 chain;

	if (!c || !x)
		return 0;
	now = x->now;
	d.end_ns = now;
	d.recv_bytes = c->received;
	e = track_entry(c, c->head);
	if (!e || !(e->flags & ENTRY_STATEMENT)) {
		count(SONDE_CNT_REPLY_UNMATCHED);
		return 0;
	}
	track_key(c, e->id, e->flags, &key);
	/* Completed together with the one before it: their times cannot be told apart, both waited since then. */
	start = e->start_ns == now ? c->chain_ns : e->start_ns;
	d.done_ns = now - start;
	d.first_ns = (c->first_ns ? c->first_ns : now) - start;
	d.sent_bytes = e->sent;
	if (SONDE_UNLIKELY(e->flags & ENTRY_MORE))
		agg_more(&key, &d);
	else
		agg_add(&key, &d);
	c->first_ns = 0;
	c->rows = 0;
	c->received = 0;
	e->flags &= ~ENTRY_STATEMENT;
	chain = !e->sync;
	if (chain)
		track_pop(c);
	e = chain ? track_entry(c, c->head) : NULL;
	if (e && e->flags & TRACK_CHAIN) {
		e->start_ns = now;
		c->chain_ns = start;
	}
	return 0;
}

/* An error that belongs to no statement in the queue: the last one that was only prepared. */
__noinline int track_parse_error(struct conn *c, u32 error_class, u64 sqlstate)
{
	struct done d = { .failed = 1, .sqlstate = sqlstate, .error_class = error_class };
	struct xfer *x = xfer_get();
	struct sonde_query_key key;

	if (!c || !x || !c->parse_id)
		return 0;
	d.end_ns = x->now;
	d.done_ns = x->now - c->parse_ns;
	d.first_ns = d.done_ns;
	track_key(c, c->parse_id, 0, &key);
	count(SONDE_CNT_SEEN);
	agg_add(&key, &d);
	c->parse_id = 0;
	return 0;
}

/** track_discard - drop up to 64 entries, to the end of the batch or (@all) all; 1 while there are more */
__noinline int track_discard(struct conn *c, u32 all, u32 reason)
{
	if (!c)
		return 0;
	for (u32 i = 0; i < 64; i++) {
		struct entry *e = track_entry(c, c->head);
		u32 flags, sync;

		if (c->head == c->tail)
			return 0;
		flags = e ? e->flags : 0;
		sync = e ? e->sync : 0;
		if (flags & ENTRY_STATEMENT && !(flags & ENTRY_MORE))
			count(reason);
		track_pop(c);
		if (!all && sync)
			return 0;
	}
	return 1;
}

static __always_inline void track_drop(struct conn *c, u32 all, u32 reason)
{
	for (u32 i = 0; i < CONN_PIPELINE_MAX / 64; i++)
		if (!track_discard(c, all, reason))
			break;
	c->first_ns = 0;
	c->rows = 0;
	c->received = 0;
}

/** track_client - act on a client's message; @end: end of the window's data */
static __always_inline void track_client(struct conn *c, u64 now, const struct sonde_msg *m, u32 end, u32 dialect)
{
	c->sent += m->size;
	switch (m->op) {
	case SONDE_OP_QUERY:
		track_query(c, m->text_off, m->text_len, end, dialect);
		break;
	case SONDE_OP_PREPARE:
		track_prepare(c, now, m->name, m->text_off, m->text_len, end, dialect);
		break;
	case SONDE_OP_BIND:
		track_bind(c, m->portal, m->name, m->name_off, m->name_len);
		break;
	case SONDE_OP_EXECUTE:
		track_execute(c, m->portal);
		break;
	case SONDE_OP_CLOSE:
		track_close(c, m->name);
		break;
	case SONDE_OP_SYNC:
		track_sync(c);
		break;
	case SONDE_OP_CALL:
		track_push(c, 0, 0, 0, TRACK_SYNC);
		break;
	}
}

/* Part of the response to the oldest statement: @bytes, with @rows rows in them. */
static __always_inline void track_bulk(struct conn *c, u64 now, u32 bytes, u32 rows)
{
	if (!c->first_ns && bytes)
		c->first_ns = now;
	c->received += bytes;
	c->rows += rows;
}

/** track_server - act on a server's message */
static __always_inline void track_server(struct conn *c, u64 now, const struct sonde_msg *m)
{
	struct entry *e;

	if (m->op == SONDE_OP_NONE)
		return;
	c->received += m->size;
	if (!c->first_ns && m->op != SONDE_OP_READY)
		c->first_ns = now;
	switch (m->op) {
	case SONDE_OP_ROW:
		c->rows++;
		break;
	case SONDE_OP_DONE:
		track_finish(c, m->rows, 0, 0);
		break;
	case SONDE_OP_SUSPENDED:
		track_finish(c, c->rows, 0, 0);
		break;
	case SONDE_OP_EMPTY:
		e = track_entry(c, c->head);
		if (e && !e->sync)
			track_pop(c);
		c->first_ns = 0;
		break;
	case SONDE_OP_COPY_IN: /* the server ignores a Sync that came before the data: another will follow */
		e = track_entry(c, c->head);
		if (e && e->flags & ENTRY_EXTENDED)
			e->sync = 0;
		break;
	case SONDE_OP_ERROR:
		c->be_flags |= CONN_ERROR;
		e = track_entry(c, c->head);
		if (e && e->flags & ENTRY_STATEMENT)
			track_finish(c, 0, 1 + m->error_class, m->sqlstate);
		else
			track_parse_error(c, m->error_class, m->sqlstate);
		break;
	case SONDE_OP_READY:
		c->txn = m->txn;
		track_drop(c, 0, c->be_flags & CONN_ERROR ? SONDE_CNT_LOST_SKIPPED : SONDE_CNT_LOST_DESYNC);
		c->be_flags &= ~CONN_ERROR;
		c->parse_id = 0;
		break;
	}
}

#endif /* SONDE_TRACK_BPF_H */
