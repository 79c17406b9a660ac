// SPDX-License-Identifier: GPL-2.0-only
/*
 * sql.bpf.c - the SQL normaliser in the kernel: the stages of include/sonde/sql_core.h as subprograms.
 *
 * Each is global and takes numbers only, so the verifier checks it once and alone, on 5.10 too; state is found by slot.
 */
#include "vmlinux.h"
#include "sql.bpf.h"

#define HASH_WORDS 16u

struct map_win_def win SEC(".maps");
struct map_sql_def sql SEC(".maps");

#define SONDE_SQL_GLOBAL
#define SONDE_SQL_EVENT(s, slot, t, was) (u32) sql_event(slot, t, was)
#define SONDE_SQL_DIGITS(s, slot) sql_digits(slot)
#define SONDE_SQL_LOWER(s, slot) sql_lower(slot)
#define SONDE_SQL_QUOTE(s, slot, c) sql_quote(slot, c)

int sql_event(u32 slot, u32 t, u32 was);
int sql_digits(u32 slot);
int sql_lower(u32 slot);
int sql_quote(u32 slot, u32 quote);

#include "sonde/sql_core.h"

__noinline int sql_digits(u32 slot)
{
	struct sonde_sql *s = sonde_sql_get(slot);

	if (s)
		sonde_sql_digits(s);
	return 0;
}

__noinline int sql_lower(u32 slot)
{
	struct sonde_sql *s = sonde_sql_get(slot);

	if (s)
		sonde_sql_lower(s);
	return 0;
}

__noinline int sql_quote(u32 slot, u32 quote)
{
	struct sonde_sql *s = sonde_sql_get(slot);

	if (s)
		sonde_sql_quote(s, quote);
	return 0;
}

__noinline int sql_event(u32 slot, u32 t, u32 was)
{
	struct sonde_sql *s = sonde_sql_get(slot);

	if (!s)
		return 0;
	return sonde_sql_event(s, slot, t & 0xffff, was);
}

/* At most SONDE_SQL_CHUNK of input. Returns non-zero at the end. */
__noinline int sql_chunk(u32 slot)
{
	struct sonde_sql *s = sonde_sql_get(slot);
	struct sonde_win *w = sonde_win_get(slot);

	if (!s || !w)
		return 1;
	return sonde_sql_bytes(s, slot, &w->b[s->pos & (SONDE_WIN_BYTES - 1)], SONDE_SQL_CHUNK);
}

/* Ends the statement. Returns non-zero if the text is short and its id done. */
__noinline int sql_close(u32 slot)
{
	struct sonde_sql *s = sonde_sql_get(slot);

	if (!s)
		return 1;
	sonde_sql_close(s, slot);
	return sonde_sql_hash(s, HASH_WORDS);
}

__noinline int sql_hash(u32 slot)
{
	struct sonde_sql *s = sonde_sql_get(slot);

	return s ? sonde_sql_hash(s, HASH_WORDS) : 1;
}

__noinline int sonde_sql_run(u32 slot, u32 pos, u32 len, u32 flags)
{
	struct sonde_sql *s = sonde_sql_get(slot);
	int done;

	if (!s || pos > SONDE_WIN_BYTES || len > SONDE_WIN_BYTES - pos)
		return -1;
	if (len > SONDE_SQL_MAX_BYTES) {
		len = SONDE_SQL_MAX_BYTES;
		flags |= SONDE_SQL_CUT;
	}
	sonde_sql_begin(s, pos, len, flags);
	for (u32 i = 0; i <= SONDE_WIN_BYTES / SONDE_SQL_CHUNK; i++)
		if (sql_chunk(slot))
			break;
	done = sql_close(slot);
	for (u32 i = 0; !done && i < SONDE_TEXT_BYTES / (8 * HASH_WORDS); i++)
		done = sql_hash(slot);
	sonde_sql_seal(s);
	return 0;
}

/* At most SONDE_SQL_CHUNK of a tail. Returns non-zero at the end. */
__noinline int sql_tail(u32 slot)
{
	struct sonde_sql *s = sonde_sql_get(slot);
	struct sonde_win *w = sonde_win_get(slot);

	if (!s || !w)
		return 1;
	for (u32 i = 0; i < SONDE_SQL_CHUNK; i++) {
		if (s->pos >= s->limit)
			return 1;
		sql_tail_byte(s, w->b[s->pos & (SONDE_WIN_BYTES - 1)]);
	}
	return 0;
}

__noinline int sonde_sql_tail(u32 slot, u32 pos, u32 len)
{
	struct sonde_sql *s = sonde_sql_get(slot);

	if (!s || pos > SONDE_WIN_BYTES || len > SONDE_WIN_BYTES - pos)
		return -1;
	if (len > SONDE_SQL_TAIL_BYTES) {
		pos += len - SONDE_SQL_TAIL_BYTES;
		len = SONDE_SQL_TAIL_BYTES;
	}
	sonde_sql_tail_begin(s, pos, pos + len);
	for (u32 i = 0; i <= SONDE_SQL_TAIL_BYTES / SONDE_SQL_CHUNK; i++)
		if (sql_tail(slot))
			break;
	return sonde_sql_tail_end(s);
}

char LICENSE[] SEC("license") = "GPL";
