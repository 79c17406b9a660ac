/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memcached.bpf.h - memcached in the kernel: its parser (sonde/proto/memcached.h) and the subprograms that it uses.
 */
#ifndef SONDE_MEMCACHED_BPF_H
#define SONDE_MEMCACHED_BPF_H

#include "proto.bpf.h"
#include "key_pattern.bpf.h"

struct sonde_mc_line;

u32 memcached_flag(u32 from, u32 to, u32 letter);
u32 memcached_next(struct sonde_mc_line *l);
int memcached_key(struct sonde_mc_line *l, struct sonde_msg *m, u32 shape, u32 letter);
#define SONDE_MC_FLAG(w, from, to, letter) memcached_flag(from, to, letter)
#define SONDE_MC_NEXT(w, l) memcached_next(l)
#define SONDE_MC_ARGUMENTS(w, l, shape, letter, m) memcached_key(l, m, shape, letter)
#define SONDE_MC_HASH_TEXT(w, pos, len) window_hash_text(pos, len)
#include "sonde/proto/memcached.h"

/** memcached_flag - sonde_mc_flag() */
__noinline u32 memcached_flag(u32 from, u32 to, u32 letter)
{
	struct sonde_win *w = window();

	return w ? sonde_mc_flag(w, from, to, letter) : 0;
}

/** memcached_next - sonde_mc_next() */
__noinline u32 memcached_next(struct sonde_mc_line *l)
{
	struct sonde_win *w = window();

	return l && w ? sonde_mc_next(w, l) : 0;
}

/** memcached_key - sonde_mc_key() */
__noinline int memcached_key(struct sonde_mc_line *l, struct sonde_msg *m, u32 shape, u32 letter)
{
	struct sonde_win *w = window();

	if (l && m && w)
		sonde_mc_key(w, l, shape, letter, m);
	return 0;
}

BPF_PROTO_ROWS_NONE(memcached)
BPF_PROTO_FIND_NONE(memcached)
BPF_PROTO(memcached)

#endif /* SONDE_MEMCACHED_BPF_H */
