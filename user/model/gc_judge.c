// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc_judge.c - findings: processes whose garbage collections take much of their time.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "model/finding.h"
#include "model/gc.h"
#include "model/gc_judge.h"
#include "model/judge_parts.h"
#include "model/snapshot.h"
#include "model/strings.h"

#define SURE_NS 10000000000ULL /* watched that long, the confidence is high */
#define TIGHT 0.8 /* of the greatest heap there may be, that lives: it is too small */

/* The kind of pauses that took @process longest. */
static u32 worst_kind(const struct sonde_gc *gc, const struct sonde_gc_process *process)
{
	u64 sum[SONDE_GC_KINDS] = {};
	u32 worst = 0;

	for (size_t i = 0; i < gc->nr; i++)
		if (gc->row[i].process == process->process)
			sum[gc->row[i].kind] += gc->row[i].stat.pause.sum_ns;
	for (u32 kind = 1; kind < SONDE_GC_KINDS; kind++)
		if (sum[kind] > sum[worst])
			worst = kind;
	return worst;
}

/* The most that the pools which make up @pid's heap may have together; 0: no limit is known. G1's pools share theirs, that of the old one. */
static u64 heap_limit(const struct sonde_gc *gc, u32 pid)
{
	u64 limit = 0;

	for (size_t i = 0; i < gc->nr_pools; i++) {
		const struct sonde_gc_pool_row *row = &gc->pool[i];

		if (row->pid != pid || !row->pool.heap)
			continue;
		if ((s64)row->pool.max > 0)
			limit += row->pool.max;
	}
	return limit;
}

static void advise(struct sonde_buf *text, const struct sonde_gc *gc, const struct sonde_gc_process *process)
{
	u32 kind = worst_kind(gc, process);
	u64 limit = heap_limit(gc, process->proc.tgid);
	char a[SONDE_STR_SHORT], b[SONDE_STR_SHORT];

	if (kind == SONDE_GC_KIND_GEN2) {
		sonde_buf_str(text, "generation 2 walks through all objects that live: keep fewer of them, gc.freeze() those of the start, or "
				    "let it run less often (gc.set_threshold)");
	} else if (process->runtime == SONDE_GC_PYTHON) {
		sonde_buf_str(text, "raise the first number of gc.set_threshold(): so many new containers start a collection");
	} else if (process->runtime == SONDE_GC_JAVA && limit && (double)process->after > TIGHT * (double)limit) {
		sonde_buf_printf(text, "%s of at most %s lives after a collection: raise -Xmx, or find what is kept (jcmd %u GC.class_histogram)",
				 sonde_str_bytes(a, process->after), sonde_str_bytes(b, limit), process->proc.tgid);
	} else if (process->runtime == SONDE_GC_JAVA) {
		sonde_buf_printf(text, "allocate less (jcmd %u JFR.start shows where), or give it a larger heap (-Xmx): collections become rarer",
				 process->proc.tgid);
	} else if (kind == SONDE_GC_KIND_SCAVENGE) {
		sonde_buf_str(text, "allocate less that lives for a while, or let more of it die young: node --max-semi-space-size=64");
	} else if (process->runtime == SONDE_GC_V8) {
		sonde_buf_str(text, "keep less (node --heapsnapshot-signal=SIGUSR2 shows what), or give it room: node --max-old-space-size");
	} else {
		sonde_buf_str(text, "collect less often: raise GOGC, with GOMEMLIMIT as the bound; allocate less (go tool pprof -alloc_space)");
	}
}

static const char *kept(struct sonde_snapshot *snapshot, struct sonde_buf *text)
{
	const char *copy = text->failed ? NULL : sonde_strings_add(snapshot->strings, text->s, text->len);

	sonde_buf_free(text);
	return copy;
}

static int add(struct sonde_snapshot *snapshot, const struct sonde_gc_process *process)
{
	struct sonde_finding *finding = sonde_snapshot_finding(snapshot);
	struct sonde_buf text = {};
	const char *name;

	if (!finding)
		return -ENOMEM;
	finding->kind = SONDE_FINDING_GC_TIME;
	finding->gc = process;
	name = sonde_strings_add(snapshot->strings, process->process, strlen(process->process));
	sonde_buf_printf(&text, "%.1f%% of the time in garbage collections of %s", 100 * sonde_gc_share(process),
			 sonde_gc_runtime_name(process->runtime));
	finding->query = kept(snapshot, &text) ?: "";
	text = (struct sonde_buf){};
	advise(&text, snapshot->gc, process);
	finding->suggestion = kept(snapshot, &text) ?: "";
	if (!name || !finding->query[0] || !finding->suggestion[0])
		return -ENOMEM;
	finding->confidence = process->span_ns >= SURE_NS ? SONDE_CONFIDENCE_HIGH : SONDE_CONFIDENCE_MEDIUM;
	finding->scope = SONDE_SCOPE_PROCESS;
	finding->scope_name = finding->process = name;
	finding->pid = process->proc.tgid;
	finding->share = sonde_gc_share(process);
	finding->waste_ns = process->stopped_ns;
	finding->scope_ns = process->span_ns;
	for (size_t i = 0; i < snapshot->gc->nr; i++) {
		const struct sonde_gc_row *row = &snapshot->gc->row[i];

		if (row->process != process->process)
			continue;
		if (!finding->first_seen_ns || row->stat.first_ns < finding->first_seen_ns)
			finding->first_seen_ns = row->stat.first_ns;
		if (row->stat.last_ns > finding->last_seen_ns)
			finding->last_seen_ns = row->stat.last_ns;
	}
	finding->id = finding->block = sonde_judge_id(SONDE_FINDING_GC_TIME, SONDE_SCOPE_PROCESS, name, process->runtime, name);
	return 0;
}

int sonde_gc_judge(struct sonde_snapshot *snapshot)
{
	const struct sonde_gc *gc = snapshot->gc;
	int err = 0;

	for (size_t i = 0; gc && i < gc->nr_processes && !err; i++) {
		const struct sonde_gc_process *process = gc->process[i];

		if (process->pauses >= SONDE_GC_PAUSES && process->span_ns >= SONDE_GC_SPAN_NS &&
		    sonde_gc_share(process) >= SONDE_GC_SHARE)
			err = add(snapshot, process);
	}
	return err;
}
