// SPDX-License-Identifier: GPL-2.0-only
/*
 * preempt.c - whether programs can be preempted. For tracepoints: sends one byte to itself with a program there that looks
 * at the preemption count. For functions the kernel's model of preemption decides.
 */
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "load/preempt.h"
#include "load/probe.h"
#include "sonde/config.h"
#include "sonde.skel.h"

enum { NOT_RUN, OFF, ON }; /* preempt_state of bpf/socket.bpf.c */

static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

/* Preemptible tracepoints came with Linux 7.0. */
static bool by_version(void)
{
	unsigned int major = 0;
	struct utsname un;

	return !uname(&un) && sscanf(un.release, "%u", &major) == 1 && major >= 7;
}

/* Loads that one program and no map it does not need. */
static struct sonde_bpf *load_probe(void)
{
	struct sonde_bpf *skel = sonde_bpf__open();
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!skel)
		return NULL;
	((struct sonde_config *)&skel->rodata->conf)->self = getpid();
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.probe_preempt);
	bpf_object__for_each_map(map, skel->obj)
		bpf_map__set_autocreate(map, map == skel->maps.rodata || map == skel->maps.bss);
	if (sonde_bpf__load(skel) || sonde_bpf__attach(skel)) {
		sonde_bpf__destroy(skel);
		return NULL;
	}
	return skel;
}

static bool ask(void)
{
	struct sonde_bpf *skel;
	bool preempt = by_version();
	int fd[2];

	if (!sonde_probe_have(SONDE_FEATURE_SOCK_TRACEPOINTS) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return preempt;
	skel = load_probe();
	if (skel) {
		if (send(fd[0], "", 1, 0) == 1 && skel->bss->preempt_state != NOT_RUN)
			preempt = skel->bss->preempt_state == ON;
		sonde_bpf__destroy(skel);
	}
	close(fd[0]);
	close(fd[1]);
	return preempt;
}

bool sonde_tracepoints_preempt(void)
{
	static int known = -1;
	libbpf_print_fn_t print;

	if (known < 0) {
		print = libbpf_set_print(say_nothing);
		known = ask();
		libbpf_set_print(print);
	}
	return known;
}

/* The model chosen at boot stands in brackets: "none (voluntary) full". No answer: it may be any. */
static bool by_model(void)
{
	FILE *file = fopen("/sys/kernel/debug/sched/preempt", "re");
	char line[128] = "";

	if (!file)
		return true;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return !strstr(line, "(none)") && !strstr(line, "(voluntary)");
}

bool sonde_functions_preempt(void)
{
	struct utsname un;

	if (uname(&un))
		return true;
	if (strstr(un.version, "PREEMPT_DYNAMIC") && !strstr(un.version, "PREEMPT_RT"))
		return by_model();
	return strstr(un.version, "PREEMPT") != NULL;
}
