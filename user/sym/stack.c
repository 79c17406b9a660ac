// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack.c - the memory of a resolved stack, and what of it is the call site.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sym/stack.h"

#define CHUNK_BYTES 4000

struct sym_chunk {
	struct sym_chunk *next;
	size_t used, size;
	char text[];
};

void sym_stack_reset(struct sonde_sym_stack *stack)
{
	while (stack->chunks) {
		struct sym_chunk *next = stack->chunks->next;

		free(stack->chunks);
		stack->chunks = next;
	}
	stack->nr = 0;
}

void sonde_sym_stack_free(struct sonde_sym_stack *stack)
{
	sym_stack_reset(stack);
	free(stack->frame);
	*stack = (struct sonde_sym_stack){ 0 };
}

struct sonde_sym_frame *sym_stack_push(struct sonde_sym_stack *stack)
{
	struct sonde_sym_frame *frame;

	if (stack->nr == stack->cap) {
		size_t cap = stack->cap ? stack->cap * 2 : 32;

		frame = realloc(stack->frame, cap * sizeof(*frame));
		if (!frame)
			return NULL;
		stack->frame = frame;
		stack->cap = cap;
	}
	frame = &stack->frame[stack->nr++];
	*frame = (struct sonde_sym_frame){ 0 };
	return frame;
}

const char *sym_stack_text(struct sonde_sym_stack *stack, const char *text, size_t len)
{
	struct sym_chunk *chunk = stack->chunks;
	char *copy;

	if (!chunk || chunk->size - chunk->used <= len) {
		size_t size = len < CHUNK_BYTES ? CHUNK_BYTES : len + 1;

		chunk = malloc(sizeof(*chunk) + size);
		if (!chunk)
			return NULL;
		chunk->next = stack->chunks;
		chunk->used = 0;
		chunk->size = size;
		stack->chunks = chunk;
	}
	copy = chunk->text + chunk->used;
	memcpy(copy, text, len);
	copy[len] = '\0';
	chunk->used += len + 1;
	return copy;
}

static char *site_text(const struct sonde_sym_frame *frame)
{
	struct sonde_buf buf = { 0 };
	const char *module = frame->module ? strrchr(frame->module, '/') : NULL;

	sonde_buf_str(&buf, frame->function);
	if (frame->base) {
		sonde_buf_printf(&buf, " %s", frame->base);
		if (frame->line)
			sonde_buf_printf(&buf, ":%u", frame->line);
	} else if (frame->module && frame->module[0] != '[') {
		sonde_buf_printf(&buf, " (%s)", module ? module + 1 : frame->module);
	}
	if (!buf.failed)
		return buf.s;
	sonde_buf_free(&buf);
	return NULL;
}

int sonde_sym_site(const struct sonde_sym_stack *stack, size_t max, struct sonde_sym_site *out)
{
	static const enum sonde_sym_kind asked[] = { SONDE_SYM_APPLICATION, SONDE_SYM_LIBRARY };

	out->nr = 0;
	if (max > SONDE_SYM_SITE_MAX)
		max = SONDE_SYM_SITE_MAX;
	for (size_t k = 0; k < 2 && !out->nr; k++) {
		for (size_t i = 0; i < stack->nr && out->nr < max; i++) {
			const struct sonde_sym_frame *frame = &stack->frame[i];

			if (frame->kind != asked[k] || !frame->function || !frame->function[0])
				continue;
			out->frame[out->nr] = site_text(frame);
			if (!out->frame[out->nr])
				return -ENOMEM;
			out->nr++;
		}
	}
	return out->nr;
}

void sonde_sym_site_free(struct sonde_sym_site *site)
{
	for (size_t i = 0; i < site->nr; i++)
		free(site->frame[i]);
	site->nr = 0;
}
