// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage.c - how much processes use processors and wait for them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/usage.h"

struct sonde_usage *sonde_usage_new(void)
{
	return calloc(1, sizeof(struct sonde_usage));
}

void sonde_usage_free(struct sonde_usage *usage)
{
	if (!usage)
		return;
	free(usage->proc);
	free(usage);
}

int sonde_usage_add(struct sonde_usage *usage, const struct sonde_usage_proc *proc)
{
	size_t room = usage->room ? usage->room * 2 : 64;
	struct sonde_usage_proc *more;

	if (usage->nr == usage->room) {
		more = realloc(usage->proc, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		usage->proc = more;
		usage->room = room;
	}
	usage->proc[usage->nr++] = *proc;
	return 0;
}

static int by_cpu(const void *pa, const void *pb)
{
	const struct sonde_usage_proc *a = pa, *b = pb;

	if (a->sum.cpu_ns != b->sum.cpu_ns)
		return a->sum.cpu_ns < b->sum.cpu_ns ? 1 : -1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

void sonde_usage_sort(struct sonde_usage *usage)
{
	if (usage->nr)
		qsort(usage->proc, usage->nr, sizeof(*usage->proc), by_cpu);
}

static int by_name(const void *pa, const void *pb)
{
	const struct sonde_usage_proc *a = pa, *b = pb;
	int order = strncmp(a->process, b->process, sizeof(a->process));

	return order ? order : by_cpu(pa, pb);
}

/* Processes that live one after the other use no more processors than one: what is longest is the time of all. */
static void merge(struct sonde_usage_proc *to, const struct sonde_usage_proc *more)
{
	to->nr_procs += more->nr_procs;
	to->nr_threads += more->nr_threads;
	if (to->nr_cpus < more->nr_cpus)
		to->nr_cpus = more->nr_cpus;
	if (!more->limit_milli || to->limit_milli < more->limit_milli)
		to->limit_milli = to->limit_milli ? more->limit_milli : 0;
	to->ended = to->ended && more->ended;
	to->uncounted = to->uncounted || more->uncounted;
	if (to->wall_ns < more->wall_ns)
		to->wall_ns = more->wall_ns;
	to->sum.cpu_ns += more->sum.cpu_ns;
	to->sum.queued_ns += more->sum.queued_ns;
	to->sum.voluntary += more->sum.voluntary;
	to->sum.involuntary += more->sum.involuntary;
}

struct sonde_usage *sonde_usage_group(const struct sonde_usage *usage)
{
	struct sonde_usage *group = sonde_usage_new();
	size_t nr = 0;

	for (size_t i = 0; group && i < usage->nr; i++) {
		if (!sonde_usage_add(group, &usage->proc[i]))
			continue;
		sonde_usage_free(group);
		return NULL;
	}
	if (!group || !group->nr)
		return group;
	qsort(group->proc, group->nr, sizeof(*group->proc), by_name);
	for (size_t i = 1; i < group->nr; i++) {
		if (!strncmp(group->proc[nr].process, group->proc[i].process, sizeof(group->proc[i].process)))
			merge(&group->proc[nr], &group->proc[i]);
		else
			group->proc[++nr] = group->proc[i];
	}
	group->nr = nr + 1;
	sonde_usage_sort(group);
	return group;
}

static double ratio(u64 part, u64 whole)
{
	return whole ? (double)part / (double)whole : 0;
}

double sonde_usage_used(const struct sonde_usage_proc *proc)
{
	return ratio(proc->sum.cpu_ns, proc->wall_ns);
}

double sonde_usage_waiting(const struct sonde_usage_proc *proc)
{
	return ratio(proc->sum.queued_ns, proc->wall_ns);
}

double sonde_usage_saturation(const struct sonde_usage_proc *proc)
{
	return ratio(proc->sum.queued_ns, proc->sum.queued_ns + proc->sum.cpu_ns);
}

/* "CPU QUEUED TIMES"; all of them 0 where the kernel was built without these accounts. */
bool sonde_usage_schedstat(struct sonde_usage_thread *thread, const char *text)
{
	char *end;

	thread->cpu_ns = strtoull(text, &end, 10);
	if (end == text || *end != ' ')
		return false;
	thread->queued_ns = strtoull(end, &end, 10);
	return strtoull(end, NULL, 10);
}

/* How many numbers a list like "0-3,8" has. */
static u32 list_count(const char *at)
{
	u32 nr = 0;

	while (*at >= '0' && *at <= '9') {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last - first >= UINT32_MAX - nr)
			return nr;
		nr += (u32)(last - first) + 1;
		at = *end == ',' ? end + 1 : end;
	}
	return nr;
}

/* What stands behind @name at the beginning of a line, or NULL. */
static const char *value_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len))
			return line + len + strspn(line + len, "\t ");
	}
	return NULL;
}

u32 sonde_usage_status(struct sonde_usage_thread *thread, const char *text)
{
	const char *voluntary = value_of(text, "voluntary_ctxt_switches:"),
		   *involuntary = value_of(text, "nonvoluntary_ctxt_switches:"), *cpus = value_of(text, "Cpus_allowed_list:");

	thread->voluntary = voluntary ? strtoull(voluntary, NULL, 10) : 0;
	thread->involuntary = involuntary ? strtoull(involuntary, NULL, 10) : 0;
	return cpus ? list_count(cpus) : 0;
}

void sonde_usage_since(struct sonde_usage_thread *sum, const struct sonde_usage_thread *before,
		       const struct sonde_usage_thread *now)
{
	static const struct sonde_usage_thread none;

	if (now->cpu_ns < before->cpu_ns || now->queued_ns < before->queued_ns || now->voluntary < before->voluntary ||
	    now->involuntary < before->involuntary)
		before = &none;
	sum->cpu_ns += now->cpu_ns - before->cpu_ns;
	sum->queued_ns += now->queued_ns - before->queued_ns;
	sum->voluntary += now->voluntary - before->voluntary;
	sum->involuntary += now->involuntary - before->involuntary;
}
