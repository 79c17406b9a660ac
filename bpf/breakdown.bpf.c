// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown.bpf.c - divides the time of inbound requests: threads that leave and enter processors, and what the programs for
 * sockets tell of requests, replies and sockets used.
 *
 * A thread's entry is written by the thread itself, and by the scheduler's programs while it does not run. The one program that
 * may come between is that of a preemption in the middle of the former: it writes nothing but @cpu_ns, @mark_ns, @state and the
 * wait for a processor, and only while @conn is set. So @conn is set last and cleared first.
 */
#define COUNT_PREEMPTIBLE
#include "breakdown.bpf.h"
#include "wait.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct sonde_breakdown_config bd_conf = {};

#define BD_BEGIN_NS 100000 /* from the receipt of a request to bd_begin(), at most, unless something else was executed */

/* ---- the scheduler ---- */

static __always_inline u32 call_of(const struct wait *w)
{
	if (!w->facts.in_call)
		return BD_RECEIVES;
	if (w->facts.class == SONDE_WAIT_CLASS_POLL || w->facts.class == SONDE_WAIT_CLASS_SELECT)
		return BD_POLLS;
	switch (w->nr) {
	case NR_write:
	case NR_writev:
	case NR_sendto:
	case NR_sendmsg:
	case NR_sendmmsg:
		return BD_SENDS;
#if NR_epoll_wait != NR_epoll_pwait
	case NR_epoll_wait:
#endif
	case NR_epoll_pwait:
	case NR_epoll_pwait2:
		return BD_POLLS;
	}
	return BD_RECEIVES;
}

/* A wait has ended, or part of it. */
static __always_inline void waited(struct bd_thread *t, u64 now)
{
	u64 since = t->mark_ns, ns = now > since ? now - since : 0;
	u32 reason = t->reason, call = t->call;

	t->mark_ns = now;
	if (t->state == BD_QUEUED)
		t->wait_ns[SONDE_WAIT_RUNNABLE] += ns;
	else if (reason == SONDE_WAIT_NETWORK && call < BD_CALLS)
		t->net_ns[call] += ns;
	else if (reason < SONDE_WAITS)
		t->wait_ns[reason] += ns;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bd_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)
{
	struct bd_thread *t;
	struct wait w;
	u64 now = 0;

	t = bd_thread_get(prev->pid);
	if (t && t->conn) {
		now = bpf_ktime_get_ns();
		if (now > t->mark_ns)
			t->cpu_ns += now - t->mark_ns;
		t->mark_ns = now;
		t->reason = wait_reason(&w, preempt, prev_state);
		t->call = call_of(&w);
		t->state = t->reason == SONDE_WAIT_RUNNABLE ? BD_QUEUED : BD_BLOCKED;
	}
	t = bd_thread_get(next->pid);
	if (t && t->conn) {
		waited(t, now ? now : bpf_ktime_get_ns());
		t->state = BD_RUNS;
	}
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(bd_wakeup, struct task_struct *task)
{
	struct bd_thread *t = bd_thread_get(task->pid);

	if (t && t->conn && t->state == BD_BLOCKED) {
		waited(t, bpf_ktime_get_ns());
		t->state = BD_QUEUED;
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(bd_exit, struct task_struct *task)
{
	u64 self = task->pid;

	bpf_map_delete_elem(&bd_threads, &self);
	return 0;
}

/* ---- requests ---- */

__noinline int bd_begin(u64 self, u64 conn, u64 now)
{
	struct bd_thread *t, *zero;
	u32 z = 0;
	u64 since;

	if (!bd_conf.on)
		return 0;
	zero = bpf_map_lookup_elem(&bd_zero, &z);
	if (!zero)
		return 0;
	t = bd_thread_get(self);
	if (t && t->nr_open) { /* another one is open: neither's time can be told */
		t->nr_open++;
		t->conn = 0;
		return 0;
	}
	if (bpf_map_update_elem(&bd_threads, &self, zero, BPF_ANY)) {
		count(SONDE_CNT_HELPER_FAILED);
		return 0;
	}
	t = bd_thread_get(self);
	if (!t)
		return 0;
	t->nr_open = 1;
	t->begin_ns = now;
	t->mark_ns = now;
	since = bpf_ktime_get_ns();
	if (since - now > BD_BEGIN_NS)
		t->mark_ns = since; /* this program lost the processor: what it executed is not known */
	barrier();
	WRITE_ONCE(t->conn, conn);
	return 0;
}

__noinline int bd_gave_up(u64 owner, u64 conn)
{
	struct bd_thread *t;

	if (!bd_conf.on)
		return 0;
	t = bd_thread_get(owner);
	if (!t)
		return 0;
	if (t->conn == conn)
		t->conn = 0;
	if (t->nr_open)
		t->nr_open--;
	return 0;
}

/** bd_dep - one slot of a request that is over, into its row */
__noinline int bd_dep(const struct sonde_query_key *of, const struct bd_slot *slot)
{
	struct sonde_dep_stat fresh = {}, *row;
	struct sonde_dep_key key = {};

	if (!bd_conf.on || !of || !slot || !(slot->calls | slot->ns))
		return 0;
	key.of = *of;
	key.id = slot->id;
	key.kind = slot->kind;
	key.proto = slot->proto;
	row = bpf_map_lookup_elem(&bd_deps, &key);
	if (!row) {
		bpf_map_update_elem(&bd_deps, &key, &fresh, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&bd_deps, &key);
	}
	if (!row) {
		count(SONDE_CNT_BREAKDOWN_FULL);
		return 0;
	}
	__sync_fetch_and_add(&row->requests, 1);
	__sync_fetch_and_add(&row->calls, slot->calls);
	__sync_fetch_and_add(&row->ns, slot->ns);
	return 0;
}

static __always_inline void add_memory(struct sonde_memory *to, const struct sonde_memory *more)
{
	__sync_fetch_and_add(&to->samples, more->samples);
	__sync_fetch_and_add(&to->objects, more->objects);
	__sync_fetch_and_add(&to->bytes, more->bytes);
	__sync_fetch_and_add(&to->var, more->var);
}

static __always_inline void add_parts(struct sonde_breakdown_stat *row, struct bd_thread *t)
{
	/* It has used no socket since: one of which no more is known, or none. */
	t->dep_ns[SONDE_DEP_SOCKET] += t->net_ns[BD_RECEIVES] + t->net_ns[BD_SENDS];
	t->wait_ns[SONDE_WAIT_OTHER] += t->net_ns[BD_POLLS];
	__sync_fetch_and_add(&row->cpu_ns, t->cpu_ns);
	for (u32 i = 0; i < SONDE_DEPS; i++)
		__sync_fetch_and_add(&row->dep_ns[i], t->dep_ns[i]);
	for (u32 i = 0; i < SONDE_WAITS; i++)
		__sync_fetch_and_add(&row->wait_ns[i], t->wait_ns[i]);
}

/* Parts and statements of a request that @t handled alone, which is over. */
static __always_inline void add_whole(struct sonde_breakdown_stat *row, struct bd_thread *t,
				      const struct bd_answer *a)
{
	u64 end = a->end_ns;

	if (a->self & BD_GOROUTINE) {
		bd_add_undivided(row, SONDE_UNDIVIDED_GOROUTINE, end - a->begin_ns);
	} else if (t->mark_ns < end) {
		t->cpu_ns += end - t->mark_ns;
	} else {
		end = t->mark_ns; /* left the processor while this was being done */
	}
	__sync_fetch_and_add(&row->total_ns, end - a->begin_ns);
	add_parts(row, t);
	if (bd_conf.memory)
		add_memory(&row->memory, &t->memory);
	for (u32 i = 0; i < BD_SLOTS; i++)
		bd_dep(&a->key, &t->slot[i]);
}

__noinline int bd_answered(const struct bd_answer *a)
{
	struct sonde_breakdown_stat *row;
	struct sonde_query_key key;
	struct bd_thread *t;
	bool whole;

	if (!bd_conf.on || !a)
		return 0;
	key = a->key; /* before Linux 6.4 one must lie in a map or on the stack */
	t = bd_thread_get(a->owner);
	whole = t && t->conn == a->conn;
	if (whole)
		WRITE_ONCE(t->conn, 0);
	barrier();
	if (t && t->nr_open)
		t->nr_open--;
	row = bd_row_get(&key);
	if (!row)
		return 0;
	__sync_fetch_and_add(&row->count, 1);
	if (whole && a->owner == a->self) {
		add_whole(row, t, a);
		return 0;
	}
	__sync_fetch_and_add(&row->total_ns, a->end_ns - a->begin_ns);
	bd_add_undivided(row, whole ? SONDE_UNDIVIDED_MOVED : SONDE_UNDIVIDED_SHARED, a->end_ns - a->begin_ns);
	return 0;
}

/* ---- what requests wait for ---- */

__noinline int bd_socket(u64 self, u32 sent, u32 kind, u32 proto, u64 id)
{
	struct bd_thread *t;
	u64 mine, other, polled;

	if (!bd_conf.on)
		return 0;
	t = bd_thread_get(self);
	if (!t || !t->conn)
		return 0;
	polled = t->net_ns[BD_POLLS];
	mine = sent ? t->net_ns[BD_SENDS] : t->net_ns[BD_RECEIVES] + polled;
	other = sent ? t->net_ns[BD_RECEIVES] : t->net_ns[BD_SENDS];
	if (!(mine | other | polled))
		return 0;
	t->net_ns[BD_RECEIVES] = t->net_ns[BD_SENDS] = t->net_ns[BD_POLLS] = 0;
	if (sent && kind == BD_INBOUND) /* an answer: it did not wait for that socket */
		t->wait_ns[SONDE_WAIT_OTHER] += polled;
	else if (sent)
		other += polled;
	t->dep_ns[SONDE_DEP_SOCKET] += other;
	if (kind == SONDE_DEP_SOCKET || kind >= SONDE_DEPS) {
		t->dep_ns[SONDE_DEP_SOCKET] += mine;
		return 0;
	}
	t->dep_ns[kind] += mine;
	if (mine)
		bd_slot_add(t, id, kind, proto, mine, 0);
	return 0;
}
