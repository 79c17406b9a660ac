// SPDX-License-Identifier: GPL-2.0-only
/*
 * selftest_comment.bpf.c - reads a comment from a window that a test has filled (BPF_PROG_TEST_RUN); never loaded
 * otherwise.
 */
#include "vmlinux.h"
#include "comment.bpf.h"

/* What a test asks for; the input is in the window of slot 0. */
struct test_comment_args {
	u32 pos, len, repeat, pad;
};

SEC("?syscall")
int test_comment(struct test_comment_args *args)
{
	u32 pos = args->pos, len = args->len, repeat = args->repeat;
	int err = 0;

	for (u32 i = 0; i < 1000; i++) {
		if (i >= repeat)
			break;
		err = comment_parse(pos, len);
	}
	return err;
}
