/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite_scope.bpf.h - which unit of work an execution belongs to: the thread's request, the connection's transaction, a burst.
 */
#ifndef SONDE_SQLITE_SCOPE_BPF_H
#define SONDE_SQLITE_SCOPE_BPF_H

#include "sqlite.bpf.h"
#include "sql.bpf.h"

/* Whether the connection is inside of a transaction: sqlite3_get_autocommit() as it reads it. */
static __always_inline bool sq_in_txn(const struct sonde_sqlite_stmt *e, u64 cookie)
{
	u8 autocommit = 1;

	if (!(cookie & SONDE_SQLITE_COOKIE_TXN) || !e->db)
		return false;
	bpf_probe_read_user(&autocommit, sizeof(autocommit),
			    (void *)(e->db + (cookie >> SONDE_SQLITE_COOKIE_TXN_SHIFT)));
	return !autocommit;
}

/** sq_pick - fill @pick in */
static __always_inline void sq_pick(const struct sonde_sqlite_stmt *e, u64 cookie, struct scope_pick *pick)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct scope_context *ctx = READ_ONCE(inbound) ? bpf_map_lookup_elem(&contexts, &thread) : NULL;
	u64 db = sonde_mix64(e->db ^ (u64)e->row.proc.tgid << 48 ^ e->row.proc.start);

	if (ctx && ctx->async) { /* one thread with several requests: which of them executes it cannot be told */
		pick->kind = SONDE_SCOPE_NONE;
	} else if (ctx && ctx->scope) {
		pick->kind = SONDE_SCOPE_REQUEST;
		pick->key = ctx->scope;
		pick->epoch = ctx->epoch;
	} else if (sq_in_txn(e, cookie)) {
		pick->kind = SONDE_SCOPE_TRANSACTION;
		pick->key = db;
	} else {
		pick->kind = SONDE_SCOPE_BURST;
		pick->key = sonde_mix64(db ^ thread);
	}
}

/** sq_scope - an execution of @e begins */
static __noinline int sq_scope(struct sonde_sqlite_stmt *e, u64 cookie)
{
	struct scope_what what = {};
	struct scope_pick pick = {};

	e->scope = 0;
	sq_pick(e, cookie, &pick);
	/* The statement before this one ended the transaction. */
	if (pick.kind == SONDE_SCOPE_BURST)
		scope_close(sonde_mix64(e->db ^ (u64)e->row.proc.tgid << 48 ^ e->row.proc.start), 0, 0,
			    bpf_ktime_get_ns());
	if (!sonde_scope_judges(e->verb, 0))
		return 0;
	what.id = e->row.id;
	what.params = sonde_mix64(e->literals ^ (e->state & SONDE_SQLITE_BOUND ? e->params : 0)) | 1;
	what.peer = e->row.peer;
	what.now = bpf_ktime_get_ns();
	what.proc = e->row.proc;
	what.verb = e->verb;
	what.proto = SONDE_PROTO_SQLITE;
	what.entry = 1;
	if (pick.kind == SONDE_SCOPE_NONE)
		return scope_process(&what);
	e->slot = scope_put(&pick, &what);
	e->scope = pick.key;
	e->epoch = pick.epoch;
	e->scope_kind = pick.kind;
	return 0;
}

#endif /* SONDE_SQLITE_SCOPE_BPF_H */
