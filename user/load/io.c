// SPDX-License-Identifier: GPL-2.0-only
/*
 * io.c - the source of input and output: the tracepoints at the beginning and the end of system calls, and those of block requests.
 */
#include <errno.h>
#include <string.h>

#include "base/exit.h"
#include "load/source.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define DEFAULT_ROWS 16384

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct sonde_bpf *skel = ctx->skel;
	u32 rows = ctx->opts->max_queries ? ctx->opts->max_queries : DEFAULT_ROWS;

	if (!ctx->opts->io)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -EINVAL, "no operation is asked for");
	memcpy((void *)&skel->rodata->io_conf, ctx->opts->io, sizeof(skel->rodata->io_conf));
	bpf_program__set_autoload(skel->progs.io_enter, true);
	bpf_program__set_autoload(skel->progs.io_exit, true);
	bpf_program__set_autoload(skel->progs.io_issue, true);
	bpf_program__set_autoload(skel->progs.io_complete, true);
	bpf_map__set_max_entries(skel->maps.io_rows, rows);
	bpf_map__set_max_entries(skel->maps.io_files, rows);
	return 0;
}

const struct sonde_load_source sonde_load_io = {
	.name = "input and output",
	.maps = "io_",
	.configure = configure,
};
