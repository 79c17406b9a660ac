/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql.bpf.h - the SQL normaliser as other BPF files call it.
 *
 * Put the message into the window of a slot, call sonde_sql_run(), read the result from the slot's state:
 *
 *	struct sonde_win *w = sonde_win_get(slot);
 *	struct sonde_sql *q = sonde_sql_get(slot);
 *
 *	if (w && q && !sonde_sql_run(slot, pos, len, SONDE_SQL_MYSQL))
 *		use(q->id, q->literals, q->text, q->text_len, q->end);
 *
 * A slot belongs to one program at a time: 0 to those that cannot be preempted by themselves, see SONDE_SLOTS.
 */
#ifndef SONDE_SQL_BPF_H
#define SONDE_SQL_BPF_H

#include <bpf/bpf_helpers.h>
#include "sonde/proto.h" /* struct sonde_win */
#include "sonde/sql.h"

struct map_win_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SONDE_SLOTS);
	__type(key, u32);
	__type(value, struct sonde_win);
};

struct map_sql_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SONDE_SLOTS);
	__type(key, u32);
	__type(value, struct sonde_sql);
};

extern struct map_win_def win SEC(".maps"); /* bytes of a message, by slot */
extern struct map_sql_def sql SEC(".maps"); /* state and result, by slot */

/** sonde_win_get - this CPU's window of @slot; NULL if there is no such slot. */
static __always_inline struct sonde_win *sonde_win_get(u32 slot)
{
	return bpf_map_lookup_elem(&win, &slot);
}

/** sonde_sql_get - this CPU's normaliser state of @slot, the result after a run; NULL if there is no such slot. */
static __always_inline struct sonde_sql *sonde_sql_get(u32 slot)
{
	return bpf_map_lookup_elem(&sql, &slot);
}

/**
 * sonde_sql_run - normalise the statement at [@pos, @pos + @len) of the slot's window.
 * @flags: enum sonde_sql_dialect, SONDE_SQL_CUT if the statement goes on behind the window. Of a longer one the first
 * SONDE_SQL_MAX_BYTES are read. Returns 0 or -1 (no such slot, range outside the window).
 */
extern int sonde_sql_run(u32 slot, u32 pos, u32 len, u32 flags);

/**
 * sonde_sql_tail - after the run of a cut statement, with its last bytes at [@pos, @pos + @len) of the window: find a
 * comment with key=value at the end of them. At most the last SONDE_SQL_TAIL_BYTES are read. Returns 1 if there is one
 * and the beginning had none: com_pos and com_len of the slot's state say where it lies in the window now; 0 if not;
 * -1 (no such slot, range outside the window).
 */
extern int sonde_sql_tail(u32 slot, u32 pos, u32 len);

#endif /* SONDE_SQL_BPF_H */
