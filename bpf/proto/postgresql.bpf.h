/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postgresql.bpf.h - PostgreSQL in the kernel: the pure parser (sonde/proto/postgresql.h) wrapped in subprograms
 * that the verifier checks one by one.
 */
#ifndef SONDE_POSTGRESQL_BPF_H
#define SONDE_POSTGRESQL_BPF_H

#include "track.bpf.h"

__noinline u64 pg_scan_sqlstate(u32 pos, u32 end);
#define SONDE_SCAN_SQLSTATE(w, pos, end) pg_scan_sqlstate(pos, end)
#include "sonde/proto/postgresql.h"

__noinline u64 pg_scan_sqlstate(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_pg_scan_sqlstate(w, pos, end) : 0;
}

/**
 * pg_message - parse and act on the message at @at in the window, whose data ends at @end
 *
 * Returns the message's length, 0 if it is not all there (x->want bytes are needed), -1 if it is none.
 */
__noinline int pg_message(struct conn *c, u32 at, u32 end, u32 server)
{
	struct sonde_win *w = window();
	struct xfer *x = xfer_get();
	struct sonde_msg *m;
	int ret;

	if (!c || !w || !x || at > end)
		return -1;
	m = &x->msg;
	if (server)
		ret = sonde_pg_backend(w, at, end - at, m);
	else
		ret = sonde_pg_frontend(w, at, end - at, m);
	if (ret == SONDE_PARSE_MORE) {
		x->want = m->size;
		return 0;
	}
	if (ret != SONDE_PARSE_OK)
		return -1;
	if (server)
		track_server(c, x->now, m);
	else
		track_client(c, x->now, m, end, SONDE_SQL_POSTGRESQL);
	return m->size;
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

/** pg_detect - enum sonde_detect for the data in the window, @total bytes on the wire */
__noinline int pg_detect(u32 total, u32 avail)
{
	struct sonde_win *w = window();

	return w ? sonde_pg_detect(w, total, avail) : SONDE_DETECT_NO;
}

/** pg_startup - user and database from the startup message in the window, @len bytes long */
static __always_inline void pg_startup(u32 len, struct sonde_peer *peer)
{
	struct sonde_win *w = window();
	u32 pos = 8;

	if (!w)
		return;
	for (u32 i = 0; i < 12 && pos + 1 < len; i++) {
		u32 key_len = SONDE_NAME_LEN(window_scan_name(pos)), value = pos + key_len + 1, value_len;
		u64 word = sonde_win_u64(w, pos);

		if (!key_len || key_len == SONDE_NAME_SCAN_NONE)
			break;
		value_len = SONDE_NAME_LEN(window_scan_name(value));
		if (value_len == SONDE_NAME_SCAN_NONE)
			break;
		if (key_len == 4 && (u32)word == ('u' | 's' << 8 | 'e' << 16 | (u32)'r' << 24))
			bpf_probe_read_kernel_str(peer->user, sizeof(peer->user), &w->b[value & (SONDE_WIN_BYTES - 1)]);
		if (key_len == 8 && word == 0x6573616261746164ULL) /* "database" */
			bpf_probe_read_kernel_str(peer->database, sizeof(peer->database),
						  &w->b[value & (SONDE_WIN_BYTES - 1)]);
		pos = value + value_len + 1;
	}
	if (!peer->database[0]) /* the server's default: the user's name */
		__builtin_memcpy(peer->database, peer->user, sizeof(peer->database));
}

#endif /* SONDE_POSTGRESQL_BPF_H */
