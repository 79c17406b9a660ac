// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_proto.c - one protocol's detector and message parser on hostile streams; built once for every parser in proto.def.
 *
 * With -fsanitize=fuzzer (SONDE_LIBFUZZER defined) a libFuzzer target. Otherwise a program of its own:
 *
 *	fuzz_<p> [ROUNDS [SEED [FILE...]]]
 *
 * walks the inputs in FILEs, then ROUNDS that are made of them or out of nothing. stream_mutate.h says what an input is.
 *
 * Every send is walked whole and cut into pieces of random sizes: both must see the same messages. What else must hold,
 * whatever the bytes, ../unit/stream.h says.
 */
#include "../unit/stream.h"
#include "stream_mutate.h"
#include SONDE_FUZZ_HEADER

#define CAT3(a, b, c) a##b##c
#define FUNCTION(p, name) CAT3(sonde_, p, name)
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
#define DETECT_MORE_MAX 16 /* SONDE_DETECT_MORE: at most this many bytes */

static const struct stream_proto proto = { FUNCTION(SONDE_FUZZ_PROTO, _plausible), FUNCTION(SONDE_FUZZ_PROTO, _detect),
					   FUNCTION(SONDE_FUZZ_PROTO, _client), FUNCTION(SONDE_FUZZ_PROTO, _server) };
static unsigned long messages, recognised; /* in all inputs, walked whole */

/* What was seen of a stream: a hash over the messages. */
struct seen {
	u64 hash[2];
	u32 nr[2];
};

/* For people: the first messages of both walks. */
#define KEPT_MESSAGES 4000u
static struct sonde_msg kept[2][2][KEPT_MESSAGES]; /* by walk, by direction */
static u32 walk_nr;

static u64 mix(u64 hash, u64 value)
{
	return sonde_mix64(hash ^ value) + SONDE_FNV_BASIS;
}

static void note(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos)
{
	struct seen *seen = ctx;
	struct sonde_label label = m->label;
	u64 h = seen->hash[server];

	if (seen->nr[server] < KEPT_MESSAGES)
		kept[walk_nr][server][seen->nr[server]] = *m;

	h = mix(h, m->op | m->txn << 8 | m->error_class << 16 | (u64)m->size << 32);
	h = mix(h, m->flags | (u64)m->kind << 32 | (u64)m->replies << 48);
	h = mix(h, m->text_len ? (m->text_off - pos) | (u64)sonde_min_u32(m->text_len, SONDE_TEXT_BYTES) << 32 : 0);
	h = mix(h, m->name_len ? (m->name_off - pos) | (u64)m->name_len << 32 : 0);
	h = mix(h, m->user_len ? (m->user_off - pos) | (u64)m->user_len << 32 : 0);
	h = mix(h, m->db_len ? (m->db_off - pos) | (u64)m->db_len << 32 : 0);
	h = mix(h, m->code);
	h = mix(h, m->name);
	h = mix(h, m->portal);
	h = mix(h, m->params);
	h = mix(h, m->rows);
	h = mix(h, m->sqlstate);
	h = mix(h, m->label.len ? sonde_label_id(&label) : 0);
	seen->hash[server] = h;
	seen->nr[server]++;
}

/* Asks what the send is; the state to begin with. */
static void detect(const struct input_chunk *chunk, struct sonde_state *st)
{
	u32 avail = sonde_min_u32(chunk->len, SONDE_WIN_BYTES);
	struct sonde_state other = {};
	u64 head = 0;
	int ret, ret2;

	memset(st, 0, sizeof(*st));
	for (int i = 0; i < 2; i++) {
		memset(stream_win[i].b, i ? 0x31 : 0, sizeof(stream_win[i].b));
		memcpy(stream_win[i].b, chunk->data, avail);
	}
	memcpy(&head, chunk->data, sonde_min_u32(chunk->len, sizeof(head)));
	ret = proto.detect(&stream_win[0], chunk->len, avail, st);
	ret2 = proto.detect(&stream_win[1], chunk->len, avail, &other);
	stream_check(ret == ret2, "bytes behind the data matter to what it is", ret, ret2);
	stream_check(ret == SONDE_DETECT_NO || proto.plausible(head, chunk->len), "recognised, but not plausible", ret,
		     chunk->len);
	stream_check(ret != SONDE_DETECT_MORE || chunk->len <= DETECT_MORE_MAX, "undecided for too long", ret,
		     chunk->len);
	stream_check(ret == SONDE_DETECT_NO || ret == SONDE_DETECT_MORE || !memcmp(st, &other, sizeof(other)),
		     "bytes behind the data matter to the state", ret, chunk->len);
	recognised += ret == SONDE_DETECT_CLIENT || ret == SONDE_DETECT_SERVER;
	if (ret != (chunk->server ? SONDE_DETECT_SERVER : SONDE_DETECT_CLIENT))
		memset(st, 0, sizeof(*st));
}

/* Walks all sends; @seed 0: each whole, else in pieces. */
static void walk(struct stream *s, struct seen *seen, const struct input_chunk *chunks, u32 nr, u32 kind,
		 const struct sonde_state *st, u64 seed)
{
	stream_begin(s, &proto, note, seen);
	s->st = *st;
	if (kind)
		stream_expect(s, kind, 64);
	for (u32 i = 0; i < nr; i++) {
		u32 at = 0;

		while (at < chunks[i].len) {
			u32 n = chunks[i].len - at;

			if (seed) {
				seed = sonde_mix64(seed + 0x9e3779b97f4a7c15ULL) | 1;
				n = sonde_min_u32(n, 1 + (seed & 14 ? seed >> 8 & 63 : seed >> 8 & 8191));
			}
			stream_feed(s, chunks[i].server, chunks[i].data + at, n);
			at += n;
		}
	}
}

static void print(const char *what, const struct sonde_msg *m)
{
	fprintf(stderr,
		"  %s: size %u op %u txn %u class %u flags %x kind %u replies %u text %u+%u name %u+%u %llx portal "
		"%llx",
		what, m->size, m->op, m->txn, m->error_class, m->flags, m->kind, m->replies, m->text_off, m->text_len,
		m->name_off, m->name_len, (unsigned long long)m->name, (unsigned long long)m->portal);
	fprintf(stderr, " user %u+%u db %u+%u code %u params %llx rows %llu sqlstate %llx label %u [%.*s]\n",
		m->user_off, m->user_len, m->db_off, m->db_len, m->code, (unsigned long long)m->params,
		(unsigned long long)m->rows, (unsigned long long)m->sqlstate, m->label.len, (int)m->label.len,
		m->label.b);
}

static void explain(u32 dir, u32 nr)
{
	for (u32 i = 0; i < sonde_min_u32(nr, KEPT_MESSAGES); i++) {
		struct sonde_msg *a = &kept[0][dir][i], *b = &kept[1][dir][i];
		bool same;

		a->text_off = a->name_off = a->user_off = a->db_off = 0;
		b->text_off = b->name_off = b->user_off = b->db_off = 0;
		same = stream_same(a, b);
		if (same && i + 1 < nr)
			continue;
		fprintf(stderr, "message %u of the %s:\n", i, dir ? "server" : "client");
		print("whole", a);
		print("parts", b);
		return;
	}
}

static void check(const u8 *data, u32 n)
{
	static struct stream whole, parts;
	struct input_chunk chunks[INPUT_CHUNKS];
	u32 nr = input_chunks(data, n, chunks, INPUT_CHUNKS), kind;
	struct seen a = {}, b = {};
	struct sonde_state st;

	if (!nr)
		return;
	kind = data[0] & INPUT_SESSION ? 0 : data[0] >> INPUT_KIND_SHIFT;
	for (u32 i = nr; i--;) /* what the first one sets stays */
		detect(&chunks[i], &st);
	walk_nr = 0;
	walk(&whole, &a, chunks, nr, kind, &st, 0);
	walk_nr = 1;
	walk(&parts, &b, chunks, nr, kind, &st, sonde_mix64(n * 77 + data[n - 1]) | 1);
	messages += a.nr[0] + a.nr[1];
	stream_check(whole.ended == parts.ended, "the end depends on the cuts", whole.ended, parts.ended);
	for (int i = 0; i < 2; i++) {
		if (a.hash[i] != b.hash[i])
			explain(i, a.nr[i]);
		stream_check(a.nr[i] == b.nr[i], "the number of messages depends on the cuts", a.nr[i], b.nr[i]);
		stream_check(a.hash[i] == b.hash[i], "the messages depend on the cuts", i, a.nr[i]);
		stream_check(whole.dir[i].lost == parts.dir[i].lost, "being lost depends on the cuts", i, a.nr[i]);
		stream_check(whole.ended || whole.dir[i].lost ||
				     (whole.dir[i].kept == parts.dir[i].kept && whole.dir[i].skip == parts.dir[i].skip),
			     "another rest", whole.dir[i].kept, parts.dir[i].kept);
	}
	stream_check(!memcmp(&whole.st, &parts.st, sizeof(st)), "the state depends on the cuts", a.nr[0], a.nr[1]);
}

#ifdef SONDE_LIBFUZZER
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size > 1 && size <= INPUT_MAX)
		check(data, size);
	return 0;
}
#else

static int load(const char *path, struct input *in)
{
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		return -1;
	}
	in->len = fread(in->b, 1, INPUT_MAX, f);
	fclose(f);
	return 0;
}

/* Out of nothing, mostly in the style that the parser has most to say to. */
static void check_made(u64 *r)
{
	static unsigned long said[INPUT_STYLES];
	static struct input in;
	u32 style = input_random(r, INPUT_STYLES);
	unsigned long before = messages;

	for (u32 i = 0; input_random(r, 4) && i < INPUT_STYLES; i++)
		style = said[i] > said[style] ? i : style;
	input_make(&in, r, style);
	for (u32 hurt = input_random(r, 3) ? 0 : 1 + input_random(r, 4); hurt; hurt--)
		input_hurt(&in, 1, r, in.b, in.len);
	check(in.b, in.len);
	said[style] += messages - before;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000;
	u64 r = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	int nr_files = argc > 3 ? argc - 3 : 0;
	struct input *files = calloc(nr_files + 1, sizeof(*files));
	static struct input in;

	if (!files)
		return 1;
	for (int i = 0; i < nr_files; i++) {
		if (load(argv[3 + i], &files[i]))
			return 1;
		check(files[i].b, files[i].len);
	}
	for (unsigned long i = 0; i < rounds; i++) {
		const struct input *a = &files[input_random(&r, nr_files)], *b = &files[input_random(&r, nr_files)];

		if (a->len > 1 && b->len > 1 && input_random(&r, 3)) {
			input_mutate(&in, &r, a->b, a->len, b->b, b->len);
			check(in.b, in.len);
		} else {
			check_made(&r);
		}
	}
	printf("fuzz_" TEXT(SONDE_FUZZ_PROTO) ": %d files, %lu made, %lu recognised, %lu messages, nothing broken\n",
	       nr_files, rounds, recognised, messages);
	free(files);
	return 0;
}
#endif
