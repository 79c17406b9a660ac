// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpu.c - the source of stacks that a clock takes on each processor.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/exit.h"
#include "load/source.h"
#include "load/tables.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define SECONDS_KEPT 2 /* samples are taken out of the map more often than this */
#define MIN_SAMPLES 4096
#define MAX_SAMPLES 65536

struct cpu {
	struct sonde_tables *tables;
	struct bpf_link **link; /* one for each processor that is there */
	int nr;
};

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	u64 samples = (u64)ctx->opts->sample_hz * SECONDS_KEPT * (u64)libbpf_num_possible_cpus();
	struct sonde_bpf *skel = ctx->skel;

	if (!ctx->opts->sample_hz)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -EINVAL, "no frequency to take stacks at");
	ctx->state = calloc(1, sizeof(struct cpu));
	if (!ctx->state)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	samples = samples < MIN_SAMPLES ? MIN_SAMPLES : samples > MAX_SAMPLES ? MAX_SAMPLES : samples;
	bpf_map__set_max_entries(skel->maps.uw_samples, (u32)samples);
	bpf_map__set_autocreate(skel->maps.seen, true);
	bpf_program__set_autoload(skel->progs.cpu_sample, true);
	sonde_tables_prepare(skel, 0);
	return 0;
}

/* A clock on processor @cpu; its descriptor or -errno (-ENODEV: the processor is off). */
static int open_clock(int cpu, u32 hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = hz,
		.freq = 1,
		.exclude_idle = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int start_clocks(struct cpu *state, const struct sonde_bpf *skel, u32 hz)
{
	int nr = libbpf_num_possible_cpus(), err = 0;

	if (nr < 0)
		return nr;
	state->link = calloc((size_t)nr, sizeof(*state->link));
	if (!state->link)
		return -ENOMEM;
	for (int cpu = 0; cpu < nr; cpu++) {
		int fd = open_clock(cpu, hz);

		if (fd == -ENODEV || fd == -ENXIO)
			continue;
		if (fd < 0)
			return fd;
		state->link[state->nr] = bpf_program__attach_perf_event(skel->progs.cpu_sample, fd);
		if (!state->link[state->nr]) {
			err = -errno;
			close(fd);
			return err;
		}
		state->nr++;
	}
	return state->nr ? 0 : -ENODEV;
}

/* The clocks tick from here on; samples are taken once everything is attached. */
static int loaded(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct cpu *state = ctx->state;
	int ret;

	state->tables = sonde_tables_new(ctx->skel);
	if (!state->tables)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	ret = start_clocks(state, ctx->skel, ctx->opts->sample_hz);
	if (!ret)
		return 0;
	return sonde_load_fail(err, ret == -EACCES || ret == -EPERM ? SONDE_EXIT_PRIVILEGE : SONDE_EXIT_KERNEL, ret,
			       "cannot sample processors (perf event cpu-clock): %s", strerror(-ret));
}

static void attach(struct sonde_load_ctx *ctx)
{
	sonde_tables_fill(((struct cpu *)ctx->state)->tables, ctx->opts, true);
}

static bool event(struct sonde_load_ctx *ctx, const struct sonde_event *event, size_t size)
{
	sonde_tables_event(((struct cpu *)ctx->state)->tables, event, size);
	return false; /* that a process has mapped something is news for who names its functions, too */
}

static int wait_ms(const struct sonde_load_ctx *ctx, int timeout_ms)
{
	return sonde_tables_wait_ms(((const struct cpu *)ctx->state)->tables, timeout_ms);
}

static bool looks(const struct sonde_load_ctx *ctx)
{
	return ((const struct cpu *)ctx->state)->tables != NULL;
}

static void stop(struct sonde_load_ctx *ctx)
{
	struct cpu *state = ctx->state;

	for (int i = 0; i < state->nr; i++)
		bpf_link__destroy(state->link[i]);
	state->nr = 0;
}

static void free_state(struct sonde_load_ctx *ctx)
{
	struct cpu *state = ctx->state;

	if (!state)
		return;
	stop(ctx);
	free(state->link);
	sonde_tables_free(state->tables);
	free(state);
}

const struct sonde_load_source sonde_load_cpu = {
	.name = "processors",
	.maps = "uw_",
	.configure = configure,
	.loaded = loaded,
	.attach = attach,
	.event = event,
	.wait_ms = wait_ms,
	.looks = looks,
	.round = sonde_tables_round,
	.stop = stop,
	.free = free_state,
};
