/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stack.h - filling a resolved stack. Only for user/sym.
 */
#ifndef SONDE_SYM_STACK_H
#define SONDE_SYM_STACK_H

#include "sym/sym.h"

/** sym_stack_reset - empty @stack, keep its memory for frames */
void sym_stack_reset(struct sonde_sym_stack *stack);

/** sym_stack_push - a zeroed frame at the end; NULL: no memory. Valid until the next push */
struct sonde_sym_frame *sym_stack_push(struct sonde_sym_stack *stack);

/** sym_stack_text - a copy of @len bytes, NUL-terminated, that lives as long as the stack; NULL: no memory */
const char *sym_stack_text(struct sonde_sym_stack *stack, const char *text, size_t len);

#endif /* SONDE_SYM_STACK_H */
