// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_exact.c - what a report says of a run that watched every allocation.
 */
#include "base/buf.h"
#include "base/str.h"
#include "model/alloc.h"
#include "model/snapshot.h"
#include "out/alloc.h"
#include "out/jsonw.h"

static double percent(u64 ppm)
{
	return (double)ppm / 1e4;
}

void sonde_alloc_exact_text(const struct sonde_alloc *alloc, struct sonde_buf *line)
{
	const struct sonde_alloc_exact *exact = &alloc->exact;
	char calls[SONDE_STR_SHORT + 8], frees[SONDE_STR_SHORT + 8];

	if (exact->stopped_ns)
		sonde_buf_str(line, "partial: stopped above the budget; ");
	sonde_buf_printf(line, "every call counted: %s that allocate, %s that free; cost %.2f%% of one CPU, predicted %.2f%%, budget %.4g%%",
			 sonde_str_group(calls, exact->calls), sonde_str_group(frees, exact->frees), percent(exact->cost_ppm),
			 percent(exact->predicted_ppm), percent(exact->budget_ppm));
}

void sonde_alloc_exact_json(struct sonde_json *json, const struct sonde_snapshot *snapshot)
{
	const struct sonde_alloc_exact *exact = &snapshot->alloc->exact;

	sonde_json_open(json, "exact", '{');
	sonde_json_cstr(json, "state", exact->stopped_ns ? "partial" : "complete");
	if (exact->stopped_ns)
		sonde_json_u64(json, "until_unix_ns", exact->stopped_ns + snapshot->mono_to_unix_ns);
	sonde_json_double(json, "budget_cpu_percent", percent(exact->budget_ppm));
	sonde_json_double(json, "predicted_cpu_percent", percent(exact->predicted_ppm));
	sonde_json_double(json, "cost_cpu_percent", percent(exact->cost_ppm));
	sonde_json_u64(json, "calls", exact->calls);
	sonde_json_u64(json, "frees", exact->frees);
	sonde_json_close(json, '}');
}
