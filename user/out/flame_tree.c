// SPDX-License-Identifier: GPL-2.0-only
/*
 * flame_tree.c - stacks merged into a tree.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/strings.h"
#include "out/flame.h"

#define MAX_NODES (1u << 21)
#define MAX_DEPTH 2048

void sonde_flame_free(struct sonde_flame *flame)
{
	free(flame->node);
	sonde_table_free(&flame->children, NULL);
	sonde_strings_put(flame->strings);
	*flame = (struct sonde_flame){};
}

static struct sonde_flame_node *new_node(struct sonde_flame *flame)
{
	if (flame->nr == flame->room) {
		size_t room = flame->room ? flame->room * 2 : 1024;
		struct sonde_flame_node *bigger = realloc(flame->node, room * sizeof(*bigger));

		if (!bigger)
			return NULL;
		flame->node = bigger;
		flame->room = room;
	}
	flame->node[flame->nr] = (struct sonde_flame_node){};
	return &flame->node[flame->nr++];
}

static bool begin(struct sonde_flame *flame)
{
	struct sonde_flame_node *root;

	if (flame->nr)
		return true;
	flame->strings = sonde_strings_new();
	root = flame->strings ? new_node(flame) : NULL;
	if (!root)
		return false;
	root->name = "all";
	return true;
}

/* The function @name that @parent calls; 0: no memory, or more than anybody can look at. */
static u32 child(struct sonde_flame *flame, u32 parent, const char *text, size_t len, u32 kind)
{
	const char *name = sonde_strings_add(flame->strings, text, len);
	struct sonde_flame_node *node;
	uintptr_t at;
	u64 key;

	if (!name || flame->nr >= MAX_NODES)
		return 0;
	key = sonde_mix64((u64)(uintptr_t)name ^ sonde_mix64((u64)parent << 8 | kind));
	for (; (at = (uintptr_t)sonde_table_get(&flame->children, key)); key++) {
		node = &flame->node[at];
		if (node->name == name && node->parent == parent && node->kind == kind)
			return (u32)at;
	}
	node = new_node(flame);
	if (!node)
		return 0;
	at = flame->nr - 1;
	if (sonde_table_put(&flame->children, key, (void *)at))
		return 0;
	node->name = name;
	node->kind = kind;
	node->parent = parent;
	node->depth = flame->node[parent].depth + 1;
	node->next = flame->node[parent].child;
	flame->node[parent].child = (u32)at;
	if (node->depth > flame->depth)
		flame->depth = node->depth;
	return (u32)at;
}

static void weigh(struct sonde_flame *flame, u32 at, u64 weight, bool before)
{
	if (before)
		flame->node[at].before += weight;
	else
		flame->node[at].weight += weight;
}

void sonde_flame_add_profile(struct sonde_flame *flame, const struct sonde_profile *profile)
{
	flame->failed |= !begin(flame);
	for (size_t i = 0; i < profile->nr_stacks && !flame->failed; i++) {
		const struct sonde_stack *stack = &profile->stack[i];
		u32 at = child(flame, 0, stack->process, strlen(stack->process), SONDE_FRAME_USER);

		flame->failed |= !at;
		weigh(flame, 0, stack->weight, false);
		weigh(flame, at, stack->weight, false);
		for (u32 j = stack->nr; j-- > 0 && !flame->failed && flame->node[at].depth < MAX_DEPTH;) {
			const struct sonde_frame *frame = &profile->frame[stack->frame[j]];

			at = child(flame, at, frame->function, strlen(frame->function), frame->kind);
			flame->failed |= !at;
			weigh(flame, at, stack->weight, false);
		}
	}
}

/* The kind that the end of a name says, which is taken off. */
static u32 kind_of(const char *name, size_t *len)
{
	if (*len <= 4 || name[*len - 4] != '_' || name[*len - 3] != '[' || name[*len - 1] != ']')
		return SONDE_FRAME_USER;
	switch (name[*len - 2]) {
	case 'k':
		*len -= 4;
		return SONDE_FRAME_KERNEL;
	case 'i':
		*len -= 4;
		return SONDE_FRAME_INLINED;
	case 'j':
		*len -= 4;
		return SONDE_FRAME_JIT;
	default:
		return SONDE_FRAME_USER;
	}
}

/* false: it is no line of folded text */
static bool add_line(struct sonde_flame *flame, const char *line, size_t len, bool before)
{
	const char *blank = memrchr(line, ' ', len), *end, *semicolon;
	u64 weight;
	u32 at = 0;

	if (!blank || blank == line || !sonde_str_u64(blank + 1, len - (size_t)(blank + 1 - line), &weight))
		return false;
	weigh(flame, 0, weight, before);
	for (const char *name = line; name < blank && !flame->failed && flame->node[at].depth < MAX_DEPTH;
	     name = end + 1) {
		size_t bytes;
		u32 kind;

		semicolon = memchr(name, ';', (size_t)(blank - name));
		end = semicolon ? semicolon : blank;
		bytes = (size_t)(end - name);
		kind = kind_of(name, &bytes);
		if (!bytes)
			continue;
		at = child(flame, at, name, bytes, kind);
		flame->failed |= !at;
		weigh(flame, at, weight, before);
	}
	return true;
}

size_t sonde_flame_add_folded(struct sonde_flame *flame, const char *text, size_t len, bool before)
{
	const char *end = text + len, *newline;
	size_t bad = 0;

	flame->failed |= !begin(flame);
	flame->compared |= before;
	for (const char *line = text; line < end && !flame->failed; line = newline + 1) {
		size_t bytes;

		newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			newline = end;
		bytes = (size_t)(newline - line);
		if (bytes && line[bytes - 1] == '\r')
			bytes--;
		if (bytes && !add_line(flame, line, bytes, before))
			bad++;
	}
	return bad;
}
