// SPDX-License-Identifier: GPL-2.0-only
/*
 * folded.c - stacks as lines of text, the form that flame graph tools share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "model/profile.h"
#include "out/profile.h"

struct folded_line {
	char *text;
	u64 weight;
};

/* A name as part of a line: ';' separates, and the weight stands behind the last blank. */
static void add_name(struct sonde_buf *buf, const char *name)
{
	size_t from = buf->len;

	sonde_utf8_clean(buf, name, strlen(name));
	for (size_t i = from; !buf->failed && i < buf->len; i++)
		if (buf->s[i] == ';')
			buf->s[i] = ':';
}

static char *fold(const struct sonde_profile *profile, const struct sonde_stack *stack)
{
	struct sonde_buf buf = {};

	add_name(&buf, stack->process[0] ? stack->process : "[unknown]");
	for (u32 i = stack->nr; i-- > 0;) {
		const struct sonde_frame *frame = &profile->frame[stack->frame[i]];

		sonde_buf_add(&buf, ";", 1);
		add_name(&buf, frame->function);
		if (frame->kind == SONDE_FRAME_KERNEL)
			sonde_buf_str(&buf, "_[k]");
		else if (frame->kind == SONDE_FRAME_INLINED)
			sonde_buf_str(&buf, "_[i]");
		else if (frame->kind == SONDE_FRAME_JIT)
			sonde_buf_str(&buf, "_[j]");
	}
	if (!buf.failed)
		return buf.s;
	sonde_buf_free(&buf);
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	const struct folded_line *x = a, *y = b;

	return strcmp(x->text, y->text);
}

void sonde_profile_folded(const struct sonde_profile *profile, struct sonde_buf *buf)
{
	struct folded_line *lines = calloc(profile->nr_stacks + 1, sizeof(*lines));
	size_t nr = 0;

	for (; lines && nr < profile->nr_stacks; nr++) {
		lines[nr].text = fold(profile, &profile->stack[nr]);
		lines[nr].weight = profile->stack[nr].weight;
		if (!lines[nr].text)
			break;
	}
	if (!lines || nr < profile->nr_stacks)
		buf->failed = true;
	else
		qsort(lines, nr, sizeof(*lines), by_text);
	for (size_t i = 0; i < nr && !buf->failed; i++) {
		u64 weight = lines[i].weight;

		/* Processes of one name share their lines. */
		while (i + 1 < nr && !strcmp(lines[i].text, lines[i + 1].text))
			weight += lines[++i].weight;
		sonde_buf_printf(buf, "%s %llu\n", lines[i].text, (unsigned long long)weight);
	}
	for (size_t i = 0; i < nr; i++)
		free(lines[i].text);
	free(lines);
}
