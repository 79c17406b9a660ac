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
#define COUNT_PREEMPTIBLE
#include "agg.bpf.h"
#include "filter.bpf.h"
#include "sql.bpf.h"
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

static __always_inline u64 hash_word(u64 hash, u64 word)
{
	hash = (hash ^ word) * SONDE_FNV_PRIME;
	return hash ^ hash >> 29;
}

#define HASH_WORDS 32

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
			raw = text_hash(text);
		}
		if (!raw)
			count(SONDE_CNT_READ_FAULT);
	}
	if (!raw) {
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

static __always_inline struct sonde_sqlite_stmt *make_stmt(const struct sonde_sqlite_key *key)
{
	struct sonde_sqlite_stmt fresh = {};

	fresh.row.proto = SONDE_PROTO_SQLITE;
	fresh.row.role = SONDE_ROLE_CLIENT;
	task_proc(&fresh.row.proc);
	agg_proc(&fresh.row.proc);
	bpf_map_update_elem(&sq_stmts, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sq_stmts, key);
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
			count(SONDE_CNT_SEEN);
			count(SONDE_CNT_LOST_TABLE);
			return 1;
		}
		if (identify(e, stmt, cookie))
			return 1;
		count(SONDE_CNT_SEEN);
		locate(e, stmt, cookie);
		e->sum_ns = 0;
		e->first_ns = 0;
		e->rows = 0;
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
	if (PT_REGS_IP(ctx) != bpf_get_func_ip(ctx))
		return step_returns(ctx);
	return step_begins(ctx);
}

SEC("uprobe")
int sq_step(struct pt_regs *ctx)
{
	step_begins(ctx);
	return 0;
}

SEC("uretprobe")
int sq_step_ret(struct pt_regs *ctx)
{
	return step_returns(ctx);
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

	if (e && ended_by_caller(e))
		finish(e, SONDE_SQLITE_DONE);
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
	return PT_REGS_IP(ctx) != bpf_get_func_ip(ctx) ? exec_returns() : exec_begins();
}

SEC("uprobe")
int sq_exec(struct pt_regs *ctx)
{
	return exec_begins();
}

SEC("uretprobe")
int sq_exec_ret(struct pt_regs *ctx)
{
	return exec_returns();
}

#define VALUE_BYTES 64u

/* Hash of the first bytes of a text or blob, together with its length. */
static __noinline u64 bytes_hash(u64 addr, s32 len)
{
	u64 word[VALUE_BYTES / 8] = {};
	u64 hash = SONDE_FNV_BASIS;
	u32 n = len;
	long got;

	if (len < 0) {
		got = bpf_probe_read_user_str(word, sizeof(word), (void *)addr);
	} else {
		if (n > VALUE_BYTES)
			n = VALUE_BYTES;
		got = bpf_probe_read_user(word, n, (void *)addr);
	}
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
