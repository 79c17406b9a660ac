// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_site.c - choice of probe sites and decoding of getters, on machine code as compilers and distributions make it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "load/site.h"

#define ARG SONDE_SITE_ARG
#define CODE(...) ((const u8[]){ __VA_ARGS__ }), sizeof((const u8[]){ __VA_ARGS__ })

#ifndef __aarch64__

static void expect(int err, const struct sonde_site *site, u32 skip, enum sonde_site_cost cost)
{
	assert_int_equal(err, 0);
	assert_int_equal(site->skip, skip);
	assert_int_equal(site->cost, cost);
}

static void test_push_first(void **state)
{
	struct sonde_site s;

	/* push r15; push r14; sub rsp, 0x28 (Debian's sqlite3_step) */
	expect(sonde_site_return(CODE(0x41, 0x57, 0x41, 0x56, 0x48, 0x83, 0xec, 0x28), ARG(0), &s), &s, 0,
	       SONDE_SITE_EMULATED);
	assert_string_equal(s.insn, "push r15");
	/* push rbp; mov rbp, rsp */
	expect(sonde_site_entry(CODE(0x55, 0x48, 0x89, 0xe5), ARG(0), &s), &s, 0, SONDE_SITE_EMULATED);
}

static void test_endbr64_first(void **state)
{
	struct sonde_site s;

	/* endbr64; push r12 (Ubuntu): the return address is still on top of the stack */
	expect(sonde_site_entry(CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x54), ARG(0), &s), &s, 4, SONDE_SITE_EMULATED);
	expect(sonde_site_return(CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x54), ARG(0), &s), &s, 4, SONDE_SITE_EMULATED);
}

static void test_conditional_jump(void **state)
{
	struct sonde_site s;

	/* test rdi, rdi; je +7; push rbp (glibc's free): every call passes the je */
	expect(sonde_site_entry(CODE(0x48, 0x85, 0xff, 0x74, 0x07, 0x55), ARG(0), &s), &s, 3, SONDE_SITE_EMULATED);
	/* the same with a 32-bit displacement */
	expect(sonde_site_entry(CODE(0x48, 0x85, 0xff, 0x0f, 0x84, 0x07, 0, 0, 0, 0x55), ARG(0), &s), &s, 3,
	       SONDE_SITE_EMULATED);
}

static void test_jump(void **state)
{
	struct sonde_site s;

	/* xor ecx, ecx; mov edx, 6; jmp openDatabase (sqlite3_open) */
	expect(sonde_site_return(CODE(0x31, 0xc9, 0xba, 6, 0, 0, 0, 0xe9, 0xb4, 0xfa, 0xff, 0xff), ARG(0) | ARG(1), &s),
	       &s, 7, SONDE_SITE_EMULATED);
	/* the third argument is wanted: the site must be before it is overwritten */
	expect(sonde_site_entry(CODE(0x31, 0xc9, 0xba, 6, 0, 0, 0, 0xe9, 0xb4, 0xfa, 0xff, 0xff), ARG(2), &s), &s, 0,
	       SONDE_SITE_STEPPED);
}

static void test_arguments_stay(void **state)
{
	/* sub rsp, 16; mov r9, rcx; mov ecx, 0x80; push r8; xor r8d, r8d; call (sqlite3_prepare_v2) */
	const u8 code[] = { 0x48, 0x83, 0xec, 0x10, 0x49, 0x89, 0xc9, 0xb9, 0x80, 0,	0,
			    0,	  0x41, 0x50, 0x45, 0x31, 0xc0, 0xe8, 0x5a, 0xfb, 0xff, 0xff };
	struct sonde_site s;

	expect(sonde_site_entry(code, sizeof(code), ARG(0) | ARG(1), &s), &s, 12, SONDE_SITE_EMULATED);
	expect(sonde_site_entry(code, sizeof(code), ARG(0) | ARG(3), &s), &s, 0, SONDE_SITE_STEPPED);
	/* behind the sub there is no return address on top of the stack */
	expect(sonde_site_return(code, sizeof(code), ARG(0), &s), &s, 0, SONDE_SITE_STEPPED);
}

static void test_widened_int(void **state)
{
	struct sonde_site s;

	/* movsxd rdx, edx; jmp (sqlite3_bind_int): an int is still the same int */
	expect(sonde_site_entry(CODE(0x48, 0x63, 0xd2, 0xe9, 0xe8, 0x36, 0xf3, 0xff), ARG(0) | ARG(2), &s), &s, 3,
	       SONDE_SITE_EMULATED);
	/* movsxd rdx, ecx is another value */
	expect(sonde_site_entry(CODE(0x48, 0x63, 0xd1, 0xe9, 0xe8, 0x36, 0xf3, 0xff), ARG(2), &s), &s, 0,
	       SONDE_SITE_STEPPED);
	/* a write to a part of the register counts: mov dl, 1 */
	expect(sonde_site_entry(CODE(0xb2, 0x01, 0x55), ARG(2), &s), &s, 0, SONDE_SITE_STEPPED);
}

static void test_nop5_is_never_taken(void **state)
{
	struct sonde_site s;

	/* nopl 0(rax,rax,1) as left for ftrace; push rbp */
	expect(sonde_site_entry(CODE(0x0f, 0x1f, 0x44, 0, 0, 0x55), ARG(0), &s), &s, 5, SONDE_SITE_EMULATED);
	/* ... and with nothing cheap behind it: mov eax, 1; ret */
	expect(sonde_site_entry(CODE(0x0f, 0x1f, 0x44, 0, 0, 0xb8, 1, 0, 0, 0, 0xc3), ARG(0), &s), &s, 5,
	       SONDE_SITE_STEPPED);
	/* nothing else at all */
	assert_int_equal(sonde_site_entry(CODE(0x0f, 0x1f, 0x44, 0, 0), ARG(0), &s), -ENOEXEC);
}

static void test_other_nops(void **state)
{
	struct sonde_site s;

	expect(sonde_site_entry(CODE(0x90, 0x0f, 0x1f, 0x44, 0, 0), ARG(0), &s), &s, 0, SONDE_SITE_EMULATED);
	/* a jump with an operand size prefix is not emulated: data16 jmp */
	expect(sonde_site_entry(CODE(0x31, 0xc0, 0x66, 0xe9, 0, 0, 0, 0, 0x55), ARG(0), &s), &s, 0, SONDE_SITE_STEPPED);
}

static void test_jump_back(void **state)
{
	struct sonde_site s;

	/* xor eax, eax; again: push rbx; jmp again. A probe on the push would be hit for every round. */
	expect(sonde_site_entry(CODE(0x31, 0xc0, 0x53, 0xeb, 0xfd), ARG(0), &s), &s, 0, SONDE_SITE_STEPPED);
	/* a jump back to the beginning is another call of the function */
	expect(sonde_site_entry(CODE(0x31, 0xc0, 0x53, 0xeb, 0xfb), ARG(0), &s), &s, 2, SONDE_SITE_EMULATED);
}

static void test_nothing_behind_a_call(void **state)
{
	struct sonde_site s;

	/* ret; push rbp: the push belongs to something else */
	expect(sonde_site_entry(CODE(0xc3, 0x55), ARG(0), &s), &s, 0, SONDE_SITE_STEPPED);
	/* call [rip]; push rbp: the arguments are gone */
	expect(sonde_site_entry(CODE(0xff, 0x15, 0, 0, 0, 0, 0x55), ARG(0), &s), &s, 0, SONDE_SITE_STEPPED);
}

static void test_hostile_code(void **state)
{
	struct sonde_site s;
	u8 code[64];
	s64 target;

	assert_int_equal(sonde_site_entry(CODE(0x06), ARG(0), &s), -ENOEXEC);
	assert_int_equal(sonde_site_entry(code, 0, ARG(0), &s), -ENOEXEC);
	assert_int_equal(sonde_site_getter(code, 0), -ENOEXEC);
	/* cut in the middle of an instruction */
	assert_int_equal(sonde_site_entry(CODE(0x48, 0x83), ARG(0), &s), -ENOEXEC);
	/* jmp to itself, jmp far away, in getters */
	assert_int_equal(sonde_site_getter(CODE(0xeb, 0xfe)), -ENOEXEC);
	assert_int_equal(sonde_site_getter(CODE(0xe9, 0xff, 0xff, 0xff, 0x7f)), -ENOEXEC);
	for (u32 seed = 1; seed < 20000; seed++) {
		u64 x = seed;

		for (size_t i = 0; i < sizeof(code); i++)
			code[i] = x = sonde_mix64(x);
		sonde_site_entry(code, sizeof(code), 0x3f, &s);
		sonde_site_return(code, sizeof(code), 0x3f, &s);
		sonde_site_getter(code, sizeof(code));
		sonde_site_jumps_to(code, sizeof(code), &target);
	}
}

static void test_getters(void **state)
{
	/* gcc -O2: test rdi, rdi; je; mov rax, [rdi+0xf8]; ret; nop; xor eax, eax; ret */
	assert_int_equal(sonde_site_getter(CODE(0x48, 0x85, 0xff, 0x74, 0x0b, 0x48, 0x8b, 0x87, 0xf8, 0, 0, 0, 0xc3,
						0x0f, 0x1f, 0, 0x31, 0xc0, 0xc3)),
			 0xf8);
	/* gcc -O2 -fcf-protection */
	assert_int_equal(sonde_site_getter(CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x85, 0xff, 0x74, 0x0f, 0x48, 0x8b, 0x87,
						0xf8, 0, 0, 0, 0xc3)),
			 0xf8);
	/* gcc -Os: mov rax, rdi; test; je; mov rax, [rdi+0xf8]; ret */
	assert_int_equal(sonde_site_getter(CODE(0x48, 0x89, 0xf8, 0x48, 0x85, 0xff, 0x74, 0x07, 0x48, 0x8b, 0x87, 0xf8,
						0, 0, 0, 0xc3)),
			 0xf8);
	/* the first member (sqlite3_db_handle): mov rax, [rdi] */
	assert_int_equal(sonde_site_getter(CODE(0x48, 0x85, 0xff, 0x74, 0x0b, 0x48, 0x8b, 0x07, 0xc3)), 0);
	/* gcc -O0: through the stack */
	assert_int_equal(sonde_site_getter(CODE(0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0x7d, 0xf8, 0x48, 0x83, 0x7d, 0xf8,
						0, 0x74, 0x0d, 0x48, 0x8b, 0x45, 0xf8, 0x48, 0x8b, 0x80, 0xf8, 0, 0, 0,
						0xeb, 0x05, 0xb8, 0, 0, 0, 0, 0x5d, 0xc3)),
			 0xf8);
	/* clang -O0: two jumps and another slot */
	assert_int_equal(
		sonde_site_getter(CODE(0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0x7d, 0xf8, 0x48, 0x83, 0x7d, 0xf8, 0, 0x0f,
				       0x84, 0x14, 0, 0, 0, 0x48, 0x8b, 0x45, 0xf8, 0x48, 0x8b, 0x80, 0xf8, 0, 0, 0,
				       0x48, 0x89, 0x45, 0xf0, 0xe9, 0x0b, 0, 0, 0, 0x31, 0xc0, 0x48, 0x89, 0x45, 0xf0,
				       0xe9, 0, 0, 0, 0, 0x48, 0x8b, 0x45, 0xf0, 0x5d, 0xc3)),
		0xf8);
}

static void test_not_getters(void **state)
{
	/* a 32-bit member: mov eax, [rdi+0xf8]; ret */
	assert_int_equal(sonde_site_getter(CODE(0x8b, 0x87, 0xf8, 0, 0, 0, 0xc3)), -ENOEXEC);
	/* a member of another argument: mov rax, [rsi+8]; ret */
	assert_int_equal(sonde_site_getter(CODE(0x48, 0x8b, 0x46, 8, 0xc3)), -ENOEXEC);
	/* a member of a member: mov rax, [rdi+8]; mov rax, [rax+16]; ret */
	assert_int_equal(sonde_site_getter(CODE(0x48, 0x8b, 0x47, 8, 0x48, 0x8b, 0x40, 16, 0xc3)), -ENOEXEC);
	/* a negative offset: mov rax, [rdi-8]; ret */
	assert_int_equal(sonde_site_getter(CODE(0x48, 0x8b, 0x47, 0xf8, 0xc3)), -ENOEXEC);
	/* the argument itself; nothing; something that calls */
	assert_int_equal(sonde_site_getter(CODE(0x48, 0x89, 0xf8, 0xc3)), -ENOEXEC);
	assert_int_equal(sonde_site_getter(CODE(0x31, 0xc0, 0xc3)), -ENOEXEC);
	assert_int_equal(sonde_site_getter(CODE(0xe8, 0, 0, 0, 0, 0x48, 0x8b, 0x07, 0xc3)), -ENOEXEC);
	/* a comparison with something else decides: cmp rsi, 0; je; mov rax, [rdi]; ret */
	assert_int_equal(sonde_site_getter(CODE(0x48, 0x83, 0xfe, 0, 0x74, 4, 0x48, 0x8b, 0x07, 0xc3)), -ENOEXEC);
}

static void test_passing_on(void **state)
{
	s64 target = 0;

	assert_true(sonde_site_jumps_to(CODE(0x48, 0x63, 0xd2, 0xe9, 0x10, 0, 0, 0), &target));
	assert_int_equal(target, 0x18);
	assert_true(sonde_site_jumps_to(CODE(0xe9, 0xf0, 0xff, 0xff, 0xff), &target));
	assert_int_equal(target, -11);
	assert_false(sonde_site_jumps_to(CODE(0x74, 0x02, 0xe9, 0, 0, 0, 0), &target)); /* only some calls */
	assert_false(sonde_site_jumps_to(CODE(0xff, 0xe0), &target)); /* jmp rax */
	assert_false(sonde_site_jumps_to(CODE(0xc3), &target));
}

#else /* arm64 */

static void test_first_instruction(void **state)
{
	struct sonde_site s;

	/* stp x29, x30, [sp, #-32]! */
	assert_int_equal(sonde_site_entry(CODE(0xfd, 0x7b, 0xbe, 0xa9), ARG(0), &s), 0);
	assert_int_equal(s.skip, 0);
	assert_int_equal(sonde_site_return(CODE(0xfd), ARG(0), &s), -ENOEXEC);
}

static void test_getters(void **state)
{
	/* cbz x0, +8; ldr x0, [x0, #0xf8]; ret */
	assert_int_equal(
		sonde_site_getter(CODE(0x40, 0, 0, 0xb4, 0, 0x7c, 0x40, 0xf9, 0xc0, 0x03, 0x5f, 0xd6, 0, 0, 0, 0)),
		0xf8);
	assert_int_equal(sonde_site_getter(CODE(0xc0, 0x03, 0x5f, 0xd6)), -ENOEXEC);
}

#endif

static void test_costs(void **state)
{
	assert_string_equal(sonde_site_cost_name(SONDE_SITE_EMULATED), "emulated");
	assert_true(sonde_site_cost_ns(SONDE_SITE_EMULATED, true) < sonde_site_cost_ns(SONDE_SITE_STEPPED, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef __aarch64__
		cmocka_unit_test(test_push_first),
		cmocka_unit_test(test_endbr64_first),
		cmocka_unit_test(test_conditional_jump),
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_arguments_stay),
		cmocka_unit_test(test_widened_int),
		cmocka_unit_test(test_nop5_is_never_taken),
		cmocka_unit_test(test_other_nops),
		cmocka_unit_test(test_jump_back),
		cmocka_unit_test(test_nothing_behind_a_call),
		cmocka_unit_test(test_hostile_code),
		cmocka_unit_test(test_not_getters),
		cmocka_unit_test(test_passing_on),
#else
		cmocka_unit_test(test_first_instruction),
#endif
		cmocka_unit_test(test_getters),
		cmocka_unit_test(test_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
