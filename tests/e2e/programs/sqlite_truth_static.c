// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -l:libsqlite3.a -lm -ldl -lpthread */
/*
 * sqlite_truth_static.c - sqlite_truth.c with SQLite linked into the program.
 */
#include "sqlite_truth.c"
