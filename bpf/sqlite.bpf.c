// SPDX-License-Identifier: GPL-2.0-only
/*
 * sqlite.bpf.c - statements that a process executes in its own SQLite library, seen through uprobes.
 *
 * An execution begins with the first sqlite3_step() after a prepare or reset and ends with a step that returns
 * neither ROW nor a further row (DONE or an error), or with a reset or finalize in the middle of the rows. Its
 * duration is the sum of its steps, the time to the first byte that of the first step.
 *
 * The text is not taken from sqlite3_prepare(), which would need a probe on its return, but from the statement itself
 * at the beginning of an execution: the loader learned from sqlite3_sql() where it stands. So statements that were
 * prepared before sonde started are named as well, and UTF-16 ones (SQLite keeps them in UTF-8). A statement's memory
 * may be used again for another one without sqlite3_finalize() (sqlite3_exec() takes an inner way): every execution
 * compares a hash of the text. Where the offsets are not known, prepare is probed instead.
 *
 * Uprobe programs are preemptible: counters are added to atomically, and scratch memory is taken under a lock.
 */
#include "site.bpf.h"
#include "sqlite.bpf.h"
#include "sqlite_text.bpf.h"
#include "sqlite_scope.bpf.h"

/* What the stack pointer will be after the function has returned. */
static __always_inline u64 return_sp(struct pt_regs *ctx)
{
#ifdef __TARGET_ARCH_x86
	return PT_REGS_SP(ctx) + 8;
#else
	return PT_REGS_SP(ctx);
#endif
}

/* Whether this thread is inside a prepare that was called from further up than @sp: SQLite reads the schema. */
static __always_inline bool in_prepare(u64 sp)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sq_args *args = bpf_map_lookup_elem(&sq_preps, &thread);

	return args && args->sp > sp;
}

/* Returns 0 if the return of the call is wanted. */
static __always_inline int step_begins(struct pt_regs *ctx)
{
	u64 stmt = PT_REGS_PARM1(ctx);
	struct sonde_sqlite_key key = { .ptr = stmt, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct sonde_sqlite_stmt *e;
	u32 begins = 0;
	u64 cookie;

	if (!stmt)
		return 1;
	e = bpf_map_lookup_elem(&sq_stmts, &key);
	if (e && e->state & SONDE_SQLITE_STEPPING) {
		/* Left without a return: the execution that was under way has no end. */
		count(SONDE_CNT_LOST_DESYNC);
		e->state &= ~(SONDE_SQLITE_RUNNING | SONDE_SQLITE_STEPPING);
	}
	if (!e || !(e->state & SONDE_SQLITE_RUNNING)) {
		cookie = cookie_of(ctx);
		if (!e && (!filter_pass() || (!(cookie & SONDE_SQLITE_COOKIE_TEXT) && in_prepare(return_sp(ctx)))))
			return 1;
		if (!e)
			e = make_stmt(&key);
		if (!e) {
			count_seen();
			count(SONDE_CNT_LOST_TABLE);
			return 1;
		}
		if (identify(e, stmt, cookie))
			return 1;
		count_seen();
		locate(e, stmt, cookie);
		e->sum_ns = 0;
		e->first_ns = 0;
		e->rows = 0;
		if (conf.scopes)
			sq_scope(e, cookie);
		e->state &= ~SONDE_SQLITE_BOUND;
		begins = 1;
	}
	if (push_call(stmt, return_sp(ctx), begins)) {
		count(SONDE_CNT_LOST_PIPELINE);
		e->state &= ~SONDE_SQLITE_RUNNING;
		return 1;
	}
	e->state |= SONDE_SQLITE_RUNNING | SONDE_SQLITE_STEPPING;
	e->step_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int step_returns(struct pt_regs *ctx)
{
	u64 now = bpf_ktime_get_ns();
	struct sonde_sqlite_key key = { .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct sonde_sqlite_stmt *e;
	u32 rc = PT_REGS_RC(ctx);
	u64 took;

	key.ptr = pop_call(PT_REGS_SP(ctx));
	if (!key.ptr)
		return 0;
	e = bpf_map_lookup_elem(&sq_stmts, &key);
	if (!e || !(e->state & SONDE_SQLITE_STEPPING))
		return 0;
	e->state &= ~SONDE_SQLITE_STEPPING;
	took = now - e->step_ns;
	took = took > sq_overhead_ns ? took - sq_overhead_ns : 1;
	if (!e->sum_ns)
		e->first_ns = took;
	e->sum_ns += took;
	if (rc == SONDE_SQLITE_ROW)
		e->rows++;
	else
		finish(e, rc);
	return 0;
}

/* One program for both ends (uprobe session, Linux 6.13): at the return the instruction pointer is the caller's. */
SEC("uprobe")
int sq_step_both(struct pt_regs *ctx)
{
	int none = PT_REGS_IP(ctx) != bpf_get_func_ip(ctx) ? step_returns(ctx) : step_begins(ctx);

	if (!none)
		site_take(ctx, &site_both);
	return none;
}

SEC("uprobe")
int sq_step(struct pt_regs *ctx)
{
	step_begins(ctx);
	site_take(ctx, &site_probe);
	return 0;
}

SEC("uretprobe")
int sq_step_ret(struct pt_regs *ctx)
{
	step_returns(ctx);
	site_take(ctx, &site_probe);
	return 0;
}

static __always_inline int cal_begins(void)
{
	sq_cal_begin = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int cal_returns(void)
{
	sq_cal_sum += bpf_ktime_get_ns() - sq_cal_begin;
	return 0;
}

SEC("uprobe")
int sq_cal_both(struct pt_regs *ctx)
{
	return PT_REGS_IP(ctx) != bpf_get_func_ip(ctx) ? cal_returns() : cal_begins();
}

SEC("uprobe")
int sq_cal(struct pt_regs *ctx)
{
	return cal_begins();
}

SEC("uretprobe")
int sq_cal_ret(struct pt_regs *ctx)
{
	return cal_returns();
}

/* sqlite3_reset() inside of sqlite3_step() is SQLite's own (a step after DONE, a changed schema). */
static __always_inline bool ended_by_caller(const struct sonde_sqlite_stmt *e)
{
	return (e->state & (SONDE_SQLITE_RUNNING | SONDE_SQLITE_STEPPING)) == SONDE_SQLITE_RUNNING;
}

SEC("uprobe")
int sq_reset(struct pt_regs *ctx)
{
	struct sonde_sqlite_key key = { .ptr = PT_REGS_PARM1(ctx), .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct sonde_sqlite_stmt *e = bpf_map_lookup_elem(&sq_stmts, &key);

	if (e && ended_by_caller(e)) {
		finish(e, SONDE_SQLITE_DONE);
		site_take(ctx, &site_probe);
	}
	return 0;
}

SEC("uprobe")
int sq_finalize(struct pt_regs *ctx)
{
	struct sonde_sqlite_key key = { .ptr = PT_REGS_PARM1(ctx), .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct sonde_sqlite_stmt *e = bpf_map_lookup_elem(&sq_stmts, &key);

	if (!e)
		return 0;
	if (ended_by_caller(e))
		finish(e, SONDE_SQLITE_DONE);
	bpf_map_delete_elem(&sq_stmts, &key);
	site_take(ctx, &site_probe);
	return 0;
}

/*
 * sqlite3_exec() finalizes its statements without sqlite3_finalize(). Those that run to their end are complete anyway; one
 * that the callback gives up is not.
 */
static __always_inline int exec_begins(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sq_calls *calls = bpf_map_lookup_elem(&sq_calls, &thread);

	if (calls)
		calls->last = 0;
	return 0;
}

static __always_inline int exec_returns(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sonde_sqlite_key key = { .tgid = thread >> 32 };
	struct sq_calls *calls = bpf_map_lookup_elem(&sq_calls, &thread);
	struct sonde_sqlite_stmt *e;

	if (!calls || !calls->last)
		return 0;
	key.ptr = calls->last;
	calls->last = 0;
	e = bpf_map_lookup_elem(&sq_stmts, &key);
	if (!e)
		return 0;
	if (ended_by_caller(e))
		finish(e, SONDE_SQLITE_DONE);
	bpf_map_delete_elem(&sq_stmts, &key);
	return 0;
}

SEC("uprobe")
int sq_exec_both(struct pt_regs *ctx)
{
	if (PT_REGS_IP(ctx) == bpf_get_func_ip(ctx))
		return exec_begins();
	exec_returns();
	site_take(ctx, &site_both);
	return 0;
}

SEC("uprobe")
int sq_exec(struct pt_regs *ctx)
{
	return exec_begins();
}

SEC("uretprobe")
int sq_exec_ret(struct pt_regs *ctx)
{
	exec_returns();
	site_take(ctx, &site_probe);
	return 0;
}

#define VALUE_BYTES 64u

/* Hash of the first bytes of a text or blob, together with its length. */
static __noinline u64 bytes_hash(u64 addr, s32 len)
{
	u64 word[VALUE_BYTES / 8] = {};
	u64 hash = SONDE_FNV_BASIS;
	long got;

	if (len < 0)
		got = bpf_probe_read_user_str(word, sizeof(word), (void *)addr);
	else if (len >= (s32)VALUE_BYTES)
		got = bpf_probe_read_user(word, sizeof(word), (void *)addr);
	else
		got = bpf_probe_read_user(word, (u32)len & (VALUE_BYTES - 1), (void *)addr);
	if (got < 0)
		count(SONDE_CNT_READ_FAULT);
	for (u32 i = 0; i < VALUE_BYTES / 8; i++)
		hash = hash_word(hash, word[i]);
	return hash_word(hash, len);
}

/*
 * All bind functions. The hash is the sum over (index, value) of what was bound since the last execution: values that
 * stay bound from an earlier one do not take part.
 */
SEC("uprobe")
int sq_bind(struct pt_regs *ctx)
{
	struct sonde_sqlite_key key = { .ptr = PT_REGS_PARM1(ctx), .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct sonde_sqlite_stmt *e = bpf_map_lookup_elem(&sq_stmts, &key);
	u32 kind = sonde_sqlite_cookie_kind(cookie_of(ctx)), index = PT_REGS_PARM2(ctx);
	u64 value = 0;

	if (!e) {
		if (!key.ptr || !filter_pass())
			return 0;
		e = make_stmt(&key);
		if (!e)
			return 0;
	}
	if (kind == SONDE_SQLITE_BIND_INT)
		value = (s64)(s32)PT_REGS_PARM3(ctx);
	else if (kind == SONDE_SQLITE_BIND_INT64)
		value = PT_REGS_PARM3(ctx);
	else if (kind == SONDE_SQLITE_BIND_BYTES && PT_REGS_PARM3(ctx))
		value = bytes_hash(PT_REGS_PARM3(ctx), PT_REGS_PARM4(ctx));
	if (!(e->state & SONDE_SQLITE_BOUND)) {
		e->params = 0;
		e->state |= SONDE_SQLITE_BOUND;
	}
	e->params += sonde_mix64(hash_word(hash_word(SONDE_FNV_BASIS, (u64)kind << 32 | index), value));
	return 0;
}

/* sqlite3_open(name, &db), sqlite3_open_v2(name, &db, flags, vfs) */
SEC("uprobe")
int sq_open(struct pt_regs *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sq_args args = { .text = PT_REGS_PARM1(ctx), .out = PT_REGS_PARM2(ctx) };

	if (filter_pass())
		bpf_map_update_elem(&sq_opens, &thread, &args, BPF_ANY);
	return 0;
}

SEC("uretprobe")
int sq_open_ret(struct pt_regs *ctx)
{
	u64 thread = bpf_get_current_pid_tgid(), id;
	struct sonde_sqlite_key key = { .tgid = thread >> 32 };
	struct sonde_peer peer = { .family = SONDE_AF_FILE };
	struct sq_args *args;
	long n = 0;

	args = bpf_map_lookup_elem(&sq_opens, &thread);
	if (!args)
		return 0;
	if (bpf_probe_read_user(&key.ptr, sizeof(key.ptr), (void *)args->out) || !key.ptr)
		goto forget;
	if (args->text)
		n = bpf_probe_read_user_str(peer.path, sizeof(peer.path), (void *)args->text);
	if (n < 0) {
		count(SONDE_CNT_READ_FAULT);
		goto forget;
	}
	if (n <= 1) /* no name: a private database on disk that goes with its connection */
		__builtin_memcpy(peer.path, ":temporary:", sizeof(":temporary:"));
	id = agg_peer(&peer);
	bpf_map_update_elem(&sq_dbs, &key, &id, BPF_ANY);
forget:
	bpf_map_delete_elem(&sq_opens, &thread);
	return 0;
}

/* sqlite3_prepare*(), only where the text's place in the statement is not known. */
SEC("uprobe")
int sq_prepare(struct pt_regs *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sq_args args = { .db = PT_REGS_PARM1(ctx), .text = PT_REGS_PARM2(ctx), .len = (s32)PT_REGS_PARM3(ctx) };
	u32 kind = sonde_sqlite_cookie_kind(cookie_of(ctx));
	u64 fifth = PT_REGS_PARM5(ctx);

	args.out = PT_REGS_PARM4(ctx);
	barrier_var(fifth); /* both are read: the verifier allows no computed offset into the registers */
	if (kind == SONDE_SQLITE_PREPARE_V3)
		args.out = fifth;
	args.sp = return_sp(ctx);
	if (!in_prepare(args.sp) && filter_pass())
		bpf_map_update_elem(&sq_preps, &thread, &args, BPF_ANY);
	return 0;
}

SEC("uretprobe")
int sq_prepare_ret(struct pt_regs *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct sonde_sqlite_key key = { .tgid = thread >> 32 };
	struct sonde_sqlite_stmt *e;
	struct sq_text fresh = {};
	struct sq_args *args;
	u32 sent = 0;

	args = bpf_map_lookup_elem(&sq_preps, &thread);
	if (!args || args->sp != PT_REGS_SP(ctx))
		return 0;
	if (PT_REGS_RC(ctx) || bpf_probe_read_user(&key.ptr, sizeof(key.ptr), (void *)args->out) || !key.ptr)
		goto forget;
	e = bpf_map_lookup_elem(&sq_stmts, &key);
	if (e)
		bpf_map_delete_elem(&sq_stmts, &key); /* its memory is used again */
	e = make_stmt(&key);
	if (!e)
		goto forget;
	e->db = args->db;
	e->state |= SONDE_SQLITE_PREPARED;
	if (normalise(args->text, args->len < 0 ? SONDE_SQL_MAX_BYTES : args->len, &fresh, &sent))
		use_name(e, key.ptr);
	else
		use_text(e, 1, &fresh, sent);
forget:
	bpf_map_delete_elem(&sq_preps, &thread);
	return 0;
}
