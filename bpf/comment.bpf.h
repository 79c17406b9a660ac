/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * comment.bpf.h - what a statement's comment says about its request, as other BPF files ask for it.
 *
 * After sonde_sql_run() on the window of a slot, and before the window is filled again:
 *
 *	if (q->com_len && q->com_kv && !sonde_comment_run(slot, q->com_pos, q->com_len))
 *		use(sonde_comment_get(slot));
 */
#ifndef SONDE_COMMENT_BPF_H
#define SONDE_COMMENT_BPF_H

#include "sql.bpf.h"
#include "sonde/comment.h"

struct map_comment_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SONDE_SLOTS);
	__type(key, u32);
	__type(value, struct sonde_comment);
};

extern struct map_comment_def comment SEC(".maps"); /* state and result, by slot */

/** sonde_comment_get - this CPU's reader of @slot, the result after a run; NULL if there is no such slot. */
static __always_inline struct sonde_comment *sonde_comment_get(u32 slot)
{
	return bpf_map_lookup_elem(&comment, &slot);
}

/**
 * sonde_comment_run - read the comment at [@pos, @pos + @len) of the slot's window, its marks included.
 * Of a longer one the first SONDE_COMMENT_BYTES are read. Returns 0 or -1 (no such slot, range outside the window).
 */
extern int sonde_comment_run(u32 slot, u32 pos, u32 len);

/** comment_get - sonde_comment_get() of the slot of those that cannot be preempted by themselves. */
static __always_inline struct sonde_comment *comment_get(void)
{
	return sonde_comment_get(0);
}

/** comment_parse - sonde_comment_run() in the same slot. */
static __always_inline int comment_parse(u32 pos, u32 len)
{
	return sonde_comment_run(0, pos, len);
}

#endif /* SONDE_COMMENT_BPF_H */
