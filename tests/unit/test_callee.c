// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_callee.c - thin wrappers' machine code, as compilers made it, and what it calls.
 */
#include "unit.h"

#include "load/callee.h"

#ifdef __x86_64__

#define BASE 0x35470ULL

/* SSL_read() of a distribution's OpenSSL 3.0: gcc -O2, stack protector. call at +0x1e goes to BASE - 0x1a0 */
static const u8 checked[] = {
	0x48, 0x83, 0xec, 0x18, /* sub $0x18,%rsp */
	0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, /* mov %fs:0x28,%rax */
	0x48, 0x89, 0x44, 0x24, 0x08, /* mov %rax,8(%rsp) */
	0x31, 0xc0, /* xor %eax,%eax */
	0x85, 0xd2, /* test %edx,%edx */
	0x78, 0x2f, /* js */
	0x48, 0x89, 0xe1, /* mov %rsp,%rcx */
	0x48, 0x63, 0xd2, /* movslq %edx,%rdx */
	0xe8, 0x3d, 0xfe, 0xff, 0xff, /* call */
	0x85, 0xc0, 0xc3,
};

/* The same with a count, a flag and the frame's address: OpenSSL 3.2 and later's SSL_write(). */
static const u8 flagged[] = {
	0xf3, 0x0f, 0x1e, 0xfa, /* endbr64 */
	0x55, /* push %rbp */
	0x48, 0x89, 0xe5, /* mov %rsp,%rbp */
	0x48, 0x83, 0xec, 0x10, /* sub $0x10,%rsp */
	0x31, 0xc9, /* xor %ecx,%ecx */
	0x48, 0x63, 0xd2, /* movslq %edx,%rdx */
	0x4c, 0x8d, 0x45, 0xf8, /* lea -8(%rbp),%r8 */
	0xe8, 0x00, 0x01, 0x00, 0x00, /* call BASE + 0x116 + 4 */
	0xc9, 0xc3,
};

/* SSL_write_ex() of the same: the fourth argument moves on. */
static const u8 moved[] = {
	0x49, 0x89, 0xc8, /* mov %rcx,%r8 */
	0x31, 0xc9, /* xor %ecx,%ecx */
	0xe9, 0x00, 0x01, 0x00, 0x00, /* jmp BASE + 0x10a */
};

/* SSL_write_ex2(): five arguments, all in place. */
static const u8 five[] = {
	0xf3, 0x0f, 0x1e, 0xfa, /* endbr64 */
	0x48, 0x83, 0xec, 0x08, /* sub $8,%rsp */
	0xe8, 0x00, 0x00, 0x00, 0x00, /* call BASE + 13 */
};

/* gnutls_record_recv() 3.7: two ways, the arguments one further. */
static const u8 two_ways[] = {
	0x48, 0x83, 0xec, 0x08, /* sub $8,%rsp */
	0x48, 0x89, 0xd1, /* mov %rdx,%rcx */
	0xf6, 0x87, 0x68, 0x11, 0, 0, 0x01, /* testb $1,0x1168(%rdi) */
	0x74, 0x11, /* je second */
	0x48, 0x89, 0xf2, /* mov %rsi,%rdx */
	0xbe, 0x17, 0, 0, 0, /* mov $0x17,%esi */
	0xe8, 0x00, 0x10, 0, 0, /* call BASE + 0x101d */
	0x48, 0x98, 0xc3, 0x90, /* cltq; ret; nop */
	/* second: +0x21 */
	0x48, 0x89, 0xf2, /* mov %rsi,%rdx */
	0x45, 0x31, 0xc0, /* xor %r8d,%r8d */
	0xbe, 0x17, 0, 0, 0, /* mov $0x17,%esi */
	0x48, 0x83, 0xc4, 0x08, /* add $8,%rsp */
	0xe9, 0x00, 0x20, 0, 0, /* jmp BASE + 0x2035 */
};

/* Calls something else with the first argument first, then through a pointer. */
static const u8 other[] = {
	0x55, 0x48, 0x89, 0xfb, /* push; mov %rdi,%rbx */
	0x31, 0xf6, /* xor %esi,%esi */
	0xe8, 0x00, 0x01, 0x00, 0x00, /* call */
	0xff, 0x50, 0x38, /* call *0x38(%rax) */
};

static void test_frame_address(void **state)
{
	struct sonde_callee c[SONDE_CALLEE_MAX];

	assert_int_equal(sonde_callee_find(checked, sizeof(checked), BASE, c), 1);
	assert_int_equal(c[0].target, BASE + 0x23 - 0x1c3);
	assert_int_equal(c[0].arg[1], 1);
	assert_int_equal(c[0].arg[2], 2);
	assert_int_equal(c[0].arg[3], SONDE_CALLEE_NONE);
	assert_int_equal(c[0].stack, 3);
}

static void test_flag_between(void **state)
{
	struct sonde_callee c[SONDE_CALLEE_MAX];

	assert_int_equal(sonde_callee_find(flagged, sizeof(flagged), BASE, c), 1);
	assert_int_equal(c[0].target, BASE + 26 + 0x100);
	assert_int_equal(c[0].stack, 4);
	assert_int_equal(sonde_callee_find(moved, sizeof(moved), BASE, c), 1);
	assert_int_equal(c[0].target, BASE + 10 + 0x100);
	assert_int_equal(c[0].arg[3], 4);
	assert_int_equal(c[0].arg[4], SONDE_CALLEE_NONE);
	assert_int_equal(c[0].stack, SONDE_CALLEE_NONE);
	assert_int_equal(sonde_callee_find(five, sizeof(five), BASE, c), 1);
	assert_int_equal(c[0].target, BASE + 13);
	assert_int_equal(c[0].arg[3], 3);
	assert_int_equal(c[0].arg[4], 4);
}

static void test_two_ways(void **state)
{
	struct sonde_callee c[SONDE_CALLEE_MAX];

	assert_int_equal(sonde_callee_find(two_ways, sizeof(two_ways), BASE, c), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(c[i].arg[0], 0);
		assert_int_equal(c[i].arg[1], 2);
		assert_int_equal(c[i].arg[2], 3);
	}
	assert_int_equal(c[0].target, BASE + 0x1d + 0x1000);
	assert_int_equal(c[1].target, BASE + sizeof(two_ways) + 0x2000);
}

static void test_no_wrapper(void **state)
{
	struct sonde_callee c[SONDE_CALLEE_MAX];

	assert_int_equal(sonde_callee_find(other, sizeof(other), BASE, c), 0);
	assert_int_equal(sonde_callee_find(other, 0, BASE, c), 0);
	assert_int_equal(sonde_callee_find(checked, 9, BASE, c), 0);
}

/* Whatever the bytes: it ends, and claims nothing that is not called. */
static void test_garbage(void **state)
{
	struct sonde_callee c[SONDE_CALLEE_MAX];
	u32 seed = 1;
	u8 code[512];

	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(code); i++)
			code[i] = (seed = seed * 1664525 + 1013904223) >> 24;
		assert_true(sonde_callee_find(code, sizeof(code), BASE, c) <= SONDE_CALLEE_MAX);
	}
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __x86_64__
		cmocka_unit_test(test_frame_address), cmocka_unit_test(test_flag_between),
		cmocka_unit_test(test_two_ways),      cmocka_unit_test(test_no_wrapper),
		cmocka_unit_test(test_garbage),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
