// SPDX-License-Identifier: GPL-2.0-only
/*
 * waste.c - the time that repeated statements take, as stacks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "model/finding.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/waste.h"

#define TEXT_COLUMNS 240 /* of a statement */
#define OWN_FRAMES 3 /* scope, statement, and one for a call site that is not known */

/* Adds a frame that is no function. */
static int label(struct sonde_profile *profile, const char *text, u32 *frame)
{
	const struct sonde_frame from = { .function = text, .module = "", .file = "", .kind = SONDE_FRAME_LABEL };
	int index = sonde_profile_frame(profile, &from);

	if (index < 0)
		return index;
	*frame = (u32)index;
	return 0;
}

static int statement(struct sonde_profile *profile, const struct sonde_finding *finding, u32 *frame)
{
	const char *query = finding->query[0] ? finding->query : "(its text was not seen)";
	struct sonde_buf text = {};
	int err = -ENOMEM;

	sonde_buf_printf(&text, "%s: ", sonde_finding_kind_title(finding->kind));
	sonde_utf8_fit(&text, query, strlen(query), TEXT_COLUMNS);
	if (!text.failed)
		err = label(profile, text.s, frame);
	sonde_buf_free(&text);
	return err;
}

static int functions(struct sonde_profile *profile, const struct sonde_snapshot *snapshot, const struct sonde_finding *finding,
		     u32 *frame)
{
	if (!finding->nr_stack)
		return label(profile, "[call site not known]", frame);
	for (size_t i = 0; i < finding->nr_stack; i++) {
		int index = sonde_profile_frame(profile, &snapshot->frames->frame[finding->stack[i]]);

		if (index < 0)
			return index;
		frame[i] = (u32)index;
	}
	return 0;
}

static int add(struct sonde_profile *profile, const struct sonde_snapshot *snapshot, const struct sonde_finding *finding)
{
	struct sonde_stack stack = {
		.pid = finding->pid,
		.process = finding->process,
		.complete = finding->nr_stack != 0,
		.count = finding->calls > finding->scopes ? finding->calls - finding->scopes : 0,
		.weight = finding->waste_ns,
	};
	u32 *frame = calloc(finding->nr_stack + OWN_FRAMES, sizeof(*frame));
	int err = frame ? statement(profile, finding, frame) : -ENOMEM;

	if (!err)
		err = functions(profile, snapshot, finding, frame + 1);
	stack.nr = 1 + (u32)(finding->nr_stack ?: 1);
	if (!err && strcmp(finding->scope_name, finding->process) != 0)
		err = label(profile, finding->scope_name, &frame[stack.nr++]);
	stack.frame = frame;
	if (!err)
		err = sonde_profile_add(profile, &stack);
	free(frame);
	return err;
}

struct sonde_profile *sonde_waste_profile(const struct sonde_snapshot *snapshot)
{
	struct sonde_profile *profile = sonde_profile_new("waste", "nanoseconds");
	int err = 0;

	if (profile)
		profile->counted = "repeats";
	for (size_t i = 0; profile && i < snapshot->nr_findings && !err; i++) {
		const struct sonde_finding *finding = snapshot->findings[i];

		if (SONDE_FINDING_STATEMENTS >> finding->kind & 1 && !sonde_finding_single(finding->kind))
			err = add(profile, snapshot, finding);
	}
	if (!err || err == -ENOSPC) /* a profile holds no more: those of the greatest waste, which come first, are there */
		return profile;
	sonde_profile_free(profile);
	return NULL;
}
