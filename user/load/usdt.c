// SPDX-License-Identifier: GPL-2.0-only
/*
 * usdt.c - reads .note.stapsdt: probes, their semaphores and arguments.
 *
 * A note holds three addresses (probe, .stapsdt.base, semaphore) and three strings (provider, name, arguments). What
 * the second differs from where .stapsdt.base is now the others were moved by, too (prelinking).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <asm/ptrace.h>

#include "load/elf.h"
#include "load/usdt.h"

#define MAX_NOTES (16u << 20)
#define NOTE_TYPE 3u

#ifdef __aarch64__

/* "x0", "w3", "sp": as it stands in the operand. */
static int register_offset(const char *name, size_t len)
{
	char digits[4] = "", *end;
	unsigned long n;

	if (len == 2 && !memcmp(name, "sp", 2))
		return (int)offsetof(struct user_pt_regs, sp);
	if (len < 2 || len > 3 || (name[0] != 'x' && name[0] != 'w'))
		return -EINVAL;
	memcpy(digits, name + 1, len - 1);
	n = strtoul(digits, &end, 10);
	return *end || n > 30 ? -EINVAL : (int)(n * 8);
}

/* x0; [sp]; [sp, 16]; 5 */
static int operand(const char *s, size_t len, struct sonde_alloc_arg *arg)
{
	const char *comma = memchr(s, ',', len), *end = s + len;
	int reg;

	if (s[0] == '[') {
		if (end[-1] != ']')
			return -EINVAL;
		arg->kind = SONDE_ALLOC_ARG_MEMORY;
		reg = register_offset(s + 1, (size_t)((comma ?: end - 1) - s - 1));
		arg->value = comma ? strtoll(comma + 1, NULL, 10) : 0;
	} else if (s[0] == '-' || (s[0] >= '0' && s[0] <= '9')) {
		arg->kind = SONDE_ALLOC_ARG_CONST;
		arg->value = strtoll(s, NULL, 10);
		return 0;
	} else {
		arg->kind = SONDE_ALLOC_ARG_REG;
		reg = register_offset(s, len);
	}
	arg->reg = reg < 0 ? 0 : (u16)reg;
	return reg < 0 ? reg : 0;
}

static bool is_nop(const u8 *code)
{
	return !memcmp(code, "\x1f\x20\x03\xd5", 4);
}

#else

/* Names of the registers of each width, at what place the kernel keeps them. */
static const struct {
	const char *name[4];
	u16 offset;
} registers[] = {
	{ { "rax", "eax", "ax", "al" }, offsetof(struct pt_regs, rax) },
	{ { "rbx", "ebx", "bx", "bl" }, offsetof(struct pt_regs, rbx) },
	{ { "rcx", "ecx", "cx", "cl" }, offsetof(struct pt_regs, rcx) },
	{ { "rdx", "edx", "dx", "dl" }, offsetof(struct pt_regs, rdx) },
	{ { "rsi", "esi", "si", "sil" }, offsetof(struct pt_regs, rsi) },
	{ { "rdi", "edi", "di", "dil" }, offsetof(struct pt_regs, rdi) },
	{ { "rbp", "ebp", "bp", "bpl" }, offsetof(struct pt_regs, rbp) },
	{ { "rsp", "esp", "sp", "spl" }, offsetof(struct pt_regs, rsp) },
	{ { "r8", "r8d", "r8w", "r8b" }, offsetof(struct pt_regs, r8) },
	{ { "r9", "r9d", "r9w", "r9b" }, offsetof(struct pt_regs, r9) },
	{ { "r10", "r10d", "r10w", "r10b" }, offsetof(struct pt_regs, r10) },
	{ { "r11", "r11d", "r11w", "r11b" }, offsetof(struct pt_regs, r11) },
	{ { "r12", "r12d", "r12w", "r12b" }, offsetof(struct pt_regs, r12) },
	{ { "r13", "r13d", "r13w", "r13b" }, offsetof(struct pt_regs, r13) },
	{ { "r14", "r14d", "r14w", "r14b" }, offsetof(struct pt_regs, r14) },
	{ { "r15", "r15d", "r15w", "r15b" }, offsetof(struct pt_regs, r15) },
};

static int register_offset(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		for (size_t k = 0; k < 4; k++)
			if (strlen(registers[i].name[k]) == len && !memcmp(registers[i].name[k], name, len))
				return registers[i].offset;
	return -EINVAL;
}

/* %rdi; 8(%rsp); $5. An index register, a segment and an address relative to the instruction are not understood. */
static int operand(const char *s, size_t len, struct sonde_alloc_arg *arg)
{
	char *end;
	int reg;

	if (s[0] == '$') {
		arg->kind = SONDE_ALLOC_ARG_CONST;
		arg->value = strtoll(s + 1, &end, 0);
		return end == s + len ? 0 : -EINVAL;
	}
	if (s[0] == '%') {
		arg->kind = SONDE_ALLOC_ARG_REG;
		reg = register_offset(s + 1, len - 1);
	} else {
		arg->kind = SONDE_ALLOC_ARG_MEMORY;
		arg->value = strtoll(s, &end, 0);
		if (s + len - end < 4 || end[0] != '(' || end[1] != '%' || s[len - 1] != ')')
			return -EINVAL;
		reg = register_offset(end + 2, (size_t)(s + len - end) - 3);
	}
	arg->reg = reg < 0 ? 0 : (u16)reg;
	return reg < 0 ? reg : 0;
}

static bool is_nop(const u8 *code)
{
	return code[0] == 0x90;
}

#endif

int sonde_usdt_args(const char *text, struct sonde_alloc_spec *spec)
{
	int nr = 0;

	memset(spec, 0, sizeof(*spec));
	while (*text) {
		struct sonde_alloc_arg arg = {};
		size_t len;
		char *at;
		long size;

		text += strspn(text, " ");
		if (!*text)
			break;
		size = strtol(text, &at, 10);
		if (*at != '@' || (size != 1 && size != 2 && size != 4 && size != 8 && size != -1 && size != -2 &&
				   size != -4 && size != -8))
			return -EINVAL;
		at++;
		len = *at == '[' ? strcspn(at, "]") + 1 : strcspn(at, " ");
		if (!len || strlen(at) < len)
			return -EINVAL;
		arg.size = (u8)labs(size);
		arg.is_signed = size < 0;
		if (nr < (int)SONDE_ALLOC_ARGS) {
			if (operand(at, len, &arg))
				return -EINVAL;
			spec->arg[nr] = arg;
		}
		nr++;
		text = at + len;
	}
	return nr;
}

/* The next string of @left bytes at *@at; NULL: it does not end. */
static const char *next_string(const char **at, size_t *left)
{
	const char *s = *at, *end = memchr(s, '\0', *left);

	if (!end)
		return NULL;
	*left -= (size_t)(end + 1 - s);
	*at = end + 1;
	return s;
}

/* One note's description; false: it is none of @provider:@name, or cannot be probed. */
static bool take(struct sonde_elf *elf, int fd, const char *desc, size_t len, const char *const wanted[2], u64 base,
		 struct sonde_usdt *out)
{
	struct sonde_elf_symbol code;
	const char *provider, *name, *args;
	u64 addr[3];
	u8 insn[4] = {};

	if (len < sizeof(addr))
		return false;
	memcpy(addr, desc, sizeof(addr));
	desc += sizeof(addr);
	len -= sizeof(addr);
	provider = next_string(&desc, &len);
	name = provider ? next_string(&desc, &len) : NULL;
	args = name ? next_string(&desc, &len) : NULL;
	if (!args || strcmp(provider, wanted[0]) || strcmp(name, wanted[1]))
		return false;
	if (base) {
		addr[0] += base - addr[1];
		addr[2] += addr[2] ? base - addr[1] : 0;
	}
	*out = (struct sonde_usdt){};
	if (!sonde_elf_symbol_at(elf, addr[0], &code) || pread(fd, insn, sizeof(insn), (off_t)code.offset) < 1 ||
	    !is_nop(insn))
		return false;
	out->offset = code.offset;
	if (addr[2] && !sonde_elf_offset(elf, addr[2], sizeof(u16), &out->semaphore))
		return false;
	out->nr_args = (u32)sonde_usdt_args(args, &out->spec);
	return (int)out->nr_args >= 0;
}

size_t sonde_usdt_find(struct sonde_elf *elf, int fd, const char *provider, const char *name,
		       struct sonde_usdt out[SONDE_USDT_MAX])
{
	const char *const wanted[2] = { provider, name };
	struct sonde_elf_range notes, base = {};
	size_t nr = 0, at = 0;
	char *bytes;
	ssize_t got;

	if (!sonde_elf_section(elf, ".note.stapsdt", &notes) || !notes.size || notes.size > MAX_NOTES)
		return 0;
	if (!sonde_elf_section(elf, ".stapsdt.base", &base))
		base.addr = 0;
	bytes = malloc(notes.size);
	if (!bytes)
		return 0;
	got = pread(fd, bytes, notes.size, (off_t)notes.offset);
	while (got > 0 && nr < SONDE_USDT_MAX && at + 12 <= (size_t)got) {
		u32 head[3];
		size_t desc;

		memcpy(head, bytes + at, sizeof(head)); /* sizes of name and description, type */
		if (head[0] > notes.size || head[1] > notes.size)
			break;
		desc = at + 12 + ((head[0] + 3) & ~3u);
		if (desc + head[1] > (size_t)got)
			break;
		if (head[2] == NOTE_TYPE && head[0] == sizeof("stapsdt") &&
		    !memcmp(bytes + at + 12, "stapsdt", sizeof("stapsdt")) &&
		    take(elf, fd, bytes + desc, head[1], wanted, base.addr, &out[nr]))
			nr++;
		at = desc + ((head[1] + 3) & ~3u);
	}
	free(bytes);
	return nr;
}
