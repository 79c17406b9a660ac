/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite_text.bpf.h - which statement and which database an execution belongs to, read from the statement's memory.
 */
#ifndef SONDE_SQLITE_TEXT_BPF_H
#define SONDE_SQLITE_TEXT_BPF_H

#include "sqlite.bpf.h"
#include "sql.bpf.h"

static __always_inline u64 hash_word(u64 hash, u64 word)
{
	hash = (hash ^ word) * SONDE_FNV_PRIME;
	return hash ^ hash >> 29;
}

#define HASH_WORDS 16 /* a piece lies on the stack, of which a chain of calls has 512 bytes */

/* Hash of the string at @addr in user memory (what the normaliser reads of it); 0 if it cannot be read. */
static __noinline u64 text_hash(u64 addr)
{
	u64 hash = SONDE_FNV_BASIS;
	u64 word[HASH_WORDS];
	long n;

	for (u32 chunk = 0; chunk < SONDE_WIN_BYTES / sizeof(word); chunk++) {
		__builtin_memset(word, 0, sizeof(word));
		n = bpf_probe_read_user_str(word, sizeof(word), (void *)addr);
		if (n <= 0)
			return 0;
		for (u32 i = 0; i < HASH_WORDS && 8 * i < n; i++)
			hash = hash_word(hash, word[i]);
		if (n < (long)sizeof(word))
			break;
		addr += sizeof(word) - 1;
	}
	hash = sonde_mix64(hash);
	return hash ?: 1;
}

#define MAX_EMPTY 8 /* empty statements in front of one */

/*
 * Normalise the statement at @addr, at most @max bytes of it, and send its text if that is new. Returns 0, or -1 with
 * nothing in @out; @sent tells whether user space has the text.
 */
static __noinline int normalise(u64 addr, u64 max, struct sq_text *out, u32 *sent)
{
	struct sonde_win *w;
	struct sonde_sql *s;
	u32 slot, lock, flags, pos = 0;
	int err = -1;
	long n;

	slot = slot_take(&lock);
	if (!slot)
		return -1;
	w = sonde_win_get(slot);
	s = sonde_sql_get(slot);
	if (!w || !s)
		goto release;
	if (max > SONDE_SQL_MAX_BYTES)
		max = SONDE_SQL_MAX_BYTES;
	n = bpf_probe_read_user_str(w->b, max + 1, (void *)addr);
	if (n <= 1) {
		count(SONDE_CNT_READ_FAULT);
		goto release;
	}
	flags = SONDE_SQL_SQLITE;
	if (n == SONDE_SQL_MAX_BYTES + 1)
		flags |= SONDE_SQL_CUT;
	/* Semicolons may come first: SQLite skips them. */
	for (u32 i = 0; i < MAX_EMPTY; i++) {
		err = sonde_sql_run(slot, pos, n - 1 - pos, flags);
		if (err)
			goto release;
		pos = s->end;
		if (!(s->flags & SONDE_SQL_EMPTY) || pos >= n - 1)
			break;
	}
	out->id = s->id;
	out->literals = s->literals;
	out->verb = s->verb;
	if (s->flags & SONDE_SQL_PARTIAL)
		count(SONDE_CNT_TEXT_CUT);
	flags = s->flags & SONDE_SQL_PARTIAL ? SONDE_TEXT_PARTIAL : 0;
	agg_text(slot, s->id, SONDE_PROTO_SQLITE, s->verb, flags, s->text, s->text_len);
	*sent = agg_text_known(out->id);
release:
	slot_release(&lock);
	return err;
}

/* Send "0x..." as the name of a statement whose text is not known. Returns whether user space has it. */
static __noinline bool send_name(u64 id, u64 stmt)
{
	char name[] = "0x0000000000000000";
	u32 slot, lock;

	if (agg_text_known(id))
		return true;
	slot = slot_take(&lock);
	if (!slot)
		return false;
	for (u32 i = 0; i < 16; i++) {
		u32 digit = stmt >> (60 - 4 * i) & 15;

		name[2 + i] = digit < 10 ? '0' + digit : 'a' + digit - 10;
	}
	agg_text(slot, id, SONDE_PROTO_SQLITE, 0, SONDE_TEXT_NAME, name, sizeof(name) - 1);
	slot_release(&lock);
	return agg_text_known(id);
}

static __always_inline void use_name(struct sonde_sqlite_stmt *e, u64 stmt)
{
	e->raw = 0;
	e->literals = 0;
	e->verb = SONDE_SQL_OTHER;
	e->row.id = sonde_mix64(stmt ^ (u64)e->row.proc.tgid << 48 ^ e->row.proc.start);
	e->row.flags = SONDE_KEY_NAMED;
	e->state &= ~SONDE_SQLITE_TEXT_SENT;
	if (send_name(e->row.id, stmt))
		e->state |= SONDE_SQLITE_TEXT_SENT;
}

static __always_inline void use_text(struct sonde_sqlite_stmt *e, u64 raw, const struct sq_text *t, bool sent)
{
	e->raw = raw;
	e->literals = t->literals;
	e->verb = t->verb;
	e->row.id = t->id;
	e->row.flags = 0;
	e->state &= ~SONDE_SQLITE_TEXT_SENT;
	if (sent)
		e->state |= SONDE_SQLITE_TEXT_SENT;
}

/*
 * Make @e's row the one of the text that the statement has now. Returns 1 for a statement without text: SQLite's own, which
 * it prepares to read the schema.
 */
static __noinline int identify(struct sonde_sqlite_stmt *e, u64 stmt, u64 cookie)
{
	struct sq_text *known, fresh = {};
	u64 text = 0, raw = 0;
	u32 sent = 0;

	if (e->state & SONDE_SQLITE_PREPARED)
		return 0;
	if (cookie & SONDE_SQLITE_COOKIE_TEXT) {
		if (!bpf_probe_read_user(&text, sizeof(text), (void *)(stmt + sonde_sqlite_cookie_text(cookie)))) {
			if (!text)
				return 1;
			e->text = text;
			raw = text_hash(text);
		}
		if (!raw)
			count(SONDE_CNT_READ_FAULT);
	}
	if (!raw) {
		e->text = 0;
		if (!e->row.id || e->raw || !(e->state & SONDE_SQLITE_TEXT_SENT))
			use_name(e, stmt);
		return 0;
	}
	if (raw == e->raw && e->state & SONDE_SQLITE_TEXT_SENT)
		return 0;
	known = bpf_map_lookup_elem(&sq_texts, &raw);
	if (known && agg_text_known(known->id)) {
		use_text(e, raw, known, true);
		return 0;
	}
	if (normalise(text, SONDE_SQL_MAX_BYTES, &fresh, &sent)) {
		use_name(e, stmt);
		return 0;
	}
	use_text(e, raw, &fresh, sent);
	bpf_map_update_elem(&sq_texts, &raw, &fresh, BPF_ANY);
	return 0;
}

/* Which database file the statement belongs to. */
static __noinline int locate(struct sonde_sqlite_stmt *e, u64 stmt, u64 cookie)
{
	struct sonde_sqlite_key key = { .tgid = e->row.proc.tgid };
	u64 *peer;

	if (cookie & SONDE_SQLITE_COOKIE_DB)
		bpf_probe_read_user(&key.ptr, sizeof(key.ptr), (void *)(stmt + sonde_sqlite_cookie_db(cookie)));
	else
		key.ptr = e->db;
	if (key.ptr == e->db && e->row.peer)
		return 0;
	e->db = key.ptr;
	peer = bpf_map_lookup_elem(&sq_dbs, &key);
	if (!peer) {
		key.ptr = 0;
		peer = bpf_map_lookup_elem(&sq_dbs, &key);
	}
	e->row.peer = peer ? *peer : 0;
	return 0;
}

#endif /* SONDE_SQLITE_TEXT_BPF_H */
