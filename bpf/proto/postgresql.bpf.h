/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postgresql.bpf.h - PostgreSQL in the kernel: the pure parser (sonde/proto/postgresql.h) wrapped in subprograms
 * that the verifier checks one by one.
 */
#ifndef SONDE_POSTGRESQL_BPF_H
#define SONDE_POSTGRESQL_BPF_H

#include "proto.bpf.h"

__noinline u64 pg_scan_sqlstate(u32 pos, u32 end);
#define SONDE_SCAN_SQLSTATE(w, pos, end) pg_scan_sqlstate(pos, end)
#define SONDE_PG_HASH(w, pos, len) window_hash_text(pos, len)
#include "sonde/proto/postgresql.h"

__noinline u64 pg_scan_sqlstate(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_pg_scan_sqlstate(w, pos, end) : 0;
}

/**
 * pg_rows - pass by the run of messages at @at that only make a response longer (sonde_pg_is_bulk())
 *
 * Returns its length in bytes, 0 if the first is not all there.
 */
__noinline int pg_rows(struct conn *c, u32 at, u32 end, u32 server)
{
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	u32 next, rows;

	if (!c || !w || !x || at >= end)
		return 0;
	next = sonde_pg_skip_run(w, at, end, server, 64, &rows);
	if (!server)
		c->sent += next - at;
	else
		track_bulk(c, x->now, next - at, rows);
	return next - at;
}

static __always_inline int postgresql_rows(struct conn *c, u32 at, u32 end, u32 server)
{
	struct sonde_win *w = window();

	return w && sonde_pg_is_bulk(sonde_win_u8(w, at), server) ? pg_rows(c, at, end, server) : 0;
}

#define PG_READY_BYTES 6 /* ReadyForQuery on the wire */

BPF_PROTO_FINDS(postgresql)
{
	struct sonde_win *w = window();

	if (!w || x->total < PG_READY_BYTES || window_fill(x->total - PG_READY_BYTES))
		return false;
	return sonde_win_u8(w, 0) == 'Z' && sonde_win_be32(w, 1) == 5;
}

BPF_PROTO(postgresql)

#endif /* SONDE_POSTGRESQL_BPF_H */
