// SPDX-License-Identifier: GPL-2.0-only
/* selftest.bpf.c - programs that tests run with BPF_PROG_TEST_RUN; never loaded otherwise. */
#include "vmlinux.h"
#include "sql.bpf.h"

/* What a test asks for; the input is in the window of slot 0. */
struct test_sql_args {
	u32 pos, len, flags, repeat;
	u32 tail_pos, tail_len; /* len 0: no tail */
};

SEC("?syscall")
int test_sql(struct test_sql_args *args)
{
	u32 pos = args->pos, len = args->len, flags = args->flags, repeat = args->repeat;
	u32 tail_pos = args->tail_pos, tail_len = args->tail_len;
	int err = 0;

	for (u32 i = 0; i < 1000; i++) {
		if (i >= repeat)
			break;
		err = sonde_sql_run(0, pos, len, flags);
	}
	if (tail_len)
		err = sonde_sql_tail(0, tail_pos, tail_len);
	return err;
}
