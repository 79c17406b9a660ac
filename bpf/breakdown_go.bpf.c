// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown_go.bpf.c - goroutines: which thread runs which of those that handle requests; and Go's net/http, whose client sends in
 *			goroutines of its own: for which one each of them does it.
 */
#define COUNT_PREEMPTIBLE
#include "breakdown.bpf.h"
#include "context.bpf.h"
#include "filter.bpf.h"
#include "go.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Key in bd_speaks of a connection of net/http's client: never that of a goroutine. */
static __always_inline u64 bd_go_conn(struct pt_regs *ctx)
{
	return context_of(GO_ARG1(ctx)) & ~BD_GOROUTINE;
}

/* (*persistConn).roundTrip() begins: this goroutine has a request that another will send. */
SEC("uprobe")
int bd_go_trip(struct pt_regs *ctx)
{
	u64 conn = bd_go_conn(ctx), self = context_of(GO_G(ctx)) | BD_GOROUTINE;

	if (!READ_ONCE(active) || filter_rejected())
		return 0;
	bpf_map_update_elem(&bd_speaks, &conn, &self, BPF_ANY);
	return 0;
}

/* persistConnWriter.Write() begins, in the goroutine that sends what others have. */
SEC("uprobe")
int bd_go_sends(struct pt_regs *ctx)
{
	u64 conn = bd_go_conn(ctx), self = context_of(GO_G(ctx)) | BD_GOROUTINE, *whose;

	if (!READ_ONCE(active) || filter_rejected())
		return 0;
	whose = bpf_map_lookup_elem(&bd_speaks, &conn);
	if (whose)
		bpf_map_update_elem(&bd_speaks, &self, whose, BPF_ANY);
	return 0;
}

/* Thread @tid no longer runs the goroutine that @runs says. */
static __always_inline void bd_go_leaves(u64 tid, u64 *runs, u64 now)
{
	struct bd_thread *t = bd_run_by(tid);

	*runs = 0;
	if (!t)
		return;
	if (t->on)
		bd_ran(t, now);
	t->state = BD_PARKED;
	t->tid = 0;
}

/*
 * runtime.execute(gp, ...) begins: this thread is going to run goroutine gp.
 *
 * One that comes out of a system call may get there without schedule().
 */
SEC("uprobe")
int bd_go_runs(struct pt_regs *ctx)
{
	u64 tid = (u32)bpf_get_current_pid_tgid(), self = context_of(GO_ARG1(ctx)) | BD_GOROUTINE, none = 0, *runs;
	struct bd_thread *t;

	if (!READ_ONCE(active) || filter_rejected())
		return 0;
	runs = bpf_map_lookup_elem(&bd_runs, &tid);
	if (!runs) {
		if (!filter_pass())
			return 0;
		bpf_map_update_elem(&bd_runs, &tid, &none, BPF_NOEXIST);
		WRITE_ONCE(bd_goes, 1);
		runs = bpf_map_lookup_elem(&bd_runs, &tid);
	}
	if (!runs)
		return 0;
	t = bd_thread_get(self);
	if (t && t->on && t->tid == (u32)tid && *runs == self)
		return 0;
	if (*runs)
		bd_go_leaves(tid, runs, bpf_ktime_get_ns());
	if (!t || !t->on)
		return 0;
	t->mark_ns = bpf_ktime_get_ns();
	t->state = BD_RUNS;
	t->tid = tid;
	*runs = self;
	return 0;
}

/* runtime.schedule() begins: this thread runs no goroutine. */
SEC("uprobe")
int bd_go_stops(struct pt_regs *ctx)
{
	u64 tid = (u32)bpf_get_current_pid_tgid(), *runs = bpf_map_lookup_elem(&bd_runs, &tid);

	if (READ_ONCE(active) && runs && *runs)
		bd_go_leaves(tid, runs, bpf_ktime_get_ns());
	return 0;
}
