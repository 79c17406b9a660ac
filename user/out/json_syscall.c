// SPDX-License-Identifier: GPL-2.0-only
/*
 * json_syscall.c - system calls in the machine's report.
 */
#include "base/buf.h"
#include "model/snapshot.h"
#include "model/syscall.h"
#include "model/syscall_name.h"
#include "out/json.h"
#include "out/jsonw.h"
#include "out/out.h"
#include "out/syscall.h"

static void errors(struct sonde_json *json, const struct sonde_syscall *row)
{
	struct sonde_buf number = {};

	sonde_json_open(json, "errors", '{');
	for (size_t i = 0; i < row->nr_errors; i++) {
		const char *name = sonde_errno_name(row->error[i].error);

		sonde_buf_cut(&number, 0);
		sonde_buf_printf(&number, "%u", row->error[i].error);
		sonde_json_u64(json, name ? name : number.s ? number.s : "", row->error[i].count);
	}
	sonde_json_close(json, '}');
	sonde_buf_free(&number);
}

static void one(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_syscall *row)
{
	double seconds = (double)snapshot->duration_ns / 1e9;

	sonde_json_open(json, NULL, '{');
	sonde_json_cstr(json, "name", row->name);
	sonde_json_u64(json, "number", row->nr);
	if (row->on[0])
		sonde_json_cstr(json, "on", row->on);
	sonde_json_u64(json, "pid", row->pid);
	sonde_json_cstr(json, "process", row->process);
	if (row->tid) {
		sonde_json_u64(json, "tid", row->tid);
		sonde_json_cstr(json, "thread", row->thread);
	}
	if (row->cgroup[0])
		sonde_json_cstr(json, "cgroup", row->cgroup);
	sonde_json_bool(json, "waits", row->waits);
	sonde_json_u64(json, "count", row->count);
	sonde_json_double(json, "rate", seconds > 0 ? (double)row->count / seconds : 0);
	sonde_json_u64(json, "error_count", row->errors);
	errors(json, row);
	sonde_json_summary(json, "latency_ns", &row->hist);
	sonde_json_histogram(json, "latency_histogram", &row->hist);
	sonde_json_close(json, '}');
}

static void under_way(struct sonde_json *json, const struct sonde_syscalls *calls)
{
	sonde_json_open(json, "syscalls_in_progress", '[');
	for (size_t i = 0; i < calls->nr_now; i++) {
		const struct sonde_syscall_now *now = &calls->now[i];
		const char *name = sonde_syscall_name(now->call.key.nr);
		struct sonde_buf text = {};

		sonde_json_open(json, NULL, '{');
		sonde_json_cstr(json, "name", name ? name : "");
		sonde_json_u64(json, "number", now->call.key.nr);
		sonde_json_u64(json, "pid", now->call.key.proc.tgid);
		sonde_json_u64(json, "tid", now->call.tid);
		sonde_json_cstr(json, "process", now->process);
		sonde_json_bool(json, "waits", now->call.what & SONDE_SYSCALL_WAITS);
		sonde_json_u64(json, "elapsed_ns", now->since_ns);
		sonde_syscall_call_text(&text, now->call.key.nr, now->call.arg, NULL);
		sonde_json_str(json, "call", text.s ? text.s : "", text.len);
		sonde_json_close(json, '}');
		sonde_buf_free(&text);
	}
	sonde_json_close(json, ']');
}

void sonde_syscalls_json(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			 const struct sonde_out_opts *opts)
{
	const struct sonde_syscalls *calls = snapshot->syscalls;
	size_t nr = opts->top && opts->top < calls->nr ? opts->top : calls->nr;

	sonde_json_open(json, "syscalls", '[');
	for (size_t i = 0; i < nr; i++)
		one(json, snapshot, calls->row[i]);
	sonde_json_close(json, ']');
	if (nr < calls->nr)
		sonde_json_u64(json, "syscalls_left_out", calls->nr - nr);
	if (calls->nr_now)
		under_way(json, calls);
	if (calls->min_ns)
		sonde_json_u64(json, "slow_syscalls_told", calls->told);
}
