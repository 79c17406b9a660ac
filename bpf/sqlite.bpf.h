/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite.bpf.h - what the SQLite probes know: statements, connections, texts, calls in progress. Included once.
 */
#ifndef SONDE_SQLITE_BPF_H
#define SONDE_SQLITE_BPF_H

#define COUNT_PREEMPTIBLE
#include "agg.bpf.h"
#include "filter.bpf.h"
#include "scope.bpf.h"
#include "slow.bpf.h"
#include "sonde/sqlite.h"

/* False before Linux 5.15: what the cookie would say is looked up in `sq_tgids`. */
const volatile bool sq_cookies = true;

/* What holds for all binaries then (0: they differ), until the loader has met the process. */
u64 sq_default_cookie;

/*
 * What the two probes of a step add to the duration they measure, found out by the loader: most of the way out of the
 * first and into the second. Without it, a statement of many short steps would seem several times as long as it is.
 */
u64 sq_overhead_ns;

/* For finding that out: when the call began, sum of the durations. */
u64 sq_cal_begin;
u64 sq_cal_sum;

/* Statements that were stepped or bound and not finalized. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_sqlite_key);
	__type(value, struct sonde_sqlite_stmt);
} sq_stmts SEC(".maps");

/* Connections: id of their peer (the database file). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sonde_sqlite_key);
	__type(value, u64);
} sq_dbs SEC(".maps");

/* Texts that were normalised: hash of what was written -> what it stands for. */
struct sq_text {
	u64 id;
	u64 literals;
	u64 verb;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct sq_text);
} sq_texts SEC(".maps");

/* Calls of sqlite3_step() that a thread is in; more than one when SQL functions execute statements themselves. */
#define NR_FRAMES 8u

struct sq_frame {
	u64 sp; /* stack pointer after the return */
	u64 stmt;
};

struct sq_calls {
	u64 depth;
	u64 last; /* statement whose execution began last */
	struct sq_frame frame[NR_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct sq_calls);
} sq_calls SEC(".maps");

/* Arguments of the open or prepare call that a thread is in. */
struct sq_args {
	u64 text; /* file name or statement */
	u64 out; /* where the connection or statement will be stored */
	u64 db;
	s64 len;
	u64 sp; /* stack pointer after the return */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct sq_args);
} sq_opens SEC(".maps"), sq_preps SEC(".maps");

/* Scratch slots in use: key CPU * SONDE_SLOTS + slot. A hash, because 5.10 has no atomic exchange. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u32);
} sq_slots SEC(".maps");

/* Process -> cookie, for kernels without cookies. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u64);
} sq_tgids SEC(".maps");

static __always_inline u64 cookie_of(void *ctx)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u64 *cookie;

	if (sq_cookies)
		return bpf_get_attach_cookie(ctx);
	cookie = bpf_map_lookup_elem(&sq_tgids, &tgid);
	return cookie ? *cookie : sq_default_cookie;
}

/* A call of its own: what it puts on the stack is off again when the statement is counted. */
static __noinline struct sonde_sqlite_stmt *make_stmt(const struct sonde_sqlite_key *key)
{
	struct sonde_sqlite_stmt fresh = {};

	fresh.row.proto = SONDE_PROTO_SQLITE;
	fresh.row.role = SONDE_ROLE_CLIENT;
	task_proc(&fresh.row.proc);
	agg_proc(&fresh.row.proc);
	bpf_map_update_elem(&sq_stmts, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sq_stmts, key);
}

/* Take one of the scratch slots 1..3 of this CPU. Returns 0 if all are in use. */
static __always_inline u32 slot_take(u32 *lock)
{
	u32 base = bpf_get_smp_processor_id() * SONDE_SLOTS, one = 1;

	for (u32 slot = 1; slot < SONDE_SLOTS; slot++) {
		*lock = base + slot;
		if (!bpf_map_update_elem(&sq_slots, lock, &one, BPF_NOEXIST))
			return slot;
	}
	return 0;
}

static __always_inline void slot_release(u32 *lock)
{
	bpf_map_delete_elem(&sq_slots, lock);
}

/* An event for the execution @d of @stmt. */
static __noinline int sq_slow(struct sonde_sqlite_stmt *stmt, const struct done *d)
{
	struct sonde_event_slow *e;
	u32 slot, lock;
	long n;

	if (!slow_allowed(d->end_ns))
		return 0;
	slot = slot_take(&lock);
	if (!slot) {
		count(SONDE_CNT_SLOW_DROPPED);
		return 0;
	}
	e = slow_begin(slot, &stmt->row, d);
	if (!e)
		goto release;
	e->verb = stmt->verb;
	if (conf.scopes)
		e->scope = scope_told(stmt->scope, stmt->epoch, &e->name);
	if (conf.examples && stmt->text) {
		/* The statement lives as long as its execution, and its text as long as it. */
		n = bpf_probe_read_user_str(e->example, sizeof(e->example), (void *)stmt->text);
		if (n > 1 && n <= (long)sizeof(e->example)) {
			e->example_len = n - 1;
			if (n == sizeof(e->example))
				e->flags |= SONDE_SLOW_CUT;
		}
	}
	slow_send(e);
release:
	slot_release(&lock);
	return 0;
}

static __noinline int finish(struct sonde_sqlite_stmt *e, u32 rc)
{
	struct done d = {};

	d.end_ns = bpf_ktime_get_ns();
	d.done_ns = e->sum_ns;
	d.first_ns = e->first_ns;
	d.rows = e->rows;
	if (rc != SONDE_SQLITE_DONE) {
		d.failed = 1;
		d.sqlstate = sonde_sqlite_state(rc);
		d.error_class = sonde_sqlite_error_class(rc);
	}
	e->state &= ~(SONDE_SQLITE_RUNNING | SONDE_SQLITE_STEPPING);
	agg_add(&e->row, &d);
	if (slow_is(&d, false))
		sq_slow(e, &d);
	if (conf.scopes && SONDE_UNLIKELY(scope_may_exceed(d.done_ns, d.rows, 0)))
		scope_exceeds(&e->row, e->scope, e->epoch, e->verb, &d);
	if (conf.scopes && e->scope) {
		scope_leave(e->scope, e->epoch, e->slot, d.done_ns, d.rows, d.end_ns);
		e->scope = 0;
	}
	return 0;
}

/* Remember that this thread is inside sqlite3_step(@stmt) and will return with stack pointer @sp. */
static __noinline int push_call(u64 stmt, u64 sp, u32 begins)
{
	u64 thread = bpf_get_current_pid_tgid(), d;
	struct sq_calls *calls, fresh = {};

	calls = bpf_map_lookup_elem(&sq_calls, &thread);
	if (!calls) {
		fresh.depth = 1;
		fresh.last = stmt;
		fresh.frame[0].sp = sp;
		fresh.frame[0].stmt = stmt;
		return bpf_map_update_elem(&sq_calls, &thread, &fresh, BPF_ANY) ? -1 : 0;
	}
	if (begins)
		calls->last = stmt;
	/* Frames at or below this one were left without a return (longjmp). */
	d = calls->depth;
	for (u32 i = 0; i < NR_FRAMES; i++) {
		if (!d || calls->frame[(d - 1) & (NR_FRAMES - 1)].sp > sp)
			break;
		d--;
	}
	if (d >= NR_FRAMES)
		return -1;
	calls->frame[d & (NR_FRAMES - 1)].sp = sp;
	calls->frame[d & (NR_FRAMES - 1)].stmt = stmt;
	calls->depth = d + 1;
	return 0;
}

/* The statement whose sqlite3_step() returned to stack pointer @sp, 0 if it was not seen to begin. */
static __noinline u64 pop_call(u64 sp)
{
	u64 thread = bpf_get_current_pid_tgid(), d, stmt = 0;
	struct sq_calls *calls;

	calls = bpf_map_lookup_elem(&sq_calls, &thread);
	if (!calls)
		return 0;
	d = calls->depth;
	for (u32 i = 0; i < NR_FRAMES; i++) {
		struct sq_frame *f = &calls->frame[(d - 1) & (NR_FRAMES - 1)];

		if (!d || f->sp > sp)
			break;
		d--;
		if (f->sp == sp) {
			stmt = f->stmt;
			break;
		}
	}
	calls->depth = d;
	return stmt;
}

#endif /* SONDE_SQLITE_BPF_H */
