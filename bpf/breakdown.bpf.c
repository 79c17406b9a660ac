// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown.bpf.c - divides the time of inbound requests: threads that leave and enter processors, and what the programs for
 * sockets tell of requests, replies and sockets used.
 *
 * A thread's entry is written by the thread itself, and by the scheduler's programs while it does not run. The one program that
 * may come between is that of a preemption in the middle of the former: it writes nothing but @cpu_ns, @mark_ns, @state and the
 * wait for a processor, and only while @on is set. So @on is set last and cleared first.
 */
#define COUNT_PREEMPTIBLE
#include "breakdown.bpf.h"
#include "breakdown_loop.bpf.h"
#include "context.bpf.h"
#include "filter.bpf.h"
#include "wait.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct sonde_breakdown_config bd_conf = {};

u32 bd_goes;

#define BD_STREAM 1 /* SOCK_STREAM */
#define BD_BEGIN_NS                                                                                                    \
	100000 /* from the receipt of a request to bd_begin(), at most, unless something else was executed */

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
	if (t->polled)
		return;
	if (t->state == BD_QUEUED)
		t->wait_ns[SONDE_WAIT_RUNNABLE] += ns;
	else if (reason == SONDE_WAIT_NETWORK && call < BD_CALLS)
		t->net_ns[call] += ns;
	else if (reason < SONDE_WAITS)
		t->wait_ns[reason] += ns;
}

/* What thread @tid does is noted for: itself, or the goroutine that it runs. */
static __always_inline struct bd_thread *bd_noted(u64 tid)
{
	struct bd_thread *t = bd_thread_get(tid);

	if (!t)
		t = bd_run_by(tid);
	return t && t->on ? t : NULL;
}

/* The current thread, which waits, does so in the scheduler of Go, not in goroutine @t, of which it may not know yet that it runs no more. */
static __always_inline bool bd_in_scheduler(const struct bd_thread *t)
{
	u64 g = t->tid ? context_goroutine() : 0, tid = t->tid, *runs;

	runs = tid ? bpf_map_lookup_elem(&bd_runs, &tid) : NULL;
	return runs && (context_of(g) | BD_GOROUTINE) != *runs;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bd_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)
{
	struct bd_thread *t;
	struct wait w;
	u64 now = 0;

	t = bd_noted(prev->pid);
	if (t) {
		now = bd_ran(t, bpf_ktime_get_ns());
		t->reason = wait_reason(&w, preempt, prev_state);
		t->call = call_of(&w);
		t->state = t->reason == SONDE_WAIT_RUNNABLE ? BD_QUEUED : BD_BLOCKED;
		if (t->state == BD_BLOCKED && bd_in_scheduler(t))
			t->reason = SONDE_WAITS; /* of none of them */
		if (t->loop && t->reason == SONDE_WAIT_NETWORK && t->call == BD_POLLS)
			bd_polls(t, now);
	}
	t = bd_noted(next->pid);
	if (t) {
		waited(t, now ? now : bpf_ktime_get_ns());
		t->state = BD_RUNS;
		if (t->polled)
			t->slice_ns = t->mark_ns;
		t->polled = 0;
	}
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(bd_wakeup, struct task_struct *task)
{
	struct bd_thread *t = bd_noted(task->pid);

	if (t && t->state == BD_BLOCKED) {
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
	if (READ_ONCE(bd_goes))
		bpf_map_delete_elem(&bd_runs, &self);
	return 0;
}

/* ---- sockets, as they become known ---- */

/*
 * Whether a socket that nothing is known of is a foreign process's. In an interrupt, as a rule, so who runs says nothing, and nobody may
 * have accepted it yet. What traced processes accept is known by its port, at which they have answered before; what they connect is
 * known already, or will be when they use it.
 */
static __always_inline bool bd_foreign(const struct sock *sk)
{
	u8 *answers;

	if (!filter_is_set())
		return false;
	answers = bd_port(sk->__sk_common.skc_num);
	return !answers || !*answers;
}

/* Bytes have come. Nobody may have accepted the connection yet. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(bd_ready, struct sock *sk)
{
	struct bd_sock fresh = {}, *s;
	u16 family = sk->__sk_common.skc_family;
	u64 addr = (u64)sk;
	u32 ports;

	if (!READ_ONCE(active) || sk->sk_type != BD_STREAM ||
	    (family != SONDE_AF_INET && family != SONDE_AF_INET6 && family != SONDE_AF_UNIX))
		return 0;
	ports = sk->__sk_common.skc_portpair;
	s = bpf_map_lookup_elem(&bd_socks, &addr);
	if (s && (!s->ports || s->ports == ports)) {
		s->ports = ports;
		if (!s->came_ns)
			s->came_ns = bpf_ktime_get_ns();
		return 0;
	}
	if (family == SONDE_AF_UNIX || sk->__sk_common.skc_state != TCP_ESTABLISHED || bd_foreign(sk))
		return 0;
	fresh.came_ns = bpf_ktime_get_ns();
	fresh.ports = ports;
	bpf_map_update_elem(&bd_socks, &addr, &fresh, BPF_ANY);
	return 0;
}

/* Who runs, and begins to make a connection. */
static __always_inline void bd_connects(struct bd_thread *t, u64 addr, struct bd_sock *s)
{
	struct bd_use use = { .kind = SONDE_DEP_SOCKET, .conn = addr, .sent = 1 };
	struct bd_request *r;

	use.owner = t->share.cur;
	use.now = bpf_ktime_get_ns();
	t->on = 0;
	barrier();
	if (t->loop)
		bd_shared(t, &use);
	else
		t->share.wrote = 1;
	barrier();
	WRITE_ONCE(t->on, 1);
	r = bd_request_get(use.owner);
	if (!r)
		return;
	s->owner = use.owner;
	s->epoch = r->epoch;
}

/* A connection that a request needs: it will be used when it has been made, between others. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(bd_connect, struct sock *sk, int oldstate, int newstate)
{
	struct bd_sock fresh = {}, *made;
	struct bd_thread *t;
	u64 addr = (u64)sk;

	if (oldstate == TCP_SYN_SENT && newstate == TCP_ESTABLISHED) {
		made = bpf_map_lookup_elem(&bd_socks, &addr);
		if (made && made->owner)
			made->came_ns = bpf_ktime_get_ns();
	}
	if ((newstate != TCP_SYN_SENT && newstate != TCP_LISTEN) || !filter_pass())
		return 0;
	if (newstate == TCP_LISTEN) {
		bd_answers_at(sk->__sk_common.skc_num);
		return 0;
	}
	t = bd_thread_get((u32)bpf_get_current_pid_tgid());
	if (t && t->nr_open)
		bd_connects(t, addr, &fresh);
	bpf_map_update_elem(&bd_socks, &addr, &fresh, BPF_ANY);
	return 0;
}

/* ---- requests ---- */

/* The entry of who reads a request. */
static __always_inline struct bd_thread *bd_thread_make(u64 self)
{
	struct bd_thread *t = bd_thread_get(self), *zero;
	u32 z = 0;

	if (t)
		return t;
	zero = bpf_map_lookup_elem(&bd_zero, &z);
	if (!zero || bpf_map_update_elem(&bd_threads, &self, zero, BPF_NOEXIST))
		return NULL;
	return bd_thread_get(self);
}

/* A thread that had no request open has read one. */
static __always_inline void bd_first(struct bd_thread *t, u64 conn, u64 now)
{
	struct sonde_share *s = &t->share;
	u64 since;

	t->loop = 0;
	t->polled = 0;
	t->state = BD_RUNS;
	s->freed = s->free = 0;
	sonde_share_waits(s);
	s->oldest = s->next;
	s->cur = conn;
	bd_empty(t, now);
	t->mark_ns = now;
	since = bpf_ktime_get_ns();
	if (since - now > BD_BEGIN_NS)
		t->mark_ns = since; /* this program lost the processor: what it executed is not known */
}

/* A request of @t, that of connection @conn, is over. @r NULL: it has been forgotten. */
static __always_inline void bd_close(struct bd_thread *t, struct bd_request *r, u64 conn)
{
	if (r)
		sonde_share_over(&t->share, conn, r->place);
	if (t->nr_open)
		t->nr_open--;
	if (!t->nr_open) {
		t->loop = 0;
		t->polled = 0;
	}
	barrier();
	WRITE_ONCE(t->on, t->nr_open > 0);
}

/* The current thread runs goroutine @self, @t, if that is seen. */
static __always_inline void bd_goroutine_begins(struct bd_thread *t, u64 self)
{
	u64 tid = (u32)bpf_get_current_pid_tgid(), *runs;

	bpf_map_delete_elem(&bd_speaks, &self); /* its address may have been that of one that sent for others */
	runs = READ_ONCE(bd_goes) ? bpf_map_lookup_elem(&bd_runs, &tid) : NULL;
	t->tid = runs ? tid : 0;
	t->blind = !runs;
	__builtin_memset(t->park_ns, 0, sizeof(t->park_ns));
	if (runs)
		*runs = self;
}

__noinline int bd_begin(u64 self, u64 conn, u64 now, u64 came, u32 fresh)
{
	struct bd_request *r, *zero;
	struct bd_thread *t;
	u32 z = 0;
	u64 since;

	if (!bd_conf.on)
		return 0;
	zero = bpf_map_lookup_elem(&bd_zero_open, &z);
	t = bd_thread_make(self);
	r = bd_request_get(conn);
	if (t && r && r->thread == self) /* its end was not seen */
		bd_close(t, r, conn);
	if (!zero || !t || bpf_map_update_elem(&bd_open, &conn, zero, BPF_ANY)) {
		count(SONDE_CNT_HELPER_FAILED);
		return 0;
	}
	r = bd_request_get(conn);
	if (!r)
		return 0;
	t->on = 0;
	barrier();
	if (self & BD_GOROUTINE)
		bd_goroutine_begins(t, self);
	/* It waited for this thread if that was at something else when it came: known if it was a request. */
	since = !came || came > now || (!t->nr_open && came > t->end_ns) ? now : came;
	r->thread = self;
	r->begin_ns = since;
	r->loop_ns = now - since;
	r->mark_ns = now;
	r->epoch = (u32)now | 1;
	if (!t->nr_open)
		bd_first(t, conn, now);
	else if (!t->loop)
		bd_becomes_loop(t, now);
	t->nr_open++;
	r->shared = t->loop;
	if (t->loop)
		r->place = sonde_share_read(&t->share, conn, t->share.oldest - 1, fresh ? 0 : came);
	barrier();
	WRITE_ONCE(t->on, 1);
	return 0;
}

__noinline int bd_gave_up(u64 owner, u64 conn)
{
	struct bd_request *r;
	struct bd_thread *t;

	if (!bd_conf.on)
		return 0;
	t = bd_thread_get(owner);
	r = bd_request_get(conn);
	if (!t || !r || r->thread != owner)
		return 0;
	bd_close(t, r, conn);
	bpf_map_delete_elem(&bd_open, &conn);
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

static __always_inline void add_parts(struct sonde_breakdown_stat *row, const struct bd_request *r)
{
	__sync_fetch_and_add(&row->cpu_ns, r->cpu_ns);
	__sync_fetch_and_add(&row->loop_ns, r->loop_ns);
	__sync_fetch_and_add(&row->channel_ns, r->channel_ns);
	for (u32 i = 0; i < SONDE_DEPS; i++)
		__sync_fetch_and_add(&row->dep_ns[i], r->dep_ns[i]);
	for (u32 i = 0; i < SONDE_WAITS; i++)
		__sync_fetch_and_add(&row->wait_ns[i], r->wait_ns[i]);
}

/* Parts and statements of a request that @t handled, which is over. Until when it took. */
static __always_inline u64 add_whole(struct sonde_breakdown_stat *row, struct bd_thread *t, struct bd_request *r,
				     const struct bd_answer *a)
{
	u64 end = a->end_ns;

	if (a->self & BD_GOROUTINE) {
		if (t->tid)
			end = bd_ran(t, end);
		bd_give(t, r, end);
		bd_give_parks(t, r);
		if (t->blind)
			bd_add_undivided(row, SONDE_UNDIVIDED_GOROUTINE, end - r->begin_ns);
	} else if (!t->loop) {
		end = bd_ran(t, end); /* later: left the processor while this was being done */
		bd_give(t, r, end);
	} else if (r->mark_ns > end) {
		end = r->mark_ns;
	}
	if (r->shared) {
		__sync_fetch_and_add(&row->loops, 1);
		__sync_fetch_and_add(&row->loops_ns, end - r->begin_ns);
		__sync_fetch_and_add(&row->unsure, t->share.doubt > 0);
	}
	add_parts(row, r);
	if (bd_conf.memory)
		bd_add_memory(&row->memory, &r->memory);
	for (u32 i = 0; i < BD_SLOTS; i++)
		bd_dep(&a->key, &r->slot[i]);
	return end;
}

__noinline int bd_answered(const struct bd_answer *a)
{
	struct sonde_breakdown_stat *row;
	struct sonde_query_key key;
	struct bd_request *r;
	struct bd_thread *t;
	u64 begin, end, conn;
	bool shared;

	if (!bd_conf.on || !a)
		return 0;
	key = a->key; /* before Linux 6.4 one must lie in a map or on the stack */
	conn = a->conn;
	t = bd_thread_get(a->owner);
	r = bd_request_get(conn);
	if (r && r->thread != a->owner)
		r = NULL;
	if (t) {
		t->on = 0;
		t->end_ns = a->end_ns;
	}
	barrier();
	begin = r ? r->begin_ns : a->begin_ns;
	end = a->end_ns;
	row = bd_row_get(&key);
	shared = bd_conf.memory && r && r->shared; /* memory is not divided among those that share a loop */
	if (row && t && r && a->owner == a->self && !shared)
		end = add_whole(row, t, r, a);
	else if (row)
		bd_add_undivided(row, t && r && !shared ? SONDE_UNDIVIDED_MOVED : SONDE_UNDIVIDED_SHARED, end - begin);
	if (row) {
		__sync_fetch_and_add(&row->count, 1);
		__sync_fetch_and_add(&row->total_ns, end - begin);
	}
	if (t)
		bd_close(t, r, conn);
	if (r)
		bpf_map_delete_elem(&bd_open, &conn);
	return 0;
}

/* ---- what requests wait for ---- */

/** bd_waited - what the thread has waited for at sockets, since it used one last: for this one, if that makes sense. @r: the request it was about */
__noinline int bd_waited(struct bd_thread *t, struct bd_request *r, const struct bd_use *use)
{
	u64 polled, mine, other;
	u32 kind, sent;

	if (!bd_conf.on || !t || !use)
		return 0;
	kind = use->kind;
	sent = use->sent;
	polled = t->net_ns[BD_POLLS];
	mine = sent ? t->net_ns[BD_SENDS] : t->net_ns[BD_RECEIVES] + polled;
	other = sent ? t->net_ns[BD_RECEIVES] : t->net_ns[BD_SENDS];
	if (!(mine | other | polled))
		return 0;
	t->net_ns[BD_RECEIVES] = t->net_ns[BD_SENDS] = t->net_ns[BD_POLLS] = 0;
	if (!r)
		return 0;
	if (sent && kind == BD_INBOUND) /* an answer: it did not wait for that socket */
		r->wait_ns[SONDE_WAIT_OTHER] += polled;
	else if (sent)
		other += polled;
	r->dep_ns[SONDE_DEP_SOCKET] += other;
	if (kind == SONDE_DEP_SOCKET || kind >= SONDE_DEPS) {
		r->dep_ns[SONDE_DEP_SOCKET] += mine;
		return 0;
	}
	r->dep_ns[kind] += mine;
	if (mine)
		bd_slot_add(r, use->id, kind, use->proto, mine, 0);
	return 0;
}

__noinline int bd_socket(struct bd_use *use)
{
	struct bd_request *r;
	struct bd_thread *t;

	if (!bd_conf.on || !use)
		return 0;
	t = bd_thread_get(use->self);
	if (!t) {
		use->owner = 0;
		return 0;
	}
	/* Else the moment of connecting would be taken for that of the reply, should the thread become a loop before that comes. */
	if (!t->loop && use->sent && use->kind != BD_INBOUND)
		bd_made_for(use);
	if (!t->nr_open) {
		use->owner = 0;
		return 0;
	}
	t->on = 0;
	barrier();
	if (!t->loop && use->kind == BD_INBOUND && !use->sent && use->conn != t->share.cur)
		bd_becomes_loop(t, use->now);
	r = bd_request_get(t->share.cur);
	bd_waited(t, r, use);
	if (t->loop) {
		bd_shared(t, use);
	} else {
		t->share.wrote = use->sent;
		use->owner = r ? t->share.cur : 0;
		use->epoch = r ? r->epoch : 0;
	}
	barrier();
	WRITE_ONCE(t->on, 1);
	return 0;
}
