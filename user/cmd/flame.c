// SPDX-License-Identifier: GPL-2.0-only
/*
 * flame.c - `sonde flame`: flame graphs of folded stacks, and of what changed between two of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "cmd/cmd.h"
#include "out/flame.h"

#define MAX_BYTES (1ULL << 30)

struct config {
	const char *folded;
	const char *before;
	const char *output;
	const char *title;
	const char *unit;
	bool icicle;
};

static const struct sonde_opt opts[] = {
	{ .name = "folded",
	  .type = SONDE_OPT_STRING,
	  .metavar = "FILE",
	  .help = "the stacks, as `sonde cpu --folded` writes them (default: standard input)",
	  .offset = SONDE_OPT_AT(struct config, folded, const char *) },
	{ .name = "before",
	  .type = SONDE_OPT_STRING,
	  .metavar = "FILE",
	  .help = "compare with these stacks: red has a greater share now, blue a smaller one",
	  .offset = SONDE_OPT_AT(struct config, before, const char *) },
	{ .name = "icicle",
	  .type = SONDE_OPT_FLAG,
	  .help = "draw it upside down: the outermost function at the top",
	  .offset = SONDE_OPT_AT(struct config, icicle, bool) },
	{ .name = "title",
	  .type = SONDE_OPT_STRING,
	  .metavar = "TEXT",
	  .help = "first line of the drawing",
	  .offset = SONDE_OPT_AT(struct config, title, const char *) },
	{ .name = "unit",
	  .type = SONDE_OPT_STRING,
	  .metavar = "WORD",
	  .help = "what the numbers are (default: nanoseconds)",
	  .offset = SONDE_OPT_AT(struct config, unit, const char *) },
	{ .name = "output",
	  .type = SONDE_OPT_STRING,
	  .metavar = "FILE",
	  .help = "write the drawing (SVG) to FILE, which is replaced as a whole (default: standard output)",
	  .offset = SONDE_OPT_AT(struct config, output, const char *) },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde flame",
	.usage = "[OPTIONS]",
	.about = "Draw stacks as a flame graph: an SVG file for a browser, with zoom and search, that needs nothing "
		 "else. "
		 "Wide frames are where the time goes; each stands on the function that called it.",
	.opts = opts,
	.notes = "Examples:\n"
		 "  sonde flame --folded out.folded --output out.svg\n"
		 "  sonde flame --before old.folded --folded new.folded --output diff.svg\n",
};

/* All of @file (NULL: standard input); 0 or -errno. */
static int read_all(const char *file, struct sonde_buf *buf)
{
	FILE *from = file ? fopen(file, "re") : stdin;
	char chunk[65536];
	size_t n;
	int err = 0;

	if (!from)
		return -errno;
	while (!err && (n = fread(chunk, 1, sizeof(chunk), from)) > 0) {
		sonde_buf_add(buf, chunk, n);
		if (buf->failed)
			err = -ENOMEM;
		else if (buf->len > MAX_BYTES)
			err = -EFBIG;
	}
	if (!err && ferror(from))
		err = errno ? -errno : -EIO;
	if (file)
		fclose(from);
	return err;
}

static int add(struct sonde_flame *flame, const char *file, bool before)
{
	const char *name = file ? file : "standard input";
	struct sonde_buf text = {};
	size_t bad;
	int err = read_all(file, &text);

	if (err) {
		sonde_error("cannot read %s: %s", name, strerror(-err));
	} else {
		bad = sonde_flame_add_folded(flame, text.s ? text.s : "", text.len, before);
		if (bad)
			sonde_warn("%s: %zu lines are no folded stacks and are left out", name, bad);
		if (flame->failed) {
			sonde_error("%s: out of memory, or more than 2 million different frames", name);
			err = -ENOMEM;
		} else if (!(before ? flame->node[0].before : flame->node[0].weight)) {
			sonde_error("%s has no folded stacks in it", name);
			err = -EINVAL;
		}
	}
	sonde_buf_free(&text);
	return err;
}

static int write_svg(const struct config *config, struct sonde_buf *svg)
{
	int err = svg->failed ? -ENOMEM : 0;

	if (!err && config->output)
		err = sonde_file_replace(config->output, svg->s, svg->len);
	else if (!err)
		err = sonde_file_write_all(STDOUT_FILENO, svg->s, svg->len);
	if (err)
		sonde_error("cannot write %s: %s", config->output ? config->output : "to stdout", strerror(-err));
	return err;
}

static int run(const struct config *config)
{
	struct sonde_flame_opts how = { .title = config->title, .unit = config->unit, .icicle = config->icicle };
	struct sonde_flame flame = {};
	struct sonde_buf svg = {};
	int err;

	if (!how.title)
		how.title = config->before ? "What changed: red more, blue less" : "Flame graph";
	if (!how.unit)
		how.unit = "nanoseconds";
	err = add(&flame, config->folded, false);
	if (!err && config->before)
		err = add(&flame, config->before, true);
	if (!err) {
		sonde_flame_svg(&flame, &how, &svg);
		err = write_svg(config, &svg);
	}
	sonde_buf_free(&svg);
	sonde_flame_free(&flame);
	return err ? SONDE_EXIT_FAILURE : SONDE_EXIT_OK;
}

int sonde_cmd_flame(int argc, char **argv)
{
	struct config config = {};
	int program, code;

	code = sonde_opt_run(&set, argc, argv, &config, &program);
	if (code < 0)
		code = run(&config);
	sonde_opt_free(&set, &config);
	return code;
}
