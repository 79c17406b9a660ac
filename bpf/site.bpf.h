/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * site.bpf.h - what the way from a statement to its findings tells the program that takes whole stacks for call sites.
 */
#ifndef SONDE_SITE_BPF_H
#define SONDE_SITE_BPF_H

#include "sonde.bpf.h"

/* Added to the id of a stack that was walked up by tables; without it frame pointers were followed. */
#define SITE_WHOLE 0x40000000
#define SITE_ID (SITE_WHOLE - 1)

/** site_is_whole - whether @stack (< 0: none) is one that was walked up by tables */
static __always_inline bool site_is_whole(s32 stack)
{
	return stack >= 0 && stack & SITE_WHOLE;
}

/**
 * struct site_want - a call site that is asked for
 * @thread: whose (0: nobody's)
 * @scope, @slot: where it belongs, in place of stack @stack, which frame pointers gave
 * @row: where it belongs if @scope is 0: the rows of this key for slow executions and for large ones
 */
struct site_want {
	u64 thread;
	u64 scope;
	u32 slot;
	s32 stack;
	struct sonde_finding_key row;
};

/*
 * The way from a statement to its findings has no room left for a walk (512 bytes of stack, 8 calls). So the stack is taken by a
 * program that the one on the hook ends with (a tail call), which finds here what for. Of a processor: where programs may be
 * preempted, the task that comes between takes the place of the one before, which keeps what frame pointers gave.
 */
struct map_site_wants_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct site_want);
};

extern struct map_site_wants_def site_wants SEC(".maps");

/*
 * Element 0: the program that takes it, put there by the loader, for programs on functions. The kernel takes only one of the same type
 * and of the same way to attach it: a map for uprobes, one for those of both ends of a function (sessions), one for kprobes.
 */
struct map_site_progs_def {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
};

extern struct map_site_progs_def site_probe SEC(".maps");
extern struct map_site_progs_def site_both SEC(".maps");
extern struct map_site_progs_def site_func SEC(".maps");

/* On fexit also only one for functions of the same prototype: fx_site_<name>. */
#define SONDE_SOCKET_SEND(name, function) extern struct map_site_progs_def fx_site_##name SEC(".maps");
#define SONDE_SOCKET_RECV(name, function) SONDE_SOCKET_SEND(name, function)
#define SONDE_SOCKET_SEND_AS(name, function, other)
#define SONDE_SOCKET_RECV_AS(name, function, other)
#include "sonde/socket_func.def"

/* What this thread asks for; NULL: nothing. */
static __always_inline struct site_want *site_asked(void)
{
	struct site_want *want;
	u32 zero = 0;

	if (!conf.scopes)
		return NULL;
	want = bpf_map_lookup_elem(&site_wants, &zero);
	return want && want->thread == bpf_get_current_pid_tgid() ? want : NULL;
}

/** site_wanted - whether this thread's call site is asked for: then the program of the hook ends with the one that takes it */
static __always_inline bool site_wanted(void)
{
	return site_asked() != NULL;
}

/** site_drop - it will not be taken: else it would be where the thread is seen next. What frame pointers gave stays */
static __always_inline void site_drop(void)
{
	struct site_want *want = site_asked();

	if (want)
		want->thread = 0;
}

/*
 * site_take - end with the program in @progs if this thread's call site is asked for
 *
 * On arm64 there are no tables, and before Linux 6.0 no tail calls from programs that have subprograms.
 */
static __always_inline void site_take(void *ctx, struct map_site_progs_def *progs)
{
#if defined(__TARGET_ARCH_x86)
	if (site_wanted())
		bpf_tail_call(ctx, progs, 0);
#endif
}

#endif /* SONDE_SITE_BPF_H */
