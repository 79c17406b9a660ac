// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall.c - the source of system calls: the tracepoints at the beginning and the end of each, and an iterator over those under
 *	       way.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/exit.h"
#include "load/source.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define DEFAULT_ROWS 16384

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct sonde_bpf *skel = ctx->skel;
	u32 rows = ctx->opts->max_queries ? ctx->opts->max_queries : DEFAULT_ROWS;

	if (!ctx->opts->syscalls)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -EINVAL, "no system call is asked for");
	memcpy((void *)&skel->rodata->syscall_conf, ctx->opts->syscalls, sizeof(skel->rodata->syscall_conf));
	bpf_program__set_autoload(skel->progs.syscall_enter, true);
	bpf_program__set_autoload(skel->progs.syscall_exit, true);
	bpf_program__set_autoload(skel->progs.syscall_iter, true);
	bpf_program__set_autoattach(skel->progs.syscall_iter, false);
	bpf_map__set_max_entries(skel->maps.syscall_rows, rows);
	bpf_map__set_max_entries(skel->maps.syscall_errors, rows);
	return 0;
}

/* The iterator outlives the detaching: what is under way at the end is read after it. */
static void attach(struct sonde_load_ctx *ctx)
{
	ctx->state = bpf_program__attach_iter(ctx->skel->progs.syscall_iter, NULL);
}

static int iterate(const struct sonde_load_ctx *ctx)
{
	int fd = ctx->state ? bpf_iter_create(bpf_link__fd(ctx->state)) : -EOPNOTSUPP;

	return fd < 0 ? -errno : fd;
}

static void free_state(struct sonde_load_ctx *ctx)
{
	if (ctx->state)
		bpf_link__destroy(ctx->state);
}

const struct sonde_load_source sonde_load_syscalls = {
	.name = "system calls",
	.maps = "syscall_",
	.configure = configure,
	.attach = attach,
	.iterate = iterate,
	.free = free_state,
};
