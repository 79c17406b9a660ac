// SPDX-License-Identifier: GPL-2.0-only
/*
 * insns.c - how much of the verifier's limit each BPF program of an object uses.
 *
 * usage: insns [-v] OBJECT PERCENT      (built and called by insns.sh)
 *
 * Loads every program by itself, with the verifier's statistics on, and prints a table. A program
 * whose type or attach point this kernel does not have is named and left out: the verifier never
 * saw it. -v prints the verifier's log of the refused ones.
 * Exit codes: 0 fine, 1 a program is refused or above PERCENT of the limit, 2 usage.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define LOG_BYTES (16u << 20)
#define LOG_LEVEL_STATS 4 /* BPF_LOG_STATS of the kernel: the statistics, not the trace */

enum verdict { FITS, TOO_BIG, REFUSED, UNAVAILABLE };

struct stats {
	unsigned long insns;
	unsigned long limit;
	unsigned long time_us;
};

/* What libbpf complained of since it was last emptied; the first complaint names the cause. */
static char complaints[4096];

static int keep_complaints(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t used = strlen(complaints);

	if (level == LIBBPF_WARN)
		vsnprintf(complaints + used, sizeof(complaints) - used, format, args);
	return 0;
}

/* Local storage has no size: it lives with its socket, task, inode or cgroup. */
static bool is_local_storage(enum bpf_map_type type)
{
	const unsigned int cgrp_storage = 32; /* newer than the headers may be */

	return type == BPF_MAP_TYPE_SK_STORAGE || type == BPF_MAP_TYPE_TASK_STORAGE ||
	       type == BPF_MAP_TYPE_INODE_STORAGE || (unsigned int)type == cgrp_storage;
}

/* Sizes that only the loader knows are zero in the object; any valid one verifies the same. */
static void give_maps_a_size(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__max_entries(map) || is_local_storage(bpf_map__type(map)))
			continue;
		bpf_map__set_max_entries(map, bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF ? 1u << 16 : 64);
	}
}

/* Constants of the run that are flags and sizes, and nothing that is an address or a number of something. */
static bool is_switches(const char *name)
{
	return !strcmp(name, "conf") || !strcmp(name, "bd_conf");
}

/* All options on, so that no branch is left out as dead code: every byte of them. */
static void turn_all_options_on(struct bpf_object *obj)
{
	const struct btf *btf = bpf_object__btf(obj);
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *sec = btf__type_by_id(btf, id);
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".rodata");
	struct btf_var_secinfo *var;
	size_t size = 0;
	char *data;

	if (id < 0 || !sec || !map)
		return;
	data = (char *)bpf_map__initial_value(map, &size);
	var = btf_var_secinfos(sec);
	for (int i = 0; data && i < btf_vlen(sec); i++, var++) {
		const struct btf_type *type = btf__type_by_id(btf, var->type);

		if (is_switches(btf__name_by_offset(btf, type->name_off)) && var->offset + var->size <= size)
			memset(data + var->offset, 1, var->size);
	}
}

/* False if the verifier did not get as far as its statistics. */
static bool parse_stats(const char *log, struct stats *stats)
{
	const char *time = strstr(log, "verification time ");
	const char *at = NULL, *next = log;

	while ((next = strstr(next, "processed "))) {
		at = next;
		next++;
	}
	if (time)
		sscanf(time, "verification time %lu", &stats->time_us);
	return at && sscanf(at, "processed %lu insns (limit %lu)", &stats->insns, &stats->limit) == 2;
}

/* Loads program @name of @path alone, none if it is NULL; @log holds what the verifier said. */
static int load_one(const char *path, const char *name, char *log)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	int err;

	if (!obj)
		return -errno;
	give_maps_a_size(obj);
	turn_all_options_on(obj);
	bpf_object__for_each_program(prog, obj) {
		bool chosen = name && !strcmp(bpf_program__name(prog), name);

		bpf_program__set_autoload(prog, chosen);
		if (!chosen)
			continue;
		bpf_program__set_log_buf(prog, log, LOG_BYTES);
		bpf_program__set_log_level(prog, LOG_LEVEL_STATS);
	}
	log[0] = '\0';
	complaints[0] = '\0';
	err = bpf_object__load(obj);
	bpf_object__close(obj);
	return err;
}

/*
 * Programs that only some kernels get: those that work in turns, for kernels that preempt programs on tracepoints, the
 * ones that find out (user/load/preempt.c, user/load/tls_attach.c), and those for uprobe sessions. `sonde doctor` proves that what a kernel gets, it takes.
 */
static bool only_for_some(const char *name)
{
	static const char *const ends[] = { "_1st", "_2nd", "_turn", "_both" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (len > strlen(ends[i]) && !strcmp(name + len - strlen(ends[i]), ends[i]))
			return true;
	return !strncmp(name, "probe_", 6) || !strcmp(name, "tls_try");
}

static enum verdict judge(const char *path, const struct bpf_program *prog, double percent, bool verbose, char *log)
{
	const char *name = bpf_program__name(prog), *section = bpf_program__section_name(prog);
	struct stats stats = { 0 };
	int err = load_one(path, name, log);
	double share;

	if (!parse_stats(log, &stats)) {
		if (!err)
			printf("%-16s %-34s loaded, but this kernel gives no statistics\n", name, section);
		else
			printf("%-16s %-34s not on this kernel (%s)\n%s", name, section, strerror(-err),
			       verbose ? complaints : "");
		return UNAVAILABLE;
	}
	if (err && only_for_some(name)) {
		printf("%-16s %-34s not for this kernel\n", name, section);
		return UNAVAILABLE;
	}
	share = 100.0 * (double)stats.insns / (double)stats.limit;
	printf("%-16s %-34s %9lu %6.2f %% %7.1f ms%s\n", name, section, stats.insns, share,
	       (double)stats.time_us / 1000,
	       err		 ? "  REFUSED"
	       : share > percent ? "  TOO BIG"
				 : "");
	if (err && verbose)
		printf("%s%s\n", log, complaints);
	return err ? REFUSED : share > percent ? TOO_BIG : FITS;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && !strcmp(argv[1], "-v");
	unsigned int count[UNAVAILABLE + 1] = { 0 };
	struct bpf_program *prog;
	struct bpf_object *obj;
	const char *path;
	double percent;
	char *log;

	argv += verbose;
	argc -= verbose;
	if (argc != 3) {
		fprintf(stderr, "usage: insns [-v] OBJECT PERCENT\n");
		return 2;
	}
	path = argv[1];
	percent = strtod(argv[2], NULL);
	libbpf_set_print(keep_complaints);
	obj = bpf_object__open_file(path, NULL);
	log = malloc(LOG_BYTES);
	if (!obj || !log) {
		fprintf(stderr, "insns: cannot open %s: %s\n%s", path, strerror(errno), complaints);
		return 1;
	}
	/* With the maps alone, so that a bad map is not taken for a missing hook. */
	if (load_one(path, NULL, log)) {
		fprintf(stderr, "insns: the maps of %s cannot be created:\n%s", path, complaints);
		return 1;
	}
	printf("%-16s %-34s %9s %8s %10s\n", "program", "section", "verified", "of limit", "time");
	bpf_object__for_each_program(prog, obj)
		count[judge(path, prog, percent, verbose, log)]++;
	printf("%u fit, %u above %g %%, %u refused, %u not on this kernel\n", count[FITS], count[TOO_BIG], percent,
	       count[REFUSED], count[UNAVAILABLE]);
	free(log);
	bpf_object__close(obj);
	return count[TOO_BIG] || count[REFUSED] || !count[FITS];
}
