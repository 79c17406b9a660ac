/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * name.h - function names as people write them: of symbols, and of just-in-time compilers. Only for user/sym.
 */
#ifndef SONDE_SYM_NAME_H
#define SONDE_SYM_NAME_H

#include "sym/sym.h"

#define SYM_NAME_BYTES 1024 /* longer names are cut */

/**
 * sym_name_plain - a symbol's name, demangled and without parameters
 * @lang: set if the mangling tells the language, else left
 *
 * Endings that compilers add to copies and parts of a function are dropped. Returns the length.
 */
size_t sym_name_plain(const char *symbol, char out[SYM_NAME_BYTES], enum sonde_sym_lang *lang);

/**
 * struct sym_jit_name - what a name in a perf map says
 * @function, @file: places in the name, with their lengths (0: none)
 */
struct sym_jit_name {
	enum sonde_sym_lang lang;
	const char *function;
	size_t function_len;
	const char *file;
	size_t file_len;
	u32 line;
};

/**
 * sym_name_jit - take apart a name of a perf map
 * @java: the process is a Java virtual machine
 * @scratch: where a rewritten name may stand
 *
 * Known: V8 ("LazyCompile:*list /app/shop.js:12:5", "JS:~list file:///app/shop.mjs:12:5"), CPython 3.12
 * ("py::list:/app/shop.py"), HotSpot ("void shop.Orders.list(int)") and perf-map-agent ("Lshop/Orders;::list").
 */
struct sym_jit_name sym_name_jit(const char *name, bool java, char scratch[SYM_NAME_BYTES]);

#endif /* SONDE_SYM_NAME_H */
