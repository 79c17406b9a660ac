// SPDX-License-Identifier: GPL-2.0-only
/*
 * offcpu_json.c - what threads wait for, in the JSON document: processes, waits with their stacks.
 */
#include <stdio.h>
#include <string.h>

#include "model/offcpu.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/wait.h"
#include "out/json.h"
#include "out/jsonw.h"
#include "out/offcpu.h"
#include "out/out.h"

static void process(struct sonde_json *json, const struct sonde_offcpu_proc *p, u64 duration_ns)
{
	sonde_json_open(json, NULL, '{');
	sonde_json_u64(json, "pid", p->proc.tgid);
	sonde_json_cstr(json, "process", p->process);
	sonde_json_u64(json, "threads", p->nr_threads);
	sonde_json_u64(json, "on_cpu_ns", p->total.on_ns);
	sonde_json_u64(json, "run_queue_ns", p->total.queued_ns);
	sonde_json_u64(json, "blocked_ns", p->total.blocked_ns);
	sonde_json_double(json, "utilisation", duration_ns ? (double)p->total.on_ns / (double)duration_ns : 0);
	sonde_json_double(json, "saturation", sonde_offcpu_saturation(&p->total));
	sonde_json_u64(json, "voluntary_switches", p->total.voluntary);
	sonde_json_u64(json, "involuntary_switches", p->total.involuntary);
	sonde_json_summary(json, "run_queue_latency_ns", &p->queued);
	sonde_json_close(json, '}');
}

/* Innermost first, the kernel's functions before the program's. */
static void stack(struct sonde_json *json, const char *key, const struct sonde_profile *stacks, size_t index)
{
	const struct sonde_stack *s = index && stacks ? &stacks->stack[index - 1] : NULL;
	char kernel[64];

	if (!s)
		return;
	sonde_json_open(json, key, '[');
	for (u32 i = s->nr_kernel; i < s->nr; i++)
		sonde_json_cstr(json, NULL, stacks->frame[s->frame[i]].function);
	sonde_json_close(json, ']');
	if (!s->nr_kernel)
		return;
	snprintf(kernel, sizeof(kernel), "kernel_%s", key);
	sonde_json_open(json, kernel, '[');
	for (u32 i = 0; i < s->nr_kernel; i++)
		sonde_json_cstr(json, NULL, stacks->frame[s->frame[i]].function);
	sonde_json_close(json, ']');
}

static void waker(struct sonde_json *json, const struct sonde_offcpu *list, const struct sonde_offcpu_row *row)
{
	if (row->key.woken_by == SONDE_OFF_WAKER_NONE)
		return;
	sonde_json_open(json, "waker", '{');
	if (row->key.woken_by == SONDE_OFF_WAKER_INTERRUPT) {
		sonde_json_cstr(json, "kind", "interrupt");
	} else {
		sonde_json_cstr(json, "kind", "thread");
		sonde_json_u64(json, "pid", row->key.waker.tgid);
		sonde_json_cstr(json, "process", row->waker);
		sonde_json_u64(json, "tid", row->stat.waker_tid);
		sonde_json_str(json, "thread", row->stat.waker_comm,
			       strnlen(row->stat.waker_comm, sizeof(row->stat.waker_comm)));
		stack(json, "stack", list->stacks, row->waker_stack);
	}
	sonde_json_close(json, '}');
}

static void holder(struct sonde_json *json, const struct sonde_offcpu *list, const struct sonde_offcpu_row *row)
{
	if (!row->key.held)
		return;
	sonde_json_open(json, "holder", '{');
	sonde_json_u64(json, "tid", row->stat.holder_tid);
	sonde_json_str(json, "thread", row->stat.holder_comm,
		       strnlen(row->stat.holder_comm, sizeof(row->stat.holder_comm)));
	stack(json, "stack", list->stacks, row->holder_stack);
	sonde_json_close(json, '}');
}

static void wait(struct sonde_json *json, const struct sonde_offcpu *list, const struct sonde_offcpu_row *row)
{
	char address[32];

	sonde_json_open(json, NULL, '{');
	sonde_json_cstr(json, "reason", sonde_wait_name(row->key.reason));
	sonde_json_u64(json, "pid", row->key.proc.tgid);
	sonde_json_cstr(json, "process", row->process);
	if (row->key.tid) {
		sonde_json_u64(json, "tid", row->key.tid);
		sonde_json_cstr(json, "thread", row->thread);
	}
	if (row->key.object) {
		snprintf(address, sizeof(address), "0x%llx", (unsigned long long)row->key.object);
		sonde_json_cstr(json, "futex", address);
	}
	sonde_json_u64(json, "count", row->stat.count);
	if (row->open)
		sonde_json_u64(json, "open", row->open);
	sonde_json_summary(json, "blocked_ns", &row->stat.hist);
	sonde_json_histogram(json, "blocked_histogram", &row->stat.hist);
	stack(json, "stack", list->stacks, row->stack);
	holder(json, list, row);
	waker(json, list, row);
	sonde_json_close(json, '}');
}

void sonde_offcpu_json(struct sonde_json *json, const struct sonde_snapshot *snapshot,
		       const struct sonde_out_opts *opts)
{
	const struct sonde_offcpu *list = snapshot->offcpu;
	size_t nr = opts->top && opts->top < list->nr ? opts->top : list->nr;

	sonde_json_open(json, "scheduling", '[');
	for (size_t i = 0; i < list->nr_procs; i++)
		process(json, list->proc[i], snapshot->duration_ns);
	sonde_json_close(json, ']');
	sonde_json_open(json, "waits", '[');
	for (size_t i = 0; i < nr; i++)
		wait(json, list, list->row[i]);
	sonde_json_close(json, ']');
	if (nr < list->nr)
		sonde_json_u64(json, "waits_left_out", list->nr - nr);
}
