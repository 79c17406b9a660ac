// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_mysql_detect.c - what the MySQL and MariaDB detector takes for its protocol, at the beginning and in the middle of a
 * session, and what it refuses.
 */
#include "mysql_bytes.h"
#include "unit.h"
#include "sonde/proto/mysql.h"

static int detect(const void *bytes, u32 n, u32 avail, struct sonde_state *st)
{
	static struct sonde_win w;
	u64 head = 0;
	int ret;

	memset(&w, 0x41, sizeof(w));
	memset(st, 0, sizeof(*st));
	memcpy(w.b, bytes, n);
	memcpy(&head, bytes, sonde_min_u32(n, 8));
	ret = sonde_mysql_detect(&w, n > avail ? n : avail, n, st);
	if (ret != SONDE_DETECT_NO)
		assert_true(sonde_mysql_plausible(head, n > avail ? n : avail));
	return ret;
}

#define DETECT(bytes) detect(bytes, sizeof(bytes) - 1, 0, &st)

static void test_detect(void **state)
{
	static const char *const texts[] = {
		"select 1",
		"SELECT * FROM t",
		"  \n\tinsert into t values (1)",
		"/* app */ select 1",
		"-- x\nselect 1",
		"(select 1)",
		"BEGIN",
		"commit",
		"xa start 'a'",
		"do 1",
		"set names utf8mb4",
		"SELECT 'gr\xc3\xbc\xc3\x9f'",
		"call p()",
	};
	static const char response[] = RESPONSE("\x85", "\xa2", "\x3b") "bob\0\0";
	struct sonde_state st;
	u8 b[300];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		u32 n = strlen(texts[i]);

		for (int command = 0; command < 2; command++) {
			memcpy(b, (u8[]){ n + 1, 0, 0, 0, command ? 0x16 : 3 }, 5);
			memcpy(b + 5, texts[i], n);
			assert_int_equal(detect(b, n + 5, 0, &st), SONDE_DETECT_CLIENT);
			/* Longer or shorter than it says; of another sequence; another command. */
			assert_int_equal(detect(b, n + 6, 0, &st), SONDE_DETECT_NO);
			b[3] = 1;
			assert_int_equal(detect(b, n + 5, 0, &st), SONDE_DETECT_NO);
			b[3] = 0;
			b[4] = 0x0e;
			assert_int_equal(detect(b, n + 5, 0, &st), SONDE_DETECT_NO);
		}
	}
	assert_int_equal(DETECT("\x0a\0\0\0\x17\1\0\0\0\0\1\0\0\0"), SONDE_DETECT_CLIENT);
	assert_int_equal(DETECT("\x0a\0\0\0\x17\1\0\0\0\0\2\0\0\0"), SONDE_DETECT_NO); /* iteration count */
	assert_int_equal(DETECT("\x0a\0\0\0\x17\0\0\0\0\0\1\0\0\0"), SONDE_DETECT_NO); /* id */
	assert_int_equal(DETECT("\x0a\0\0\0\x17\1\0\0\x9\0\1\0\0\0"), SONDE_DETECT_NO);
	assert_int_equal(DETECT("\x0a\0\0\0\x17\1\0\0\0\x80\1\0\0\0"), SONDE_DETECT_NO); /* flags */
	assert_int_equal(DETECT("\x0a\0\0\0\x17\xff\xff\xff\xff\0\1\0\0\0"), SONDE_DETECT_CLIENT);
	assert_int_equal(DETECT("\x0c\0\0\0\xfa\1\0\0\0\x80\0\3\0\0\1\0"), SONDE_DETECT_CLIENT);
	assert_int_equal(DETECT("\x0c\0\0\0\xfa\1\0\0\0\x81\0\3\0\0\1\0"), SONDE_DETECT_NO);
	/* Several in a send. */
	assert_int_equal(DETECT("\5\0\0\0\x19\1\0\0\0\5\0\0\0\3do 1"), SONDE_DETECT_CLIENT);
	assert_int_equal(DETECT("\5\0\0\0\x19\1\0\0\0\6\0\0\0\3do 1"), SONDE_DETECT_NO);
	/* A server reads the header first, then what it says is there. */
	assert_int_equal(DETECT("\5\0\0\0"), SONDE_DETECT_MORE);
	assert_int_equal(DETECT("\x50\0\0\1"), SONDE_DETECT_MORE);
	assert_int_equal(DETECT("\5\0\0\1"), SONDE_DETECT_NO);
	assert_int_equal(DETECT("\x10\0\0\0\3select"), SONDE_DETECT_MORE);
	assert_int_equal(DETECT("\0\0\0\0"), SONDE_DETECT_NO);
	/* Too short to tell. */
	assert_int_equal(DETECT("\1\0\0\0\x0e"), SONDE_DETECT_NO);
	assert_int_equal(DETECT("\1\0\0\0\1"), SONDE_DETECT_NO);
	assert_int_equal(DETECT("\5\0\0\0\x19\1\0\0\0"), SONDE_DETECT_NO);
	/* Beginning of a session. */
	memcpy(b, (u8[]){ sizeof(response) - 1, 0, 0, 1 }, 4);
	memcpy(b + 4, response, sizeof(response) - 1);
	assert_int_equal(detect(b, sizeof(response) + 3, 0, &st), SONDE_DETECT_CLIENT);
	b[3] = 2;
	assert_int_equal(detect(b, sizeof(response) + 3, 0, &st), SONDE_DETECT_CLIENT);
	b[4 + 12] = 1;
	assert_int_equal(detect(b, sizeof(response) + 3, 0, &st), SONDE_DETECT_NO);
}

static void test_detect_greeting(void **state)
{
	static const struct {
		const char *payload;
		u32 len;
	} cases[] = {
		{ MYSQL_GREETING, sizeof(MYSQL_GREETING) - 1 },
		{ MARIADB_GREETING, sizeof(MARIADB_GREETING) - 1 },
		{ OLD_GREETING, sizeof(OLD_GREETING) - 1 },
	};
	struct sonde_state st;
	u8 b[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u32 n = cases[i].len;

		memcpy(b, (u8[]){ n, 0, 0, 0 }, 4);
		memcpy(b + 4, cases[i].payload, n);
		assert_int_equal(detect(b, n + 4, 0, &st), SONDE_DETECT_SERVER);
		assert_int_equal(detect(b, n + 5, 0, &st), SONDE_DETECT_NO);
		assert_int_equal(detect(b, n + 3, 0, &st), SONDE_DETECT_NO);
		b[4] = 9;
		assert_int_equal(detect(b, n + 4, 0, &st), SONDE_DETECT_NO);
		b[4] = 10;
		b[5] = 'x';
		assert_int_equal(detect(b, n + 4, 0, &st), SONDE_DETECT_NO);
	}
}

static void test_detect_compressed(void **state)
{
	struct sonde_state st;
	struct sonde_msg m = {};
	static struct sonde_win w;

	/* Not compressed inside: both headers agree, and the command tells. */
	assert_int_equal(DETECT("\x0d\0\0\0\0\0\0\x09\0\0\0\3select 1"), SONDE_DETECT_CLIENT);
	assert_int_equal(st.flags, SONDE_MYSQL_COMPRESSED);
	assert_int_equal(sonde_mysql_client(&w, 0, 20, &st, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_UNREADABLE);
	assert_int_equal(m.kind, SONDE_CNT_UNREADABLE_COMPRESSED);
	assert_int_equal(DETECT("\x0d\0\0\0\0\0\0\x08\0\0\0\3select 1"), SONDE_DETECT_NO);
	/* zlib; a length that is none; zstd */
	assert_int_equal(DETECT("\x0d\0\0\0\x40\0\0\x78\x9c*N-.1234567"), SONDE_DETECT_CLIENT);
	assert_int_equal(DETECT("\x0d\0\0\0\x05\0\0\x78\x9c*N-.1234567"), SONDE_DETECT_NO);
	assert_int_equal(DETECT("\x0d\0\0\0\x40\0\0\x78\x9d*N-.1234567"), SONDE_DETECT_NO);
	assert_int_equal(DETECT("\x0d\0\0\0\x40\0\0\x28\xb5\x2f\xfd-.1234567"), SONDE_DETECT_CLIENT);
}

/* What other protocols send. */
static void test_detect_others(void **state)
{
	static const struct {
		const char *bytes;
		u32 n;
	} cases[] = {
		{ "POST /x HTTP/1.1\r\nHost: a\r\n\r\n", 29 },
		{ "Q\0\0\0\x0dselect 1\0", 14 }, /* PostgreSQL */
		{ "\0\0\0\x14\0\3\0\0user\0alice\0\0", 20 },
		{ "*1\r\n$4\r\nPING\r\n", 14 }, /* Redis */
		{ "get key\r\n", 9 }, /* memcached */
		{ "\x16\3\1\2\0\1\0\1\xfc\3\3", 11 }, /* TLS */
		{ "\x24\0\0\0\1\0\0\0\0\0\0\0\xdd\7\0\0\0\0\0\0\0\x0f\0\0\0\x01ping\0\0\0\0\0\0", 36 }, /* MongoDB */
		{ "\5\0\0\0\x0b\x08\5\x1a\0", 9 }, /* MySQL's X protocol: little-endian length, type */
		{ "\1\0\0\0\3", 5 },
		{ "\x0a\0\0\0\3\x08\1\x12\4root\0", 14 }, /* a little-endian length before protobuf */
		{ "\x08\0\0\0\3get key", 12 }, /* before another text */
		{ "\x0c\0\0\0{\"a\": \"bcd\"}", 16 },
		{ "\x00\x00\x12\x04\x00\x00\x00\x00\x00", 9 }, /* HTTP/2 */
		{ "\x12\1\0\x2f\0\0\1\0\0\0\x1a\0\6", 13 }, /* TDS */
		{ "\x10\x0c\0\4MQTT\4\2\0\x3c\0\0", 14 },
		{ "", 0 },
		{ "\1\0\0", 3 },
	};
	struct sonde_state st;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (detect(cases[i].bytes, cases[i].n, 0, &st))
			fail_msg("case %zu", i);
}

/* A text of which only the beginning has come. */
static void test_detect_long(void **state)
{
	static u8 b[SONDE_WIN_BYTES];
	struct sonde_state st;

	memset(b, 'x', sizeof(b));
	memcpy(b, "\0\0\2\0\3insert into t values ('", 28);
	assert_int_equal(detect(b, 4000, 0, &st), SONDE_DETECT_CLIENT); /* the rest is not sent yet */
	assert_int_equal(detect(b, 8192, 0x20004, &st), SONDE_DETECT_CLIENT); /* not in the window */
	memcpy(b, "\0\0\2\0\x17\1\0\0\0\0\1\0\0\0", 14);
	assert_int_equal(detect(b, 8192, 0x20004, &st), SONDE_DETECT_CLIENT);
	assert_int_equal(detect(b, 4000, 0, &st), SONDE_DETECT_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_detect),
		cmocka_unit_test(test_detect_greeting),
		cmocka_unit_test(test_detect_compressed),
		cmocka_unit_test(test_detect_others),
		cmocka_unit_test(test_detect_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
