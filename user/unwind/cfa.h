/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cfa.h - the call frame instructions of .eh_frame, executed to rows. Only for user/unwind.
 */
#ifndef SONDE_UNWIND_CFA_H
#define SONDE_UNWIND_CFA_H

#include <stddef.h>

#include "sonde/unwind.h"
#include "unwind/cursor.h"

/**
 * struct unwind_cie - what the functions of one compilation have in common
 * @fde_encoding: of addresses (DW_EH_PE_*)
 * @signal: its functions are called by the kernel for a signal
 * @initial: the instructions that stand before those of each function
 */
struct unwind_cie {
	u64 code_align;
	s64 data_align;
	u64 ra_register;
	u8 fde_encoding;
	bool augmented; /* a length stands before the augmentation data */
	bool signal;
	struct unwind_cursor initial;
};

/** typedef of the callback: from address @pc on @row holds, whose pc is not set; a value other than 0 ends it */
typedef int (*unwind_row_fn)(void *ctx, u64 pc, const struct sonde_unwind_row *row);

/**
 * unwind_cfa_run - execute the instructions @program of a function at @pc
 *
 * Calls @fn for each stretch of code, in order of address. Returns 0, -EINVAL for instructions that mean nothing, or what
 * @fn returned.
 */
int unwind_cfa_run(const struct unwind_cie *cie, struct unwind_cursor program, u64 pc, u64 end, unwind_row_fn fn,
		   void *ctx);

#endif /* SONDE_UNWIND_CFA_H */
