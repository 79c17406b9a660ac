// SPDX-License-Identifier: GPL-2.0-only
/*
 * growth.c - the source of growth: the tracepoints of processes' numbers of pages, of page faults and of address space.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "load/probe.h"
#include "load/source.h"
#include "load/tables.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define STACKS 16384 /* stacks between two looks at them */
#define NO_HUGE (1u << 30)

/* ---- what the kernel offers ---- */

/* The arguments of tracepoint @name; < 0: there is none. */
static int nr_arguments(const struct btf *btf, const char *name)
{
	const struct btf_type *type;
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);

	if (id < 0)
		return id;
	type = btf__type_by_id(btf, btf__type_by_id(btf, (u32)id)->type); /* a pointer to a function, as a rule */
	type = type && btf_is_ptr(type) ? btf__type_by_id(btf, type->type) : NULL;
	return type && btf_is_func_proto(type) ? btf_vlen(type) - 1 : -EINVAL; /* the first is not the tracepoint's */
}

/* The type of member @name of structure @id, in what has no name inside of it, too; NULL: there is none. */
static const struct btf_type *member_type(const struct btf *btf, u32 id, const char *name, u32 depth)
{
	const struct btf_type *type = btf__type_by_id(btf, id), *found = NULL;
	const struct btf_member *member;

	if (!type || !btf_is_composite(type))
		return NULL;
	member = btf_members(type);
	for (u32 i = 0; i < btf_vlen(type) && !found; i++) {
		const char *own = btf__name_by_offset(btf, member[i].name_off);

		if (!own || !own[0])
			found = depth ? member_type(btf, member[i].type, name, depth - 1) : NULL;
		else if (!strcmp(own, name))
			found = btf__type_by_id(btf, member[i].type);
	}
	return found;
}

/* Whether processes' numbers of pages are kept in one of the two ways that the programs know. */
static bool are_known(const struct btf *btf)
{
	int nr = nr_arguments(btf, "btf_trace_rss_stat"), mm = btf__find_by_name_kind(btf, "mm_struct", BTF_KIND_STRUCT);
	const struct btf_type *type = nr >= 2 && mm > 0 ? member_type(btf, (u32)mm, "rss_stat", 3) : NULL;

	if (type && btf_is_struct(type)) /* before Linux 6.2: one number, which the tracepoint tells */
		return nr >= 3 && !strcmp(btf__name_by_offset(btf, type->name_off), "mm_rss_stat");
	if (!type || !btf_is_array(type) || btf__find_by_name_kind(btf, "mm_rss_stat", BTF_KIND_STRUCT) > 0)
		return false;
	type = btf__type_by_id(btf, btf_array(type)->type);
	return type && btf_is_struct(type) && !strcmp(btf__name_by_offset(btf, type->name_off), "percpu_counter");
}

/* Pages of a huge page. */
static u32 huge_pages(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
	unsigned long bytes = 0;
	char line[32];

	if (file && fgets(line, sizeof(line), file))
		bytes = strtoul(line, NULL, 10);
	if (file)
		fclose(file);
	return bytes ? (u32)(bytes / (unsigned long)sysconf(_SC_PAGESIZE)) : NO_HUGE;
}

/* ---- the source ---- */

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool known = btf && are_known(btf);
	int lock = btf ? nr_arguments(btf, "btf_trace_mmap_lock_released") : 0;
	struct sonde_bpf *skel = ctx->skel;
	struct sonde_growth_config *conf = (struct sonde_growth_config *)&skel->rodata->growth_conf;
	const struct bpf_program *progs[] = { skel->progs.growth_rss_stat, skel->progs.growth_fork, skel->progs.growth_exec,
					      skel->progs.growth_exit, skel->progs.growth_iter };

	btf__free(btf);
	if (!known)
		return sonde_load_fail(err, SONDE_EXIT_KERNEL, -EOPNOTSUPP,
				       "this kernel does not tell of a process's pages in a way that is known (tracepoint rss_stat): "
				       "growth cannot be seen; use --sampled or --exact");
	conf->nr_cpus = (u32)libbpf_num_possible_cpus();
	conf->huge = huge_pages();
	for (size_t i = 0; i < sizeof(progs) / sizeof(progs[0]); i++)
		bpf_program__set_autoload((struct bpf_program *)progs[i], true);
	bpf_program__set_autoattach(skel->progs.growth_iter, false);
	if (sonde_probe_have(SONDE_FEATURE_FAULT_TRACEPOINTS)) {
		bpf_program__set_autoload(skel->progs.growth_touched, true);
		bpf_program__set_autoload(skel->progs.growth_touch_k, true);
	} else {
		sonde_note("this kernel has no tracepoint page_fault_user: which mappings grow is not told");
	}
	/* Before Linux 6.13 the lock's tracepoint writes a path each time, for every page fault too: system calls are cheaper. */
	bpf_program__set_autoload(lock == 2 ? skel->progs.growth_unlock : skel->progs.growth_return, true);
	sonde_debug("growth: address space by %s", lock == 2 ? "mmap_lock_released" : "sys_exit");
	if (ctx->opts->max_queries)
		bpf_map__set_max_entries(skel->maps.growth_sites, ctx->opts->max_queries);
	bpf_map__set_max_entries(skel->maps.uw_samples, STACKS);
	bpf_map__set_autocreate(skel->maps.uw_samples, true);
	bpf_map__set_autocreate(skel->maps.seen, true);
	sonde_tables_prepare(skel, 0);
	return 0;
}

static int loaded(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	ctx->state = sonde_tables_new(ctx->skel);
	return ctx->state ? 0 : sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
}

/* What processes have that are there already. */
static void meet_all(struct sonde_bpf *skel)
{
	struct bpf_link *link = bpf_program__attach_iter(skel->progs.growth_iter, NULL);
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	char nothing[64];

	if (fd < 0)
		sonde_warn("processes are met at their first change only: %s", strerror(errno));
	while (fd >= 0 && read(fd, nothing, sizeof(nothing)) > 0)
		;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
}

static void attach(struct sonde_load_ctx *ctx)
{
	sonde_tables_fill(ctx->state, ctx->opts, true);
	meet_all(ctx->skel);
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

static void work(struct sonde_load_ctx *ctx, bool exec_seen)
{
	(void)sonde_tables_work(ctx->state, exec_seen);
}

static bool looks(const struct sonde_load_ctx *ctx)
{
	return ctx->state != NULL;
}

static void free_state(struct sonde_load_ctx *ctx)
{
	sonde_tables_free(ctx->state);
}

const struct sonde_load_source sonde_load_growth = {
	.name = "growth",
	.maps = "growth_",
	.configure = configure,
	.loaded = loaded,
	.attach = attach,
	.event = event,
	.wait_ms = wait_ms,
	.work = work,
	.looks = looks,
	.round = sonde_tables_round,
	.free = free_state,
};
