// SPDX-License-Identifier: GPL-2.0-only
/*
 * sqlite_attach.c - programs for SQLite's functions: which are loaded, how they are attached, what they cost.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "sonde/config.h"
#include "sonde.skel.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "load/maps.h"
#include "load/sqlite_attach.h"

/* The program of a hook, and the one for the return. */
static struct bpf_program *program(struct sonde_bpf *skel, enum sqlite_hook hook, bool ret)
{
	switch (hook) {
	case HOOK_STEP:
		if (sonde_uprobe_caps()->session)
			return skel->progs.sq_step_both;
		return ret ? skel->progs.sq_step_ret : skel->progs.sq_step;
	case HOOK_EXEC:
		if (sonde_uprobe_caps()->session)
			return skel->progs.sq_exec_both;
		return ret ? skel->progs.sq_exec_ret : skel->progs.sq_exec;
	case HOOK_CALIBRATE:
		if (sonde_uprobe_caps()->session)
			return skel->progs.sq_cal_both;
		return ret ? skel->progs.sq_cal_ret : skel->progs.sq_cal;
	case HOOK_RESET:
		return skel->progs.sq_reset;
	case HOOK_FINALIZE:
		return skel->progs.sq_finalize;
	case HOOK_BIND:
		return skel->progs.sq_bind;
	case HOOK_OPEN:
		return ret ? skel->progs.sq_open_ret : skel->progs.sq_open;
	case HOOK_PREPARE:
		return ret ? skel->progs.sq_prepare_ret : skel->progs.sq_prepare;
	default:
		return NULL;
	}
}

static int attach_type(enum sqlite_hook hook)
{
	if (!sonde_uprobe_caps()->multi)
		return SONDE_UPROBE_PERF;
	return sqlite_hook_both(hook) && sonde_uprobe_caps()->session ? SONDE_UPROBE_SESSION : SONDE_UPROBE_MULTI;
}

int sonde_sqlite_prepare(struct sonde_bpf *skel, const struct sonde_sqlite_opts *opts)
{
	struct bpf_program *some[] = {
		skel->progs.sq_step_both, skel->progs.sq_step, skel->progs.sq_step_ret,
		skel->progs.sq_exec_both, skel->progs.sq_exec, skel->progs.sq_exec_ret,
		skel->progs.sq_cal_both,  skel->progs.sq_cal,  skel->progs.sq_cal_ret,
	};

	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++)
		bpf_program__set_autoload(some[i], false);
	for (enum sqlite_hook hook = 0; hook < NR_HOOKS; hook++) {
		bool on = opts && (hook != HOOK_BIND || opts->binds);

		for (int ret = 0; ret <= sqlite_hook_returns(hook); ret++) {
			bpf_program__set_autoload(program(skel, hook, ret), on);
			if (on && attach_type(hook))
				bpf_program__set_expected_attach_type(program(skel, hook, ret), attach_type(hook));
		}
	}
	if (opts)
		skel->rodata->sq_cookies = sonde_uprobe_caps()->cookies;
	return 0;
}

/* Attach one hook. The return comes first: a call that is seen to begin is seen to end. */
static int attach_hook(struct sonde_bpf *skel, struct sqlite_binary *b, enum sqlite_hook hook,
		       const struct sonde_uprobe_spot *spot, size_t nr, pid_t pid)
{
	int type = attach_type(hook), err = 0;

	if (sqlite_hook_returns(hook) && type != SONDE_UPROBE_SESSION)
		err = sonde_uprobe_attach(&b->probes, program(skel, hook, true), type, b->fd, spot, nr, true, pid);
	if (!err)
		err = sonde_uprobe_attach(&b->probes, program(skel, hook, false), type, b->fd, spot, nr, false, pid);
	return err;
}

int sqlite_binary_attach(struct sonde_bpf *skel, struct sqlite_binary *b, pid_t pid)
{
	const struct sqlite_plan *plan = &b->plan;
	int err;

	for (enum sqlite_hook hook = 0; hook < NR_HOOKS; hook++) {
		if (!plan->nr[hook])
			continue;
		err = attach_hook(skel, b, hook, plan->spot[hook], plan->nr[hook], pid);
		if (!err || err == -ESRCH)
			continue;
		/* One of several may be at fault: the others can still be probed. */
		for (size_t i = 0; i < plan->nr[hook]; i++)
			b->pub.site[plan->site[hook][i]].err =
				plan->nr[hook] == 1 ? err : attach_hook(skel, b, hook, &plan->spot[hook][i], 1, pid);
	}
	return b->pub.site[0].err; /* sqlite3_step() */
}

/* Called by ourselves, with the probes of a step on it: begins as sqlite3_step() does, with a push. */
void sonde_calibrate(void);
#ifdef __aarch64__
asm(".pushsection .text\n.globl sonde_calibrate\n.type sonde_calibrate, %function\n"
    "sonde_calibrate:\n\tnop\n\tret\n.size sonde_calibrate, . - sonde_calibrate\n.popsection");
#else
asm(".pushsection .text\n.globl sonde_calibrate\n.type sonde_calibrate, @function\n"
    "sonde_calibrate:\n\tpush %rbx\n\tpop %rbx\n\tret\n.size sonde_calibrate, . - sonde_calibrate\n.popsection");
#endif

static int own_offset(void *ctx, pid_t pid, const struct sonde_mapping *m)
{
	u64 *offset = ctx, addr = (uintptr_t)sonde_calibrate;

	if (addr < m->start || addr >= m->end)
		return 0;
	*offset = addr - m->start + m->offset;
	return 1;
}

#define ROUNDS 20
#define CALLS 100

void sqlite_calibrate(struct sonde_bpf *skel)
{
	struct sqlite_binary self = {};
	struct sonde_uprobe_spot spot = {};
	u64 least = UINT64_MAX;

	if (sonde_maps_each(getpid(), own_offset, &spot.offset) != 1)
		return;
	self.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self.fd < 0)
		return;
	if (!attach_hook(skel, &self, HOOK_CALIBRATE, &spot, 1, getpid())) {
		for (int round = 0; round < ROUNDS; round++) {
			skel->bss->sq_cal_sum = 0;
			for (int i = 0; i < CALLS; i++)
				sonde_calibrate();
			if (skel->bss->sq_cal_sum && skel->bss->sq_cal_sum < least)
				least = skel->bss->sq_cal_sum;
		}
		if (least != UINT64_MAX)
			skel->bss->sq_overhead_ns = least / CALLS;
	}
	sonde_uprobe_free(self.probes);
	close(self.fd);
}

static const char *how(enum sqlite_hook hook)
{
	switch (attach_type(hook)) {
	case SONDE_UPROBE_SESSION:
		return "session";
	case SONDE_UPROBE_MULTI:
		return "multi";
	default:
		return "perf event";
	}
}

static void describe_site(struct sonde_buf *out, const struct sonde_sqlite_site *s)
{
	if (s->err) {
		sonde_buf_printf(out, "  %-22s not probed: %s\n", s->function, strerror(-s->err));
		return;
	}
	sonde_buf_printf(out, "  %-22s +%-3u %-14s %5u ns%s  (%s)\n", s->function, s->site.skip,
			 sonde_site_cost_name(s->site.cost), sonde_site_cost_ns(s->site.cost, s->ret),
			 s->ret ? " with return" : "", s->site.insn);
}

void sonde_sqlite_describe(const struct sonde_sqlite *sqlite, struct sonde_buf *out)
{
	const struct sonde_sqlite_bin *b;

	for (size_t i = 0; (b = sonde_sqlite_bin(sqlite, i)); i++) {
		sonde_utf8_clean(out, b->path, strlen(b->path));
		if (*b->build_id)
			sonde_buf_printf(out, " build-id %s", b->build_id);
		sonde_buf_printf(out, "%s%s\n", *b->reason ? ": " : "", b->reason);
		sonde_buf_printf(out, "  statement text: %s; connection: %s; links: %s, %s\n",
				 b->text_offset < 0 ? "from prepare" : "from the statement",
				 b->db_offset < 0 ? "not known" : "from the statement", how(HOOK_STEP),
				 how(HOOK_RESET));
		for (size_t k = 0; k < b->nr_sites; k++)
			describe_site(out, &b->site[k]);
	}
}
