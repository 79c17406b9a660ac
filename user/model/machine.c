// SPDX-License-Identifier: GPL-2.0-only
/*
 * machine.c - what the kernel says of a machine and its processes: texts of /proc become numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "model/machine.h"

#define FLAG_KTHREAD 0x00200000u /* PF_KTHREAD of include/linux/sched.h */

void sonde_machine_free(struct sonde_machine *machine)
{
	if (!machine)
		return;
	free(machine->procs);
	free(machine);
}

struct sonde_machine_proc *sonde_machine_add(struct sonde_machine *machine)
{
	size_t room = machine->room ? machine->room * 2 : 256;
	struct sonde_machine_proc *more;

	if (machine->nr == machine->room) {
		more = realloc(machine->procs, room * sizeof(*more));
		if (!more)
			return NULL;
		machine->procs = more;
		machine->room = room;
	}
	machine->procs[machine->nr] = (struct sonde_machine_proc){};
	return &machine->procs[machine->nr++];
}

static int by_pid(const void *pa, const void *pb)
{
	const struct sonde_machine_proc *a = pa, *b = pb;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

void sonde_machine_sort(struct sonde_machine *machine)
{
	if (machine->nr)
		qsort(machine->procs, machine->nr, sizeof(*machine->procs), by_pid);
}

const struct sonde_machine_proc *sonde_machine_find(const struct sonde_machine *machine, u32 pid)
{
	struct sonde_machine_proc key = { .pid = pid };

	if (!machine || !machine->nr)
		return NULL;
	return bsearch(&key, machine->procs, machine->nr, sizeof(key), by_pid);
}

/* The number at *@at, behind blanks; *@at moves behind it. */
static u64 number(const char **at)
{
	char *end;
	u64 value = strtoull(*at, &end, 10);

	*at = end;
	return value;
}

static const char *skip_words(const char *at, unsigned int words)
{
	while (words--) {
		at += strspn(at, " ");
		at += strcspn(at, " \n");
	}
	return at;
}

/* proc(5): pid (comm) state ppid pgrp session tty_nr tpgid flags minflt cminflt majflt cmajflt utime stime ... */
bool sonde_machine_proc_stat(struct sonde_machine_proc *proc, const char *text)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')'), *at;
	size_t len;

	if (!open || !close || close < open)
		return false;
	len = (size_t)(close - open) - 1;
	if (len >= sizeof(proc->comm))
		len = sizeof(proc->comm) - 1;
	memcpy(proc->comm, open + 1, len);
	proc->comm[len] = '\0';
	at = skip_words(close + 1, 6);
	proc->kernel = number(&at) & FLAG_KTHREAD;
	at = skip_words(at, 4);
	proc->ticks = number(&at);
	proc->ticks += number(&at);
	at = skip_words(at, 4);
	proc->threads = (u32)number(&at);
	at = skip_words(at, 1);
	proc->start = number(&at);
	return true;
}

u64 sonde_machine_schedstat(const char *text)
{
	number(&text);
	return number(&text);
}

/* The next line behind @at, or the end. */
static const char *next_line(const char *at)
{
	at += strcspn(at, "\n");
	return *at ? at + 1 : at;
}

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice": guests are in user and nice already. */
void sonde_machine_cpus(struct sonde_machine *machine, const char *text)
{
	machine->nr_cpus = 0;
	machine->busy_ticks = machine->all_ticks = 0;
	for (const char *line = text; !strncmp(line, "cpu", 3); line = next_line(line)) {
		const char *at = line + 4;

		if (line[3] != ' ') {
			machine->nr_cpus++;
			continue;
		}
		for (unsigned int i = 0; i < 8; i++) {
			u64 ticks = number(&at);

			machine->all_ticks += ticks;
			if (i != 3 && i != 4)
				machine->busy_ticks += ticks;
		}
	}
}

/* Two lines of titles, then "  eth0: bytes packets errs drop fifo frame compressed multicast bytes ...". */
void sonde_machine_net(struct sonde_machine *machine, const char *text)
{
	machine->received_bytes = machine->sent_bytes = 0;
	for (const char *line = text; *line; line = next_line(line)) {
		const char *at = line + strspn(line, " "), *colon = strpbrk(at, ":\n");

		if (!colon || *colon != ':' || !strncmp(at, "lo:", 3))
			continue;
		at = colon + 1;
		machine->received_bytes += number(&at);
		at = skip_words(at, 7);
		machine->sent_bytes += number(&at);
	}
}
