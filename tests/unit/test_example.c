// SPDX-License-Identifier: GPL-2.0-only
/* test_example.c - statements made of what stood on the wire: values by their formats, and nothing read that is not there. */
#include <errno.h>
#include <stdio.h>

#include "unit.h"

#include "proto/example.h"
#include "proto/params.h"
#include "sonde/event.h"

/* A message under construction. */
struct bytes {
	u8 b[4096];
	size_t len;
};

static void add(struct bytes *m, const void *p, size_t len)
{
	assert_true(m->len + len <= sizeof(m->b));
	memcpy(m->b + m->len, p, len);
	m->len += len;
}

static void be(struct bytes *m, u64 v, size_t bytes)
{
	while (bytes--) {
		u8 c = (u8)(v >> 8 * bytes);

		add(m, &c, 1);
	}
}

static void le(struct bytes *m, u64 v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		u8 c = (u8)(v >> 8 * i);

		add(m, &c, 1);
	}
}

/* ---- PostgreSQL ---- */

static void pg_begin(struct bytes *m, const char *portal, const char *name, size_t formats, const u16 *format,
		     size_t params)
{
	m->len = 0;
	add(m, "B\0\0\0\0", 5);
	add(m, portal, strlen(portal) + 1);
	add(m, name, strlen(name) + 1);
	be(m, formats, 2);
	for (size_t i = 0; i < formats; i++)
		be(m, format[i], 2);
	be(m, params, 2);
}

static void pg_value(struct bytes *m, const void *p, size_t len)
{
	be(m, len, 4);
	add(m, p, len);
}

static void pg_int(struct bytes *m, u64 v, size_t bytes)
{
	be(m, bytes, 4);
	be(m, v, bytes);
}

/* @oid as the only type of the Parse message, 0: none given. */
static void pg_check(const struct bytes *m, u32 oid, const char *want)
{
	struct sonde_params *params = calloc(1, sizeof(*params));
	struct bytes types = {};
	size_t len = 0;
	const char *got;

	be(&types, 1, 2);
	be(&types, oid, 4);
	assert_int_equal(sonde_params_postgresql(m->b, m->len, oid ? types.b : NULL, types.len, params), 0);
	assert_int_equal(params->nr, 1);
	got = sonde_params_get(params, 0, &len);
	if (len != strlen(want) || memcmp(got, want, len))
		fail_msg("type %u: got %.*s, want %s", oid, (int)len, got, want);
	sonde_params_free(params);
	free(params);
}

static void pg_binary(u64 v, size_t bytes, u32 oid, const char *want)
{
	const u16 binary = 1;
	struct bytes m;

	pg_begin(&m, "", "s", 1, &binary, 1);
	pg_int(&m, v, bytes);
	pg_check(&m, oid, want);
}

static void pg_raw(const void *p, size_t len, u32 oid, u16 format, const char *want)
{
	struct bytes m;

	pg_begin(&m, "", "s", 1, &format, 1);
	pg_value(&m, p, len);
	pg_check(&m, oid, want);
}

static u64 bits_of(double v)
{
	u64 bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static u64 bits_of_float(float v)
{
	u32 bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

#define US_2000 946684800ULL /* 2000-01-01 in seconds since 1970 */

/* The values' binary forms are those that PostgreSQL 15 sent for the literals on the right. */
static void test_pg_types(void **state)
{
	pg_binary(1, 1, 16, "true");
	pg_binary(0, 1, 16, "false");
	pg_binary(42, 2, 21, "42");
	pg_binary((u16)-7, 2, 21, "-7");
	pg_binary(42, 4, 23, "42");
	pg_binary((u32)-42, 4, 23, "-42");
	pg_binary(0x80000000, 4, 23, "-2147483648");
	pg_binary(0xffffffff, 4, 26, "4294967295");
	pg_binary((u64)-1, 8, 20, "-1");
	pg_binary(1ULL << 62, 8, 20, "4611686018427387904");
	pg_binary(bits_of(0.1), 8, 701, "0.1");
	pg_binary(bits_of(-1e300), 8, 701, "-1e+300");
	pg_binary(bits_of_float(1.5F), 4, 700, "1.5");
	pg_binary(0x7ff8000000000000, 8, 701, "'NaN'");
	pg_binary((u64)(s64)(1764511507ULL - US_2000) * 1000000 + 123456, 8, 1114, "'2025-11-30 14:05:07.123456'");
	pg_binary((u64)(s64)(1764511507ULL - US_2000) * 1000000, 8, 1184, "'2025-11-30 14:05:07+00'");
	pg_binary((u64)-1, 8, 1114, "'1999-12-31 23:59:59.999999'");
	pg_binary(INT64_MAX, 8, 1114, "'infinity'");
	pg_binary(59, 4, 1082, "'2000-02-29'");
	pg_binary((u32)-1, 4, 1082, "'1999-12-31'");
	pg_binary(3661000000, 8, 1083, "'01:01:01'");
	pg_raw("\x00\x02\x00\x00\x00\x00\x00\x02\x00\x0c\x0d\x7a", 12, 1700, 1, "12.34");
	pg_raw("\x00\x01\xff\xff\x40\x00\x00\x04\x00\x05", 10, 1700, 1, "-0.0005");
	pg_raw("\x00\x01\x00\x01\x00\x00\x00\x00\x00\x03", 10, 1700, 1, "30000");
	pg_raw("\x00\x00\x00\x00\x00\x00\x00\x02", 8, 1700, 1, "0.00");
	pg_raw("\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00", 16, 2950, 1,
	       "'123e4567-e89b-12d3-a456-426614174000'");
	pg_raw("\x00\xff", 2, 17, 1, "'\\x00ff'");
	pg_raw("\x01{\"a\": 1}", 9, 3802, 1, "'{\"a\": 1}'");
	pg_raw("O'Hara", 6, 25, 1, "'O''Hara'");
	pg_raw("O'Hara", 6, 0, 0, "'O''Hara'");
	pg_raw("42", 2, 23, 0, "42");
	pg_raw("-4.5", 4, 1700, 0, "-4.5");
	pg_raw("1; drop", 7, 23, 0, "'1; drop'");
	pg_raw("42", 2, 0, 0, "'42'");
	pg_raw("", 0, 0, 0, "''");
	(void)state;
}

/* Nobody said the type. */
static void test_pg_guesses(void **state)
{
	pg_binary(42, 4, 0, "42");
	pg_binary((u32)-42, 4, 0, "-42");
	pg_binary(1764511507, 4, 0, "1764511507");
	pg_binary(42, 8, 0, "42");
	pg_binary((u64)-42, 8, 0, "-42");
	pg_binary(123456789012345678ULL, 8, 0, "123456789012345678");
	pg_binary(bits_of(19.99), 8, 0, "19.99");
	pg_binary(bits_of_float(2.5F), 4, 0, "2.5");
	pg_binary((u64)(s64)(1764511507ULL - US_2000) * 1000000, 8, 0, "'2025-11-30 14:05:07'");
	pg_binary(7, 2, 0, "7");
	pg_binary(1, 1, 0, "true");
	pg_raw("abcdefgh", 8, 0, 1, "'abcdefgh'");
	pg_raw("\xff\xfe\x00", 3, 0, 1, "'\\xfffe00'");
	pg_raw("\x00\x02\x00\x00\x00\x00\x00\x02\x00\x0c\x0d\x7a", 12, 0, 1, "12.34");
	(void)state;
}

/* A message, with a prepared statement's text in front unless that is NULL: what is made of it. */
static void check(u32 proto, u32 flags, const char *own, const char *types, size_t types_len, const struct bytes *m,
		  const char *normalised, const char *want, bool whole)
{
	size_t text = own ? strlen(own) + (types ? 1 + types_len : 0) : 0;
	struct sonde_buf out = {};
	struct bytes all = {};
	bool got;

	if (own) {
		flags |= SONDE_SLOW_PREPARED;
		le(&all, text, 4);
		add(&all, own, strlen(own));
		if (types) {
			add(&all, "", 1);
			add(&all, types, types_len);
		}
	}
	add(&all, m->b, m->len);
	got = sonde_example(proto, flags, all.b, all.len, normalised, normalised ? strlen(normalised) : 0, &out);
	assert_false(out.failed);
	assert_string_equal(out.s ? out.s : "", want);
	assert_int_equal(got, whole);
	sonde_buf_free(&out);
}

static void test_pg_statements(void **state)
{
	const u16 mixed[] = { 1, 0, 0 };
	struct bytes m;

	pg_begin(&m, "", "s", 3, mixed, 3);
	pg_int(&m, 42, 4);
	pg_value(&m, "x'y", 3);
	be(&m, UINT32_MAX, 4);
	be(&m, 0, 2);
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND, "select * from t where id = $1 and b = $2 and c is $3;", "\0\0",
	      2, &m, NULL, "select * from t where id = 42 and b = 'x''y' and c is NULL", true);
	/* Any order, more than once, not in strings, names, comments. */
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND,
	      "select '$1', \"$2\", $$ $1 $$, $x$ $2 $x$, a$1, E'\\'$1', $2, $1, $1 -- $3", "\0\0", 2, &m, NULL,
	      "select '$1', \"$2\", $$ $1 $$, $x$ $2 $x$, a$1, E'\\'$1', 'x''y', 42, 42 -- $3", true);
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND, "select /* $1 /* $2 */ $3 */ $1", "\0\0", 2, &m, NULL,
	      "select /* $1 /* $2 */ $3 */ 42", true);
	/* The statement's own text is not known. */
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND, NULL, NULL, 0, &m, "select * from t where id = ?",
	      "select * from t where id = ? -- $1 = 42, $2 = 'x''y', $3 = NULL", false);
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND, NULL, NULL, 0, &m, NULL, " -- $1 = 42, $2 = 'x''y', $3 = NULL",
	      false);
	/* A parameter that was not sent. */
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND, "select $1, $4, $0, $99999999999", "\0\0", 2, &m, NULL,
	      "select 42, $4, $0, $99999999999", false);
	/* Cut in the second value. */
	m.len -= 6;
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND | SONDE_SLOW_CUT, NULL, NULL, 0, &m, "select ?",
	      "select ? -- $1 = 42, $2 = 'x''y' -- more parameters could not be read", false);
	/* Negative numbers stay numbers. */
	pg_begin(&m, "", "s", 1, mixed, 1);
	pg_int(&m, (u32)-5, 4);
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND, "select 1 -$1", "\0\0", 2, &m, NULL, "select 1 - -5", true);
	/* A type from the Parse message. */
	check(SONDE_PROTO_POSTGRESQL, SONDE_SLOW_BIND, "select $1", "\0\1\0\0\x04\x3a", 6, &m, NULL,
	      "select '1999-12-27'", true);
	(void)state;
}

static void test_plain(void **state)
{
	struct bytes m = {};

	add(&m, "\n select 'a' ; \n", 15);
	check(SONDE_PROTO_POSTGRESQL, 0, NULL, NULL, 0, &m, NULL, "select 'a'", true);
	check(SONDE_PROTO_SQLITE, SONDE_SLOW_CUT, NULL, NULL, 0, &m, NULL, "select 'a' ...", false);
	m.len = 0;
	check(SONDE_PROTO_MYSQL, 0, NULL, NULL, 0, &m, NULL, "", false);
	(void)state;
}

/* ---- MySQL ---- */

static void my_begin(struct bytes *m, size_t nulls_bytes, const void *nulls, u8 bound)
{
	m->len = 0;
	add(m, "\0\0\0\0\x17\1\0\0\0\0\1\0\0\0", 14);
	add(m, nulls, nulls_bytes);
	add(m, &bound, 1);
}

static void test_mysql_types(void **state)
{
	static const u8 types[] = { 3,	 0, 8, 0x80, 253, 0, 5,	 0, 12,	 0, 10, 0, 11, 0,
				    252, 0, 6, 0,    1,	  0, 13, 0, 246, 0, 7,	0, 4,  0 };
	struct bytes m;

	my_begin(&m, 2, "\0\0", 1);
	add(&m, types, sizeof(types));
	le(&m, (u32)-42, 4);
	le(&m, UINT64_MAX, 8);
	add(&m, "\x07it's \\x", 8);
	le(&m, bits_of(0.1), 8);
	add(&m, "\x0b\xe9\x07\x0b\x1e\x0e\x05\x07\x40\xe2\x01\x00", 12);
	add(&m, "\x04\xe9\x07\x0b\x1e", 5);
	add(&m, "\x08\x01\x01\x00\x00\x00\x02\x03\x04", 9);
	add(&m, "\x02\x00\xff", 3);
	add(&m, "\xff", 1);
	add(&m, "\xe9\x07", 2);
	add(&m, "\x05-1.50", 6);
	add(&m, "\x00", 1);
	le(&m, bits_of_float(2.5F), 4);
	check(SONDE_PROTO_MYSQL, SONDE_SLOW_BIND, "select ?,?,?,?,?,?,?,?,?,?,?,?,?,?", NULL, 0, &m, NULL,
	      "select -42,18446744073709551615,'it''s \\\\x',0.1,'2025-11-30 "
	      "14:05:07.123456','2025-11-30','-26:03:04',x'00ff',"
	      "NULL,-1,2025,'-1.50','0000-00-00 00:00:00',2.5",
	      true);
	/* The number of parameters is found out where the text is not known. */
	check(SONDE_PROTO_MARIADB, SONDE_SLOW_BIND, NULL, NULL, 0, &m, "select (?+)",
	      "select (?+) -- ?1 = -42, ?2 = 18446744073709551615, ?3 = 'it''s \\\\x', ?4 = 0.1, ?5 = '2025-11-30 "
	      "14:05:07.123456', "
	      "?6 = '2025-11-30', ?7 = '-26:03:04', ?8 = x'00ff', ?9 = NULL, ?10 = -1, ?11 = 2025, ?12 = '-1.50', ?13 "
	      "= '0000-00-00 "
	      "00:00:00', ?14 = 2.5",
	      false);
	(void)state;
}

static void test_mysql_statements(void **state)
{
	struct bytes m;

	my_begin(&m, 1, "\2", 1);
	add(&m, "\3\0\3\0", 4);
	le(&m, 7, 4);
	check(SONDE_PROTO_MYSQL, SONDE_SLOW_BIND, "select '?', \"a\\\"?\", `?`, ? -- ?\n, /* ? */ ? # ?", NULL, 0, &m,
	      NULL, "select '?', \"a\\\"?\", `?`, 7 -- ?\n, /* ? */ NULL # ?", true);
	/* One placeholder more than parameters: nothing fits. */
	check(SONDE_PROTO_MYSQL, SONDE_SLOW_BIND, "select ?", NULL, 0, &m, NULL,
	      "select ? -- more parameters could not be read", false);
	my_begin(&m, 1, "\0", 0);
	le(&m, 7, 4);
	check(SONDE_PROTO_MYSQL, SONDE_SLOW_BIND, "select ?", NULL, 0, &m, NULL,
	      "select ? -- parameters not shown: their types came with an earlier execution", false);
	m.len = 14;
	check(SONDE_PROTO_MYSQL, SONDE_SLOW_BIND, "select 1", NULL, 0, &m, NULL, "select 1", true);
	(void)state;
}

/* ---- hostile input: every byte outside of the message is poisoned by its own allocation's end ---- */

static void try(u32 proto, u32 flags, const u8 *bytes, size_t len)
{
	u8 *copy = malloc(len ? len : 1); /* exact: a sanitizer sees the first byte too many */
	struct sonde_buf out = {};

	memcpy(copy, bytes, len);
	sonde_example(proto, flags, copy, len, "select ? from t where a in (?+)", 31, &out);
	assert_false(out.failed);
	assert_true(out.len < 1 << 20);
	sonde_buf_free(&out);
	free(copy);
}

static void test_hostile(void **state)
{
	static const char text[] = "select $1, ?, $2 from t where 'a' = E'\\' and $x$ /* $1";
	const u16 formats[] = { 1, 1, 0, 1 };
	struct bytes m, my;
	u64 seed = 7;

	pg_begin(&m, "p", "s", 4, formats, 4);
	pg_int(&m, 42, 4);
	pg_value(&m, "\x00\x02\x00\x00\x00\x00\x00\x02\x00\x0c\x0d\x7a", 12);
	pg_value(&m, "text", 4);
	be(&m, UINT32_MAX, 4);
	my_begin(&my, 1, "\1", 1);
	add(&my, "\xfd\0\3\0\x0c\0", 6);
	le(&my, 7, 4);
	add(&my, "\x07\xe9\x07\x0b\x1e\x0e\x05\x07", 8);
	for (u32 round = 0; round < 200000; round++) {
		bool postgresql = round & 1, prepared = round & 2;
		struct bytes all = {};

		if (prepared) {
			le(&all, sizeof(text) + 6, 4);
			add(&all, text, sizeof(text));
			add(&all, "\0\1\0\0\x06\xa4", 6);
		}
		add(&all, postgresql ? m.b : my.b, postgresql ? m.len : my.len);
		for (u32 i = (u32)(unit_random(&seed) % 4); i; i--)
			all.b[unit_random(&seed) % all.len] = (u8)unit_random(&seed);
		all.len -= unit_random(&seed) % 3 ? 0 : unit_random(&seed) % (all.len + 1);
		try(postgresql ? SONDE_PROTO_POSTGRESQL : SONDE_PROTO_MYSQL,
		    SONDE_SLOW_BIND | (prepared ? SONDE_SLOW_PREPARED : 0), all.b, all.len);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pg_types),      cmocka_unit_test(test_pg_guesses),
		cmocka_unit_test(test_pg_statements), cmocka_unit_test(test_plain),
		cmocka_unit_test(test_mysql_types),   cmocka_unit_test(test_mysql_statements),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
