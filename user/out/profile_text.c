// SPDX-License-Identifier: GPL-2.0-only
/*
 * profile_text.c - a profile for people: processes, functions, and how much of the stacks is whole.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "out/profile.h"
#include "out/text.h"
#include "out/usage.h"
#include "out/view.h"

#define MODULE_WIDTH 24
#define FIXED_WIDTH 20 /* columns of numbers in the table of functions */
#define SMALL 0.001 /* shares below are not told of */

static double percent(u64 part, u64 whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static const char *amount(char out[SONDE_STR_SHORT], const struct sonde_profile *profile, u64 weight)
{
	return !strcmp(profile->unit, "nanoseconds") ? sonde_str_ns(out, weight) : sonde_str_count(out, weight);
}

static void line(struct sonde_buf *buf, const struct sonde_out_opts *opts, struct sonde_buf *text,
		 enum sonde_style style)
{
	sonde_text_style(buf, opts, style);
	sonde_utf8_fit(buf, text->s ? text->s : "", text->len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_add(buf, "\n", 1);
	sonde_buf_cut(text, 0);
}

static void headline(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	const struct sonde_profile *profile = snapshot->profile;
	char t[SONDE_STR_SHORT], w[SONDE_STR_SHORT];
	struct sonde_buf text = {};

	sonde_buf_printf(&text, "sonde %s: ", opts->command);
	sonde_str_many(&text, profile->count, "sample");
	sonde_buf_printf(&text, " in %s", sonde_str_ns(t, snapshot->duration_ns));
	if (profile->hz)
		sonde_buf_printf(&text, " at %u Hz: %s on processors, %.2f busy", profile->hz,
				 amount(w, profile, profile->weight),
				 snapshot->duration_ns ? (double)profile->weight / (double)snapshot->duration_ns : 0.0);
	line(buf, opts, &text, SONDE_STYLE_BOLD);
	sonde_buf_free(&text);
}

/* How far the walks came, and what ended the others. */
static void shares(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_profile *profile)
{
	struct sonde_profile_share share;
	struct sonde_buf text = {};
	bool first = true;

	sonde_profile_share(profile, &share);
	if (!share.user)
		return;
	sonde_buf_printf(&text, "%.1f %% of user stacks are complete", percent(share.complete, share.user));
	for (u32 end = 0; end < SONDE_UNWIND_END_MAX; end++) {
		if (end == SONDE_UNWIND_END_NO_USER || end == SONDE_UNWIND_END_COMPLETE ||
		    percent(share.end[end], share.user) < 100 * SMALL)
			continue;
		sonde_buf_printf(&text, "%s%.1f %% %s", first ? "; other walks ended: " : ", ",
				 percent(share.end[end], share.user), sonde_unwind_end_name(end));
		first = false;
	}
	sonde_text_style(buf, opts, percent(share.complete, share.user) < 90 ? SONDE_STYLE_WARN : SONDE_STYLE_DIM);
	sonde_text_wrap(buf, opts, text.s ? text.s : "", 2, 0);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	buf->failed |= text.failed;
	sonde_buf_free(&text);
}

static void losses(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	u64 lost = snapshot->counter[SONDE_CNT_LOST_STACKS] + snapshot->profile->nr_lost;
	struct sonde_buf text = {};
	char n[SONDE_STR_SHORT + 8];

	if (!lost)
		return;
	sonde_buf_printf(&text, "%s samples are missing: no room for their stacks", sonde_str_group(n, lost));
	line(buf, opts, &text, SONDE_STYLE_BAD);
	sonde_buf_free(&text);
}

/* The last part of a path. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void processes(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_profile *profile,
		      size_t top)
{
	char all[SONDE_STR_SHORT], user[SONDE_STR_SHORT], kernel[SONDE_STR_SHORT], n[SONDE_STR_SHORT];
	struct sonde_profile_process *list;
	struct sonde_buf text = {};
	size_t nr;

	list = sonde_profile_processes(profile, &nr);
	sonde_buf_str(&text, " share     time     user   kernel  samples  process");
	line(buf, opts, &text, SONDE_STYLE_DIM);
	for (size_t i = 0; i < nr && i < top; i++) {
		const struct sonde_profile_process *p = &list[i];

		sonde_buf_printf(&text, "%5.1f%% %8s %8s %8s %8s  ", percent(p->user + p->kernel, profile->weight),
				 amount(all, profile, p->user + p->kernel), amount(user, profile, p->user),
				 amount(kernel, profile, p->kernel), sonde_str_count(n, p->count));
		sonde_utf8_clean(&text, p->process, strlen(p->process));
		if (p->nr > 1)
			sonde_buf_printf(&text, " (%u processes)", p->nr);
		else
			sonde_buf_printf(&text, " (pid %u)", p->pid);
		line(buf, opts, &text, SONDE_STYLE_NONE);
	}
	if (nr > top) {
		sonde_buf_printf(&text, "       ... and %zu more", nr - top);
		line(buf, opts, &text, SONDE_STYLE_DIM);
	}
	sonde_buf_free(&text);
	free(list);
}

static void functions(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_profile *profile,
		      size_t top)
{
	unsigned int width = opts->width > FIXED_WIDTH + MODULE_WIDTH + 20 ? opts->width - FIXED_WIDTH - MODULE_WIDTH
									   : 20,
		     used;
	struct sonde_profile_function *list;
	struct sonde_buf text = {};
	char t[SONDE_STR_SHORT];
	size_t nr;

	if (width > 72)
		width = 72;
	list = sonde_profile_functions(profile, &nr);
	sonde_buf_str(&text, "  self     time   total  function");
	sonde_buf_fill(&text, ' ', width > 6 ? width - 6 : 1);
	sonde_buf_str(&text, "module");
	line(buf, opts, &text, SONDE_STYLE_DIM);
	for (size_t i = 0; i < nr && i < top && list[i].self; i++) {
		const struct sonde_profile_function *f = &list[i];
		const char *module = base_name(f->module);

		sonde_buf_printf(&text, "%5.1f%% %8s %6.1f%%  ", percent(f->self, profile->weight),
				 amount(t, profile, f->self), percent(f->total, profile->weight));
		used = sonde_utf8_fit(&text, f->function, strlen(f->function), width);
		sonde_buf_fill(&text, ' ', width + 2 - used);
		sonde_utf8_clean(&text, module, strlen(module));
		line(buf, opts, &text, SONDE_STYLE_NONE);
	}
	sonde_buf_free(&text);
	free(list);
}

static void text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	const struct sonde_profile *profile = snapshot->profile;
	size_t top = opts->top ? opts->top : 100000, few;

	if (opts->height && top > opts->height)
		top = opts->height;
	few = opts->height ? opts->height / 6 + 1 : top / 4 + 1;
	headline(buf, opts, snapshot);
	losses(buf, opts, snapshot);
	if (!profile->count) {
		sonde_buf_str(buf, snapshot->final ? "No process that was asked for was on a processor.\n" : "");
		return;
	}
	shares(buf, opts, profile);
	sonde_buf_add(buf, "\n", 1);
	processes(buf, opts, profile, few);
	sonde_buf_add(buf, "\n", 1);
	sonde_usage_text(buf, opts, snapshot->usage, few);
	sonde_buf_add(buf, "\n", 1);
	functions(buf, opts, profile, opts->height ? (top > 2 * few + 12 ? top - 2 * few - 12 : 1) : top);
}

static void json_members(struct sonde_json *json, const struct sonde_snapshot *snapshot,
			 const struct sonde_out_opts *opts)
{
	sonde_profile_json(json, snapshot->profile, opts->top);
	sonde_usage_json(json, snapshot->usage);
}

const struct sonde_out_view sonde_view_cpu = {
	.what = "samples",
	.text = text,
	.json = json_members,
};
