/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream_mutate.h - what the fuzzers feed to parsers: recorded sessions, mutated, and plausible bytes out of a seed.
 *
 * An input is one byte that says what follows, then that:
 *	bit 1 clear   one direction's stream: bit 0 set: the server's; bits 2-7: kind of the requests it answers
 *	bit 1 set     a session: sends one after the other, each a byte (1: of the server) and a 16-bit little-endian length
 */
#ifndef TESTS_STREAM_MUTATE_H
#define TESTS_STREAM_MUTATE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sonde/base.h"

#define INPUT_SERVER 1u
#define INPUT_SESSION 2u
#define INPUT_KIND_SHIFT 2
#define INPUT_MAX 60000u /* longest input, bytes */
#define INPUT_CHUNK_MAX 12000u /* longest send made here */
#define INPUT_CHUNKS 160u

/** struct input - bytes being put together */
struct input {
	u32 len;
	u8 b[INPUT_MAX + INPUT_CHUNK_MAX];
};

/** struct input_chunk - one send of an input */
struct input_chunk {
	const u8 *data;
	u32 len;
	bool server;
};

static inline u32 input_random(u64 *state, u32 below)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return below ? (u32)(sonde_mix64(*state) >> 32) % below : 0;
}

/** input_chunks - the sends of @data, at most @max; returns their number */
static inline u32 input_chunks(const u8 *data, u32 n, struct input_chunk *chunks, u32 max)
{
	u32 at = 1, nr = 0;

	if (n < 2)
		return 0;
	if (!(data[0] & INPUT_SESSION)) {
		chunks[0] = (struct input_chunk){ data + 1, n - 1, data[0] & INPUT_SERVER };
		return 1;
	}
	while (at + 3 < n && nr < max) {
		u32 len = sonde_min_u32(data[at + 1] | data[at + 2] << 8, n - at - 3);

		if (len)
			chunks[nr++] = (struct input_chunk){ data + at + 3, len, data[at] & 1 };
		at += 3 + len;
	}
	return nr;
}

static inline void input_put(struct input *in, const void *data, u32 n)
{
	if (in->len + n > sizeof(in->b))
		return;
	memcpy(in->b + in->len, data, n);
	in->len += n;
}

static inline void input_byte(struct input *in, u32 c)
{
	u8 b = c;

	input_put(in, &b, 1);
}

static inline void input_le(struct input *in, u64 v, u32 bytes)
{
	while (bytes--) {
		input_byte(in, v);
		v >>= 8;
	}
}

static inline void input_be(struct input *in, u64 v, u32 bytes)
{
	while (bytes--)
		input_byte(in, v >> 8 * bytes);
}

/* A word that means something to one protocol or another. */
static inline const char *input_word(u64 *r)
{
	static const char *const words[] = {
		"select 1",
		"GET",
		"SET",
		"get",
		"gets",
		"set",
		"mg",
		"ms",
		"md",
		"mn",
		"me",
		"HD",
		"VA",
		"EN",
		"VALUE",
		"END",
		"STORED",
		"DELETED",
		"noreply",
		"incr",
		"touch",
		"gat",
		"ERROR",
		"SERVER_ERROR",
		"-ERR x",
		"-MOVED 1",
		"+OK",
		"OK",
		"MULTI",
		"EXEC",
		"QUEUED",
		"SUBSCRIBE",
		"BLPOP",
		"HELLO",
		"AUTH",
		"EVAL",
		"user:17",
		"HTTP/1.1",
		"HTTP/1.0",
		"POST /",
		"HEAD /",
		"CONNECT",
		"100 Continue",
		"101",
		"204",
		"304",
		"200 OK",
		"Host:",
		"Content-Length:",
		"Connection:",
		"Upgrade:",
		"close",
		"keep-alive",
		"chunked",
		"Transfer-Encoding:",
		"/orders/17/x",
		"begin",
		"commit",
		"insert into t values (1)",
		"*",
		"$",
		"$-1",
		"*-1",
		"user",
		"database",
		"SERROR",
		"C42P01",
		"SELECT 5",
		"_",
		"find",
		"aggregate",
		"filter",
		"$db",
		"cursor",
		"firstBatch",
		"ok",
		"mysql_native_password",
	};

	return words[input_random(r, sizeof(words) / sizeof(words[0]))];
}

static inline void input_words(struct input *in, u64 *r, u32 nr)
{
	while (nr--) {
		const char *w = input_word(r);

		input_put(in, w, strlen(w));
		if (nr)
			input_byte(in, input_random(r, 9) ? ' ' : 0);
	}
}

static inline void input_noise(struct input *in, u64 *r, u32 nr)
{
	while (nr--)
		input_byte(in, input_random(r, 9) ? ' ' + input_random(r, 90) : input_random(r, 256));
}

static inline void input_number(struct input *in, u64 *r)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%u",
			 input_random(r, input_random(r, 8)   ? 12
					 : input_random(r, 8) ? 3000
							      : 1u << 31));

	input_put(in, text, n);
}

/* A body: mostly short, sometimes longer than what is kept of a split message, rarely than a window. */
static inline u32 input_body(u64 *r)
{
	return input_random(r, input_random(r, 30) ? 60 : input_random(r, 12) ? 700 : 9000);
}

/* Type byte and big-endian length, names that end in NUL (PostgreSQL). */
static inline void input_typed(struct input *in, u64 *r, bool server)
{
	static const char front[] = "QPBEDCSHFXdcfpQPBESS", back[] = "TDDDDCZEI123nstGHNASRKvdc";
	u8 type = server ? back[input_random(r, sizeof(back) - 1)] : front[input_random(r, sizeof(front) - 1)];
	u32 at = in->len, body;

	input_byte(in, type);
	input_be(in, 0, 4);
	if (server && type == 'Z') {
		input_byte(in, "ITE"[input_random(r, 3)]);
	} else if ((server && type == 'C') || type == 'E' || type == 'Q') {
		input_words(in, r, 1 + input_random(r, 4));
		input_byte(in, 0);
	} else if (!(type == 'S' && !server) && type != 'H' && type != 'X') {
		for (u32 names = strchr("PBE", type) && !server ? 1 + input_random(r, 2) : 0; names; names--) {
			input_words(in, r, input_random(r, 2));
			input_byte(in, 0);
		}
		input_noise(in, r, input_body(r));
		input_be(in, 0, 8);
	}
	body = in->len - at - 1;
	in->b[at + 3] = body >> 8;
	in->b[at + 4] = body;
}

/* Three-byte length, sequence number (MySQL). */
static inline void input_packet(struct input *in, u64 *r, bool server)
{
	static const u8 back[] = { 0x00, 0xfe, 0xff, 0xfb, 0x0a, 0x01, 0x03, 0xfc, 0xfd };
	u32 at = in->len, body;

	input_le(in, 0, 3);
	input_byte(in, server ? 1 + input_random(r, 8) : 0);
	input_byte(in, server ? back[input_random(r, sizeof(back))] : input_random(r, 0x20));
	if (input_random(r, 2))
		input_le(in, input_random(r, 4), 4);
	if (input_random(r, 2))
		input_words(in, r, 1);
	input_noise(in, r, input_body(r));
	body = in->len - at - 4;
	in->b[at] = body;
	in->b[at + 1] = body >> 8;
}

/* Lines with announced lengths and counts (Redis). */
static inline void input_resp(struct input *in, u64 *r, bool server)
{
	static const char types[] = "+-:$*_#,(!=%~>|.$*$*";

	for (u32 nr = 1 + input_random(r, 6); nr; nr--) {
		u8 type = types[input_random(r, server ? sizeof(types) - 1 : 5)];
		char line[24];
		u32 len = input_body(r);

		input_byte(in, type);
		if (type == '$' || type == '=' || type == '!') {
			if (input_random(r, 2)) {
				const char *w = input_word(r);

				input_put(in, line, snprintf(line, sizeof(line), "%zu\r\n", strlen(w)));
				input_put(in, w, strlen(w));
			} else {
				input_put(in, line, snprintf(line, sizeof(line), "%u\r\n", len));
				input_noise(in, r, len);
			}
		} else if (type == '+' || type == '-') {
			input_words(in, r, 2);
		} else {
			input_number(in, r);
		}
		input_put(in, "\r\n", 2);
	}
}

/* Words on a line, a block whose length is one of them (memcached). */
static inline void input_line(struct input *in, u64 *r, bool server)
{
	input_words(in, r, 2);
	for (u32 nr = input_random(r, 4); nr; nr--) {
		input_byte(in, ' ');
		input_number(in, r);
	}
	if (input_random(r, 3)) {
		u32 len = input_body(r);
		char text[24];

		input_put(in, text, snprintf(text, sizeof(text), " %u", len));
		if (!server && !input_random(r, 4))
			input_put(in, " noreply", 8);
		input_put(in, "\r\n", 2);
		input_noise(in, r, len);
	}
	input_put(in, "\r\n", 2);
}

/* Little-endian length of the whole, documents of typed elements (MongoDB). */
static inline void input_document(struct input *in, u64 *r, bool server)
{
	static const u8 types[] = { 0x10, 0x02, 0x12, 0x01, 0x08, 0x07, 0x03, 0x04 };
	u32 at = in->len, doc, len;

	input_le(in, 0, 4);
	input_le(in, input_random(r, 9), 4);
	input_le(in, server ? input_random(r, 9) : 0, 4);
	input_le(in, input_random(r, 9) ? 2013 : 2010 + input_random(r, 4), 4);
	input_le(in, input_random(r, 9) ? 0 : input_random(r, 4), 4);
	input_byte(in, input_random(r, 9) ? 0 : 1);
	doc = in->len;
	input_le(in, 0, 4);
	for (u32 nr = 1 + input_random(r, 5); nr; nr--) {
		u8 type = types[input_random(r, sizeof(types))];
		const char *w = input_word(r);

		input_byte(in, type);
		input_put(in, w, strlen(w) + 1);
		if (type == 0x02) {
			w = input_word(r);
			input_le(in, strlen(w) + 1, 4);
			input_put(in, w, strlen(w) + 1);
		} else if (type == 0x03 || type == 0x04) {
			input_le(in, 5, 4);
			input_byte(in, 0);
		} else {
			input_le(in, input_random(r, 3), type == 0x10 ? 4 : type == 0x08 ? 1 : type == 0x07 ? 12 : 8);
		}
	}
	input_byte(in, 0);
	len = in->len - doc;
	in->b[doc] = len;
	in->b[doc + 1] = len >> 8;
	len = in->len - at;
	in->b[at] = len;
	in->b[at + 1] = len >> 8;
}

/* A head of lines and a body (HTTP). */
static inline void input_http(struct input *in, u64 *r, bool server)
{
	static const char *const methods[] = { "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH" };
	static const char *const codes[] = { "200", "204", "304", "100", "101", "404", "500", "206" };
	char line[160];
	u32 len = input_body(r);

	if (server)
		input_put(in, line,
			  snprintf(line, sizeof(line), "HTTP/1.%u %s Any\r\n", input_random(r, 2),
				   codes[input_random(r, 8)]));
	else
		input_put(in, line,
			  snprintf(line, sizeof(line), "%s /orders/%u/%s HTTP/1.1\r\nHost: a\r\n",
				   methods[input_random(r, 8)], input_random(r, 100000),
				   input_random(r, 2) ? "lines?x=1" : "550e8400-e29b-41d4-a716-446655440000"));
	for (u32 nr = input_random(r, 5); nr; nr--) {
		input_words(in, r, 2);
		input_put(in, "\r\n", 2);
	}
	if (input_random(r, 3)) {
		input_put(in, line, snprintf(line, sizeof(line), "Content-Length: %u\r\n\r\n", len));
		input_noise(in, r, len);
		return;
	}
	input_put(in, "Transfer-Encoding: chunked\r\n\r\n", 30);
	for (u32 nr = input_random(r, 4); nr; nr--) {
		len = 1 + input_body(r);
		input_put(in, line, snprintf(line, sizeof(line), "%x\r\n", len));
		input_noise(in, r, len);
		input_put(in, "\r\n", 2);
	}
	input_put(in, "0\r\n\r\n", 5);
}

#define INPUT_STYLES 6

/** input_make - messages of one style, well-formed, mostly */
static inline void input_make(struct input *in, u64 *r, u32 style)
{
	static void (*const styles[INPUT_STYLES])(struct input *, u64 *, bool) = { input_typed,	   input_packet,
										   input_resp,	   input_line,
										   input_document, input_http };
	bool server = input_random(r, 2);

	in->len = 0;
	input_byte(in, (server ? INPUT_SERVER : 0) | input_random(r, 64) << INPUT_KIND_SHIFT);
	for (u32 nr = 1 + input_random(r, 12); nr && in->len < INPUT_MAX - INPUT_CHUNK_MAX; nr--)
		styles[style](in, r, server);
}

/* One change to a send, in place where there is room. @other: something to take a piece of. */
static inline void input_hurt(struct input *in, u32 from, u64 *r, const u8 *other, u32 other_len)
{
	static const u64 magic[] = { 0,	   1,	   0x7f,   0x80,       0xff,	   0xfb,      0xfc,
				     0xfe, 0x0d0a, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff };
	u32 len = in->len - from, at = from + input_random(r, len), n;

	if (!len)
		return;
	switch (input_random(r, 7)) {
	case 0:
		in->b[at] = input_random(r, 256);
		break;
	case 1:
		in->b[at] ^= 1u << input_random(r, 8);
		break;
	case 2: { /* an edge of some length */
		u64 v = magic[input_random(r, sizeof(magic) / sizeof(magic[0]))];

		if (input_random(r, 2))
			v = __builtin_bswap64(v) >> 32;
		memcpy(in->b + at, &v, 1u << input_random(r, 3));
		break;
	}
	case 3: /* cut */
		in->len = at + 1;
		break;
	case 4: /* a piece goes */
		n = input_random(r, sonde_min_u32(in->len - at, 40));
		memmove(in->b + at, in->b + at + n, in->len - at - n);
		in->len -= n;
		break;
	case 5: /* a piece comes twice */
		n = input_random(r, sonde_min_u32(in->len - at, 400));
		if (in->len + n > INPUT_MAX)
			break;
		memmove(in->b + at + n, in->b + at, in->len - at);
		in->len += n;
		break;
	case 6: /* a piece of another */
		n = input_random(r, sonde_min_u32(sonde_min_u32(other_len, in->len - at), 200));
		memmove(in->b + at, other + input_random(r, other_len - n), n);
		break;
	}
}

/** input_mutate - @data changed in a few places, its sends kept apart; @other gives pieces */
static inline void input_mutate(struct input *in, u64 *r, const u8 *data, u32 n, const u8 *other, u32 other_len)
{
	struct input_chunk chunks[INPUT_CHUNKS];
	u32 nr = input_chunks(data, n, chunks, INPUT_CHUNKS), hurt = input_random(r, 6);
	u32 victim = input_random(r, nr), drop = input_random(r, 12) ? nr : input_random(r, nr);

	in->len = 0;
	input_byte(in, data[0]);
	for (u32 i = 0; i < nr && in->len < INPUT_MAX - INPUT_CHUNK_MAX; i++) {
		u32 head = in->len, from, len;

		if (i == drop && nr > 1)
			continue;
		if (data[0] & INPUT_SESSION)
			input_le(in, chunks[i].server, 3);
		from = in->len;
		input_put(in, chunks[i].data, sonde_min_u32(chunks[i].len, INPUT_CHUNK_MAX));
		if (i == victim || !input_random(r, 8))
			for (u32 k = 0; k < hurt; k++)
				input_hurt(in, from, r, other, other_len);
		len = in->len - from;
		if (data[0] & INPUT_SESSION) {
			in->b[head + 1] = len;
			in->b[head + 2] = len >> 8;
		}
	}
}

#endif /* TESTS_STREAM_MUTATE_H */
