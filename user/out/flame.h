/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flame.h - flame graphs: stacks merged into a tree, drawn as one SVG file that needs nothing else.
 */
#ifndef SONDE_OUT_FLAME_H
#define SONDE_OUT_FLAME_H

#include <stdbool.h>
#include <stddef.h>

#include "model/profile.h"

struct sonde_buf;

/**
 * struct sonde_flame_node - a function below its callers; node 0 is the root
 * @weight: of the stacks that pass it; @before: the same of what is compared with
 * @child, @next: indices of the first function it calls, of the next one that its caller calls (0: none)
 */
struct sonde_flame_node {
	const char *name;
	u32 kind; /* enum sonde_frame_kind */
	u32 depth;
	u64 weight;
	u64 before;
	u32 parent, child, next;
};

/** struct sonde_flame - the tree; zeroed memory is an empty one */
struct sonde_flame {
	struct sonde_flame_node *node;
	size_t nr, room;
	u32 depth; /* greatest of its nodes */
	struct sonde_table children; /* by parent and name: index */
	struct sonde_strings *strings;
	bool compared; /* there is something that it is compared with */
	bool failed; /* out of memory: the graph is not to be drawn */
};

void sonde_flame_free(struct sonde_flame *flame);

/** sonde_flame_add_profile - all stacks of @profile, each below the name of its process */
void sonde_flame_add_profile(struct sonde_flame *flame, const struct sonde_profile *profile);

/**
 * sonde_flame_add_folded - the stacks of folded text ("a;b;c 12" lines)
 * @before: they are what is compared with
 *
 * Returns how many lines were none (and were left out).
 */
size_t sonde_flame_add_folded(struct sonde_flame *flame, const char *text, size_t len, bool before);

/**
 * struct sonde_flame_opts - how to draw
 * @title: first line
 * @unit: of weights: "nanoseconds", "bytes", else as it stands
 * @icicle: the outermost function at the top
 */
struct sonde_flame_opts {
	const char *title;
	const char *unit;
	bool icicle;
};

/** sonde_flame_svg - append the drawing; @buf fails if there was no memory for it */
void sonde_flame_svg(struct sonde_flame *flame, const struct sonde_flame_opts *opts, struct sonde_buf *buf);

/** sonde_flame_script - what runs in the drawing: zoom, search, hover, reset */
extern const char sonde_flame_script[];

#endif /* SONDE_OUT_FLAME_H */
