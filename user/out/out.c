// SPDX-License-Identifier: GPL-2.0-only
/*
 * out.c - the list of outputs.
 */
#include "out/out.h"

const struct sonde_out *const sonde_outs[SONDE_OUT_MAX] = {
#define SONDE_OUT(symbol, name) [SONDE_OUT_##symbol] = &sonde_out_##symbol,
#include "out.def"
#undef SONDE_OUT
};
