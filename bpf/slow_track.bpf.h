/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slow_track.bpf.h - slow executions on connections, and (--examples) what stood on the wire for each statement outstanding.
 *
 * Without --examples the verifier removes all that touches a literal: conf.examples is read-only then and zero.
 */
#ifndef SONDE_SLOW_TRACK_BPF_H
#define SONDE_SLOW_TRACK_BPF_H

#include "queue.bpf.h"
#include "slow.bpf.h"

/** struct slow_example - the bytes of a statement as they were sent; @portal: which a Bind is for */
struct slow_example {
	u8 b[SONDE_SLOW_EXAMPLE_BYTES];
	u32 len;
	u32 flags; /* SONDE_SLOW_CUT, SONDE_SLOW_BIND */
	u64 portal;
};

/* Under the connection and the place in its queue. LRU: those of dead connections fall out. */
struct map_slow_examples_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct pipeline_key);
	__type(value, struct slow_example);
};

/* Texts of prepared statements: their length, then they and what follows them in their message. */
struct map_slow_texts_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct name_key);
	__type(value, struct slow_example);
};

extern struct map_slow_examples_def slow_examples SEC(".maps");
extern struct map_slow_texts_def slow_texts SEC(".maps");

/** slow_store - @len bytes at @off in the window are what the next entry of the queue was sent with */
__noinline int slow_store(struct conn *c, u32 off, u32 len, u32 flags, u64 portal)
{
	struct sonde_win *w = window_leaf();
	struct pipeline_key key = {};
	struct slow_example *e;

	if (!c || !w)
		return 0;
	key.conn = c->id;
	key.seq = c->tail;
	/* What stands behind @len is not meant. */
	if (bpf_map_update_elem(&slow_examples, &key, &w->b[off & (SONDE_WIN_BYTES - 1)], BPF_ANY))
		return 0;
	e = bpf_map_lookup_elem(&slow_examples, &key);
	if (!e)
		return 0;
	if (len > SONDE_SLOW_EXAMPLE_BYTES) {
		len = SONDE_SLOW_EXAMPLE_BYTES;
		flags |= SONDE_SLOW_CUT;
	}
	e->len = len;
	e->flags = flags;
	e->portal = portal;
	return 0;
}

/* The statement that joins the queue next is the text at @off in the window; @cut: it goes on behind it. */
static __always_inline void slow_text(struct conn *c, u32 off, u32 len, bool cut)
{
	if (conf.examples)
		slow_store(c, off, len, cut ? SONDE_SLOW_CUT : 0, 0);
}

#define SLOW_HALF                                                                                                      \
	(SONDE_SLOW_EXAMPLE_BYTES / 2) /* a prepared statement's text has so much room, its parameters as much */
#define SLOW_PENDING                                                                                                   \
	(1ULL << 62) /* in the place of a name: prepared by this entry of the queue, whose reply gives the name */

/** slow_prepare - the statement @name gets the text at @off in the window; what is too long is not kept */
__noinline int slow_prepare(struct conn *c, u64 name, u32 off)
{
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	struct name_key key = {};
	struct slow_example *t;
	u32 len;

	if (!conf.examples || !c || !x || !w)
		return 0;
	key.conn = c->id;
	key.name = name;
	if (x->msg.op == SONDE_OP_PREPARE_CALL)
		key.name = SLOW_PENDING | c->tail;
	len = x->pos - x->win_off + x->msg.size;
	/* In front of the text, where its message's header was, goes its length. */
	if (len > x->win_len || off < 4 || len - off >= SLOW_HALF - 4 ||
	    bpf_map_update_elem(&slow_texts, &key, &w->b[(off - 4) & (SONDE_WIN_BYTES - 1)], BPF_ANY)) {
		bpf_map_delete_elem(&slow_texts, &key);
		return 0;
	}
	t = bpf_map_lookup_elem(&slow_texts, &key);
	if (!t)
		return 0;
	*(u32 *)t->b = len - off;
	t->len = 4 + len - off;
	return 0;
}

/** slow_prepared - what entry @seq of the queue prepared is called @name from now on */
__noinline int slow_prepared(struct conn *c, u32 seq, u64 name)
{
	struct name_key key = {};
	struct slow_example *t;

	if (!conf.examples || !c)
		return 0;
	key.conn = c->id;
	key.name = SLOW_PENDING | seq;
	t = bpf_map_lookup_elem(&slow_texts, &key);
	if (!t)
		return 0;
	key.name = name;
	bpf_map_update_elem(&slow_texts, &key, t, BPF_ANY);
	key.name = SLOW_PENDING | seq;
	bpf_map_delete_elem(&slow_texts, &key);
	return 0;
}

/* The prepared statement's text and the message of @len bytes at @at in the window; -1: it is not known. */
__noinline int slow_both(struct conn *c, u32 at, u32 len, u64 portal, u64 name)
{
	struct name_key prepared = { .name = name };
	struct sonde_win *w = window_leaf();
	struct pipeline_key key = {};
	struct slow_example *t, *e;
	u32 text;

	if (!c || !w || len > SLOW_HALF)
		return -1;
	prepared.conn = c->id;
	t = bpf_map_lookup_elem(&slow_texts, &prepared);
	if (!t)
		return -1;
	key.conn = c->id;
	key.seq = c->tail;
	if (bpf_map_update_elem(&slow_examples, &key, t, BPF_ANY))
		return -1;
	e = bpf_map_lookup_elem(&slow_examples, &key);
	if (!e)
		return -1;
	text = e->len & (SLOW_HALF - 1);
	if (len > SLOW_HALF || bpf_probe_read_kernel(&e->b[text], len, &w->b[at & (SONDE_WIN_BYTES - 1)]))
		return -1;
	e->len = text + len;
	e->flags = SONDE_SLOW_BIND | SONDE_SLOW_PREPARED;
	e->portal = portal;
	return 0;
}

/** slow_message - the whole message being looked at has the parameters of statement @name, which joins the queue next */
__noinline int slow_message(struct conn *c, u64 portal, u64 name)
{
	u32 at, have, flags = SONDE_SLOW_BIND;
	struct xfer *x = xfer_get();

	if (!conf.examples || !c || !x)
		return 0;
	at = x->pos - x->win_off;
	have = x->win_len - at;
	if (have < x->msg.size)
		return slow_store(c, at, have, flags | SONDE_SLOW_CUT, portal);
	have = x->msg.size;
	return slow_both(c, at, have, portal, name) ? slow_store(c, at, have, flags, portal) : 0;
}

/** slow_portal - portal @portal is what joins the queue next: what was kept for another one is not its */
__noinline int slow_portal(struct conn *c, u64 portal)
{
	struct pipeline_key key = {};
	struct slow_example *e;

	if (!conf.examples || !c)
		return 0;
	key.conn = c->id;
	key.seq = c->tail;
	e = bpf_map_lookup_elem(&slow_examples, &key);
	if (e && e->portal != portal)
		bpf_map_delete_elem(&slow_examples, &key);
	return 0;
}

/** slow_tell - an event for the execution @d of row @key, which was entry @seq of the queue */
__noinline int slow_tell(struct conn *c, struct sonde_query_key *row, struct done *d, u32 seq, u32 verb)
{
	struct pipeline_key key = {};
	struct sonde_event_slow *e;
	struct slow_example *x;
	struct entry *entry;
	u32 len;

	if (!c || !row || !d || !slow_allowed(d->end_ns))
		return 0;
	e = slow_begin(0, row, d);
	if (!e)
		return 0;
	e->verb = verb;
	entry = track_entry(c, c->head);
	if (conf.scopes && entry && entry->seq == seq)
		e->scope = scope_told(entry->scope, entry->epoch, &e->name);
	if (conf.examples) {
		key.conn = c->id;
		key.seq = seq;
		x = bpf_map_lookup_elem(&slow_examples, &key);
		len = x ? x->len : 0;
		if (len > SONDE_SLOW_EXAMPLE_BYTES)
			len = SONDE_SLOW_EXAMPLE_BYTES;
		if (x && !bpf_probe_read_kernel(e->example, len, x->b)) {
			e->flags |= x->flags;
			e->example_len = len;
		}
	}
	slow_send(e);
	return 0;
}

/** slow_forget - entry @seq of the queue is complete */
__noinline int slow_forget(struct conn *c, u32 seq)
{
	struct pipeline_key key = {};

	if (!c)
		return 0;
	key.conn = c->id;
	key.seq = seq;
	bpf_map_delete_elem(&slow_examples, &key);
	return 0;
}

/* Entry @e of the queue is complete: the execution @d. */
static __always_inline void slow_done(struct conn *c, struct sonde_query_key *key, struct done *d,
				      const struct entry *e)
{
	u32 seq = e->seq;

	if (slow_is(d, e->flags & (ENTRY_BLOCKING | ENTRY_MORE) || c->aside))
		slow_tell(c, key, d, seq, e->verb);
	if (conf.examples)
		slow_forget(c, seq);
}

#endif /* SONDE_SLOW_TRACK_BPF_H */
