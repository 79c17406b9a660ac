// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_govern.c - what watching every allocation costs.
 *
 * A hit costs what the kernel needs for the probe and what our program needs. The first is measured once, on functions of our
 * own: it depends on the machine and on the instruction that is probed. The second grows with the depth of the stacks: it is
 * measured in the process itself, before and while it is traced.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "load/alloc_bin.h"
#include "load/alloc_govern.h"
#include "load/maps.h"
#include "load/site.h"
#include "sonde/config.h"
#include "sonde/unwind.h"
#include "sonde.skel.h"

#define WINDOW_NS 10000000ULL
#define PAUSE_NS 60000000ULL /* between windows */
#define MEASURE_NS 2000000000ULL /* for all windows: perf events take long to attach and detach */
#define FAR 10 /* times the budget: one window is enough */
#define LOOK_NS 1000000000ULL /* between two looks at the cost */
#define PATIENCE_NS 3000000000ULL /* how long it may cost more than the budget */
#define STORM 4 /* times the budget: no longer than until the next look */

#define ROUNDS 8
#define CALLS 200
#define BYTES 64 /* between the addresses that are made up */

/* What is taken where calibrating failed, as measured on a virtual machine. */
#define CALL_PROGRAM_NS 700
#define FREE_PROGRAM_NS 350

/* ---- the gauge ---- */

static int read_gauge(const struct alloc_governor *g, struct sonde_alloc_gauge *sum)
{
	int nr_cpus = libbpf_num_possible_cpus(), err = 0;
	struct sonde_alloc_gauge *cpu;
	u32 zero = 0;

	memset(sum, 0, sizeof(*sum));
	if (nr_cpus < 0)
		return nr_cpus;
	cpu = calloc((size_t)nr_cpus, sizeof(*cpu));
	if (!cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(g->skel->maps.alloc_gauge), &zero, cpu))
		err = -errno;
	for (int c = 0; c < nr_cpus && !err; c++)
		for (size_t i = 0; i < sizeof(*sum) / sizeof(u64); i++)
			((u64 *)sum)[i] += ((u64 *)&cpu[c])[i];
	free(cpu);
	return err;
}

static struct sonde_alloc_gauge since(const struct sonde_alloc_gauge *now, const struct sonde_alloc_gauge *then)
{
	struct sonde_alloc_gauge d = {};

	for (size_t i = 0; i < sizeof(d) / sizeof(u64); i++)
		((u64 *)&d)[i] = ((const u64 *)now)[i] - ((const u64 *)then)[i];
	return d;
}

static double mean(u64 sum, u64 nr, double if_none)
{
	return nr ? (double)sum / (double)nr : if_none;
}

/* ---- calibration ---- */

/* They begin as functions of allocators do: with an instruction that the kernel emulates, and with one that it does not. */
void *sonde_alloc_cal_call(u64 ptr, u64 size);
void *sonde_alloc_cal_step(u64 ptr, u64 size);
void sonde_alloc_cal_free(u64 ptr);
#ifdef __aarch64__
asm(".pushsection .text\n.globl sonde_alloc_cal_call\n.type sonde_alloc_cal_call, %function\n"
    "sonde_alloc_cal_call:\n\tnop\n\tret\n.size sonde_alloc_cal_call, . - sonde_alloc_cal_call\n"
    ".globl sonde_alloc_cal_step\n.type sonde_alloc_cal_step, %function\n"
    "sonde_alloc_cal_step:\n\tadd x2, x0, #0\n\tret\n.size sonde_alloc_cal_step, . - sonde_alloc_cal_step\n"
    ".globl sonde_alloc_cal_free\n.type sonde_alloc_cal_free, %function\n"
    "sonde_alloc_cal_free:\n\tnop\n\tret\n.size sonde_alloc_cal_free, . - sonde_alloc_cal_free\n.popsection");
#else
asm(".pushsection .text\n.globl sonde_alloc_cal_call\n.type sonde_alloc_cal_call, @function\n"
    "sonde_alloc_cal_call:\n\tpush %rbx\n\tmov %rdi, %rax\n\tpop %rbx\n\tret\n.size sonde_alloc_cal_call, . - sonde_alloc_cal_call\n"
    ".globl sonde_alloc_cal_step\n.type sonde_alloc_cal_step, @function\n"
    "sonde_alloc_cal_step:\n\tmov %rdi, %rax\n\tret\n.size sonde_alloc_cal_step, . - sonde_alloc_cal_step\n"
    ".globl sonde_alloc_cal_free\n.type sonde_alloc_cal_free, @function\n"
    "sonde_alloc_cal_free:\n\tpush %rbx\n\tpop %rbx\n\tret\n.size sonde_alloc_cal_free, . - sonde_alloc_cal_free\n.popsection");
#endif

struct place {
	u64 addr;
	u64 offset;
};

static int own_offset(void *ctx, pid_t pid, const struct sonde_mapping *m)
{
	struct place *place = ctx;

	if (place->addr < m->start || place->addr >= m->end)
		return 0;
	place->offset = place->addr - m->start + m->offset;
	return 1;
}

static bool spot_of(const void *function, u64 cookie, struct sonde_uprobe_spot *spot)
{
	struct place place = { .addr = (uintptr_t)function };

	if (sonde_maps_each(getpid(), own_offset, &place) != 1)
		return false;
	*spot = (struct sonde_uprobe_spot){ .offset = place.offset, .cookie = cookie };
	return true;
}

static void clear_map(int map, size_t key_size)
{
	u8 key[64];

	while (key_size <= sizeof(key) && !bpf_map_get_next_key(map, NULL, key))
		if (bpf_map_delete_elem(map, key))
			return;
}

/* Nothing else is in them yet. */
static void forget_own(struct sonde_bpf *skel)
{
	clear_map(bpf_map__fd(skel->maps.alloc_live), sizeof(struct sonde_alloc_object));
	clear_map(bpf_map__fd(skel->maps.alloc_sites), sizeof(struct sonde_alloc_key));
	clear_map(bpf_map__fd(skel->maps.alloc_procs), sizeof(struct sonde_proc));
}

struct lap {
	double call, free, step; /* ns each */
	struct sonde_alloc_gauge gauge; /* of calls and frees */
};

static void run_lap(const struct alloc_governor *g, struct lap *lap)
{
	const u64 base = 0x100000;
	struct sonde_alloc_gauge before, after;
	u64 t[4];

	(void)read_gauge(g, &before);
	t[0] = sonde_clock_ns();
	for (u64 i = 0; i < CALLS; i++)
		sonde_alloc_cal_call(base + i * BYTES, BYTES);
	t[1] = sonde_clock_ns();
	for (u64 i = 0; i < CALLS; i++)
		sonde_alloc_cal_free(base + i * BYTES);
	t[2] = sonde_clock_ns();
	(void)read_gauge(g, &after);
	lap->gauge = since(&after, &before);
	t[2] = t[2] - t[1];
	t[1] = t[1] - t[0];
	t[0] = sonde_clock_ns();
	for (u64 i = 0; i < CALLS; i++)
		sonde_alloc_cal_step(base + i * BYTES, BYTES);
	t[3] = sonde_clock_ns() - t[0];
	for (u64 i = 0; i < CALLS; i++)
		sonde_alloc_cal_free(base + i * BYTES);
	lap->call = (double)t[1] / CALLS;
	lap->free = (double)t[2] / CALLS;
	lap->step = (double)t[3] / CALLS;
}

static double more(double a, double than)
{
	return a > than ? a : than;
}

/* The calmest lap: others were disturbed. */
static void settle(struct alloc_governor *g, const struct lap *lap)
{
	struct alloc_costs *c = &g->costs;
	double stepped = more(lap->step - lap->call, 0);

	c->call_program = mean(lap->gauge.timed_ns, lap->gauge.timed, CALL_PROGRAM_NS);
	c->free_program = mean(lap->gauge.free_timed_ns, lap->gauge.free_timed, FREE_PROGRAM_NS);
	c->call[0] = more(lap->call - c->call_program, 0);
	c->free[0] = c->inner[0] = more(lap->free - c->free_program, 0);
	c->call[1] = c->call[0] + stepped;
	c->free[1] = c->inner[1] = c->free[0] + stepped;
}

void alloc_governor_calibrate(struct alloc_governor *g)
{
	struct alloc_bin self = { .nr_calls = 2, .nr_frees = 1 };
	struct sonde_uprobe *probes = NULL;
	struct lap lap, best = {
		.call = sonde_site_cost_ns(SONDE_SITE_EMULATED, true) + CALL_PROGRAM_NS,
		.free = sonde_site_cost_ns(SONDE_SITE_EMULATED, false) + FREE_PROGRAM_NS,
		.step = sonde_site_cost_ns(SONDE_SITE_STEPPED, true) + CALL_PROGRAM_NS,
	};
	bool any = false;

	self.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self.fd >= 0 && spot_of(sonde_alloc_cal_call, SONDE_ALLOC_CALL_ALIGNED, &self.call[0]) &&
	    spot_of(sonde_alloc_cal_step, SONDE_ALLOC_CALL_ALIGNED | SONDE_ALLOC_STEPPED, &self.call[1]) &&
	    spot_of(sonde_alloc_cal_free, SONDE_ALLOC_CALL_FREE, &self.free[0]) &&
	    !alloc_bin_attach(g->skel, &self, getpid(), &probes)) {
		g->skel->bss->alloc_phase = SONDE_ALLOC_CALIBRATE;
		for (int i = 0; i < ROUNDS; i++) {
			run_lap(g, &lap);
			if (any && lap.call + lap.free >= best.call + best.free)
				continue;
			any = lap.gauge.timed > 0;
			best = any ? lap : best;
		}
		g->skel->bss->alloc_phase = SONDE_ALLOC_OFF;
		sonde_uprobe_free(probes);
		g->skel->bss->alloc_round++;
		forget_own(g->skel);
	}
	if (self.fd >= 0)
		close(self.fd);
	settle(g, &best);
	sonde_debug("%s probes %s: malloc %.0f ns, free %.0f ns, single-stepped %.0f ns more; programs %.0f and %.0f ns, stacks apart",
		    alloc_bin_how(), any ? "measured" : "not measured", g->costs.call[0], g->costs.free[0],
		    g->costs.call[1] - g->costs.call[0], g->costs.call_program, g->costs.free_program);
}

/* ---- before ---- */

/* Nanoseconds of a processor for what @d has counted. */
static double cost_ns(const struct alloc_governor *g, const struct sonde_alloc_gauge *d, double call_program,
		      double free_program)
{
	const struct alloc_costs *c = &g->costs;
	double ns = 0;

	for (int i = 0; i < 2; i++) {
		ns += (double)d->calls[i] * (c->call[i] + call_program);
		ns += (double)d->frees[i] * (c->free[i] + free_program);
		ns += (double)d->inner[i] * c->inner[i];
	}
	return ns;
}

static void pause_ns(u64 ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static int window(struct alloc_governor *g, int (*put)(void *ctx, bool in), void *ctx, u64 *ns)
{
	u64 begin;
	int err = put(ctx, true);

	if (err)
		return err;
	begin = sonde_clock_ns();
	g->skel->bss->alloc_phase = SONDE_ALLOC_MEASURE;
	pause_ns(WINDOW_NS);
	g->skel->bss->alloc_phase = SONDE_ALLOC_OFF;
	*ns += sonde_clock_ns() - begin;
	(void)put(ctx, false);
	g->skel->bss->alloc_round++;
	return 0;
}

static void predict(struct alloc_governor *g, const struct sonde_alloc_gauge *d, u64 ns)
{
	double cost;

	g->walk_ns = mean(d->walk_ns, d->walked, 0);
	cost = cost_ns(g, d, g->costs.call_program + g->walk_ns, g->costs.free_program);
	g->state.predicted_ppm = (u64)(cost / (double)ns * 1e6);
}

static u64 per_second(u64 nr, u64 ns)
{
	return ns ? (u64)((double)nr * 1e9 / (double)ns + 0.5) : 0;
}

/* "0.07", "2.5", "180": percent */
static const char *percent(char out[SONDE_STR_SHORT], u64 ppm)
{
	double share = (double)ppm / 1e4;

	snprintf(out, SONDE_STR_SHORT, "%.*f", share < 1 ? 2 : share < 10 ? 1 : 0, share);
	return out;
}

int alloc_governor_measure(struct alloc_governor *g, int (*put)(void *ctx, bool in), void *ctx, char *text, size_t size)
{
	char calls[SONDE_STR_SHORT + 8], frees[SONDE_STR_SHORT + 8], share[SONDE_STR_SHORT];
	struct sonde_alloc_gauge before, now, d = {};
	u64 begin = sonde_clock_ns(), ns = 0;
	int err;

	err = read_gauge(g, &before);
	for (int i = 0; i < ALLOC_WINDOWS && !err; i++) {
		if (i)
			pause_ns(PAUSE_NS);
		err = window(g, put, ctx, &ns);
		if (!err)
			err = read_gauge(g, &now);
		if (err)
			return err;
		d = since(&now, &before);
		predict(g, &d, ns);
		if (g->state.predicted_ppm > FAR * g->state.budget_ppm || sonde_clock_ns() - begin > MEASURE_NS)
			break;
	}
	sonde_debug("in %.1f ms: %llu calls, %llu frees, %llu inside of others; a stack %.0f ns", (double)ns / 1e6,
		    (unsigned long long)(d.calls[0] + d.calls[1]), (unsigned long long)(d.frees[0] + d.frees[1]),
		    (unsigned long long)(d.inner[0] + d.inner[1]), g->walk_ns);
	snprintf(text, size, "malloc %s/s, free %s/s: predicted %s %% of one CPU, budget %.4g %%",
		 sonde_str_group(calls, per_second(d.calls[0] + d.calls[1], ns)),
		 sonde_str_group(frees, per_second(d.frees[0] + d.frees[1], ns)), percent(share, g->state.predicted_ppm),
		 (double)g->state.budget_ppm / 1e4);
	return err;
}

/* ---- while it runs ---- */

void alloc_governor_begin(struct alloc_governor *g, u64 now)
{
	(void)read_gauge(g, &g->begun);
	g->last = g->begun;
	g->begun_ns = g->last_ns = now;
	g->over_ns = 0;
}

static u64 cost_ppm(const struct alloc_governor *g, const struct sonde_alloc_gauge *d, u64 ns)
{
	double call_program = mean(d->timed_ns, d->timed, g->costs.call_program + g->walk_ns);
	double free_program = mean(d->free_timed_ns, d->free_timed, g->costs.free_program);

	return ns ? (u64)(cost_ns(g, d, call_program, free_program) / (double)ns * 1e6) : 0;
}

static void look(struct alloc_governor *g, u64 now)
{
	struct sonde_alloc_gauge gauge, d;

	if (read_gauge(g, &gauge))
		return;
	d = since(&gauge, &g->last);
	g->state.last_ppm = cost_ppm(g, &d, now - g->last_ns);
	d = since(&gauge, &g->begun);
	g->state.cost_ppm = cost_ppm(g, &d, now - g->begun_ns);
	g->state.calls = d.calls[0] + d.calls[1];
	g->state.frees = d.frees[0] + d.frees[1];
	g->over_ns = g->state.last_ppm > g->state.budget_ppm ? g->over_ns + (now - g->last_ns) : 0;
	g->last = gauge;
	g->last_ns = now;
}

bool alloc_governor_watch(struct alloc_governor *g, u64 now)
{
	if (now - g->last_ns < LOOK_NS)
		return false;
	look(g, now);
	if (g->over_ns < PATIENCE_NS && g->state.last_ppm <= STORM * g->state.budget_ppm)
		return false;
	g->state.stopped_ns = now;
	return true;
}

void alloc_governor_end(struct alloc_governor *g, u64 now)
{
	if (g->begun_ns && !g->state.stopped_ns)
		look(g, now);
}
