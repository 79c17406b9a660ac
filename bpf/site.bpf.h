/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * site.bpf.h - what the way from a statement to its scope tells the program that takes whole stacks for call sites.
 */
#ifndef SONDE_SITE_BPF_H
#define SONDE_SITE_BPF_H

#include "sonde.bpf.h"

/**
 * struct site_want - a call site that is asked for
 * @thread: whose (0: nobody's)
 * @scope, @slot: where it belongs, in place of stack @stack, which frame pointers gave
 */
struct site_want {
	u64 thread;
	u64 scope;
	u32 slot;
	s32 stack;
};

/*
 * The way from a statement to its scope has no room left for a walk (512 bytes of stack, 8 calls). So the stack is taken by a
 * program that the one on the hook ends with (a tail call), which finds here what for.
 */
struct map_site_wants_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct site_want);
};

extern struct map_site_wants_def site_wants SEC(".maps");

/** site_wanted - whether this thread's call site is asked for: then the program of the hook ends with the one that takes it */
static __always_inline bool site_wanted(void)
{
	struct site_want *want;
	u32 zero = 0;

	if (!conf.scopes)
		return false;
	want = bpf_map_lookup_elem(&site_wants, &zero);
	return want && want->thread == bpf_get_current_pid_tgid();
}

#endif /* SONDE_SITE_BPF_H */
