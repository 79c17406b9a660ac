// SPDX-License-Identifier: GPL-2.0-only
/*
 * offcpu.c - the source of time off processors: the tracepoints of the scheduler.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/exit.h"
#include "load/probe.h"
#include "load/source.h"
#include "load/tables.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define STACKS 16384 /* stacks between two looks at them */
#define DEFAULT_ROWS 8192

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct sonde_bpf *skel = ctx->skel;
	const struct bpf_program *progs[] = { skel->progs.off_switch, skel->progs.off_waking, skel->progs.off_wakeup,
					      skel->progs.off_wakeup_new };

	if (!ctx->opts->off || !ctx->opts->waits)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -EINVAL, "no reasons to wait are known");
	if (!sonde_probe_have(SONDE_FEATURE_SWITCH_STATE))
		return sonde_load_fail(err, SONDE_EXIT_KERNEL, -EOPNOTSUPP,
				       "sonde offcpu needs Linux 5.18 or later: this kernel's tracepoint sched_switch does not "
				       "tell whether a thread waits");
	memcpy((void *)&skel->rodata->off_conf, ctx->opts->off, sizeof(skel->rodata->off_conf));
	memcpy((void *)&skel->rodata->wait_conf, ctx->opts->waits, sizeof(skel->rodata->wait_conf));
	bpf_map__set_max_entries(skel->maps.off_rows, ctx->opts->max_queries ? ctx->opts->max_queries : DEFAULT_ROWS);
	bpf_map__set_max_entries(skel->maps.uw_samples, STACKS);
	bpf_map__set_autocreate(skel->maps.uw_samples, true);
	for (size_t i = 0; i < sizeof(progs) / sizeof(progs[0]); i++)
		bpf_program__set_autoload((struct bpf_program *)progs[i], true);
	sonde_tables_prepare(skel, 0);
	return 0;
}

static int loaded(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	ctx->state = sonde_tables_new(ctx->skel);
	return ctx->state ? 0 : sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
}

static void attach(struct sonde_load_ctx *ctx)
{
	sonde_tables_fill(ctx->state, ctx->opts, true);
	ctx->skel->bss->off_begin_ns = sonde_clock_ns();
}

static bool event(struct sonde_load_ctx *ctx, const struct sonde_event *event, size_t size)
{
	sonde_tables_event(ctx->state, event, size);
	return false; /* that a process has mapped something is news for who names its functions, too */
}

static int wait_ms(const struct sonde_load_ctx *ctx, int timeout_ms)
{
	return sonde_tables_wait_ms(ctx->state, timeout_ms);
}

static bool looks(const struct sonde_load_ctx *ctx)
{
	return ctx->state != NULL;
}

static void free_state(struct sonde_load_ctx *ctx)
{
	sonde_tables_free(ctx->state);
}

const struct sonde_load_source sonde_load_offcpu = {
	.name = "waits",
	.maps = "off_",
	.configure = configure,
	.loaded = loaded,
	.attach = attach,
	.event = event,
	.wait_ms = wait_ms,
	.looks = looks,
	.round = sonde_tables_round,
	.free = free_state,
};
