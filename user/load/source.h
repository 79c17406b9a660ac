/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * source.h - what the loader asks of a source of numbers: which programs and maps it needs, and what it does while a run lasts.
 *
 * A source is one ops table, listed in source.def with the view it serves. The loader (load.c) opens the object, applies the
 * filters that all have in common, switches every program off, and leaves the rest to the source.
 */
#ifndef SONDE_LOAD_SOURCE_H
#define SONDE_LOAD_SOURCE_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "load/load.h"

struct sonde_alloc_exact;
struct sonde_event;

/** struct sonde_load_ctx - what a source works with */
struct sonde_load_ctx {
	struct sonde_bpf *skel;
	const struct sonde_load_opts *opts; /* valid in @configure, @loaded and @attach */
	void *state; /* the source's own, NULL at first */
	enum sonde_capture capture; /* the back end in use; AUTO: there is nothing to choose */
	bool standby; /* nothing is attached before @turn says so */
};

/**
 * struct sonde_load_source - a source
 * @name: for messages
 * @maps: names of its own maps begin with this: no other source's run creates them, and its own creates only these and those
 *	  in load.c's common_maps, unless @configure asks for more. NULL: all that no other source claims
 * @configure: before loading: constants, programs on, maps' sizes. 0, or -errno with @err filled (sonde_load_fail())
 * @loaded: (this and the following may be NULL) between loading and attaching: what the skeleton does not attach, what programs have to know of each other
 * @attach: after everything is attached: what takes more. Failing is the source's to tell
 * @turn: attach or detach, of a source that stands by; 0 or -errno
 * @event: take an event of the ring; true: it was for nobody else
 * @wait_ms: how long a poll may wait, at most @timeout_ms
 * @work: after each poll; @exec_seen: a traced process ran a new program since
 * @misses: whether what the kernel skips of @prog is missed
 * @looks: whether processes are looked at until the end, for libraries to probe
 * @open: after @stop: statements outstanding on what lives; false: not known
 * @abandoned: statements that were under way when their process ended
 * @has: what the kernel offers, as the source's own bits
 * @iterate: a file descriptor that tells what is under way, the reader closes it, or -errno
 * @exact: what watching every allocation costs
 * @round: begin a new round of samples (sonde_load_round())
 * @stop: before the maps are read for the last time
 * @free: end; @state may be NULL
 */
struct sonde_load_source {
	const char *name;
	const char *maps;
	int (*configure)(struct sonde_load_ctx *ctx, struct sonde_load_error *err);
	int (*loaded)(struct sonde_load_ctx *ctx, struct sonde_load_error *err);
	void (*attach)(struct sonde_load_ctx *ctx);
	int (*turn)(struct sonde_load_ctx *ctx, bool on);
	bool (*event)(struct sonde_load_ctx *ctx, const struct sonde_event *event, size_t size);
	int (*wait_ms)(const struct sonde_load_ctx *ctx, int timeout_ms);
	void (*work)(struct sonde_load_ctx *ctx, bool exec_seen);
	bool (*misses)(const struct sonde_load_ctx *ctx, const struct bpf_program *prog);
	bool (*looks)(const struct sonde_load_ctx *ctx);
	bool (*open)(const struct sonde_load_ctx *ctx, u64 *open);
	u64 (*abandoned)(const struct sonde_load_ctx *ctx);
	u32 (*has)(const struct sonde_load_ctx *ctx);
	int (*iterate)(const struct sonde_load_ctx *ctx);
	void (*exact)(const struct sonde_load_ctx *ctx, struct sonde_alloc_exact *out);
	u32 (*round)(struct sonde_load_ctx *ctx);
	void (*stop)(struct sonde_load_ctx *ctx);
	void (*free)(struct sonde_load_ctx *ctx);
};

#define SONDE_LOAD_SOURCE(view, symbol) extern const struct sonde_load_source sonde_load_##symbol;
#include "load/source.def"
#undef SONDE_LOAD_SOURCE

/* In place of sonde_load_alloc where every call is watched. */
extern const struct sonde_load_source sonde_load_alloc_exact;

/** sonde_load_fail - fill @err; returns @ret, or -EINVAL if that is no error */
int sonde_load_fail(struct sonde_load_error *err, int exit_code, int ret, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif /* SONDE_LOAD_SOURCE_H */
