// SPDX-License-Identifier: GPL-2.0-only
/*
 * selftest_proto.bpf.c - runs the subprograms of any protocol's parser on a window that a test has filled
 * (BPF_PROG_TEST_RUN); never loaded otherwise.
 */
#include "sonde.bpf.h"
#include "conn.bpf.h"

enum test_proto_what {
	TEST_DETECT,
	TEST_CLIENT,
	TEST_SERVER,
};

/* What a test asks for; the input is in the window of slot 0. */
struct test_proto_args {
	u32 proto, what;
	u32 pos, end; /* message at @pos, data end at @end; detect: data in the window end at @end, */
	u32 total; /* of so many bytes on the wire */
	u32 pad;
	struct sonde_state st;
};

/* What it gets. */
struct test_proto_out {
	int ret; /* enum sonde_parse, enum sonde_detect */
	u32 pad;
	struct sonde_state st;
	struct sonde_msg msg;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct conn);
} test_conn SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct test_proto_out);
} test_out SEC(".maps");

#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)                                              \
	extern int prefix##_client(struct conn *c, u32 at, u32 end);                                                   \
	extern int prefix##_server(struct conn *c, u32 at, u32 end);                                                   \
	extern int prefix##_detect(struct conn *c, u32 total, u32 avail);
#include "sonde/proto.def"

static __always_inline int run(struct conn *c, const struct test_proto_args *args)
{
	switch (args->proto) {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix)                                              \
	case id:                                                                                                       \
		if (args->what == TEST_DETECT)                                                                         \
			return prefix##_detect(c, args->total, args->end);                                             \
		return args->what == TEST_SERVER ? prefix##_server(c, args->pos, args->end)                            \
						 : prefix##_client(c, args->pos, args->end);
#include "sonde/proto.def"
	default:
		return -1;
	}
}

/* A connection of which nothing is known but the parser's state. */
SEC("?syscall")
int test_proto(struct test_proto_args *args)
{
	u32 zero = 0;
	struct conn *c = bpf_map_lookup_elem(&test_conn, &zero);
	struct test_proto_out *out = bpf_map_lookup_elem(&test_out, &zero);
	struct xfer *x = xfer_get();

	if (!c || !out || !x)
		return -1;
	c->st = args->st;
	__builtin_memset(&x->msg, 0, offsetof(struct sonde_msg, label));
	sonde_label_begin(&x->msg.label);
	out->ret = run(c, args);
	out->st = c->st;
	bpf_probe_read_kernel(&out->msg, sizeof(out->msg), &x->msg);
	return 0;
}
