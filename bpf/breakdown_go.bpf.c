// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown_go.bpf.c - goroutines: which thread runs which of those that handle requests, and what they are parked for; and Go's
 *			net/http, whose client sends in goroutines of its own: for which one each of them does it.
 */
#define COUNT_PREEMPTIBLE
#include "breakdown.bpf.h"
#include "context.bpf.h"
#include "filter.bpf.h"
#include "go.bpf.h"
#include "sonde/tls_probe.h"

#define GO_CALLERS 4 /* of runtime.gopark() that are looked at: runtime.goparkunlock(), semacquire1(), who has called that */

struct map_bd_parks_def bd_parks SEC(".maps");

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

/* What goroutine @g was parked for: BD_PARK_QUEUE, ... @probe: address of runtime.execute()'s probe in this process */
static __noinline int bd_go_why(u64 g, u64 probe, u32 program)
{
	const struct sonde_go_parks *parks = bpf_map_lookup_elem(&bd_parks, &program);
	struct sonde_go_frame frame = {};
	struct sonde_gobuf buf = {};
	bool lock = false;
	u64 bp;

	if (!parks || bpf_probe_read_user(&buf, sizeof(buf), (void *)(g + SONDE_GO_GOBUF)))
		return BD_PARK_UNKNOWN;
	if (sonde_go_kind_of(parks, buf.pc - probe) != SONDE_GO_PARKS)
		return BD_PARK_QUEUE;
	bp = sonde_go_bp(&buf);
	for (u32 i = 0; i < GO_CALLERS; i++) {
		if (!sonde_go_is_frame(bp, buf.sp) || bpf_probe_read_user(&frame, sizeof(frame), (void *)bp))
			break;
		switch (sonde_go_kind_of(parks, frame.ret - 1 - probe)) {
		case SONDE_GO_SLEEP:
			return BD_PARK_SLEEP;
		case SONDE_GO_CHANNEL:
		case SONDE_GO_GROUP:
			return BD_PARK_CHANNEL;
		case SONDE_GO_NETWORK:
			return BD_PARK_NETWORK;
		case SONDE_GO_LOCK:
			lock = true;
			break;
		case SONDE_GO_PASSES:
			break;
		default:
			i = GO_CALLERS;
		}
		bp = frame.bp;
	}
	return lock ? BD_PARK_LOCK : BD_PARK_OTHER;
}

/* Goroutine @t goes on now, after it was parked. A reply that has come meanwhile was what it waited for, up to then. */
static __always_inline void bd_go_parked(struct bd_thread *t, struct pt_regs *ctx, u64 now)
{
	u32 why = bd_go_why(GO_ARG1(ctx), PT_REGS_IP(ctx), bpf_get_attach_cookie(ctx) >> SONDE_TLS_GO_PROGRAM);
	struct bd_request *r = bd_request_get(t->share.cur);
	u64 since = t->mark_ns;

	if (r && r->mark_ns > since)
		since = r->mark_ns;
	if (why >= BD_PARKS)
		t->blind = 1;
	else if (now > since)
		t->park_ns[why] += now - since;
}

/*
 * runtime.execute(gp, ...) begins: this thread is going to run goroutine gp.
 *
 * One that comes out of a system call may get there without schedule().
 */
SEC("uprobe")
int bd_go_runs(struct pt_regs *ctx)
{
	u64 tid = (u32)bpf_get_current_pid_tgid(), self = context_of(GO_ARG1(ctx)) | BD_GOROUTINE, none = 0, *runs, now;
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
	now = bpf_ktime_get_ns();
	if (t->state == BD_PARKED)
		bd_go_parked(t, ctx, now);
	t->mark_ns = now;
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
