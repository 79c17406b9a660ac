// SPDX-License-Identifier: GPL-2.0-only
/*
 * out.c - the list of outputs.
 */
#include "out/out.h"
#include "out/view.h"

const struct sonde_out *const sonde_outs[SONDE_OUT_MAX] = {
#define SONDE_OUT(symbol, name) [SONDE_OUT_##symbol] = &sonde_out_##symbol,
#include "out.def"
#undef SONDE_OUT
};

const struct sonde_out_view *const sonde_views[SONDE_VIEWS] = {
#define SONDE_OUT_VIEW(view, symbol) [SONDE_VIEW_##view] = &sonde_view_##symbol,
#include "view.def"
#undef SONDE_OUT_VIEW
};
