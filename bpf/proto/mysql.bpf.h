/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mysql.bpf.h - MySQL and MariaDB in the kernel: the pure parser (sonde/proto/mysql.h) wrapped in subprograms that the
 * verifier checks one by one.
 */
#ifndef SONDE_MYSQL_BPF_H
#define SONDE_MYSQL_BPF_H

#include "proto.bpf.h"

__noinline u64 mysql_ok(u32 pos, u32 end);
__noinline u32 mysql_error_class(u32 code, u32 sqlstate);
__noinline u32 mysql_value_size(u32 pos, u32 type);
__noinline u32 mysql_attributes(u32 pos, u32 end);
__noinline u32 mysql_name(u32 pos, u32 end);
__noinline u32 mysql_is_text(u32 pos, u32 len);
__noinline u32 mysql_greeting(u32 pos, u32 end);
#define SONDE_MYSQL_OK_PACKET(w, pos, end) mysql_ok(pos, end)
#define SONDE_MYSQL_ERROR_CLASS(code, sqlstate) mysql_error_class(code, sqlstate)
#define SONDE_MYSQL_VALUE_SIZE(w, pos, type) mysql_value_size(pos, type)
#define SONDE_MYSQL_ATTRIBUTE_LIST(w, pos, end) mysql_attributes(pos, end)
#define SONDE_MYSQL_DATABASE(w, pos, end) mysql_name(pos, end)
#define SONDE_MYSQL_IS_TEXT(w, pos, len) mysql_is_text(pos, len)
#define SONDE_MYSQL_GREETING(w, pos, end) mysql_greeting(pos, end)
#define SONDE_MYSQL_HASH(w, pos, len) window_hash_text(pos, len)
#include "sonde/proto/mysql.h"

__noinline u64 mysql_ok(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_mysql_ok(w, pos, end) : 0;
}

__noinline u32 mysql_error_class(u32 code, u32 sqlstate)
{
	return sonde_mysql_error_class(code, sqlstate);
}

__noinline u32 mysql_value_size(u32 pos, u32 type)
{
	struct sonde_win *w = window();

	return w ? sonde_mysql_value_size(w, pos, type) : 0;
}

__noinline u32 mysql_attributes(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_mysql_attributes(w, pos, end) : 0;
}

__noinline u32 mysql_name(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_mysql_name(w, pos, end) : 0;
}

__noinline u32 mysql_is_text(u32 pos, u32 len)
{
	struct sonde_win *w = window();

	return w && sonde_mysql_is_text(w, pos, len);
}

__noinline u32 mysql_greeting(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_mysql_greeting(w, pos, end) : 0;
}

/**
 * mysql_rows - pass by the run of definitions and rows at @at
 *
 * Returns its length in bytes, 0 if there is none or the first is not all there.
 */
__noinline int mysql_rows(struct conn *c, u32 at, u32 end, u32 server)
{
	struct sonde_win *w;
	struct xfer *x;
	struct entry *e;
	u32 next, rows;

	if (!c || !server || end < 5 || at > end - 5)
		return 0;
	w = window();
	x = xfer_get();
	e = &c->fifo[c->head & (CONN_INLINE - 1)]; /* of more than fit in there the next message looks */
	if (!w || !x || !sonde_mysql_is_run(w, at, &c->st, e->seq == c->head && c->head != c->tail ? e->kind : 0))
		return 0;
	next = sonde_mysql_skip_run(w, at, end, &c->st, 24, &rows);
	track_bulk(c, x->now, next - at, rows);
	return next - at;
}

/* Found again with the client's next command: there is one outstanding at a time, nearly always. */
BPF_PROTO_FIND_NONE(mysql)

BPF_PROTO(mysql)

#endif /* SONDE_MYSQL_BPF_H */
