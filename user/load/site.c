// SPDX-License-Identifier: GPL-2.0-only
/*
 * site.c - where in a function a uprobe is cheap, and what a getter function gets.
 *
 * What x86 emulates: arch/x86/kernel/uprobes.c, branch_setup_xol_ops() and push_setup_xol_ops(). A five-byte nop is never
 * taken: Linux 6.18 replaces it by a call that writes below the stack pointer, where a leaf function has its data.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <capstone/capstone.h>

#include "load/site.h"

#define MAX_PROLOGUE 24 /* instructions looked at for a site */
#define MAX_GETTER 48
#define MAX_BODY 65536 /* bytes of a function searched for jumps back */

const char *sonde_site_cost_name(enum sonde_site_cost cost)
{
	return cost == SONDE_SITE_EMULATED ? "emulated" : "single-stepped";
}

u32 sonde_site_cost_ns(enum sonde_site_cost cost, bool ret)
{
	if (cost == SONDE_SITE_EMULATED)
		return ret ? 1080 : 600;
	return ret ? 12500 : 11000;
}

#ifdef __aarch64__

static int first_instruction(const u8 *code, size_t len, struct sonde_site *site)
{
	if (len < 4)
		return -ENOEXEC;
	site->skip = 0;
	site->cost = SONDE_SITE_STEPPED;
	snprintf(site->insn, sizeof(site->insn), "%02x%02x%02x%02x", code[3], code[2], code[1], code[0]);
	return 0;
}

int sonde_site_entry(const u8 *code, size_t len, u32 args, struct sonde_site *site)
{
	return first_instruction(code, len, site);
}

int sonde_site_return(const u8 *code, size_t len, u32 args, struct sonde_site *site)
{
	return first_instruction(code, len, site);
}

/* [bti c] cbz x0, null; ldr x0, [x0, #member]; ret; or [bti c] ldrb w0, [x0, #member]; ret */
int sonde_site_getter(const u8 *code, size_t len)
{
	u32 insn[4];
	size_t at = 0;

	if (len < sizeof(insn))
		return -ENOEXEC;
	memcpy(insn, code, sizeof(insn));
	if (insn[0] == 0xd503245f)
		at = 1;
	if ((insn[at] & 0xffc003ff) == 0x39400000 && insn[at + 1] == 0xd65f03c0)
		return insn[at] >> 10 & 0xfff;
	if ((insn[at] & 0xff00001f) != 0xb4000000 || (insn[at + 1] & 0xffc003ff) != 0xf9400000 ||
	    (at + 2 < 4 && insn[at + 2] != 0xd65f03c0))
		return -ENOEXEC;
	return (insn[at + 1] >> 10 & 0xfff) * 8;
}

bool sonde_site_jumps_to(const u8 *code, size_t len, s64 *target)
{
	return false;
}

#else /* x86-64 */

static bool emulated(const cs_insn *insn)
{
	const u8 *b = insn->bytes;

	switch (b[0]) {
	case 0x50 ... 0x57: /* push reg */
		return insn->size == 1;
	case 0x41: /* push r8..r15 */
		return insn->size == 2 && b[1] >= 0x50 && b[1] <= 0x57;
	case 0x90:
		return insn->size == 1;
	case 0xe8: /* call, jmp, jcc: relative */
	case 0xe9:
	case 0xeb:
	case 0x70 ... 0x7f:
		return true;
	case 0x0f:
		return insn->size == 6 && b[1] >= 0x80 && b[1] <= 0x8f;
	default:
		return false;
	}
}

static bool is_nop5(const cs_insn *insn)
{
	return insn->size == 5 && !memcmp(insn->bytes, "\x0f\x1f\x44\x00\x00", 5);
}

/* Number of the argument that a register (or a part of one) holds on entry, -1 for the others. */
static int argument(unsigned int reg)
{
	switch (reg) {
	case X86_REG_RDI:
	case X86_REG_EDI:
	case X86_REG_DI:
	case X86_REG_DIL:
		return 0;
	case X86_REG_RSI:
	case X86_REG_ESI:
	case X86_REG_SI:
	case X86_REG_SIL:
		return 1;
	case X86_REG_RDX:
	case X86_REG_EDX:
	case X86_REG_DX:
	case X86_REG_DL:
	case X86_REG_DH:
		return 2;
	case X86_REG_RCX:
	case X86_REG_ECX:
	case X86_REG_CX:
	case X86_REG_CL:
	case X86_REG_CH:
		return 3;
	case X86_REG_R8:
	case X86_REG_R8D:
	case X86_REG_R8W:
	case X86_REG_R8B:
		return 4;
	case X86_REG_R9:
	case X86_REG_R9D:
	case X86_REG_R9W:
	case X86_REG_R9B:
		return 5;
	default:
		return -1;
	}
}

/* movsxd rdx, edx: the value of an int stays what it is. */
static bool widens_itself(const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;

	return insn->id == X86_INS_MOVSXD && x->op_count == 2 && x->operands[1].type == X86_OP_REG &&
	       argument(x->operands[0].reg) == argument(x->operands[1].reg);
}

static bool in_group(csh cs, const cs_insn *insn, unsigned int group)
{
	return cs_insn_group(cs, insn, group);
}

static bool leaves(csh cs, const cs_insn *insn)
{
	return in_group(cs, insn, CS_GRP_JUMP) || in_group(cs, insn, CS_GRP_CALL) || in_group(cs, insn, CS_GRP_RET) ||
	       in_group(cs, insn, CS_GRP_INT);
}

/* Whether a probe behind @insn still finds the arguments (and the return address) in place. */
static bool keeps(csh cs, const cs_insn *insn, u32 args, bool ret)
{
	cs_regs read, written;
	u8 nr_read, nr_written;

	if (leaves(cs, insn) || cs_regs_access(cs, insn, read, &nr_read, written, &nr_written))
		return false;
	for (u8 i = 0; i < nr_written; i++) {
		int arg = argument(written[i]);

		if (arg >= 0 && args & SONDE_SITE_ARG(arg) && !widens_itself(insn))
			return false;
		if (ret && (written[i] == X86_REG_RSP || written[i] == X86_REG_ESP || written[i] == X86_REG_SP))
			return false;
	}
	return true;
}

/* Whether a jump inside the function comes back to 1..@skip: a probe there would be hit again. */
static bool comes_back(csh cs, cs_insn *insn, const u8 *code, size_t len, u32 skip)
{
	u64 addr = 0;

	if (len > MAX_BODY)
		len = MAX_BODY;
	while (cs_disasm_iter(cs, &code, &len, &addr, insn)) {
		const cs_x86 *x = &insn->detail->x86;

		if (!in_group(cs, insn, CS_GRP_JUMP) || x->op_count != 1 || x->operands[0].type != X86_OP_IMM)
			continue;
		if (x->operands[0].imm > 0 && x->operands[0].imm <= (s64)skip)
			return true;
	}
	return false;
}

static void take(struct sonde_site *site, const cs_insn *insn, enum sonde_site_cost cost)
{
	site->skip = insn->address;
	site->cost = cost;
	snprintf(site->insn, sizeof(site->insn), "%s%s%.24s", insn->mnemonic, *insn->op_str ? " " : "", insn->op_str);
}

static int open_decoder(csh *cs, cs_insn **insn)
{
	if (cs_open(CS_ARCH_X86, CS_MODE_64, cs))
		return -ENOMEM;
	cs_option(*cs, CS_OPT_DETAIL, CS_OPT_ON);
	*insn = cs_malloc(*cs);
	if (*insn)
		return 0;
	cs_close(cs);
	return -ENOMEM;
}

static void close_decoder(csh *cs, cs_insn *insn)
{
	cs_free(insn, 1);
	cs_close(cs);
}

static int find(const u8 *code, size_t len, u32 args, bool ret, struct sonde_site *site)
{
	const u8 *at = code;
	size_t left = len;
	int err = -ENOEXEC;
	cs_insn *insn;
	u64 addr = 0;
	csh cs;

	if (open_decoder(&cs, &insn))
		return -ENOMEM;
	for (int i = 0; i < MAX_PROLOGUE && cs_disasm_iter(cs, &at, &left, &addr, insn); i++) {
		if (emulated(insn)) {
			struct sonde_site cheap;

			take(&cheap, insn, SONDE_SITE_EMULATED);
			if (!cheap.skip || !comes_back(cs, insn, code, len, cheap.skip)) {
				*site = cheap;
				err = 0;
			}
			break;
		}
		if (err && !is_nop5(insn)) {
			take(site, insn, SONDE_SITE_STEPPED);
			err = 0;
		}
		if (!keeps(cs, insn, args, ret))
			break;
	}
	close_decoder(&cs, insn);
	return err;
}

int sonde_site_entry(const u8 *code, size_t len, u32 args, struct sonde_site *site)
{
	return find(code, len, args, false, site);
}

int sonde_site_return(const u8 *code, size_t len, u32 args, struct sonde_site *site)
{
	return find(code, len, args, true, site);
}

/* What is known of a register or stack slot while a getter is followed. */
enum what { NOTHING, ARG, MEMBER, NR_SLOTS = 8 };

struct value {
	enum what what;
	s64 off;
};

struct slot {
	unsigned int base;
	s64 disp;
	struct value value;
};

struct machine {
	struct value reg[X86_REG_ENDING];
	struct slot slot[NR_SLOTS];
	unsigned int nr_slots;
	bool compared; /* the flags tell that the argument is not NULL */
};

static struct value nothing;

static struct value *slot_of(struct machine *m, const x86_op_mem *mem)
{
	struct slot *s;

	if (mem->index != X86_REG_INVALID || mem->segment != X86_REG_INVALID ||
	    (mem->base != X86_REG_RBP && mem->base != X86_REG_RSP))
		return NULL;
	for (unsigned int i = 0; i < m->nr_slots; i++)
		if (m->slot[i].base == mem->base && m->slot[i].disp == mem->disp)
			return &m->slot[i].value;
	if (m->nr_slots == NR_SLOTS)
		return NULL;
	s = &m->slot[m->nr_slots++];
	*s = (struct slot){ .base = mem->base, .disp = mem->disp };
	return &s->value;
}

static struct value load(struct machine *m, const cs_x86_op *op)
{
	struct value *slot;

	if (op->size != 8)
		return nothing;
	if (op->type == X86_OP_REG && op->reg < X86_REG_ENDING)
		return m->reg[op->reg];
	if (op->type != X86_OP_MEM)
		return nothing;
	if (op->mem.index == X86_REG_INVALID && op->mem.segment == X86_REG_INVALID && op->mem.base < X86_REG_ENDING &&
	    m->reg[op->mem.base].what == ARG)
		return (struct value){ MEMBER, op->mem.disp };
	slot = slot_of(m, &op->mem);
	return slot ? *slot : nothing;
}

static struct value load_byte(const struct machine *m, const cs_x86_op *op)
{
	if (op->mem.index == X86_REG_INVALID && op->mem.segment == X86_REG_INVALID && op->mem.base < X86_REG_ENDING &&
	    m->reg[op->mem.base].what == ARG)
		return (struct value){ MEMBER, op->mem.disp };
	return nothing;
}

/* Returns false for an instruction that a getter does not have. */
static bool execute(struct machine *m, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	const cs_x86_op *op = x->operands;
	struct value *slot;

	switch (insn->id) {
	case X86_INS_ENDBR64:
	case X86_INS_NOP:
	case X86_INS_PUSH:
	case X86_INS_LEAVE:
		return true;
	case X86_INS_POP:
		m->reg[X86_REG_RBP] = nothing;
		return op[0].type == X86_OP_REG && op[0].reg == X86_REG_RBP;
	case X86_INS_TEST:
		m->compared = op[0].type == X86_OP_REG && op[1].type == X86_OP_REG && op[0].reg == op[1].reg &&
			      load(m, &op[0]).what == ARG;
		return true;
	case X86_INS_CMP:
		m->compared = op[1].type == X86_OP_IMM && !op[1].imm && load(m, &op[0]).what == ARG;
		return true;
	case X86_INS_XOR:
		m->compared = false;
		if (op[0].type != X86_OP_REG || op[1].type != X86_OP_REG || op[0].reg != op[1].reg)
			return false;
		if (op[0].reg == X86_REG_EAX)
			m->reg[X86_REG_RAX] = nothing;
		return op[0].reg == X86_REG_EAX;
	case X86_INS_MOVZX: /* of a byte: movzbl member(%rdi),%eax; without optimisation movzbl %al,%eax behind it */
		if (op[0].type != X86_OP_REG || op[0].reg != X86_REG_EAX || op[1].size != 1)
			return false;
		if (op[1].type == X86_OP_MEM)
			m->reg[X86_REG_RAX] = load_byte(m, &op[1]);
		return op[1].type == X86_OP_MEM || op[1].reg == X86_REG_AL;
	case X86_INS_MOV:
		if (op[0].type == X86_OP_MEM) {
			slot = slot_of(m, &op[0].mem);
			if (slot)
				*slot = load(m, &op[1]);
			return slot != NULL;
		}
		if (op[0].type != X86_OP_REG || op[0].reg >= X86_REG_ENDING || op[0].size != 8)
			return false;
		m->reg[op[0].reg] = load(m, &op[1]);
		return true;
	default:
		return false;
	}
}

int sonde_site_getter(const u8 *code, size_t len)
{
	struct machine m = { .reg[X86_REG_RDI] = { ARG, 0 } };
	struct value *result = &m.reg[X86_REG_RAX];
	int offset = -ENOEXEC;
	cs_insn *insn;
	u64 addr = 0;
	csh cs;

	if (open_decoder(&cs, &insn))
		return -ENOMEM;
	for (int i = 0; i < MAX_GETTER && addr < len; i++) {
		const u8 *at = code + addr;
		size_t left = len - addr;

		if (!cs_disasm_iter(cs, &at, &left, &addr, insn))
			break;
		if (insn->id == X86_INS_RET) {
			if (result->what == MEMBER && result->off >= 0 && result->off <= 0xffff)
				offset = result->off;
			break;
		}
		/* The flags tell that the argument is there: je falls through, jne and jmp are followed. */
		if (insn->id == X86_INS_JE && m.compared)
			continue;
		if (insn->id == X86_INS_JMP || (insn->id == X86_INS_JNE && m.compared)) {
			if (insn->detail->x86.operands[0].type != X86_OP_IMM)
				break;
			addr = insn->detail->x86.operands[0]
				       .imm; /* beyond the end (or before the beginning): leaves the loop */
			continue;
		}
		if (!execute(&m, insn))
			break;
	}
	close_decoder(&cs, insn);
	return offset;
}

bool sonde_site_jumps_to(const u8 *code, size_t len, s64 *target)
{
	bool found = false;
	cs_insn *insn;
	u64 addr = 0;
	csh cs;

	if (open_decoder(&cs, &insn))
		return false;
	for (int i = 0; i < 4 && cs_disasm_iter(cs, &code, &len, &addr, insn); i++) {
		if (!leaves(cs, insn))
			continue;
		found = insn->id == X86_INS_JMP && insn->detail->x86.operands[0].type == X86_OP_IMM;
		if (found)
			*target = insn->detail->x86.operands[0].imm;
		break;
	}
	close_decoder(&cs, insn);
	return found;
}

#endif
