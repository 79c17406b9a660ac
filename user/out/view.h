/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * view.h - how the numbers of one view are printed. Statements and endpoints, which are much alike, have text.c and json.c itself.
 */
#ifndef SONDE_OUT_VIEW_H
#define SONDE_OUT_VIEW_H

#include "sonde/key.h"

struct sonde_buf;
struct sonde_json;
struct sonde_out_opts;
struct sonde_snapshot;

/**
 * struct sonde_out_view - a view
 * @what: what is counted ("system calls"), for the line of coverage
 * @text: the whole report for people
 * @json: the document's members between coverage and its end
 */
struct sonde_out_view {
	const char *what;
	void (*text)(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf);
	void (*json)(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts);
};

/** sonde_views - by enum sonde_view; NULL for statements and endpoints */
extern const struct sonde_out_view *const sonde_views[SONDE_VIEWS];

#define SONDE_OUT_VIEW(view, symbol) extern const struct sonde_out_view sonde_view_##symbol;
#include "out/view.def"
#undef SONDE_OUT_VIEW

#endif /* SONDE_OUT_VIEW_H */
