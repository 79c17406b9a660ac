// SPDX-License-Identifier: GPL-2.0-only
/*
 * callee.c - which function a thin wrapper hands its arguments to.
 *
 * Registers are followed through moves; whatever is not understood makes a register's content unknown, never wrong.
 */
#include <string.h>

#include <capstone/capstone.h>

#include "load/callee.h"

#ifdef __aarch64__

size_t sonde_callee_find(const u8 *code, size_t len, u64 addr, struct sonde_callee callee[SONDE_CALLEE_MAX])
{
	return 0;
}

#else /* x86-64 */

#define MAX_STEPS 256 /* instructions looked at in all */
#define MAX_WAYS 8 /* branches that wait to be followed */

/* What a register holds: argument number + 1, or one of these. */
enum { UNKNOWN = 0, FRAME = 100 };

/* The general registers by number, whatever their width. */
static int number_of(unsigned int reg)
{
	static const unsigned int names[][4] = {
		{ X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL }, /* arguments first, in their order */
		{ X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL },
		{ X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL },
		{ X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL },
		{ X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B },
		{ X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B },
		{ X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL },
		{ X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL },
		{ X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL },
		{ X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL },
		{ X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B },
		{ X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B },
		{ X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B },
		{ X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B },
		{ X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B },
		{ X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B },
	};

	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 4; k++)
			if (names[i][k] == reg)
				return i;
	/* The upper halves of the first four. */
	return reg == X86_REG_DH ? 2 : reg == X86_REG_CH ? 3 : reg == X86_REG_AH ? 6 : reg == X86_REG_BH ? 7 : -1;
}

enum { RSP = 8, NR_REGS = 16 };

struct way {
	u64 addr;
	u8 reg[NR_REGS];
};

struct search {
	csh cs;
	cs_insn *insn;
	const u8 *code;
	size_t len;
	u64 addr;
	int steps;
	struct way way[MAX_WAYS];
	size_t nr_ways;
	struct sonde_callee *callee;
	size_t nr_callees;
};

static u8 value_of(const struct way *w, const cs_x86_op *op)
{
	int from;

	if (op->type != X86_OP_REG)
		return UNKNOWN;
	from = number_of(op->reg);
	return from < 0 ? UNKNOWN : w->reg[from];
}

/* What the instruction leaves in the registers. */
static void execute(struct search *s, struct way *w)
{
	const cs_insn *insn = s->insn;
	const cs_x86_op *op = insn->detail->x86.operands;
	cs_regs read, written;
	u8 nr_read, nr_written, value = UNKNOWN;
	int to;

	if (insn->id == X86_INS_PUSH)
		return; /* the stack pointer still points into the frame */
	if ((insn->id == X86_INS_SUB || insn->id == X86_INS_AND) && op[0].type == X86_OP_REG &&
	    op[0].reg == X86_REG_RSP)
		return;
	if (insn->id == X86_INS_MOV && op[0].size == 8)
		value = value_of(w, &op[1]);
	else if (insn->id == X86_INS_MOV && op[0].size == 4 && value_of(w, &op[1]) < FRAME)
		value = value_of(w, &op[1]); /* an int */
	else if (insn->id == X86_INS_MOVSXD)
		value = value_of(w, &op[1]);
	else if (insn->id == X86_INS_LEA && op[1].mem.index == X86_REG_INVALID && number_of(op[1].mem.base) >= 0 &&
		 w->reg[number_of(op[1].mem.base)] == FRAME)
		value = FRAME;
	if (cs_regs_access(s->cs, insn, read, &nr_read, written, &nr_written)) {
		memset(w->reg, UNKNOWN, sizeof(w->reg));
		return;
	}
	for (u8 i = 0; i < nr_written; i++) {
		to = number_of(written[i]);
		if (to >= 0)
			w->reg[to] = UNKNOWN;
	}
	if (value != UNKNOWN && op[0].type == X86_OP_REG && (to = number_of(op[0].reg)) >= 0)
		w->reg[to] = value;
}

/* A call or a jump out of the function: of interest if it passes on what the wrapper got. */
static void called(struct search *s, const struct way *w, u64 target)
{
	struct sonde_callee c = { .target = target, .stack = SONDE_CALLEE_NONE };

	for (size_t i = 0; i < sizeof(c.arg); i++)
		c.arg[i] = SONDE_CALLEE_NONE;
	for (u8 i = SONDE_CALLEE_ARGS; i-- > 0;) {
		if (w->reg[i] >= 1 && w->reg[i] <= sizeof(c.arg))
			c.arg[w->reg[i] - 1] = i;
		else if (w->reg[i] == FRAME)
			c.stack = i;
	}
	if (c.arg[0] != 0 || c.arg[1] == SONDE_CALLEE_NONE || c.arg[2] == SONDE_CALLEE_NONE)
		return;
	for (size_t i = 0; i < s->nr_callees; i++)
		if (s->callee[i].target == target)
			return;
	if (s->nr_callees < SONDE_CALLEE_MAX)
		s->callee[s->nr_callees++] = c;
}

static bool inside(const struct search *s, u64 addr)
{
	return addr >= s->addr && addr - s->addr < s->len;
}

static void follow(struct search *s, struct way w)
{
	while (inside(s, w.addr) && s->steps++ < MAX_STEPS) {
		const u8 *at = s->code + (w.addr - s->addr);
		size_t left = s->len - (w.addr - s->addr);
		const cs_x86 *x;
		u64 target;

		if (!cs_disasm_iter(s->cs, &at, &left, &w.addr, s->insn))
			return;
		x = &s->insn->detail->x86;
		target = x->op_count == 1 && x->operands[0].type == X86_OP_IMM ? (u64)x->operands[0].imm : 0;
		if (cs_insn_group(s->cs, s->insn, CS_GRP_CALL)) {
			if (target)
				called(s, &w, target);
			return;
		}
		if (s->insn->id == X86_INS_JMP) {
			if (target && !inside(s, target))
				called(s, &w, target);
			if (!target || !inside(s, target) || target <= s->insn->address)
				return;
			w.addr = target;
			continue;
		}
		if (cs_insn_group(s->cs, s->insn, CS_GRP_JUMP)) {
			if (target > s->insn->address && s->nr_ways < MAX_WAYS) {
				s->way[s->nr_ways] = w;
				s->way[s->nr_ways++].addr = target;
			}
			continue;
		}
		if (cs_insn_group(s->cs, s->insn, CS_GRP_RET) || cs_insn_group(s->cs, s->insn, CS_GRP_INT))
			return;
		execute(s, &w);
	}
}

size_t sonde_callee_find(const u8 *code, size_t len, u64 addr, struct sonde_callee callee[SONDE_CALLEE_MAX])
{
	struct search s = { .code = code, .len = len, .addr = addr, .callee = callee };
	struct way first = { .addr = addr, .reg = { 1, 2, 3, 4, 5 } };

	first.reg[RSP] = FRAME;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &s.cs))
		return 0;
	cs_option(s.cs, CS_OPT_DETAIL, CS_OPT_ON);
	s.insn = cs_malloc(s.cs);
	if (s.insn) {
		follow(&s, first);
		while (s.nr_ways) {
			struct way next = s.way[--s.nr_ways];

			follow(&s, next);
		}
		cs_free(s.insn, 1);
	}
	cs_close(&s.cs);
	return s.nr_callees;
}

#endif
