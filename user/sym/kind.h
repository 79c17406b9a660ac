/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kind.h - whose code a frame is, by the rules of runtime.def. Only for user/sym.
 */
#ifndef SONDE_SYM_KIND_H
#define SONDE_SYM_KIND_H

#include "sym/sym.h"

/** sym_kind_of - by language, module, function and file of @frame */
enum sonde_sym_kind sym_kind_of(const struct sonde_sym_frame *frame);

/** sym_kind_of_module - what the rules say of a mapped file alone; SONDE_SYM_UNKNOWN: nothing */
enum sonde_sym_kind sym_kind_of_module(const char *path);

/** sym_glob - whether @pattern matches the whole of @text: '*' is any text, slashes too, '?' one character */
bool sym_glob(const char *pattern, const char *text);

#endif /* SONDE_SYM_KIND_H */
