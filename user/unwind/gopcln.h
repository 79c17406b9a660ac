/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gopcln.h - the stack frames of Go code, from the table that Go programs carry for their own tracebacks. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_GOPCLN_H
#define SONDE_UNWIND_GOPCLN_H

#include "unwind/table.h"

/**
 * unwind_gopcln_table - a table of the @len bytes of .gopclntab
 * @text: where .text begins, as linked; @entry: of the program: both serve where the table itself does not say what it counts from
 *
 * Returns 0 (@out is to be freed with unwind_table_free()), -ENOENT if this is no table of a known version, -E2BIG if the program is
 * larger than a table can be, or -ENOMEM.
 */
int unwind_gopcln_table(const u8 *bytes, size_t len, u64 text, u64 entry, struct unwind_table *out);

#endif /* SONDE_UNWIND_GOPCLN_H */
