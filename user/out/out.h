/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * out.h - outputs: each turns a snapshot into bytes. None reads anything but the snapshot and its options.
 */
#ifndef SONDE_OUT_OUT_H
#define SONDE_OUT_OUT_H

#include <stdbool.h>

#include "sonde/base.h"

struct sonde_buf;
struct sonde_slow;
struct sonde_snapshot;

/**
 * struct sonde_out_opts - how to print
 * @command: the subcommand, "db"
 * @width: columns
 * @height: lines there are room for (0: any number)
 * @top: rows at most (0: all)
 * @color: escape sequences for colour may be used
 * @utf8: the reader's terminal shows UTF-8
 * @slow: the slow-query report
 */
struct sonde_out_opts {
	const char *command;
	unsigned int width;
	unsigned int height;
	unsigned int top;
	bool color;
	bool utf8;
	bool slow;
};

/**
 * struct sonde_out - an output
 * @name: value of -o
 * @render: append the whole document to @buf
 * @slow: append one slow execution, a line, as it has happened; @mono_to_unix_ns: see struct sonde_snapshot
 * @people: for people: may be drawn on a terminal while the run goes on
 */
struct sonde_out {
	const char *name;
	void (*render)(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf);
	void (*slow)(const struct sonde_slow *slow, u64 mono_to_unix_ns, const struct sonde_out_opts *opts,
		     struct sonde_buf *buf);
	bool people;
};

enum sonde_out_id {
#define SONDE_OUT(symbol, name) SONDE_OUT_##symbol,
#include "out.def"
#undef SONDE_OUT
	SONDE_OUT_MAX,
};

#define SONDE_OUT(symbol, name) extern const struct sonde_out sonde_out_##symbol;
#include "out.def"
#undef SONDE_OUT

/** sonde_outs - every output, indexed by enum sonde_out_id */
extern const struct sonde_out *const sonde_outs[SONDE_OUT_MAX];

#endif /* SONDE_OUT_OUT_H */
