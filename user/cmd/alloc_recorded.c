// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_recorded.c - `sonde alloc --record FILE`, and --from FILE: the report of a recorded run.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/log.h"
#include "cmd/alloc_recorded.h"
#include "cmd/alloc_requests.h"
#include "cmd/profile_files.h"
#include "cmd/report.h"
#include "cmd/trace.h"
#include "model/alloc.h"
#include "model/alloc_diff.h"
#include "model/breakdown.h"
#include "model/finding.h"
#include "model/growth.h"
#include "model/memory.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "out/alloc.h"
#include "out/growth.h"
#include "record/alloc.h"

bool sonde_alloc_record(struct sonde_snapshot *snapshot, const char *file)
{
	int err;

	sonde_report_host(snapshot);
	err = sonde_record_alloc(snapshot, file);
	if (err)
		sonde_error("cannot write %s: %s", file, strerror(-err));
	else
		sonde_note("written: %s", file);
	return !err;
}

/* What stacks are weighed by, and rows sorted. */
static void weigh(struct sonde_recorded *recorded, enum sonde_alloc_value value)
{
	struct sonde_alloc *alloc = recorded->snapshot->alloc;

	if (recorded->growth) {
		recorded->profile->type = sonde_growth_value_name(0);
		recorded->profile->unit = sonde_growth_value_unit(0);
		sonde_growth_weigh(recorded->growth, recorded->profile);
		return;
	}
	alloc->value = value;
	recorded->profile->type = sonde_alloc_value_name(value);
	recorded->profile->unit = sonde_alloc_value_unit(value);
	sonde_alloc_sort(alloc);
	sonde_alloc_weigh(alloc, recorded->profile);
}

/* With --baseline: what has changed. False: it cannot be said, and why was. */
static bool compare(const struct sonde_recorded *recorded, const char *file, struct sonde_alloc_diff *diff)
{
	struct sonde_snapshot *snapshot = recorded->snapshot;
	int err;

	if (diff->grown != (recorded->growth != NULL)) {
		sonde_error("--baseline: one is of growth, and the other is of allocations: %s cannot be compared", file);
		return false;
	}
	err = diff->grown ? sonde_alloc_diff_grown(diff, SONDE_RUN_AFTER, recorded->growth, recorded->profile, snapshot->duration_ns) :
			    sonde_alloc_diff_take(diff, SONDE_RUN_AFTER, snapshot->alloc, recorded->profile, snapshot->duration_ns);
	if (err) {
		sonde_error("out of memory");
		return false;
	}
	sonde_alloc_diff_finish(diff);
	if (diff->grown)
		snapshot->growth_diff = diff;
	else
		snapshot->alloc->diff = diff;
	return true;
}

/* As the options want it, which need not be those of the run. */
static bool prepare(struct sonde_recorded *recorded, const char *file, const struct sonde_alloc_again *how)
{
	struct sonde_snapshot *snapshot = recorded->snapshot;

	weigh(recorded, (enum sonde_alloc_value)how->value);
	if (how->gates >> SONDE_FINDING_LEAK & 1 && recorded->growth) {
		sonde_error("--fail-on leak: %s is of growth, which says nothing of leaks", file);
		return false;
	}
	if (how->gates >> SONDE_FINDING_GC_TIME & 1 && !snapshot->gc) {
		sonde_error("--fail-on gc_time: nothing of garbage collections is recorded in %s", file);
		return false;
	}
	if (how->by == SONDE_ALLOC_BY_ENDPOINT && !snapshot->breakdowns) {
		sonde_error("%s was recorded without --by endpoint", file);
		return false;
	}
	if (how->by != SONDE_ALLOC_BY_ENDPOINT) {
		sonde_breakdowns_free(snapshot->breakdowns);
		snapshot->breakdowns = NULL;
	} else {
		sonde_memory_sort(snapshot->breakdowns);
	}
	return true;
}

int sonde_alloc_report(const char *file, const struct sonde_alloc_again *how,
		       int (*gate)(const struct sonde_snapshot *snapshot))
{
	struct sonde_recorded recorded;
	struct sonde_report report;
	struct sonde_buf why = {};
	int code = SONDE_EXIT_FAILURE, err = sonde_record_alloc_read(file, &recorded, &why);

	if (err) {
		sonde_error("cannot read %s: %s", file, why.s ? why.s : strerror(-err));
		sonde_buf_free(&why);
		return SONDE_EXIT_FAILURE;
	}
	sonde_buf_free(&why);
	if (!prepare(&recorded, file, how) || (how->baseline && !compare(&recorded, file, how->baseline)))
		goto out;
	if (recorded.growth)
		sonde_profile_files_write(how->files, recorded.profile, recorded.snapshot, "sonde alloc --growth", sonde_growth_pprof);
	else
		sonde_profile_files_write(how->files, recorded.profile, recorded.snapshot, "sonde alloc", sonde_alloc_pprof);
	sonde_report_begin(&report, how->trace, "alloc", true);
	if (!sonde_report(&report, recorded.snapshot))
		code = gate(recorded.snapshot);
out:
	sonde_recorded_free(&recorded);
	return code;
}
