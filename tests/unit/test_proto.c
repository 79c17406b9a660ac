// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_proto.c - recorded sessions of every protocol (tests/fuzz/corpus) are recognised as that protocol and as no other,
 * and read from the first byte to the last.
 */
#include <dirent.h>
#include <stdio.h>

#include "unit.h"
#include "stream.h"
#include "../fuzz/stream_mutate.h"
#include "gen/protocols.h"

#define CORPUS "tests/fuzz/corpus"

static const struct {
	const char *name;
	struct stream_proto parser;
} protos[] = {
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix) { #prefix, STREAM_PROTO(prefix) },
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix)
#include "sonde/proto.def"
};
#define NR_PROTOS (sizeof(protos) / sizeof(protos[0]))

/* Which protocol the send is taken for, in the kernel's order; NR_PROTOS: none. */
static u32 recognise(const struct input_chunk *chunk, struct sonde_state *st, int *found)
{
	u32 avail = sonde_min_u32(chunk->len, SONDE_WIN_BYTES);
	u64 head = 0;

	memset(&stream_win[0], 0x31, sizeof(stream_win[0]));
	memcpy(stream_win[0].b, chunk->data, avail);
	memcpy(&head, chunk->data, sonde_min_u32(chunk->len, sizeof(head)));
	for (u32 i = 0; i < NR_PROTOS; i++) {
		memset(st, 0, sizeof(*st));
		if (!protos[i].parser.plausible(head, chunk->len))
			continue;
		*found = protos[i].parser.detect(&stream_win[0], chunk->len, avail, st);
		if (*found == SONDE_DETECT_CLIENT || *found == SONDE_DETECT_SERVER)
			return i;
	}
	memset(st, 0, sizeof(*st));
	return NR_PROTOS;
}

static void count(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos)
{
	(*(u32 *)ctx)++;
}

static void check(u32 proto, const char *path, const u8 *data, u32 n)
{
	static struct stream s;
	struct input_chunk chunks[INPUT_CHUNKS];
	u32 nr = input_chunks(data, n, chunks, INPUT_CHUNKS), messages = 0, first = nr;
	struct sonde_state st = {}, begin = {};
	int found;

	if (!(data[0] & INPUT_SESSION))
		return;
	for (u32 i = nr; i--;) { /* attached anywhere */
		u32 taken = recognise(&chunks[i], &st, &found);

		if (taken == NR_PROTOS)
			continue;
		if (taken != proto)
			fail_msg("%s: send %u is taken for %s", path, i, protos[taken].name);
		if (chunks[i].server != (found == SONDE_DETECT_SERVER))
			fail_msg("%s: send %u is taken for the other side's", path, i);
		first = i;
		begin = st;
	}
	if (first > 1)
		fail_msg("%s: recognised at send %u of %u only", path, first, nr);
	stream_begin(&s, &protos[proto].parser, count, &messages);
	s.st = begin;
	for (u32 i = first; i < nr && !s.ended; i++) {
		stream_feed(&s, chunks[i].server, chunks[i].data, chunks[i].len);
		if (s.dir[chunks[i].server].lost)
			fail_msg("%s: lost in send %u of %u", path, i, nr);
	}
	assert_true(messages > 0);
}

static void test_recorded(void **state)
{
	static u8 data[INPUT_MAX];
	u32 files = 0;

	for (u32 i = 0; i < NR_PROTOS; i++) {
		struct dirent *entry;
		char path[512];
		DIR *d;

		snprintf(path, sizeof(path), CORPUS "/%s", protos[i].name);
		d = opendir(path);
		while (d && (entry = readdir(d))) {
			FILE *f;
			size_t n;

			snprintf(path, sizeof(path), CORPUS "/%s/%s", protos[i].name, entry->d_name);
			if (entry->d_name[0] == '.' || !(f = fopen(path, "rb")))
				continue;
			n = fread(data, 1, sizeof(data), f);
			fclose(f);
			if (n < 2) /* a directory: what the fuzzer has found is no session of anything */
				continue;
			check(i, path, data, n);
			files++;
		}
		if (d)
			closedir(d);
	}
	if (!files) {
		print_message("no " CORPUS " here\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
