// SPDX-License-Identifier: GPL-2.0-only
/*
 * profile_json.c - a profile in the JSON document: shares, processes, functions, stacks.
 */
#include <stdlib.h>
#include <string.h>

#include "model/profile.h"
#include "out/jsonw.h"
#include "out/profile.h"

static void processes(struct sonde_json *json, const struct sonde_profile *profile)
{
	struct sonde_profile_process *list;
	size_t nr;

	list = sonde_profile_processes(profile, &nr);
	sonde_json_open(json, "processes", '[');
	for (size_t i = 0; i < nr; i++) {
		sonde_json_open(json, NULL, '{');
		sonde_json_cstr(json, "process", list[i].process);
		sonde_json_u64(json, "pid", list[i].pid);
		sonde_json_u64(json, "processes", list[i].nr);
		sonde_json_u64(json, "count", list[i].count);
		sonde_json_u64(json, "user", list[i].user);
		sonde_json_u64(json, "kernel", list[i].kernel);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	free(list);
}

static void functions(struct sonde_json *json, const struct sonde_profile *profile, size_t top)
{
	struct sonde_profile_function *list;
	size_t nr;

	list = sonde_profile_functions(profile, &nr);
	sonde_json_open(json, "functions", '[');
	for (size_t i = 0; i < nr && i < top; i++) {
		if (!list[i].total) /* only in stacks that found no room */
			continue;
		sonde_json_open(json, NULL, '{');
		sonde_json_cstr(json, "function", list[i].function);
		sonde_json_cstr(json, "module", list[i].module);
		sonde_json_u64(json, "self", list[i].self);
		sonde_json_u64(json, "total", list[i].total);
		sonde_json_close(json, '}');
	}
	sonde_json_close(json, ']');
	free(list);
}

static void stack(struct sonde_json *json, const struct sonde_profile *profile, const struct sonde_stack *s)
{
	sonde_json_open(json, NULL, '{');
	sonde_json_u64(json, "pid", s->pid);
	sonde_json_cstr(json, "process", s->process);
	sonde_json_u64(json, "count", s->count);
	sonde_json_u64(json, "weight", s->weight);
	sonde_json_bool(json, "complete", s->complete);
	sonde_json_cstr(json, "end", sonde_unwind_end_name(s->end));
	sonde_json_u64(json, "kernel_frames", s->nr_kernel);
	sonde_json_open(json, "frames", '[');
	for (u32 i = 0; i < s->nr; i++)
		sonde_json_cstr(json, NULL, profile->frame[s->frame[i]].function);
	sonde_json_close(json, ']');
	sonde_json_close(json, '}');
}

void sonde_profile_json(struct sonde_json *json, const struct sonde_profile *profile, unsigned int top)
{
	struct sonde_profile_share share;
	size_t most = top ? top : SIZE_MAX;

	sonde_profile_share(profile, &share);
	sonde_json_open(json, "stacks", '{');
	sonde_json_cstr(json, "type", profile->type);
	sonde_json_cstr(json, "unit", profile->unit);
	if (profile->hz)
		sonde_json_u64(json, "hz", profile->hz);
	sonde_json_u64(json, "count", profile->count);
	sonde_json_u64(json, "weight", profile->weight);
	sonde_json_u64(json, "user_weight", share.user);
	sonde_json_u64(json, "complete_weight", share.complete);
	sonde_json_open(json, "ends", '{');
	for (u32 i = 0; i < SONDE_UNWIND_END_MAX; i++)
		if (share.end[i])
			sonde_json_u64(json, sonde_unwind_end_name(i), share.end[i]);
	sonde_json_close(json, '}');
	processes(json, profile);
	functions(json, profile, most);
	sonde_json_open(json, "stacks", '[');
	for (size_t i = 0; i < profile->nr_stacks && i < most; i++)
		stack(json, profile, &profile->stack[i]);
	sonde_json_close(json, ']');
	sonde_json_close(json, '}');
}
