/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * statement.bpf.h - what a client asks for: texts, prepared statements, portals, and their way into the queue.
 */
#ifndef SONDE_STATEMENT_BPF_H
#define SONDE_STATEMENT_BPF_H

#include "agg.bpf.h"
#include "comment.bpf.h"
#include "queue.bpf.h"
#include "slow_track.bpf.h"
#include "sonde/sql.h"

#define TRACK_BATCH 64 /* statements of one simple query that are each looked at */
#define TRACK_STEP 4 /* of them in one go */

/** track_text - the text of the statement just normalised goes out, once; 0 if the ring was full: again next time */
__noinline int track_text(struct conn *c)
{
	u32 slot = 0, partial;
	struct sonde_sql *s = bpf_map_lookup_elem(&sql, &slot);

	if (!c || !s)
		return 0;
	if (agg_text_known(s->id))
		return 1;
	partial = s->flags & SONDE_SQL_PARTIAL ? SONDE_TEXT_PARTIAL : 0;
	if (partial)
		count(SONDE_CNT_TEXT_CUT);
	return agg_text(0, s->id, c->proto, s->verb, partial, s->text, s->text_len);
}

/* The same, for the common case that it is the connection's last statement again. */
static __always_inline void track_text_once(struct conn *c, u64 id)
{
	if (SONDE_LIKELY(c->text_id == id))
		return;
	c->text_id = track_text(c) ? id : 0;
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

/** track_cut - the statement came twice in a row: be ready for it to come again with other literals. Rare. */
__noinline int track_cut(struct conn *c, u32 off, u32 len)
{
	struct sonde_sql *s;
	u32 slot = 0;

	s = bpf_map_lookup_elem(&sql, &slot);
	if (!c || !s)
		return 0;
	sonde_again_begin(&c->again, s->id, s->verb);
	for (u32 i = 0; i < SONDE_AGAIN_BYTES; i++) {
		if (i >= len)
			break;
		track_byte(c, off, i);
	}
	sonde_again_end(&c->again, len);
	return 0;
}

/* Whether it is worth it: the normaliser has just found the last statement again, alone in a short text. */
static __always_inline bool track_repeats(const struct conn *c, const struct sonde_sql *s, u32 len)
{
	return c->text_id == s->id && c->again.id != s->id && s->verb >= SONDE_SQL_SELECT &&
	       s->verb <= SONDE_SQL_DELETE && len <= SONDE_AGAIN_BYTES && !(s->flags & SONDE_SQL_PARTIAL);
}

/** track_commented - the comment just parsed is that of the statement that is going to be pushed */
__noinline int track_commented(struct conn *c)
{
	struct sonde_comment *told = comment_get();

	if (!c || !told || !(told->request || told->name.len))
		return 0;
	c->comment = told->request;
	c->comment_name = told->name.len ? sonde_label_id(&told->name) : 0;
	c->comment_seq = c->tail;
	if (c->comment_name && !agg_text_known(c->comment_name))
		agg_text(0, c->comment_name, SONDE_PROTO_HTTP, 0, 0, told->name.b, told->name.len);
	return 0;
}

/* What the comment of the statement that is going to be pushed tells: which request it belongs to, what that is called. */
static __always_inline void track_comment(struct conn *c, const struct sonde_sql *s)
{
	if (s->com_len && s->com_kv && !comment_parse(s->com_pos, s->com_len))
		track_commented(c);
}

/*
 * What tells executions with different literals apart, whether the normaliser looked at them or track_again() did: the text
 * as a whole. A long one's @literals do.
 */
__noinline u64 track_literals(u32 off, u32 len, u64 literals)
{
	struct sonde_win *w = window();

	if (!w || len > SONDE_HASH_TEXT_MAX)
		return literals | 1;
	return sonde_win_hash_text(w, off, len) | 1;
}

/*
 * SONDE_OP_QUERY: every statement of the text joins the queue. @end: end of the window's data, @more: ENTRY_* of the first.
 *
 * Takes TRACK_STEP statements and returns 1 while there are more: the verifier follows a loop's every way, so it is short.
 */
static __always_inline int track_query(struct conn *c, struct xfer *x, u32 end, u32 dialect, u32 more)
{
	u32 off = x->msg.text_off, len = x->msg.text_len, begin = off, stop = off + len, slot = 0;
	bool cut = stop > end;
	u64 literals;

	if (!x->batch && !cut && c->again.nr && len <= SONDE_AGAIN_BYTES) {
		literals = track_again(c, off, len);
		if (literals) {
			c->text_id = c->again.id;
			slow_text(c, off, len, false);
			track_push(c, c->again.id, conf.scopes ? track_literals(off, len, 0) : literals, c->again.verb,
				   ENTRY_STATEMENT | more);
			track_sync(c);
			return 0;
		}
	}
	if (cut)
		stop = end;
	for (u32 i = 0; i < TRACK_STEP && off < stop; i++) {
		struct sonde_sql *s = bpf_map_lookup_elem(&sql, &slot);
		u32 from = off;

		if (!s || sonde_sql_run(0, off, stop - off, dialect | (cut ? SONDE_SQL_CUT : 0)))
			goto done;
		off = s->done ? s->end : stop; /* no more is read of a long one: what follows may be the middle of a literal */
		if (s->flags & SONDE_SQL_EMPTY)
			continue;
		if (!x->batch && off >= stop && track_repeats(c, s, len))
			track_cut(c, begin, len);
		track_text_once(c, s->id);
		slow_text(c, from, off - from, cut && off >= stop);
		if (conf.scopes)
			track_comment(c, s);
		literals = conf.scopes && !s->com_len ? track_literals(begin, len, s->literals) : s->literals | 1;
		track_push(c, s->id, literals, s->verb, ENTRY_STATEMENT | (x->batch ? ENTRY_CHAIN : more));
		x->batch++;
	}
	if (off < stop && x->batch < TRACK_BATCH) {
		x->msg.text_len -= off - begin;
		x->msg.text_off = off;
		return 1;
	}
done:
	if (x->batch)
		track_sync(c);
	else
		track_push(c, 0, 0, 0, ENTRY_EMPTY | TRACK_SYNC);
	return 0;
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
		count(SONDE_CNT_EVENTS_DROPPED);
	else
		count(SONDE_CNT_RING_EVENTS);
	return 0;
}

/** track_remember - what the normaliser made of the text with hash @raw */
__noinline int track_remember(u64 raw, u64 id, u64 literals, u32 verb)
{
	struct raw_text text = { .id = id, .literals = literals, .verb = verb };

	if (raw)
		bpf_map_update_elem(&raw_texts, &raw, &text, BPF_NOEXIST);
	return 0;
}

/** track_store - connection @c's statement or portal @name stands for @id from now on */
__noinline int track_store(struct conn *c, u64 name, const struct name_value *value)
{
	struct name_key key = { .name = name };
	struct name_value copy;

	if (!c || !value)
		return 0;
	copy = *value; /* 6.1 takes no other memory than the stack or a map's */
	key.conn = c->id;
	if (bpf_map_update_elem(&prepared, &key, &copy, BPF_ANY))
		count(SONDE_CNT_PREPARED_FULL);
	return 0;
}

/* What the statement to be prepared is: id 0 for an empty one. @flags: dialect, SONDE_SQL_CUT. 0, or -1 if not known. */
static __always_inline int track_prepared(struct conn *c, u32 off, u32 len, u32 flags, struct name_value *value)
{
	u64 raw = flags & SONDE_SQL_CUT ? 0 : window_hash_text(off, len);
	struct raw_text *known;
	struct sonde_sql *s;
	u32 slot = 0;

	raw = raw ? raw ^ (u64)c->proto << 1 : 0;
	known = raw ? bpf_map_lookup_elem(&raw_texts, &raw) : NULL;
	if (known && (c->text_id == known->id || agg_text_known(known->id))) {
		value->id = known->id;
		value->params = known->literals;
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
	value->params = s->literals;
	track_text_once(c, s->id);
	return track_remember(raw, s->id, s->literals, s->verb);
}

/** track_prepare_done - x->value is what connection @c's statement @name stands for; @call: the reply gives it its name */
__noinline int track_prepare_done(struct conn *c, u64 name, u32 call)
{
	struct name_key key = { .name = name };
	struct xfer *x = xfer_get();
	struct name_value *value, *old;

	if (!c || !x)
		return 0;
	value = &x->value;
	c->parse_id = value->id;
	c->parse_verb = value->verb;
	c->parse_ns = x->now;
	if (!name) {
		c->unnamed_id = value->id;
		c->unnamed_params = value->params;
		c->unnamed_verb = value->verb;
		c->unnamed_flags = value->id ? 0 : ENTRY_EMPTY;
		if (call)
			track_push(c, value->id, value->params, value->verb, ENTRY_PREPARE | TRACK_SYNC);
		return 0;
	}
	if (!value->id)
		value->flags = ENTRY_EMPTY;
	key.conn = c->id;
	old = bpf_map_lookup_elem(&prepared, &key);
	if (old && old->flags & ENTRY_NAMED && value->id)
		track_alias(c, old->id, value->id);
	c->prepared_name = 0;
	return track_store(c, name, value);
}

/* SONDE_OP_PREPARE, SONDE_OP_PREPARE_CALL (@call): the text is a statement's, whose name the reply gives in the latter case */
static __always_inline void track_prepare(struct conn *c, struct xfer *x, u64 name, u32 off, u32 len, u32 end,
					  u32 dialect, bool call)
{
	u32 stop = off + len;

	__builtin_memset(&x->value, 0, sizeof(x->value));
	if (off > end || track_prepared(c, off, stop > end ? end - off : len,
					stop > end ? dialect | SONDE_SQL_CUT : dialect, &x->value))
		return;
	slow_prepare(c, name, off);
	track_prepare_done(c, name, call);
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

/* Literals of a prepared text together with the parameters bound to it, which may be none; never 0. */
static __always_inline u64 track_params(u64 literals, u64 bound)
{
	return sonde_mix64(literals ^ bound) | 1;
}

/** track_bind - SONDE_OP_BIND: the portal stands for the statement from now on */
__noinline int track_bind(struct conn *c, u64 portal, u64 name, u32 off, u32 len)
{
	struct name_key key = { .name = name };
	struct name_value value = {}, *found;
	struct xfer *x = xfer_get();

	if (!c || !x)
		return 0;
	slow_message(c, portal, name);
	key.conn = c->id;
	if (!name) {
		value.id = c->unnamed_id;
		value.params = c->unnamed_params;
		value.flags = c->unnamed_flags;
		value.verb = c->unnamed_verb;
	} else if (SONDE_LIKELY(c->prepared_name == name)) {
		value.id = c->prepared_id;
		value.params = c->prepared_params;
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
		} else {
			track_store(c, name, &value);
		}
	}
	if (name) {
		c->prepared_name = name;
		c->prepared_id = value.id;
		c->prepared_params = value.params;
		c->prepared_flags = value.flags;
		c->prepared_verb = value.verb;
	}
	value.params = track_params(value.params, x->msg.params);
	if (!portal) {
		c->portal_id = value.id;
		c->portal_params = value.params;
		c->portal_flags = value.flags;
		c->portal_verb = value.verb;
		c->fe_flags &= ~CONN_PORTAL_USED;
		return 0;
	}
	return track_store(c, portal | NAME_PORTAL, &value);
}

/** track_execute - SONDE_OP_EXECUTE: running a portal again fetches further rows of the same execution */
__noinline int track_execute(struct conn *c, u64 portal)
{
	struct name_key key = { .name = portal | NAME_PORTAL };
	u32 flags = ENTRY_STATEMENT | ENTRY_EXTENDED;
	struct name_value value = {}, *found;

	if (!c)
		return 0;
	slow_portal(c, portal);
	key.conn = c->id;
	if (!portal) {
		value.id = c->portal_id;
		value.params = c->portal_params;
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
	return track_push(c, value.id, value.params, value.verb, flags | (value.flags & ENTRY_NAMED));
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

/** track_send_label - the label in x->msg is the text, or (SONDE_TEXT_NAME) the name, of statement @id; 0 if the ring was full */
__noinline int track_send_label(struct conn *c, u64 id, u32 flags)
{
	struct xfer *x = xfer_get();

	if (!c || !x)
		return 0;
	return agg_text(0, id, c->proto, 0, flags, x->msg.label.b, x->msg.label.len);
}

/** track_run - SONDE_OP_RUN, SONDE_OP_FETCH (@more): a prepared statement is executed, or fetched from, by its name */
__noinline int track_run(struct conn *c, u32 more)
{
	u32 flags = ENTRY_STATEMENT | TRACK_SYNC | more;
	struct xfer *x = xfer_get();
	struct name_key key = {};
	struct name_value value = {}, *found;
	u64 id;

	if (!c || !x)
		return 0;
	key.conn = c->id;
	key.name = x->msg.name;
	if (key.name == SONDE_NAME_LAST) {
		value.id = c->unnamed_id;
		value.params = c->unnamed_params;
		value.flags = c->unnamed_flags;
		value.verb = c->unnamed_verb;
	} else if (SONDE_LIKELY(c->prepared_name == key.name)) {
		value.id = c->prepared_id;
		value.params = c->prepared_params;
		value.flags = c->prepared_flags;
		value.verb = c->prepared_verb;
	} else {
		found = bpf_map_lookup_elem(&prepared, &key);
		if (found)
			value = *found;
	}
	if (SONDE_UNLIKELY(!value.id)) { /* prepared before sonde attached */
		id = track_named_id(key.name);
		if (!agg_text_known(id))
			track_send_label(c, id, SONDE_TEXT_NAME);
		value.id = id;
		value.flags = ENTRY_NAMED;
	}
	if (key.name != SONDE_NAME_LAST) {
		c->prepared_name = key.name;
		c->prepared_id = value.id;
		c->prepared_params = value.params;
		c->prepared_flags = value.flags;
		c->prepared_verb = value.verb;
	}
	c->parse_id = 0;
	value.params = track_params(value.params, x->msg.params);
	slow_message(c, 0, x->msg.name);
	return track_push(c, value.id, value.params, value.verb, flags | (value.flags & ENTRY_NAMED));
}

/** track_label - the id of the label in x->msg, whose text goes out once; 0 if there is none */
__noinline u64 track_label(struct conn *c)
{
	struct xfer *x = xfer_get();
	struct sonde_label *l;
	u64 id;

	if (!c || !x || !x->msg.label.len)
		return 0;
	l = &x->msg.label;
	id = sonde_label_id(l);
	if (SONDE_LIKELY(c->text_id == id))
		return id;
	c->text_id = 0;
	if (agg_text_known(id) || track_send_label(c, id, l->cut ? SONDE_TEXT_PARTIAL : 0))
		c->text_id = id;
	return id;
}

#endif /* SONDE_STATEMENT_BPF_H */
