// SPDX-License-Identifier: GPL-2.0-only
/*
 * cfa.c - the call frame instructions of .eh_frame, executed to rows (DWARF 4, 6.4.2; the x86-64 psABI's registers).
 */
#include <errno.h>
#include <string.h>

#include "unwind/cfa.h"

#define REG_BP 6
#define REG_SP 7
#define MAX_REMEMBERED 16

/* How a value of the caller is found. */
enum how {
	HOW_SAME, /* unchanged */
	HOW_OFFSET, /* in memory at CFA + off */
	HOW_EXPRESSION, /* in memory at what @expr computes; of the CFA: its value */
	HOW_REGISTER, /* only of the CFA: register + off */
	HOW_UNDEFINED,
	HOW_OTHER,
};

struct rule {
	enum how how;
	u64 reg;
	s64 off;
	struct unwind_cursor expr;
};

struct state {
	struct rule cfa, bp, ra;
};

/* One function being executed. */
struct run {
	const struct unwind_cie *cie;
	struct state now, initial;
	struct state remembered[MAX_REMEMBERED];
	unsigned int nr_remembered;
	u64 pc, told; /* told up to here */
	u64 end;
	unwind_row_fn fn;
	void *ctx;
};

enum {
	OP_DEREF = 0x06,
	OP_AND = 0x1a,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG_SP = OP_BREG0 + REG_SP,
	OP_BREG_BP = OP_BREG0 + REG_BP,
	OP_BREG_PC = OP_BREG0 + 16,
};

static bool fits(s64 off, s64 min, s64 max)
{
	return !(off & 7) && off / 8 >= min && off / 8 <= max;
}

/* breg7 8; breg16 0; lit15; and; litN; ge; lit3; shl; plus: the linker's rule for its procedure linkage table. */
static bool is_plt(struct unwind_cursor e, u16 *from)
{
	u64 lit;

	if (unwind_number(&e, 1) != OP_BREG_SP || unwind_sleb(&e) != 8 || unwind_number(&e, 1) != OP_BREG_PC ||
	    unwind_sleb(&e) || unwind_number(&e, 1) != OP_LIT0 + 15 || unwind_number(&e, 1) != OP_AND)
		return false;
	lit = unwind_number(&e, 1);
	if (lit < OP_LIT0 || lit > OP_LIT0 + 15 || unwind_number(&e, 1) != OP_GE ||
	    unwind_number(&e, 1) != OP_LIT0 + 3 || unwind_number(&e, 1) != OP_SHL || unwind_number(&e, 1) != OP_PLUS ||
	    e.bad || unwind_left(&e))
		return false;
	*from = (u16)(lit - OP_LIT0);
	return true;
}

/* bregN off; deref; perhaps plus_uconst 8: how programs that align their stack, and assembly, keep the old stack pointer. */
static void set_deref(struct unwind_cursor e, const struct unwind_cie *cie, struct sonde_unwind_row *row)
{
	u64 op = unwind_number(&e, 1), plus = 0;
	s64 off = unwind_sleb(&e);

	if ((op != OP_BREG_SP && op != OP_BREG_BP) || unwind_number(&e, 1) != OP_DEREF)
		return;
	if (unwind_left(&e)) {
		if (unwind_number(&e, 1) != OP_PLUS_UCONST)
			return;
		plus = unwind_uleb(&e);
	}
	if (e.bad || unwind_left(&e) || !fits(off, -16384, 16383) || (plus && plus != 8))
		return;
	if (cie->signal && op == OP_BREG_SP && !plus) {
		row->kind = SONDE_UNWIND_SIGNAL;
		row->cfa = (u16)(off / 8);
		return;
	}
	row->kind = op == OP_BREG_SP ? SONDE_UNWIND_AT_SP : SONDE_UNWIND_AT_BP;
	row->cfa = (u16)((off / 8 & 0x7fff) | (plus ? SONDE_UNWIND_AT_PLUS : 0));
}

static void set_cfa(const struct rule *cfa, const struct unwind_cie *cie, struct sonde_unwind_row *row)
{
	row->kind = SONDE_UNWIND_ODD;
	if (cfa->how == HOW_REGISTER && fits(cfa->off, 0, 0xffff)) {
		if (cfa->reg == REG_SP)
			row->kind = SONDE_UNWIND_SP;
		else if (cfa->reg == REG_BP)
			row->kind = SONDE_UNWIND_BP;
		if (row->kind != SONDE_UNWIND_ODD)
			row->cfa = (u16)(cfa->off / 8);
	} else if (cfa->how == HOW_EXPRESSION) {
		if (is_plt(cfa->expr, &row->cfa))
			row->kind = SONDE_UNWIND_PLT;
		else
			set_deref(cfa->expr, cie, row);
	}
}

static void set_bp(const struct rule *bp, struct sonde_unwind_row *row)
{
	struct unwind_cursor e = bp->expr;
	s64 off;

	switch (bp->how) {
	case HOW_SAME:
		return;
	case HOW_OFFSET:
		if (bp->off && fits(bp->off, -128, 127)) {
			row->bp = (s8)(bp->off / 8);
			return;
		}
		break;
	case HOW_EXPRESSION:
		if (unwind_number(&e, 1) != OP_BREG_BP)
			break;
		off = unwind_sleb(&e);
		if (!e.bad && !unwind_left(&e) && fits(off, -128, 127)) {
			row->bp = (s8)(off / 8);
			row->kind |= SONDE_UNWIND_BP_AT_BP;
			return;
		}
		break;
	default:
		break;
	}
	row->kind |= SONDE_UNWIND_BP_LOST;
}

static struct sonde_unwind_row row_of(const struct run *run)
{
	const struct state *s = &run->now;
	struct sonde_unwind_row row = {};

	if (s->ra.how == HOW_UNDEFINED) {
		row.kind = SONDE_UNWIND_OUTERMOST;
		return row;
	}
	set_cfa(&s->cfa, run->cie, &row);
	if (row.kind == SONDE_UNWIND_SIGNAL || row.kind == SONDE_UNWIND_ODD)
		return row;
	if (s->ra.how != HOW_OFFSET || s->ra.off != -8) {
		row.kind = SONDE_UNWIND_ODD;
		return row;
	}
	set_bp(&s->bp, &row);
	return row;
}

/* The code up to @pc is under the rules of now. */
static int advance(struct run *run, u64 pc)
{
	struct sonde_unwind_row row;

	if (pc < run->pc)
		return -EINVAL;
	if (pc > run->end)
		pc = run->end;
	run->pc = pc;
	if (pc == run->told)
		return 0;
	row = row_of(run);
	pc = run->told;
	run->told = run->pc;
	return run->fn(run->ctx, pc, &row);
}

static struct rule *rule_of(struct run *run, struct state *state, u64 reg)
{
	return reg == REG_BP ? &state->bp : reg == run->cie->ra_register ? &state->ra : NULL;
}

static void set_rule(struct run *run, u64 reg, enum how how, s64 off)
{
	struct rule *rule = rule_of(run, &run->now, reg);

	if (rule)
		*rule = (struct rule){ .how = how, .off = off };
}

static void restore(struct run *run, u64 reg)
{
	struct rule *rule = rule_of(run, &run->now, reg);

	if (rule)
		*rule = *rule_of(run, &run->initial, reg);
}

static int remember(struct run *run, bool back)
{
	if (back ? !run->nr_remembered : run->nr_remembered == MAX_REMEMBERED)
		return -EINVAL;
	if (back)
		run->now = run->remembered[--run->nr_remembered];
	else
		run->remembered[run->nr_remembered++] = run->now;
	return 0;
}

/* Instructions that say where the CFA is; false: it is none of them. */
static bool step_cfa(struct run *run, struct unwind_cursor *c, u64 op)
{
	s64 align = run->cie->data_align;
	struct rule *cfa = &run->now.cfa;

	switch (op) {
	case 0x0c: /* def_cfa */
	case 0x12: /* def_cfa_sf */
		cfa->how = HOW_REGISTER;
		cfa->reg = unwind_uleb(c);
		cfa->off = op == 0x0c ? (s64)unwind_uleb(c) : (s64)((u64)unwind_sleb(c) * (u64)align);
		return true;
	case 0x0d: /* def_cfa_register */
		cfa->how = HOW_REGISTER;
		cfa->reg = unwind_uleb(c);
		return true;
	case 0x0e: /* def_cfa_offset */
		cfa->off = (s64)unwind_uleb(c);
		return true;
	case 0x13: /* def_cfa_offset_sf */
		cfa->off = (s64)((u64)unwind_sleb(c) * (u64)align);
		return true;
	case 0x0f: /* def_cfa_expression */
		cfa->how = HOW_EXPRESSION;
		cfa->expr = unwind_part(c, unwind_uleb(c));
		return true;
	default:
		return false;
	}
}

/* Instructions that say where a register is; false: it is none of them. */
static bool step_register(struct run *run, struct unwind_cursor *c, u64 op)
{
	u64 align = (u64)run->cie->data_align, reg;
	struct unwind_cursor expr;
	struct rule *rule;

	switch (op) {
	case 0x05: /* offset_extended */
	case 0x11: /* offset_extended_sf */
	case 0x2f: /* GNU_negative_offset_extended */
		reg = unwind_uleb(c);
		set_rule(run, reg, HOW_OFFSET,
			 (s64)(op == 0x11 ? (u64)unwind_sleb(c) * align
					  : unwind_uleb(c) * (op == 0x2f ? 0 - align : align)));
		return true;
	case 0x06: /* restore_extended */
		restore(run, unwind_uleb(c));
		return true;
	case 0x07: /* undefined */
		set_rule(run, unwind_uleb(c), HOW_UNDEFINED, 0);
		return true;
	case 0x08: /* same_value */
		set_rule(run, unwind_uleb(c), HOW_SAME, 0);
		return true;
	case 0x09: /* register */
	case 0x14: /* val_offset */
	case 0x15: /* val_offset_sf */
		set_rule(run, unwind_uleb(c), HOW_OTHER, 0);
		unwind_uleb(c);
		return true;
	case 0x10: /* expression */
	case 0x16: /* val_expression */
		reg = unwind_uleb(c);
		expr = unwind_part(c, unwind_uleb(c));
		rule = rule_of(run, &run->now, reg);
		if (rule)
			*rule = (struct rule){ .how = op == 0x10 ? HOW_EXPRESSION : HOW_OTHER, .expr = expr };
		return true;
	default:
		return false;
	}
}

static int step(struct run *run, struct unwind_cursor *c)
{
	u64 op = unwind_number(c, 1), align = run->cie->code_align, low = op & 0x3f;

	switch (op & 0xc0) {
	case 0x40: /* advance_loc */
		return advance(run, run->pc + low * align);
	case 0x80: /* offset */
		set_rule(run, low, HOW_OFFSET, (s64)(unwind_uleb(c) * (u64)run->cie->data_align));
		return 0;
	case 0xc0:
		restore(run, low);
		return 0;
	default:
		break;
	}
	switch (op) {
	case 0x00: /* nop */
		return 0;
	case 0x01: /* set_loc */
		return advance(run, unwind_pointer(c, run->cie->fde_encoding, 0));
	case 0x02: /* advance_loc1, 2, 4 */
	case 0x03:
	case 0x04:
		return advance(run, run->pc + unwind_number(c, 1u << (op - 2)) * align);
	case 0x0a: /* remember_state, restore_state */
	case 0x0b:
		return remember(run, op == 0x0b);
	case 0x2e: /* GNU_args_size */
		unwind_uleb(c);
		return 0;
	default:
		return step_cfa(run, c, op) || step_register(run, c, op) ? 0 : -EINVAL;
	}
}

int unwind_cfa_run(const struct unwind_cie *cie, struct unwind_cursor program, u64 pc, u64 end, unwind_row_fn fn,
		   void *ctx)
{
	struct run run = { .cie = cie, .pc = pc, .told = pc, .end = end, .fn = fn, .ctx = ctx };
	struct unwind_cursor first = cie->initial;
	int err = 0;

	while (!err && unwind_left(&first))
		err = step(&run, &first);
	run.initial = run.now;
	while (!err && unwind_left(&program))
		err = step(&run, &program);
	if (err || first.bad || program.bad)
		return err ? err : -EINVAL;
	return advance(&run, end);
}
