// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown_go.bpf.c - Go's net/http, whose client sends in goroutines of its own: for which goroutine each of them does it.
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
