/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * redis.bpf.h - Redis in the kernel: the steps of its parser (sonde/proto/redis.h) as subprograms that are verified one
 * by one.
 */
#ifndef SONDE_REDIS_BPF_H
#define SONDE_REDIS_BPF_H

#include "proto.bpf.h"
#include "key_pattern.bpf.h"

struct sonde_redis_args;
struct sonde_redis_call;

u64 redis_number(u32 pos, u32 avail);
int redis_next(struct sonde_redis_args *a);
u32 redis_lookup(u64 name);
int redis_arguments(struct sonde_redis_call *call, struct sonde_msg *m);
int redis_key(struct sonde_redis_call *call, struct sonde_msg *m);
int redis_named(struct sonde_redis_call *call, struct sonde_msg *m);
int redis_params(struct sonde_redis_call *call, struct sonde_msg *m);
int redis_streams(struct sonde_redis_call *call, struct sonde_msg *m);
int redis_inline(struct sonde_state *st, struct sonde_msg *m, u32 pos, u32 avail);
#define SONDE_REDIS_NUMBER(w, pos, avail) redis_number(pos, avail)
#define SONDE_REDIS_NEXT(w, a) redis_next(a)
#define SONDE_REDIS_LOOKUP(name) redis_lookup(name)
#define SONDE_REDIS_ARGUMENTS(w, call, m) redis_arguments(call, m)
#define SONDE_REDIS_KEY(w, call, m) redis_key(call, m)
#define SONDE_REDIS_NAMED(w, call, m) redis_named(call, m)
#define SONDE_REDIS_PARAMS(w, call, m) redis_params(call, m)
#define SONDE_REDIS_STREAMS_OF(w, call, m) redis_streams(call, m)
#define SONDE_REDIS_INLINE(w, pos, avail, st, m) redis_inline(st, m, pos, avail)
#define SONDE_REDIS_HASH_TEXT(w, pos, len) window_hash_text(pos, len)
#include "sonde/proto/redis.h"

/** redis_number - sonde_redis_number() */
__noinline u64 redis_number(u32 pos, u32 avail)
{
	struct sonde_win *w = window();

	return w ? sonde_redis_number(w, pos, avail) : SONDE_REDIS_NUM_BAD;
}

/** redis_next - sonde_redis_next() */
__noinline int redis_next(struct sonde_redis_args *a)
{
	struct sonde_win *w = window();

	return a && w ? sonde_redis_next(w, a) : -SONDE_PARSE_BAD;
}

/** redis_lookup - sonde_redis_command() */
__noinline u32 redis_lookup(u64 name)
{
	return sonde_redis_command(name);
}

/** redis_arguments - sonde_redis_arguments() */
__noinline int redis_arguments(struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_win *w = window();

	return call && m && w ? sonde_redis_arguments(w, call, m) : -SONDE_PARSE_BAD;
}

/** redis_key - sonde_redis_key() */
__noinline int redis_key(struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_win *w = window();

	return call && m && w ? sonde_redis_key(w, call, m) : -SONDE_PARSE_BAD;
}

/** redis_named - sonde_redis_named() */
__noinline int redis_named(struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_win *w = window();

	return call && m && w ? sonde_redis_named(w, call, m) : -SONDE_PARSE_BAD;
}

/** redis_params - sonde_redis_params() */
__noinline int redis_params(struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_win *w = window();

	return call && m && w ? sonde_redis_params(w, call, m) : -SONDE_PARSE_BAD;
}

/** redis_streams - sonde_redis_streams() */
__noinline int redis_streams(struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_win *w = window();

	return call && m && w ? sonde_redis_streams(w, call, m) : -SONDE_PARSE_BAD;
}

/** redis_inline - sonde_redis_inline() */
__noinline int redis_inline(struct sonde_state *st, struct sonde_msg *m, u32 pos, u32 avail)
{
	struct sonde_win *w = window();

	return st && m && w ? sonde_redis_inline(w, pos, avail, st, m) : SONDE_PARSE_BAD;
}

#define REDIS_RUN 16 /* arguments or elements passed by at once */

/** redis_skip - pass by what lies whole in the window of a long command or of a nested reply; its length */
__noinline int redis_skip(struct conn *c, u32 at, u32 end, u32 server)
{
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	u64 left;
	u32 next;

	if (!c || !w || !x || at >= end)
		return 0;
	left = server ? c->st.be_left : c->st.fe_left;
	next = sonde_redis_skip(w, at, end, REDIS_RUN, &left);
	if (next == at)
		return 0;
	if (server) {
		c->st.be_left = left;
		if (!(c->st.be_mode & SONDE_REDIS_BE_PUSH))
			track_bulk(c, x->now, next - at, 0);
	} else {
		c->st.fe_left = left;
		c->sent += next - at;
	}
	return next - at;
}

static __always_inline int redis_rows(struct conn *c, u32 at, u32 end, u32 server)
{
	return (server ? c->st.be_left : c->st.fe_left) > 1 ? redis_skip(c, at, end, server) : 0;
}

BPF_PROTO_FIND_NONE(redis)
BPF_PROTO(redis)

#endif /* SONDE_REDIS_BPF_H */
