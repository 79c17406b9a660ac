// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_comment.c - what SQL comments say: names, ids, paths folded as those of HTTP, whatever lies around them.
 */
#include <stdio.h>

#include "unit.h"
#include "sonde/comment_name.h"
#include "sonde/sql_core.h"
#include "../fuzz/comment_mutate.h"

static struct sonde_win win;
static struct sonde_comment comment;

static const struct sonde_comment *parse(const char *text, u32 len)
{
	memset(&win, '7', sizeof(win)); /* what lies behind looks like an id that goes on */
	memset(&comment, 0xa5, sizeof(comment));
	memcpy(win.b + 9, text, len);
	sonde_comment_parse(&comment, &win, 9, len);
	return &comment;
}

/* The hash that an id has when it stands there alone. */
static u64 id_of(const char *id)
{
	char text[128];

	if (!id)
		return 0;
	snprintf(text, sizeof(text), "/*%s=%s*/", strcmp(id, "trace") ? "request_id" : "trace_id",
		 strcmp(id, "trace") ? id : CASE_TRACE);
	return parse(text, strlen(text))->request;
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < NR_COMMENT_CASES; i++) {
		const struct comment_case *c = &comment_cases[i];
		const struct sonde_comment *s;
		u64 id = id_of(c->id);

		assert_true(!c->id == !id);
		s = parse(c->text, strlen(c->text));
		if (s->name.len != strlen(c->name) || memcmp(s->name.b, c->name, s->name.len))
			fail_msg("%s: name [%.*s], not [%s]", c->text, (int)s->name.len, s->name.b, c->name);
		if (s->request != id)
			fail_msg("%s: another request than %s", c->text, c->id ? c->id : "none");
		if (s->name.cut != (u32)c->cut)
			fail_msg("%s: cut %u", c->text, s->name.cut);
	}
}

/* Different ids are different requests; spans, flags and spelling make no difference. */
static void test_ids(void **state)
{
	static const char *const same[] = {
		"/*traceparent='00-" CASE_TRACE "-0000000000000001-00'*/",
		"/*traceparent='00-" CASE_TRACE "-00000000000000ff-01'*/",
		"/*traceparent='cc-4BF92F3577B34DA6A3CE929D0E0E4736-00000000000000ff-01-x'*/",
		"-- trace_id: " CASE_TRACE, "/*request_id=5, traceId=\"" CASE_TRACE "\"*/"
	};
	u64 ids[2000], random = 7;
	char text[128];

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(parse(same[i], strlen(same[i]))->request, id_of("trace"));
	for (u32 i = 0; i < 2000; i++) {
		if (i % 2)
			snprintf(text, sizeof(text), "/*request_id=%u*/", i);
		else
			snprintf(text, sizeof(text), "/*traceparent='00-%016llx%016llx-0000000000000001-01'*/",
				 (unsigned long long)(i % 4 ? i : 0), (unsigned long long)unit_random(&random));
		ids[i] = parse(text, strlen(text))->request;
		assert_int_not_equal(ids[i], 0);
		for (u32 k = 0; k < i; k++)
			assert_int_not_equal(ids[i], ids[k]);
	}
}

/* A path without marks of a pattern, of pieces that the rules of http_path.h tell apart. */
static u32 make_path(u64 *random, char *out)
{
	static const char *const pieces[] = {
		"orders", "a",	 "v1",	 "42",	 "1234",  "3f2a9c1b", "deadbeef",
		"x9",	  ".",	 "-",	 "_",	 ".json", "7",	      "abcdefghijklmnopqrstuvwxy",
		"%",	  "~",	 "2024", "0c1d", "ABC",	  "-01",      "/",
		"+",	  "z.9", "@"
	};
	u32 len = 0, segments = 1 + unit_random(random) % 5, nr;

	for (u32 i = 0; i < segments; i++) {
		out[len++] = '/';
		for (nr = unit_random(random) % 4; nr; nr--) {
			const char *piece = pieces[unit_random(random) % (sizeof(pieces) / sizeof(pieces[0]))];

			if (len + strlen(piece) >= SONDE_COMMENT_NAME - 30)
				break;
			memcpy(out + len, piece, strlen(piece));
			len += strlen(piece);
		}
	}
	return len;
}

/* The paths of comments are folded exactly as those of requests are. */
static void test_paths(void **state)
{
	static struct sonde_win other;
	static struct sonde_label want;
	char path[256], text[512];
	u64 random = 42;
	u32 folded = 0;

	for (u32 i = 0; i < 50000; i++) {
		u32 len = make_path(&random, path), n;

		memset(&other, ' ', sizeof(other));
		memcpy(other.b + 3, path, len);
		sonde_label_begin(&want);
		sonde_http_path(&other, 3, 3 + len, &want);
		n = snprintf(text, sizeof(text), "/*route='");
		for (u32 k = 0; k < len; k++) /* every other one in code */
			n += snprintf(text + n, sizeof(text) - n, i % 2 || path[k] == '%' ? "%%%02X" : "%c", path[k]);
		n += snprintf(text + n, sizeof(text) - n, "'*/");
		parse(text, n);
		if (want.len <= SONDE_COMMENT_NAME &&
		    (comment.name.len != want.len || memcmp(comment.name.b, want.b, want.len)))
			fail_msg("%s: [%.*s], of a request [%.*s]", text, (int)comment.name.len, comment.name.b,
				 (int)want.len, want.b);
		folded += memmem(want.b, want.len, "{id}", 4) != NULL;
	}
	assert_true(folded > 10000);
}

/* What the normaliser finds is what is read here: its marks stand where they are looked for. */
static void test_with_statement(void **state)
{
	static const char *const texts[] = {
		"select a /*route='/orders',request_id=7f3a*/ from t",
		"/*route='/orders',request_id=7f3a*/ select a from t",
		"select a from t where b = 1 -- route='/orders',request_id=7f3a",
		"select a from t -- route='/orders',request_id=7f3a\nwhere b = 1",
	};
	static struct sonde_sql sql;
	u64 id = id_of("7f3a");

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		u32 len = strlen(texts[i]);

		sonde_sql_normalise(&sql, (const u8 *)texts[i], len, SONDE_SQL_POSTGRESQL);
		parse(texts[i], len);
		sonde_comment_parse(&comment, &win, 9 + sql.com_pos, sql.com_len);
		assert_int_equal(comment.name.len, 7);
		assert_memory_equal(comment.name.b, "/orders", 7);
		assert_int_equal(comment.request, id);
	}
}

/* Bytes around the comment make no difference, and it never reads past its limit. */
static void test_mutated(void **state)
{
	static struct sonde_comment other;
	static u8 text[COMMENT_MUTATE_MAX];
	u64 random = 20240131;
	u32 named = 0, identified = 0;

	for (u32 i = 0; i < 20000; i++) {
		u32 len = comment_mutate(&random, text);

		memset(&win, i & 1 ? '/' : 'a', sizeof(win));
		memcpy(win.b, text, len);
		sonde_comment_parse(&comment, &win, 0, len);
		memset(&win, i & 1 ? '"' : 0, sizeof(win));
		memcpy(win.b + SONDE_WIN_BYTES - len, text, len);
		memset(&other, 0x5a, sizeof(other));
		sonde_comment_parse(&other, &win, SONDE_WIN_BYTES - len, len);
		assert_int_equal(comment.request, other.request);
		assert_int_equal(comment.name.len, other.name.len);
		assert_int_equal(comment.name.cut, other.name.cut);
		assert_memory_equal(comment.name.b, other.name.b, other.name.len);
		assert_true(comment.name.len <= SONDE_COMMENT_NAME);
		named += comment.name.len > 0;
		identified += comment.request > 0;
	}
	assert_true(named > 4000);
	assert_true(identified > 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),	       cmocka_unit_test(test_ids),     cmocka_unit_test(test_paths),
		cmocka_unit_test(test_with_statement), cmocka_unit_test(test_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
