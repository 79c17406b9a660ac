// SPDX-License-Identifier: GPL-2.0-only
/* test_json.c - the JSON report is valid JSON and UTF-8 whatever the strings, and says what the schema says. */
#include <stdio.h>

#include "finding_fixture.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "out/jsonw.h"
#include "out/out.h"

/* A validator by the grammar of RFC 8259: returns behind the value at @p, or NULL. */
static const char *value(const char *p, const char *end, unsigned int depth);

static const char *string(const char *p, const char *end)
{
	size_t bytes;

	if (p >= end || *p++ != '"')
		return NULL;
	while (p < end && *p != '"') {
		uint32_t c = sonde_utf8_next(p, (size_t)(end - p), &bytes);

		if (c < 0x20)
			return NULL;
		if (c == SONDE_UTF8_BAD && (bytes != 3 || memcmp(p, "\xef\xbf\xbd", 3)))
			return NULL; /* not UTF-8 */
		if (c == '\\') {
			p++;
			if (p < end && *p == 'u') {
				if (end - p < 5 || strspn(p + 1, "0123456789abcdefABCDEF") < 4)
					return NULL;
				p += 5;
			} else if (p < end && strchr("\"\\/bfnrt", *p)) {
				p++;
			} else {
				return NULL;
			}
			continue;
		}
		p += bytes;
	}
	return p < end ? p + 1 : NULL;
}

static const char *list(const char *p, const char *end, unsigned int depth, bool object)
{
	char close = object ? '}' : ']';

	if (p < end && *p == close)
		return p + 1;
	while (p) {
		if (object) {
			p = string(p, end);
			if (!p || p >= end || *p++ != ':')
				return NULL;
		}
		p = value(p, end, depth + 1);
		if (!p || p >= end)
			return NULL;
		if (*p == close)
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
	return NULL;
}

static const char *value(const char *p, const char *end, unsigned int depth)
{
	if (p >= end || depth > 20)
		return NULL;
	if (*p == '{' || *p == '[')
		return list(p + 1, end, depth, *p == '{');
	if (*p == '"')
		return string(p, end);
	if (end - p >= 4 && !strncmp(p, "true", 4))
		return p + 4;
	if (end - p >= 5 && !strncmp(p, "false", 5))
		return p + 5;
	if (*p == '-')
		p++;
	if (p >= end || *p < '0' || *p > '9' || (*p == '0' && p + 1 < end && p[1] >= '0' && p[1] <= '9'))
		return NULL;
	p += strspn(p, "0123456789");
	if (p + 1 < end && *p == '.' && p[1] >= '0' && p[1] <= '9')
		p += 1 + strspn(p + 1, "0123456789");
	if (p + 2 < end && *p == 'e' && (p[1] == '-' || p[1] == '+') && p[2] >= '0' && p[2] <= '9')
		p += 2 + strspn(p + 2, "0123456789");
	return p;
}

static void assert_json(const struct sonde_buf *buf)
{
	const char *end = buf->s + buf->len;

	assert_false(buf->failed);
	assert_ptr_equal(value(buf->s, end - 1, 0), end - 1);
	assert_int_equal(end[-1], '\n');
}

static struct sonde_snapshot *snapshot_of(struct sonde_db *db)
{
	struct sonde_snapshot *snap = sonde_db_snapshot(db);

	strcpy(snap->host.name, "box");
	strcpy(snap->host.kernel, "6.1.0");
	strcpy(snap->host.arch, "x86_64");
	snap->capture = "tracepoint";
	snap->start_unix_ns = 1700000000000000000ULL;
	snap->mono_to_unix_ns = 1600000000000000000ULL;
	snap->duration_ns = 10000000000ULL;
	snap->final = true;
	return snap;
}

static void render(const struct sonde_snapshot *snap, unsigned int top, struct sonde_buf *buf)
{
	struct sonde_out_opts opts = { .command = "db", .top = top };

	sonde_outs[SONDE_OUT_json]->render(snap, &opts, buf);
	assert_json(buf);
}

static void assert_has(const struct sonde_buf *buf, const char *what)
{
	if (!strstr(buf->s, what))
		fail_msg("%s\nis not in\n%s", what, buf->s);
}

static void test_document(void **state)
{
	struct sonde_db *db = sonde_db_new();
	u64 counter[SONDE_CNT_MAX] = { [SONDE_CNT_SEEN] = 9,
				       [SONDE_CNT_TIMED] = 7,
				       [SONDE_CNT_ATTRIBUTED] = 6,
				       [SONDE_CNT_LOST_ROWS_FULL] = 1,
				       [SONDE_CNT_RESYNC] = 2 };
	struct sonde_snapshot *snap;
	struct sonde_buf buf = {};

	fixture_text(db, 0xfeed, SONDE_TEXT_PARTIAL, "select a from t", 15);
	fixture_peer(db, 9, "shop");
	fixture_proc(db, 100, "python3");
	fixture_row(db, 0xfeed, 9, 100, 2, 1000000, 1);
	sonde_db_counters(db, counter);
	snap = snapshot_of(db);
	render(snap, 0, &buf);
	assert_int_equal(strncmp(buf.s, "{\"schema\":\"sonde/1\",", 20), 0);
	assert_has(&buf, "\"host\":{\"name\":\"box\",\"kernel\":\"6.1.0\",\"arch\":\"x86_64\"}");
	assert_has(&buf,
		   "\"window\":{\"start_unix_ns\":1700000000000000000,\"duration_ns\":10000000000,\"final\":true}");
	assert_has(&buf, "\"capture\":\"tracepoint\"");
	assert_has(&buf,
		   "\"coverage\":{\"seen\":9,\"timed\":7,\"attributed\":6,\"outstanding\":2,\"lost\":{\"rows_full\":1},"
		   "\"doubt\":{\"resync\":2},\"work\":{}}");
	assert_has(
		&buf,
		"\"queries\":[{\"id\":\"000000000000feed\",\"db_system\":\"postgresql\",\"text\":\"select a from t\","
		"\"name\":\"SELECT t\",\"partial\":true,\"role\":\"client\",\"pid\":100,\"process\":\"python3\","
		"\"server\":\"10.0.0.7:5432\",\"database\":\"shop\",\"user\":\"app\",\"count\":2,\"errors\":1,"
		"\"errors_by_class\":{\"constraint\":1},\"sqlstate\":\"23505\",\"rows\":6,\"sent_bytes\":20,"
		"\"recv_bytes\":200,\"first_seen_unix_ns\":1600000000000001000,"
		"\"last_seen_unix_ns\":1600000000000005000,\"latency_ns\":{\"min\":1000000,");
	assert_has(&buf, "\"max\":2000000,\"sum\":3000000}");
	assert_has(&buf, "\"first_byte_ns\":{\"min\":500000,");
	/* 1 ms is 2^(-79.7/8) s, 2 ms 2^(-71.7/8) s. */
	assert_has(&buf, "\"latency_histogram\":{\"scale\":3,\"offset\":-80,\"counts\":[1,0,0,0,0,0,0,0,1]}");
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

static void test_empty(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap = snapshot_of(db);
	struct sonde_buf buf = {};

	render(snap, 0, &buf);
	assert_has(&buf, "\"queries\":[]}");
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

static void test_top(void **state)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;
	struct sonde_buf buf = {};

	for (u64 i = 1; i <= 5; i++)
		fixture_row(db, i, 9, 100, 1, i * 1000, 0);
	snap = snapshot_of(db);
	render(snap, 2, &buf);
	assert_has(&buf, "\"id\":\"0000000000000005\"");
	assert_null(strstr(buf.s, "\"id\":\"0000000000000003\""));
	assert_has(&buf, "\"queries_left_out\":3");
	assert_has(&buf, "\"text\":\"\",\"name\":\"id 0000000000000005\",\"text_known\":false");
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	sonde_db_free(db);
	(void)state;
}

static void test_escapes(void **state)
{
	static const char text[] = "a\"b\\c\nd\te\x01\x1b[m\x7f\0z\xff\xc3\xa4\xe2\x80\xae\xf0\x9f\x98\x80";
	struct sonde_buf buf = {};
	struct sonde_json json = { .buf = &buf };

	sonde_json_str(&json, NULL, text, sizeof(text) - 1);
	assert_string_equal(buf.s, "\"a\\\"b\\\\c\\nd\\te\\u0001\\u001b[m\\u007f\\u0000z\xef\xbf\xbd\xc3\xa4\\u202e"
				   "\xf0\x9f\x98\x80\"");
	sonde_buf_free(&buf);
	(void)state;
}

static void test_hostile_strings(void **state)
{
	u64 seed = 77;

	for (u32 round = 0; round < 300; round++) {
		struct sonde_db *db = sonde_db_new();
		struct sonde_peer peer = { .family = round % 2 ? SONDE_AF_UNIX : SONDE_AF_FILE };
		struct sonde_proc proc = { .tgid = 100, .start = 3 };
		struct sonde_proc_info info = {};
		struct sonde_snapshot *snap;
		struct sonde_buf buf = {};
		char text[300];

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (char)unit_random(&seed);
		for (size_t i = 0; i < sizeof(peer.path); i++)
			peer.path[i] = (char)unit_random(&seed);
		for (size_t i = 0; i < sizeof(peer.database); i++)
			peer.database[i] = (char)unit_random(&seed);
		for (size_t i = 0; i < sizeof(info.comm); i++)
			info.comm[i] = (char)unit_random(&seed);
		fixture_text(db, 1, 0, text, unit_random(&seed) % sizeof(text));
		sonde_db_peer(db, 9, &peer);
		sonde_db_proc(db, &proc, &info);
		fixture_row(db, 1, 9, 100, 1, 1000, 0);
		snap = snapshot_of(db);
		render(snap, 0, &buf);
		sonde_buf_free(&buf);
		sonde_snapshot_free(snap);
		sonde_db_free(db);
	}
	(void)state;
}

/* Findings and callers of noise make a document, too: no number that JSON has not, no byte that it does not allow. */
static void test_findings(void **state)
{
	u64 seed = 8;

	for (u32 round = 0; round < 300; round++) {
		struct sonde_db *db = fixture_findings();
		struct sonde_buf buf = {};
		struct sonde_snapshot *snap;
		char noise[40];

		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (char)unit_random(&seed);
		fixture_text(db, 60, 0, noise, sizeof(noise));
		for (u32 i = 0; i < 8; i++) {
			struct made made = fixture_made(i < 6 ? i + 1 : 60, 1 + i % 6,
							1 + (u32)(unit_random(&seed) % 300), 5 + i * i * 100);

			made.key.name = i % 2 ? 60 : PAGE;
			made.stat.scope_ns = round % 3 ? unit_random(&seed) >> (round % 64) : 0;
			made.stat.waste_ns = unit_random(&seed) >> (i * 8);
			if (i % 3)
				fixture_parent(&made, round % 2 ? 60 : ORDERS, unit_random(&seed) % 100);
			made.stat.parent_calls = i % 4 ? made.stat.parent_calls : 0;
			fixture_take(db, &made);
			fixture_caller(db, i + 1, made.key.name, PID, SONDE_SCOPE_REQUEST, 10, 100, 0);
			fixture_row(db, i + 1, SHOP, PID, 3, 1000, 0);
		}
		snap = snapshot_of(db);
		assert_true(snap->nr_findings > 0 && snap->nr_callers > 0);
		render(snap, 0, &buf);
		assert_has(&buf, "\"callers\":[{\"scope\":\"request\"");
		assert_has(&buf, "\"findings\":[{\"id\":\"");
		sonde_buf_free(&buf);
		sonde_snapshot_free(snap);
		sonde_db_free(db);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document), cmocka_unit_test(test_empty),	 cmocka_unit_test(test_top),
		cmocka_unit_test(test_findings), cmocka_unit_test(test_escapes), cmocka_unit_test(test_hostile_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
