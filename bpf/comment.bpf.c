// SPDX-License-Identifier: GPL-2.0-only
/*
 * comment.bpf.c - SQL comments read in the kernel: include/sonde/comment_core.h and comment_name.h, their loops cut into calls.
 *
 * The subprograms take numbers only, so the verifier checks each once and alone; state is found by slot.
 */
#include "vmlinux.h"
#include "comment.bpf.h"

#define SONDE_COMMENT_PUT(s, c) comment_put((s)->slot, c)
#define SONDE_COMMENT_VALUE(s, c) comment_value((s)->slot, c)
#define SONDE_COMMENT_CLOSE(s, whole) comment_close((s)->slot, whole)
#define SONDE_COMMENT_OPEN(s) comment_open((s)->slot)
int comment_put(u32 slot, u32 c);
int comment_value(u32 slot, u32 c);
int comment_close(u32 slot, u32 whole);
int comment_open(u32 slot);

#include "sonde/comment_name.h"

#define CHUNK_BYTES 8u /* of a comment, read by one call: what the verifier takes grows with it */
#define NAME_BYTES 2u /* the same of a name */

struct map_comment_def comment SEC(".maps");

/* A decoded byte of a value. */
__noinline int comment_put(u32 slot, u32 c)
{
	struct sonde_comment *s = sonde_comment_get(slot);

	if (s)
		sonde_comment_put(s, c);
	return 0;
}

/* A byte of a value as it stands there. */
__noinline int comment_value(u32 slot, u32 c)
{
	struct sonde_comment *s = sonde_comment_get(slot);

	if (s)
		sonde_comment_value(s, c);
	return 0;
}

/* The end of a value. */
__noinline int comment_close(u32 slot, u32 whole)
{
	struct sonde_comment *s = sonde_comment_get(slot);

	if (s)
		sonde_comment_close(s, whole);
	return 0;
}

/* The beginning of one. */
__noinline int comment_open(u32 slot)
{
	struct sonde_comment *s = sonde_comment_get(slot);

	if (s)
		sonde_comment_open(s);
	return 0;
}

/* Up to CHUNK_BYTES of the comment. Returns non-zero at its end. */
__noinline int comment_bytes(u32 slot)
{
	struct sonde_comment *s = sonde_comment_get(slot);
	struct sonde_win *w = sonde_win_get(slot);

	if (!s || !w)
		return 1;
	for (u32 i = 0; i < CHUNK_BYTES; i++)
		if (!sonde_comment_byte(s, w))
			return 1;
	return 0;
}

/* Up to NAME_BYTES of the name. */
__noinline int comment_name(u32 slot)
{
	struct sonde_comment *s = sonde_comment_get(slot);

	if (!s)
		return 1;
	for (u32 i = 0; i < NAME_BYTES; i++)
		if (!sonde_comment_name(s))
			return 1;
	return 0;
}

/* Between the two. */
__noinline int comment_end(u32 slot)
{
	struct sonde_comment *s = sonde_comment_get(slot);

	if (s)
		sonde_comment_end(s);
	return 0;
}

__noinline int sonde_comment_run(u32 slot, u32 pos, u32 len)
{
	struct sonde_comment *s = sonde_comment_get(slot);
	struct sonde_win *w = sonde_win_get(slot);

	if (!s || !w || pos > SONDE_WIN_BYTES || len > SONDE_WIN_BYTES - pos)
		return -1;
	s->slot = slot;
	sonde_comment_begin(s, w, pos, len);
	for (u32 i = 0; i <= SONDE_COMMENT_BYTES / CHUNK_BYTES; i++)
		if (comment_bytes(slot))
			break;
	comment_end(slot);
	for (u32 i = 0; i <= SONDE_COMMENT_NAME_STEPS / NAME_BYTES; i++)
		if (comment_name(slot))
			break;
	sonde_comment_finish(s);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
