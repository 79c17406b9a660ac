/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mongodb.bpf.h - MongoDB in the kernel: the pure parser (sonde/proto/mongodb.h) wrapped in subprograms that the verifier
 * checks one by one. Where the walk through a document is stands in a map, so that a step looks the same each time.
 */
#ifndef SONDE_MONGODB_BPF_H
#define SONDE_MONGODB_BPF_H

#include "proto.bpf.h"

__noinline int mongo_element(void);
__noinline int mongo_copy(u32 off, u32 len);
__noinline int mongo_argument(void);
__noinline int mongo_verb(void);
__noinline int mongo_value(void);
__noinline int mongo_step(void);
__noinline int mongo_sections(void);
__noinline int mongo_reply_step(void);

#define SONDE_MONGO_WALK(k) struct sonde_mongo_walk *k = mongo_walk()
#define SONDE_MONGO_ELEMENT(w, k) mongo_element()
#define SONDE_MONGO_COPY(w, l, off, len) mongo_copy(off, len)
#define SONDE_MONGO_HASH(w, off, len) window_hash_text(off, len)
#define SONDE_MONGO_ARGUMENT(w, k, l) mongo_argument()
#define SONDE_MONGO_VERB(w, k, l) mongo_verb()
#define SONDE_MONGO_VALUE(w, k, l) mongo_value()
#define SONDE_MONGO_STEP(w, k, l) mongo_step()
#define SONDE_MONGO_SECTIONS(w, k) mongo_sections()
#define SONDE_MONGO_REPLY_STEP(w, k) mongo_reply_step()
static __always_inline struct sonde_mongo_walk *mongo_walk(void);
#include "sonde/proto/mongodb.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_mongo_walk);
} mongo_walks SEC(".maps");

static __always_inline struct sonde_mongo_walk *mongo_walk(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&mongo_walks, &zero);
}

__noinline int mongo_element(void)
{
	struct sonde_mongo_walk *k = mongo_walk();
	struct sonde_win *w = window();

	return w && k ? sonde_mongo_element(w, k) : -1;
}

__noinline int mongo_copy(u32 off, u32 len)
{
	struct xfer *x = xfer_get();
	struct sonde_win *w = window();

	return w && x ? sonde_mongo_copy(w, &x->msg.label, off, len) : 0;
}

__noinline int mongo_sections(void)
{
	struct sonde_mongo_walk *k = mongo_walk();
	struct sonde_win *w = window();

	return w && k ? sonde_mongo_sections(w, k) : 0;
}

__noinline int mongo_reply_step(void)
{
	struct sonde_mongo_walk *k = mongo_walk();
	struct sonde_win *w = window();

	return w && k ? sonde_mongo_reply_step(w, k) : -1;
}

/* The others work on the label, too. */
#define MONGO_PART(name, failed)                                                                                       \
	__noinline int mongo_##name(void)                                                                              \
	{                                                                                                              \
		struct sonde_mongo_walk *k = mongo_walk();                                                             \
		struct sonde_win *w = window();                                                                        \
		struct xfer *x = xfer_get();                                                                           \
                                                                                                                       \
		return w && k && x ? sonde_mongo_##name(w, k, &x->msg.label) : failed;                                 \
	}

MONGO_PART(argument, 0)
MONGO_PART(verb, 0)
MONGO_PART(value, 0)
MONGO_PART(step, -1)

/** mongo_rows - pass by the run of a batch's documents at @at; its length in bytes, 0 if there is none */
__noinline int mongo_rows(struct conn *c, u32 at, u32 end)
{
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	u32 len, rows;

	if (!c || !w || !x || at >= end || c->st.be_left <= SONDE_MONGO_WHOLE)
		return 0;
	len = sonde_mongo_skip_run(w, at, end, c->st.be_left, &rows);
	c->st.be_left -= len;
	c->st.be_aux += rows;
	if (!(c->st.be_mode & SONDE_MONGO_BE_UNASKED))
		track_bulk(c, x->now, len, 0);
	return len;
}

static __always_inline int mongodb_rows(struct conn *c, u32 at, u32 end, u32 server)
{
	return server && (c->st.be_mode & SONDE_MONGO_STAGE) == SONDE_MONGO_BATCH ? mongo_rows(c, at, end) : 0;
}

BPF_PROTO_FIND_NONE(mongodb)
BPF_PROTO(mongodb)

#endif /* SONDE_MONGODB_BPF_H */
