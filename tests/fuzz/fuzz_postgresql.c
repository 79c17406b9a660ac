// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_postgresql.c - the PostgreSQL detector and message parser on hostile streams.
 *
 * With -fsanitize=fuzzer (SONDE_LIBFUZZER defined) a libFuzzer target: the first byte of the input is the direction, the
 * rest the stream. Otherwise a program of its own: fuzz_postgresql [ITERATIONS [SEED]], or fuzz_postgresql FILE...
 *
 * A stream is walked twice as the kernel side walks it: whole, and cut into sends of random sizes, where the beginning
 * of a split message is kept for the next send. Both must see the same messages. Whatever the bytes, no answer may
 * reach behind the data, no message may be empty, and nothing wanted may exceed the window.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sonde/proto/postgresql.h"

#define STREAM_MAX 60000
#define CARRY_MAX 4864 /* bpf/conn.bpf.h */

static struct sonde_win win;
static struct sonde_state state;
static unsigned long messages; /* seen in all streams that were walked whole */

static void broken(const char *what, u32 at)
{
	fprintf(stderr, "%s at %u\n", what, at);
	abort();
}

/* What was seen of a stream: a hash over the messages, and where it ended. */
struct seen {
	u64 hash;
	u32 messages;
	u32 bytes;
	bool bad;
};

static void note(struct seen *seen, const struct sonde_msg *m)
{
	u64 h = seen->hash;

	h = sonde_mix64(h ^ m->op ^ (u64)m->size << 8);
	if (m->op == SONDE_OP_PREPARE || m->op == SONDE_OP_BIND || m->op == SONDE_OP_CLOSE)
		h = sonde_mix64(h ^ m->name);
	if (m->op == SONDE_OP_BIND || m->op == SONDE_OP_EXECUTE)
		h = sonde_mix64(h ^ m->portal);
	if (m->op == SONDE_OP_DONE)
		h = sonde_mix64(h ^ m->rows);
	if (m->op == SONDE_OP_ERROR)
		h = sonde_mix64(h ^ m->sqlstate);
	if (m->op == SONDE_OP_READY)
		h = sonde_mix64(h ^ m->txn);
	seen->hash = h;
	seen->messages++;
}

/*
 * One send: the @n bytes at @data, @carry bytes before them kept from the last one, @skip bytes still belong to a
 * message that was seen. Returns the bytes to keep; *@skip is updated.
 */
static u32 walk(const u8 *data, u32 n, u32 *skip, u32 server, struct seen *seen)
{
	u32 pos = *skip;

	if (pos >= n) {
		*skip -= n;
		return 0;
	}
	*skip = 0;
	while (pos < n) {
		u32 avail = n - pos < SONDE_WIN_BYTES ? n - pos : SONDE_WIN_BYTES;
		struct sonde_msg m = {};
		int ret;

		/* What lies behind the data must not matter. */
		memset(win.b, (int)(n * 31 + pos), sizeof(win.b));
		memcpy(win.b, data + pos, avail);
		ret = server ? sonde_postgresql_server(&win, 0, avail, &state, &m) : sonde_postgresql_client(&win, 0, avail, &state, &m);
		if (ret == SONDE_PARSE_BAD) {
			seen->bad = true;
			return 0;
		}
		if (ret == SONDE_PARSE_MORE) {
			if (m.size <= avail || m.size > CARRY_MAX)
				broken("wants what it has, or more than is ever kept", pos);
			if (avail < n - pos)
				broken("wants more than a window", pos);
			return n - pos;
		}
		if (m.size < 5)
			broken("a message of no size", pos);
		if ((m.op == SONDE_OP_QUERY || m.op == SONDE_OP_PREPARE) &&
		    (m.text_off < 5 || (u64)m.text_off + m.text_len > m.size))
			broken("text outside the message", pos);
		if (m.op == SONDE_OP_BIND && m.name_off + m.name_len >= m.size)
			broken("name outside the message", pos);
		note(seen, &m);
		pos += m.size;
	}
	*skip = pos - n;
	return 0;
}

static void check(const u8 *data, u32 n, u32 server, u64 seed)
{
	static u8 held[CARRY_MAX + STREAM_MAX];
	struct seen whole = {}, parts = {};
	u32 skip = 0, kept = 0, at = 0, rest;

	rest = walk(data, n, &skip, server, &whole);
	messages += whole.messages;
	skip = 0;
	while (at < n && !parts.bad) {
		u32 size;

		seed = sonde_mix64(seed + 0x9e3779b97f4a7c15ULL);
		size = seed & 7 ? seed >> 8 & 63 : seed >> 8 & 8191;
		size = size + 1 < n - at ? size + 1 : n - at;
		memcpy(held + kept, data + at, size);
		at += size;
		kept = walk(held, kept + size, &skip, server, &parts);
		if (kept) {
			if (kept > CARRY_MAX)
				broken("keeps too much", at);
			/* The kept bytes are the last of what was looked at. */
			memmove(held, data + at - kept, kept);
		}
	}
	if (whole.bad != parts.bad || whole.hash != parts.hash || whole.messages != parts.messages)
		broken("sends matter", whole.messages);
	if (!whole.bad && rest != kept)
		broken("another rest", rest);
	memset(win.b, 0x55, sizeof(win.b));
	memcpy(win.b, data, n < SONDE_WIN_BYTES ? n : SONDE_WIN_BYTES);
	sonde_postgresql_detect(&win, n, n < SONDE_WIN_BYTES ? n : SONDE_WIN_BYTES, &state);
}

#ifdef SONDE_LIBFUZZER
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size > 1 && size <= STREAM_MAX)
		check(data + 1, size - 1, data[0] & 1, data[0] * 77 + size);
	return 0;
}
#else

static u64 rnd(u64 *state, u64 below)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*state >> 33) % below;
}

/* A message that is well-formed, mostly. */
static u32 put(u8 *to, u64 *r, u32 server)
{
	static const char front[] = "QPBEDCSHFXdcfpQPBESS", back[] = "TDDDDCZEI123nstGHNASRKvdc";
	u32 body = 0, limit = rnd(r, 40) ? 60 : rnd(r, 12) ? 700 : 9000;
	u8 type = server ? back[rnd(r, sizeof(back) - 1)] : front[rnd(r, sizeof(front) - 1)];
	u8 *b = to + 5;

	if (type == 'Z') {
		b[body++] = "ITE"[rnd(r, 3)];
	} else if (server && type == 'C') {
		body = (u32)sprintf((char *)b, "SELECT %llu", (unsigned long long)rnd(r, 1000000)) + 1;
	} else if (server && type == 'E') {
		static const char fields[] = "SERROR\0VERROR\0C42P01\0Mnone\0";

		memcpy(b, fields, sizeof(fields));
		body = sizeof(fields);
	} else if (!(type == 'S' && !server) && type != 'H' && type != 'X') {
		u32 names = strchr("PBE", type) && !server ? 1 + rnd(r, 2) : 0;

		while (names--) {
			for (u32 n = rnd(r, 20); n; n--)
				b[body++] = 'a' + rnd(r, 26);
			b[body++] = 0;
		}
		for (u32 n = rnd(r, limit); n; n--)
			b[body++] = rnd(r, 9) ? ' ' + rnd(r, 90) : rnd(r, 256);
		memset(b + body, 0, 8);
		body += 8;
	}
	to[0] = type;
	to[1] = (body + 4) >> 24;
	to[2] = (body + 4) >> 16;
	to[3] = (body + 4) >> 8;
	to[4] = body + 4;
	return body + 5;
}

static int run_file(const char *path)
{
	static u8 data[STREAM_MAX + 1];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	if (n > 1)
		check(data + 1, n - 1, data[0] & 1, data[0] * 77 + n);
	return 0;
}

int main(int argc, char **argv)
{
	static u8 stream[STREAM_MAX];
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	u64 r = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	if (argc > 1 && !rounds) {
		int err = 0;

		for (int i = 1; i < argc; i++)
			err |= run_file(argv[i]);
		return err;
	}
	for (unsigned long i = 0; i < rounds; i++) {
		u32 n = 0, server = rnd(&r, 2), count = 1 + rnd(&r, 12), hurt = rnd(&r, 3) ? 0 : 1 + rnd(&r, 4);

		while (count-- && n < STREAM_MAX - 10000)
			n += put(stream + n, &r, server);
		while (hurt--) {
			if (rnd(&r, 2))
				stream[rnd(&r, n)] = rnd(&r, 256);
			else
				n = 1 + rnd(&r, n);
		}
		check(stream, n, server, r);
	}
	printf("fuzz_postgresql: %lu streams, %lu messages, nothing broken\n", rounds, messages);
	return 0;
}
#endif
