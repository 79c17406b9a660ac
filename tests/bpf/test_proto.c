// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_proto.c - every protocol's parser says the same in the kernel as outside: each message of the recorded inputs
 * (tests/fuzz/corpus) and of thousands made of them, every field. Needs root.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "sonde/config.h"
#include "sonde.skel.h"
#include "../unit/stream.h"
#include "../fuzz/stream_mutate.h"
#include "gen/protocols.h"

#define NR_MADE 10000 /* for each protocol; SONDE_TEST_STREAMS= says another number */
#define ANSWERS_MAX 200000 /* the same; what comes after is left out */
#define FILES_MAX 200
#define INSNS_MAX 900000

enum { TEST_DETECT, TEST_CLIENT, TEST_SERVER };

struct test_proto_args {
	u32 proto, what;
	u32 pos, end;
	u32 total;
	u32 pad;
	struct sonde_state st;
};

struct test_proto_out {
	int ret;
	u32 pad;
	struct sonde_state st;
	struct sonde_msg msg;
};

struct parser {
	u32 id;
	const char *name;
	struct stream_proto native;
};

static const struct parser parsers[] = {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix) { id, #prefix, STREAM_PROTO(prefix) },
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)
#include "sonde/proto.def"
};
#define NR_PARSERS (sizeof(parsers) / sizeof(parsers[0]))

static struct sonde_bpf *skel;
static int prog_fd, nr_cpus;
static u8 *windows;
static char verifier_log[1 << 16];
static u32 nr_made(void)
{
	const char *wanted = getenv("SONDE_TEST_STREAMS");

	return wanted ? (u32)strtoul(wanted, NULL, 10) : NR_MADE;
}

static const struct parser *now;
static unsigned long compared, messages;

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

static int setup(void **state)
{
	struct bpf_program *p;

	if (geteuid() != 0)
		return 0;
	libbpf_set_print(quiet);
	skel = sonde_bpf__open();
	if (!skel)
		return -1;
	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, p == skel->progs.test_proto);
	bpf_program__set_log_level(skel->progs.test_proto, 4);
	bpf_program__set_log_buf(skel->progs.test_proto, verifier_log, sizeof(verifier_log));
	if (sonde_bpf__load(skel)) {
		print_message("the verifier says: %s\n", verifier_log);
		return -1;
	}
	prog_fd = bpf_program__fd(skel->progs.test_proto);
	nr_cpus = libbpf_num_possible_cpus();
	windows = calloc(nr_cpus, sizeof(struct sonde_win));
	return windows ? 0 : -1;
}

static int teardown(void **state)
{
	free(windows);
	sonde_bpf__destroy(skel);
	return 0;
}

/* The kernel's answer. */
static const struct test_proto_out *run(u32 what, const struct sonde_win *w, u32 pos, u32 end, u32 total,
					const struct sonde_state *st)
{
	static struct test_proto_out out;
	struct test_proto_args args = { now->id, what, pos, end, total, 0, *st };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args, .ctx_size_in = sizeof(args));
	u32 slot = 0;

	for (int i = 0; i < nr_cpus; i++)
		memcpy(windows + i * sizeof(*w), w, sizeof(*w));
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.win), &slot, windows, BPF_ANY), 0);
	assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
	assert_int_equal((int)opts.retval, 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.test_out), &slot, &out), 0);
	compared++;
	return &out;
}

static void differ(const char *what, u32 pos, u32 avail, const struct sonde_msg *a, const struct sonde_msg *b)
{
	fail_msg("%s: %s (at %u, %u bytes there): native op %u size %u label [%.*s], kernel op %u size %u label [%.*s]",
		 now->name, what, pos, avail, a->op, a->size, (int)a->label.len, a->label.b, b->op, b->size,
		 (int)b->label.len, b->label.b);
}

/* Runs the native parser, then the kernel's on the same bytes and the same state; both must agree. */
static int both(bool server, const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st, struct sonde_msg *m)
{
	struct sonde_state before = *st;
	int ret = (server ? now->native.server : now->native.client)(w, pos, avail, st, m);
	const struct test_proto_out *out = run(server ? TEST_SERVER : TEST_CLIENT, w, pos, pos + avail, 0, &before);

	messages += ret == SONDE_PARSE_OK;
	if (out->ret != ret)
		differ("another answer", pos, avail, m, &out->msg);
	if (ret == SONDE_PARSE_OK && !stream_same(m, &out->msg))
		differ("another message", pos, avail, m, &out->msg);
	if (ret == SONDE_PARSE_MORE && out->msg.size != m->size)
		differ("wants something else", pos, avail, m, &out->msg);
	if (memcmp(&out->st, st, sizeof(*st)))
		differ("another state", pos, avail, m, &out->msg);
	return ret;
}

static int both_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st, struct sonde_msg *m)
{
	return both(false, w, pos, avail, st, m);
}

static int both_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st, struct sonde_msg *m)
{
	return both(true, w, pos, avail, st, m);
}

static void check_detect(const struct input_chunk *chunk, struct sonde_state *st)
{
	u32 avail = sonde_min_u32(chunk->len, SONDE_WIN_BYTES);
	const struct test_proto_out *out;
	struct sonde_state none = {};
	int ret;

	memset(&stream_win[0], 0x31, sizeof(stream_win[0]));
	memcpy(stream_win[0].b, chunk->data, avail);
	memset(st, 0, sizeof(*st));
	out = run(TEST_DETECT, &stream_win[0], 0, avail, chunk->len, &none);
	ret = now->native.detect(&stream_win[0], chunk->len, avail, st);
	if (out->ret != ret)
		fail_msg("%s: %u bytes are %d, in the kernel %d", now->name, chunk->len, ret, out->ret);
	if (ret != (chunk->server ? SONDE_DETECT_SERVER : SONDE_DETECT_CLIENT))
		memset(st, 0, sizeof(*st));
	else if (memcmp(st, &out->st, sizeof(*st)))
		fail_msg("%s: another state of %u bytes recognised", now->name, chunk->len);
}

static void ignore(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos)
{
}

static void check(const u8 *data, u32 n)
{
	static struct stream s;
	struct input_chunk chunks[INPUT_CHUNKS];
	const struct stream_proto proto = { now->native.plausible, now->native.detect, both_client, both_server };
	u32 nr = input_chunks(data, n, chunks, INPUT_CHUNKS);
	struct sonde_state st = {};

	for (u32 i = nr; i--;)
		check_detect(&chunks[i], &st);
	stream_begin(&s, &proto, ignore, NULL);
	s.st = st;
	if (nr && !(data[0] & INPUT_SESSION) && data[0] >> INPUT_KIND_SHIFT)
		stream_expect(&s, data[0] >> INPUT_KIND_SHIFT, 64);
	for (u32 i = 0; i < nr; i++)
		stream_feed(&s, chunks[i].server, chunks[i].data, chunks[i].len);
}

/* Inputs of a directory of the corpus, behind the @nr that are there; their number. */
static u32 load(const char *name, struct input *files, u32 nr)
{
	struct dirent *entry;
	char path[512];
	DIR *d;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
	d = opendir(path);
	while (d && nr < FILES_MAX && (entry = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%s", name, entry->d_name);
		if (entry->d_name[0] == '.' || !(f = fopen(path, "rb")))
			continue;
		files[nr].len = fread(files[nr].b, 1, INPUT_MAX, f);
		nr += files[nr].len > 1;
		fclose(f);
	}
	if (d)
		closedir(d);
	return nr;
}

static void test_parser(const struct parser *parser)
{
	struct input *files = calloc(FILES_MAX, sizeof(*files));
	unsigned long said[INPUT_STYLES] = {}, before;
	static struct input in;
	char found[64];
	u64 r = 20240131;
	u32 nr;

	now = parser;
	assert_non_null(files);
	compared = messages = 0;
	nr = load(parser->name, files, 0);
	snprintf(found, sizeof(found), "%s/found", parser->name); /* by the fuzzer */
	nr = load(found, files, nr);
	for (u32 i = 0; i < nr; i++)
		check(files[i].b, files[i].len);
	for (u32 i = 0; i < nr_made() && compared < ANSWERS_MAX; i++) {
		u32 style = input_random(&r, INPUT_STYLES);

		if (nr && input_random(&r, 4)) {
			const struct input *a = &files[input_random(&r, nr)], *b = &files[input_random(&r, nr)];

			input_mutate(&in, &r, a->b, a->len, b->b, b->len);
			check(in.b, in.len);
			continue;
		}
		for (u32 k = 0; k < INPUT_STYLES; k++) /* mostly what it has most to say to */
			style = input_random(&r, 4) && said[k] > said[style] ? k : style;
		before = messages;
		input_make(&in, &r, style);
		if (!input_random(&r, 3))
			input_hurt(&in, 1, &r, in.b, in.len);
		check(in.b, in.len);
		said[style] += messages - before;
	}
	free(files);
	print_message("%s: %u recorded and %u made inputs, %lu messages, %lu answers, all alike\n", parser->name, nr,
		      nr_made(), messages, compared);
	assert_true(messages > 1000);
}

static void test_parsers(void **state)
{
	if (!skel) {
		print_message("not root\n");
		skip();
	}
	for (u32 i = 0; i < NR_PARSERS; i++)
		test_parser(&parsers[i]);
}

/* The other test's program holds every parser: together they stay within what the verifier allows. */
static void test_budget(void **state)
{
	const char *processed;

	if (!skel) {
		print_message("not root\n");
		skip();
	}
	processed = strstr(verifier_log, "processed ");
	assert_non_null(processed);
	print_message("verifier: %lu instructions\n", strtoul(processed + strlen("processed "), NULL, 10));
	assert_true(strtoul(processed + strlen("processed "), NULL, 10) < INSNS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsers),
		cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
