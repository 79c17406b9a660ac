// SPDX-License-Identifier: GPL-2.0-only
/*
 * empty.c - attaches the programs that do nothing to the hooks of the real ones: what the kernel charges for being
 * called at all.
 *
 * usage: empty OBJECT [NAME...]      (OBJECT: sonde.bpf.o; NAME: its programs, default sk_send_empty and sk_recv_empty)
 *
 * Says "ready" when attached, waits for the end of its input, then prints "NAME RUNS NANOSECONDS" for each
 * (kernel.bpf_stats_enabled must be 1).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_NAMES 8

static const char *names[MAX_NAMES] = { "sk_send_empty", "sk_recv_empty" };
static int nr_names = 2;

static bool wanted(const char *name)
{
	for (int i = 0; i < nr_names; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

static int print_cost(const struct bpf_object *obj)
{
	for (int i = 0; i < nr_names; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, names[i]);
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			return 1;
		printf("%s %llu %llu\n", names[i], info.run_cnt, info.run_time_ns);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_link *links[MAX_NAMES] = {};
	struct bpf_program *prog;
	struct bpf_object *obj;
	struct bpf_map *map;
	int code = 1;
	char byte;

	if (argc < 2 || argc > 2 + MAX_NAMES)
		return 2;
	if (argc > 2)
		nr_names = argc - 2;
	for (int i = 2; i < argc; i++)
		names[i - 2] = argv[i];
	libbpf_set_print(quiet);
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj)
		return 1;
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, wanted(bpf_program__name(prog)));
	bpf_object__for_each_map(map, obj) /* they use none; libbpf binds its internal ones to every program */
		if (!bpf_map__is_internal(map) && bpf_map__set_autocreate(map, false))
			goto out_close;
	if (bpf_object__load(obj))
		goto out_close;
	for (int i = 0; i < nr_names; i++) {
		links[i] = bpf_program__attach(bpf_object__find_program_by_name(obj, names[i]));
		if (!links[i])
			goto out_links;
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	code = print_cost(obj);

out_links:
	for (int i = 0; i < nr_names; i++)
		bpf_link__destroy(links[i]);
out_close:
	bpf_object__close(obj);
	return code;
}
