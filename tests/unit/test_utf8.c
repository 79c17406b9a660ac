// SPDX-License-Identifier: GPL-2.0-only
/* test_utf8.c - foreign text: decoded right, measured right, harmless on a terminal. */
#include "unit.h"

#include "base/buf.h"
#include "base/utf8.h"

static void test_round_trip(void **state)
{
	for (uint32_t c = 0; c < 0x110000; c++) {
		struct sonde_buf buf = {};
		size_t bytes;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		sonde_utf8_add(&buf, c);
		assert_int_equal(sonde_utf8_next(buf.s, buf.len, &bytes), c);
		assert_int_equal(bytes, buf.len);
		sonde_buf_free(&buf);
	}
	(void)state;
}

/* Each text has exactly this many characters, each invalid piece being one. */
static void test_invalid(void **state)
{
	static const struct {
		const char *s;
		unsigned int bad;
	} cases[] = {
		{ "\x80", 1 },	       { "\xff\xfe", 2 },
		{ "\xc0\xaf", 2 },     { "\xe0\x80\xaf", 3 },
		{ "\xed\xa0\x80", 3 }, { "\xf4\x90\x80\x80", 4 },
		{ "\xe2\x82", 1 },     { "a\xe2\x82z", 1 },
		{ "\xf0\x9f\x98", 1 }, { "\xf0\x9f\x98\xc3\xa4", 1 },
		{ "\xc3", 1 },	       { "\xe2\x82\xac", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int bad = 0;
		size_t bytes, len = strlen(cases[i].s);

		for (size_t at = 0; at < len; at += bytes) {
			bad += sonde_utf8_next(cases[i].s + at, len - at, &bytes) == SONDE_UTF8_BAD;
			assert_in_range(bytes, 1, len - at);
		}
		assert_int_equal(bad, cases[i].bad);
	}
	(void)state;
}

static void test_width(void **state)
{
	assert_int_equal(sonde_utf8_columns("abc", 3), 3);
	assert_int_equal(sonde_utf8_columns("\xe9\xa1\xa7\xe5\xae\xa2", 6), 4); /* CJK */
	assert_int_equal(sonde_utf8_columns("e\xcc\x81", 3), 1); /* combining acute */
	assert_int_equal(sonde_utf8_columns("\xf0\x9f\x98\x80", 4), 2); /* emoji */
	assert_int_equal(sonde_utf8_columns("\xef\xbd\xb1", 3), 1); /* halfwidth katakana */
	assert_int_equal(sonde_utf8_columns("\x1b[1m", 4), 4);
	(void)state;
}

static void check_clean(const char *s, size_t len, const char *want)
{
	struct sonde_buf buf = {};

	sonde_utf8_clean(&buf, s, len);
	assert_string_equal(buf.s, want);
	sonde_buf_free(&buf);
}

static void test_clean(void **state)
{
	check_clean("a\x1b[31mb", 7, "a\xef\xbf\xbd[31mb");
	check_clean("a\nb\tc\rd", 7, "a b c d");
	check_clean("a\0b", 3,
		    "a\xef\xbf\xbd"
		    "b");
	check_clean("\xc2\x9b"
		    "31m",
		    5,
		    "\xef\xbf\xbd"
		    "31m"); /* C1 control sequence introducer */
	check_clean("\xe2\x80\xae"
		    "abc",
		    6,
		    "\xef\xbf\xbd"
		    "abc"); /* right-to-left override */
	check_clean("\xff", 1, "\xef\xbf\xbd");
	(void)state;
}

static void test_fit(void **state)
{
	static const char text[] = "ab\xe9\xa1\xa7\xe5\xae\xa2"
				   "cdefgh";

	for (unsigned int columns = 0; columns < 14; columns++) {
		struct sonde_buf buf = {};
		unsigned int used = sonde_utf8_fit(&buf, text, strlen(text), columns);

		assert_true(used <= columns);
		assert_int_equal(used, buf.len ? sonde_utf8_columns(buf.s, buf.len) : 0);
		if (columns >= 12)
			assert_string_equal(buf.s, text);
		if (columns == 6)
			assert_string_equal(buf.s, "ab..."); /* the wide character does not fit into one column */
		sonde_buf_free(&buf);
	}
	(void)state;
}

static void test_noise_is_harmless(void **state)
{
	u64 seed = 11;

	for (u32 round = 0; round < 5000; round++) {
		struct sonde_buf buf = {};
		char noise[64];
		size_t bytes;

		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (char)unit_random(&seed);
		sonde_utf8_clean(&buf, noise, sizeof(noise));
		for (size_t at = 0; at < buf.len; at += bytes)
			assert_false(sonde_utf8_unsafe(sonde_utf8_next(buf.s + at, buf.len - at, &bytes)));
		sonde_buf_free(&buf);
	}
	(void)state;
}

/* The end of a text, as wide as there is room for. */
static void test_tail(void **state)
{
	static const struct {
		const char *text;
		unsigned int columns;
		const char *shown;
	} cases[] = {
		{ "/var/lib/file", 20, "/var/lib/file" }, { "/var/lib/file", 13, "/var/lib/file" },
		{ "/var/lib/file", 12, ".../lib/file" }, { "/var/lib/file", 3, "..." },
		{ "/var/lib/file", 2, ".." },		  { "/a/\xe6\x97\xa5\xe6\x9c\xac", 6, "...\xe6\x9c\xac" },
		{ "a\x1b[31mb", 6, "...1mb" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_buf buf = {};
		unsigned int used = sonde_utf8_tail(&buf, cases[i].text, strlen(cases[i].text), cases[i].columns);

		assert_true(used <= cases[i].columns);
		assert_int_equal(used, sonde_utf8_columns(buf.s, buf.len));
		if (cases[i].shown)
			assert_string_equal(buf.s, cases[i].shown);
		sonde_buf_free(&buf);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_width),	   cmocka_unit_test(test_clean),
		cmocka_unit_test(test_fit),	   cmocka_unit_test(test_noise_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
