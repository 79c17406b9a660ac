// SPDX-License-Identifier: GPL-2.0-only
/*
 * site.bpf.c - whole stacks for call sites of findings, of programs without frame pointers.
 *
 * The programs that see statements being sent, executed or answered end with these, where a call site is asked for: the thread still
 * stands where it sent, called or received.
 */
#define COUNT_PREEMPTIBLE
#include "site.bpf.h"
#include "unwind.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The stack of the walk into map `stacks`; its id, < 0: there was no room. */
static __always_inline s32 keep_stack(struct unwind_walk *w, u32 tgid)
{
	u32 id = (sonde_mix64(w->hash ^ tgid) & SITE_ID) | SITE_WHOLE;

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
static __always_inline void put_in_slot(const struct site_want *want, s32 id)
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

static __always_inline void put_in_row(struct sonde_finding_key *key, u32 class, s32 id)
{
	struct sonde_finding_stat *row;

	key->class = class;
	row = bpf_map_lookup_elem(&findings, key);
	if (row && !site_is_whole(row->stack))
		row->stack = id;
}

/* @regs: where the thread stands in user code. */
static __always_inline int take_site(const struct pt_regs *regs)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct site_want *wanted, want;
	struct unwind_walk *w;
	u32 zero = 0, slot;
	s32 id;

	wanted = bpf_map_lookup_elem(&site_wants, &zero);
	if (!wanted || wanted->thread != thread)
		return 0;
	wanted->thread = 0;
	want = *wanted;
	slot = unwind_take();
	w = unwind_walk(slot);
	if (!slot || !w)
		return 0;
	unwind_from_regs(w, regs);
	unwind_user(slot);
	/* What ends so is no more than is there already. */
	id = w->sample.end == SONDE_UNWIND_END_NO_SPACE || w->sample.end == SONDE_UNWIND_END_POINTERS
		     ? -1
		     : keep_stack(w, thread >> 32);
	unwind_give(slot);
	if (id < 0)
		return 0;
	if (want.scope) {
		put_in_slot(&want, id);
	} else {
		put_in_row(&want.row, SONDE_FOUND_SLOW, id);
		put_in_row(&want.row, SONDE_FOUND_LARGE, id);
	}
	return 0;
}

/* In a system call. */
static __always_inline int take_call_site(void)
{
	return take_site((struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()));
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(uw_site, struct sock *sk, int ret, int flags)
{
	return take_call_site();
}

SEC("raw_tp/sys_exit")
int uw_site_exit(void *ctx)
{
	return take_call_site();
}

#define SONDE_SOCKET_SEND(name, function)                                                                              \
	SEC("fexit/" #function)                                                                                        \
	int uw_##name(void *ctx)                                                                                       \
	{                                                                                                              \
		return take_call_site();                                                                               \
	}
#define SONDE_SOCKET_RECV(name, function) SONDE_SOCKET_SEND(name, function)
#define SONDE_SOCKET_SEND_AS(name, function, other)
#define SONDE_SOCKET_RECV_AS(name, function, other)
#include "sonde/socket_func.def"

SEC("kprobe")
int uw_site_func(struct pt_regs *ctx)
{
	return take_call_site();
}

/* On uprobes @ctx is the user code's own: at the entry of a function, or where it has returned to. */
SEC("uprobe")
int uw_site_probe(struct pt_regs *ctx)
{
	return take_site(ctx);
}

/* The result matters to a session: 0 has the return of the function seen, too. */
SEC("uprobe")
int uw_site_both(struct pt_regs *ctx)
{
	return take_site(ctx);
}
