/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stacks_read.h - reads the stacks of a recording. Only for user/record.
 */
#ifndef SONDE_RECORD_STACKS_READ_H
#define SONDE_RECORD_STACKS_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_pending_stack;
struct sonde_profile;
struct sonde_record;
struct sonde_strings;

/**
 * struct sonde_stack_reader - zeroed but for @strings and @profile, which stacks go into, it is empty
 * @frame, @stack: indices in the profile, by rowid - 1
 */
struct sonde_stack_reader {
	struct sonde_strings *strings;
	struct sonde_profile *profile;
	u32 *frame;
	size_t nr_frames, frame_room;
	struct sonde_pending_stack *pending;
	size_t nr_stacks, stack_room;
	size_t *stack;
};

/** sonde_record_stacks_read - read all of them. Returns 0 or -errno: -EPROTO where something does not fit together */
int sonde_record_stacks_read(struct sonde_record *record, struct sonde_stack_reader *reader);

/** sonde_stack_reader_find - sets *@index to that of the stack with rowid @id, -1 for 0, which is none; false: there is no such */
bool sonde_stack_reader_find(const struct sonde_stack_reader *reader, u64 id, s64 *index);

/** sonde_stack_reader_free - free what reading has left, but for the profile */
void sonde_stack_reader_free(struct sonde_stack_reader *reader);

#endif /* SONDE_RECORD_STACKS_READ_H */
