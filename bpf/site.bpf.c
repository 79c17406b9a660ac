// SPDX-License-Identifier: GPL-2.0-only
/*
 * site.bpf.c - whole stacks for call sites of findings, of programs without frame pointers.
 *
 * The programs that see statements being sent end with these, where a call site is asked for: the thread still stands where it
 * sent. Under TLS the statement was seen in the library, and what it sends now is sent from the same place of the application.
 */
#define COUNT_PREEMPTIBLE
#include "site.bpf.h"
#include "unwind.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The stack of the walk into map `stacks`; its id, < 0: there was no room. */
static __always_inline s32 keep_stack(struct unwind_walk *w, u32 tgid)
{
	u32 id = sonde_mix64(w->hash ^ tgid) & 0x7fffffff;

	for (u32 i = 0; i < SONDE_STACK_DEPTH; i++)
		if (i >= w->sample.nr_user)
			w->sample.ip[i] = 0;
	if (bpf_map_lookup_elem(&stacks, &id))
		return id;
	if (bpf_map_update_elem(&stacks, &id, &w->sample.ip, BPF_NOEXIST) && !bpf_map_lookup_elem(&stacks, &id)) {
		count(SONDE_CNT_FINDINGS_FULL);
		return -1;
	}
	return id;
}

/* Stack @id takes the place of the one that was taken by frame pointers. */
static __always_inline void put_stack(const struct site_want *want, s32 id)
{
	u64 key = want->scope;
	struct sonde_scope *s = bpf_map_lookup_elem(&scopes, &key);
	struct sonde_scope_slot *sl;

	if (!s)
		return;
	sl = &s->slot[sonde_scope_at(want->slot)];
	if (sl->stack == want->stack)
		sl->stack = id;
	if (sl->stack_again == want->stack)
		sl->stack_again = id;
}

static __always_inline int take_site(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct site_want *want;
	struct unwind_walk *w;
	u32 zero = 0;
	s32 id;

	want = bpf_map_lookup_elem(&site_wants, &zero);
	if (!want || want->thread != thread)
		return 0;
	want->thread = 0;
	w = unwind_walk(UNWIND_SLOT_HOOK);
	if (!w)
		return 0;
	unwind_from_regs(w, (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	unwind_user(UNWIND_SLOT_HOOK);
	if (w->sample.end == SONDE_UNWIND_END_NO_SPACE || w->sample.end == SONDE_UNWIND_END_POINTERS)
		return 0; /* no more than is there already */
	id = keep_stack(w, thread >> 32);
	if (id >= 0)
		put_stack(want, id);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(uw_site, struct sock *sk, int ret, int flags)
{
	return take_site();
}

SEC("raw_tp/sys_exit")
int uw_site_exit(void *ctx)
{
	return take_site();
}
