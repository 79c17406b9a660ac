// SPDX-License-Identifier: GPL-2.0-only
/*
 * stacks_read.c - reads the stacks of a recording, which may be anybody's.
 */
#include "record/stacks_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "model/profile.h"
#include "model/strings.h"
#include "record/alloc_tables.h"

#define MAX_DEPTH 1024 /* frames of a stack */

/* A stack before it goes into the profile. */
struct sonde_pending_stack {
	struct sonde_stack stack;
	u32 *frame;
	u32 nr, room;
};

static int take_function(void *ctx, const void *row)
{
	struct sonde_frame frame = *(const struct sonde_frame *)row;
	struct sonde_stack_reader *r = ctx;
	u32 *to = sonde_list_append((void **)&r->frame, r->nr_frames, &r->frame_room, sizeof(*to));
	int at;

	if (frame.kind > SONDE_FRAME_JIT)
		return -EPROTO;
	frame.function = frame.function ? frame.function : "";
	frame.module = frame.module ? frame.module : "";
	frame.file = frame.file ? frame.file : "";
	at = to ? sonde_profile_frame(r->profile, &frame) : -ENOMEM;
	if (at < 0)
		return at;
	*to = (u32)at;
	r->nr_frames++;
	return 0;
}

static int take_stack(void *ctx, const void *row)
{
	const struct sonde_recorded_stack *stack = row;
	struct sonde_stack_reader *r = ctx;
	struct sonde_pending_stack *to = sonde_list_append((void **)&r->pending, r->nr_stacks, &r->stack_room, sizeof(*to));
	const char *process = stack->process ? stack->process : "";

	if (stack->end >= SONDE_UNWIND_END_MAX)
		return -EPROTO;
	if (!to)
		return -ENOMEM;
	to->stack = (struct sonde_stack){ .pid = stack->pid,
					  .process = sonde_strings_add(r->strings, process, strlen(process)),
					  .end = (u8)stack->end,
					  .nr_kernel = stack->nr_kernel,
					  .complete = stack->complete };
	r->nr_stacks++;
	return to->stack.process ? 0 : -ENOMEM;
}

static int take_stack_frame(void *ctx, const void *row)
{
	const struct sonde_recorded_frame *frame = row;
	struct sonde_stack_reader *r = ctx;
	struct sonde_pending_stack *of;
	u32 *more, room;

	if (frame->stack - 1 >= r->nr_stacks || frame->frame - 1 >= r->nr_frames)
		return -EPROTO;
	of = &r->pending[frame->stack - 1];
	if (of->nr == MAX_DEPTH)
		return -EPROTO;
	if (of->nr == of->room) {
		room = of->room ? of->room * 2 : 16;
		more = realloc(of->frame, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		of->frame = more;
		of->room = room;
	}
	of->frame[of->nr++] = r->frame[frame->frame - 1];
	return 0;
}

static int finish_stacks(struct sonde_stack_reader *r)
{
	int err = 0;

	r->stack = calloc(r->nr_stacks + 1, sizeof(*r->stack));
	if (!r->stack)
		return -ENOMEM;
	for (size_t i = 0; i < r->nr_stacks && !err; i++) {
		struct sonde_stack *stack = &r->pending[i].stack;

		stack->frame = r->pending[i].frame;
		stack->nr = r->pending[i].nr;
		if (stack->nr_kernel > stack->nr)
			return -EPROTO;
		err = sonde_profile_put(r->profile, stack, &r->stack[i]);
	}
	return err;
}

bool sonde_stack_reader_find(const struct sonde_stack_reader *r, u64 id, s64 *index)
{
	*index = id ? 0 : -1;
	if (!id)
		return true;
	if (id - 1 >= r->nr_stacks)
		return false;
	*index = (s64)r->stack[id - 1];
	return true;
}

int sonde_record_stacks_read(struct sonde_record *record, struct sonde_stack_reader *reader)
{
	int err = sonde_record_each(record, &sonde_table_function, reader, take_function);

	if (!err)
		err = sonde_record_each(record, &sonde_table_stack, reader, take_stack);
	if (!err)
		err = sonde_record_each(record, &sonde_table_stack_frame, reader, take_stack_frame);
	return err ? err : finish_stacks(reader);
}

void sonde_stack_reader_free(struct sonde_stack_reader *reader)
{
	for (size_t i = 0; i < reader->nr_stacks; i++)
		free(reader->pending[i].frame);
	free(reader->pending);
	free(reader->frame);
	free(reader->stack);
}
