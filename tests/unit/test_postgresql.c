// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_postgresql.c - the PostgreSQL detector and message parser, against messages put together by hand from the
 * protocol's documentation, whole, cut at every byte, and broken.
 */
#include <stdio.h>

#include "unit.h"
#include "sonde/proto/postgresql.h"

static struct sonde_win win;
static u32 len; /* bytes in the window */
static struct sonde_state st;

static void start(void)
{
	memset(&win, 0xa5, sizeof(win));
	len = 0;
}

static void put(const void *bytes, u32 n)
{
	memcpy(win.b + len, bytes, n);
	len += n;
}

static void put32(u32 v)
{
	u8 b[4] = { v >> 24, v >> 16, v >> 8, v };

	put(b, 4);
}

/* A typed message: type, length, body. */
static void message(char type, const void *body, u32 n)
{
	put(&type, 1);
	put32(n + 4);
	put(body, n);
}

#define MESSAGE(type, body) message(type, body, sizeof(body) - 1)

static void query(const char *text)
{
	message('Q', text, strlen(text) + 1);
}

static void extended(void)
{
	MESSAGE('P', "s1\0select $1\0\0\1\0\0\0\x17");
	MESSAGE('B', "p1\0s1\0\0\0\0\1\0\0\0\1x\0\0");
	MESSAGE('D', "Pp1\0");
	MESSAGE('E', "p1\0\0\0\0\0");
	MESSAGE('S', "");
}

static int frontend(u32 pos, struct sonde_msg *m)
{
	memset(m, 0, sizeof(*m));
	return sonde_postgresql_client(&win, pos, len - pos, &st, m);
}

static int backend(u32 pos, struct sonde_msg *m)
{
	memset(m, 0, sizeof(*m));
	return sonde_postgresql_server(&win, pos, len - pos, &st, m);
}

static void test_query(void **state)
{
	struct sonde_msg m = {};

	start();
	query("select 1");
	assert_int_equal(frontend(0, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_QUERY);
	assert_int_equal(m.size, len);
	assert_int_equal(m.text_len, 8);
	assert_memory_equal(win.b + m.text_off, "select 1", 8);
	assert_int_equal(sonde_postgresql_detect(&win, len, len, &st), SONDE_DETECT_CLIENT);
}

static void test_extended(void **state)
{
	static const u8 ops[] = { SONDE_OP_PREPARE, SONDE_OP_BIND, SONDE_OP_NONE, SONDE_OP_EXECUTE, SONDE_OP_SYNC };
	struct sonde_msg m[5];
	u32 pos = 0;

	start();
	extended();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(frontend(pos, &m[i]), SONDE_PARSE_OK);
		assert_int_equal(m[i].op, ops[i]);
		pos += m[i].size;
	}
	assert_int_equal(pos, len);
	assert_memory_equal(win.b + m[0].text_off, "select $1", 10);
	assert_int_equal(m[0].text_len, 9); /* the parameter's type behind it is not text */
	assert_true(m[0].name != 0);
	assert_int_equal(m[0].name, m[1].name);
	assert_int_equal(m[1].name_len, 2);
	assert_memory_equal(win.b + m[1].name_off, "s1", 3);
	assert_int_equal(m[1].portal, m[3].portal);
	assert_int_not_equal(m[1].portal, m[1].name);
	assert_int_equal(sonde_postgresql_detect(&win, len, len, &st), SONDE_DETECT_CLIENT);
}

static void test_unnamed(void **state)
{
	struct sonde_msg m = {};

	start();
	MESSAGE('B', "\0\0\0\0\0\0\0\0");
	assert_int_equal(frontend(0, &m), SONDE_PARSE_OK);
	assert_int_equal(m.name, 0);
	assert_int_equal(m.portal, 0);
}

static void test_names(void **state)
{
	char body[600] = "";
	struct sonde_msg m = {};
	u64 seen[256];

	/* Names of every length up to the limit differ, and are found whole. */
	for (u32 n = 1; n < 200; n++) {
		start();
		memset(body, 'n', n);
		body[n] = 0;
		memcpy(body + n + 1, "\0\0\0\0", 4);
		put("E", 1);
		put32(4 + n + 1 + 4);
		put(body, n + 5);
		assert_int_equal(frontend(0, &m), SONDE_PARSE_OK);
		seen[n] = m.portal;
		assert_true(m.portal != 0);
		for (u32 i = 1; i < n; i++)
			assert_int_not_equal(seen[i], seen[n]);
	}
	/* Without an end it is none. */
	start();
	memset(body, 'n', sizeof(body));
	message('E', body, sizeof(body));
	assert_int_equal(frontend(0, &m), SONDE_PARSE_BAD);
}

/* Cut anywhere, a message is asked for again, and never beyond what it has. */
static void test_cut(void **state)
{
	struct sonde_msg whole = {}, m = {};
	u32 full, pos = 0;

	start();
	extended();
	query("select 'a quoted text', 12 from t where a = 1");
	full = len;
	while (pos < full) {
		memset(&whole, 0, sizeof(whole));
		assert_int_equal(sonde_postgresql_client(&win, pos, full - pos, &st, &whole), SONDE_PARSE_OK);
		for (u32 n = 0; n < whole.size; n++) {
			int ret;

			memset(&m, 0, sizeof(m));
			ret = sonde_postgresql_client(&win, pos, n, &st, &m);

			if (ret == SONDE_PARSE_OK) {
				assert_int_equal(m.size, whole.size);
				assert_int_equal(whole.op,
						 SONDE_OP_NONE); /* only what nobody reads may be passed early */
			} else {
				assert_int_equal(ret, SONDE_PARSE_MORE);
				assert_true(m.size > n && m.size <= whole.size);
			}
		}
		pos += whole.size;
	}
}

static void test_complete(void **state)
{
	static const struct {
		const char *tag;
		u64 rows;
	} cases[] = {
		{ "SELECT 5", 5 },
		{ "INSERT 0 1", 1 },
		{ "UPDATE 1234567", 1234567 },
		{ "BEGIN", 0 },
		{ "COPY 1000000000", 1000000000 },
		{ "DELETE 0", 0 },
		{ "CREATE TABLE", 0 },
		{ "FETCH 18446744073709551", 18446744073709551ull },
		{ "SELECT 9999999999999999999", 9999999999999999999ull },
	};
	struct sonde_msg m = {};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start();
		message('C', cases[i].tag, strlen(cases[i].tag) + 1);
		assert_int_equal(backend(0, &m), SONDE_PARSE_OK);
		assert_int_equal(m.op, SONDE_OP_DONE);
		assert_true(m.rows == cases[i].rows);
	}
}

static void test_ready(void **state)
{
	struct sonde_msg m = {};

	start();
	MESSAGE('Z', "T");
	assert_int_equal(backend(0, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_READY);
	assert_int_equal(m.txn, SONDE_TXN_OPEN);
	start();
	MESSAGE('Z', "?");
	assert_int_equal(backend(0, &m), SONDE_PARSE_BAD);
	start();
	MESSAGE('Z', "II");
	assert_int_equal(backend(0, &m), SONDE_PARSE_BAD);
}

static void test_error(void **state)
{
	static const struct {
		const char *code;
		u32 class;
	} cases[] = {
		{ "42P01", SONDE_ERR_SYNTAX },	 { "23505", SONDE_ERR_CONSTRAINT }, { "40001", SONDE_ERR_ROLLBACK },
		{ "57014", SONDE_ERR_CANCEL },	 { "22012", SONDE_ERR_DATA },	    { "53300", SONDE_ERR_RESOURCE },
		{ "54000", SONDE_ERR_RESOURCE }, { "08006", SONDE_ERR_CONNECTION }, { "28P01", SONDE_ERR_CONNECTION },
		{ "XX000", SONDE_ERR_OTHER },
	};
	char body[256];
	struct sonde_msg m = {};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* A translated severity may be long. */
		int n = snprintf(body, sizeof(body), "SFEHLER%cVERROR%cC%s%cMmessage%c", 0, 0, cases[i].code, 0, 0);

		start();
		message('E', body, n + 1);
		assert_int_equal(backend(0, &m), SONDE_PARSE_OK);
		assert_int_equal(m.op, SONDE_OP_ERROR);
		assert_int_equal(m.error_class, cases[i].class);
		assert_memory_equal(&m.sqlstate, cases[i].code, 5);
		assert_int_equal(m.sqlstate >> 40, 0);
	}
}

static void test_backend_stream(void **state)
{
	static const u8 ops[] = { SONDE_OP_REPLY, SONDE_OP_REPLY,   SONDE_OP_REPLY, SONDE_OP_ROW,  SONDE_OP_SUSPENDED,
				  SONDE_OP_EMPTY, SONDE_OP_COPY_IN, SONDE_OP_NONE,  SONDE_OP_NONE, SONDE_OP_READY };
	struct sonde_msg m = {};
	u32 pos = 0, i = 0;

	start();
	MESSAGE('1', "");
	MESSAGE('2', "");
	MESSAGE('T', "\0\1x\0\0\0\0\0\0\0\0\0\0\x17\0\4\0\0\0\0\0\0");
	MESSAGE('D', "\0\1\0\0\0\1"
		     "1");
	MESSAGE('s', "");
	MESSAGE('I', "");
	MESSAGE('G', "\0\0\0");
	MESSAGE('N', "SNOTICE\0C00000\0\0");
	MESSAGE('A', "\0\0\0\1ch\0\0");
	MESSAGE('Z', "I");
	while (pos < len) {
		assert_int_equal(backend(pos, &m), SONDE_PARSE_OK);
		assert_int_equal(m.op, ops[i++]);
		pos += m.size;
	}
	assert_int_equal(i, sizeof(ops));
}

static void test_bad(void **state)
{
	struct sonde_msg m = {};

	start();
	put("Q\0\0\0\3xx", 7); /* shorter than its own length */
	assert_int_equal(frontend(0, &m), SONDE_PARSE_BAD);
	start();
	put("Q\xff\xff\xff\xffxx", 7);
	assert_int_equal(frontend(0, &m), SONDE_PARSE_BAD);
	start();
	MESSAGE('S', "x"); /* a Sync has no body */
	assert_int_equal(frontend(0, &m), SONDE_PARSE_BAD);
	for (int type = 0; type < 256; type++) {
		bool front = memchr("QPBEDCSHFXdcfp", type, 14), back = memchr("ACDEGHIKNRSTVWZcdnstv123", type, 24);

		assert_int_equal(sonde_pg_is_frontend(type), type && front);
		assert_int_equal(sonde_pg_is_backend(type), type && back);
	}
}

static void test_skip_run(void **state)
{
	u32 next, rows;

	start();
	MESSAGE('2', "");
	MESSAGE('T', "\0\1x\0\0\0\0\0\0\0\0\0\0\x17\0\4\0\0\0\0\0\0");
	for (int i = 0; i < 100; i++)
		MESSAGE('D', "\0\1\0\0\0\2ab");
	MESSAGE('C', "SELECT 100\0");
	next = sonde_pg_skip_run(&win, 0, len, true, 64, &rows);
	assert_int_equal(rows, 62);
	next = sonde_pg_skip_run(&win, next, len, true, 64, &rows);
	assert_int_equal(rows, 38);
	assert_int_equal(win.b[next], 'C');
	/* A client's Describe has a row's type: only CopyData is passed by there. */
	start();
	MESSAGE('d', "1\t2\n");
	MESSAGE('D', "P\0");
	next = sonde_pg_skip_run(&win, 0, len, false, 64, &rows);
	assert_int_equal(win.b[next], 'D');
	/* One that is not all there is left alone. */
	start();
	MESSAGE('D', "\0\1\0\0\0\2ab");
	assert_int_equal(sonde_pg_skip_run(&win, 0, len - 1, true, 64, &rows), 0);
	assert_int_equal(rows, 0);
}

static void startup(u32 code, const char *params, u32 n)
{
	put32(8 + n);
	put32(code);
	put(params, n);
}

static int detect(void)
{
	return sonde_postgresql_detect(&win, len, len, &st);
}

static void test_detect(void **state)
{
	static const char params[] = "user\0alice\0database\0shop\0";

	start();
	startup(3 << 16, params, sizeof(params));
	assert_int_equal(detect(), SONDE_DETECT_CLIENT);
	start();
	startup(SONDE_PG_CODE_SSL, "", 0);
	assert_int_equal(detect(), SONDE_DETECT_CLIENT);
	start();
	startup(SONDE_PG_CODE_GSSENC, "", 0);
	assert_int_equal(detect(), SONDE_DETECT_CLIENT);
	start();
	startup(SONDE_PG_CODE_CANCEL, "\0\0\0\1\0\0\0\2", 8);
	assert_int_equal(detect(), SONDE_DETECT_CLIENT);
	/* node-postgres sends every message by itself. */
	start();
	MESSAGE('P', "\0select 1\0\0\0");
	assert_int_equal(detect(), SONDE_DETECT_CLIENT);
	start();
	MESSAGE('S', "");
	assert_int_equal(detect(), SONDE_DETECT_CLIENT);
}

/* What other protocols and PostgreSQL's own server send is not a client's PostgreSQL. */
static void test_detect_others(void **state)
{
	static const struct {
		const char *bytes;
		u32 n;
	} cases[] = {
		{ "POST /x HTTP/1.1\r\nHost: a\r\n\r\n", 29 },
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "DELETE /a HTTP/1.1\r\n\r\n", 22 },
		{ "\x09\0\0\0\3select 1", 13 }, /* MySQL COM_QUERY */
		{ "Q\0\0\0\3select 1 from a_table where x = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", 85 },
		{ "*1\r\n$4\r\nPING\r\n", 14 },
		{ "\x16\3\1\2\0\1\0\1\xfc\3\3", 11 }, /* TLS ClientHello */
		{ "C\0\0\0\rSELECT 1\0Z\0\0\0\5I", 20 }, /* server: CommandComplete, ReadyForQuery */
		{ "Z\0\0\0\5I", 6 },
		{ "T\0\0\0\6\0\0", 7 },
		{ "1\0\0\0\4"
		  "2\0\0\0\4",
		  10 },
		{ "Q\0\0\0\x0cselect 1", 13 }, /* no NUL at the end */
		{ "Q\0\0\0\x64select 1\0", 14 }, /* longer than the send */
		{ "QUIT", 4 },
		{ "EHLO example.org\r\n", 18 },
		{ "", 0 },
		{ "Q", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start();
		put(cases[i].bytes, cases[i].n);
		assert_int_equal(detect(), SONDE_DETECT_NO);
	}
}

/* Any bytes at all: answers stay inside what was given. */
static void test_random(void **state)
{
	struct sonde_msg m = {};

	srand(7);
	for (int i = 0; i < 300000; i++) {
		u32 n = rand() % 64;

		start();
		for (u32 j = 0; j < n; j++)
			win.b[len++] = rand() % 3 ? rand() : "QPBEDCSHFXZT\0\0\0\4"[rand() % 16];
		for (int server = 0; server < 2; server++) {
			int ret = server ? backend(0, &m) : frontend(0, &m);

			if (ret == SONDE_PARSE_OK)
				assert_true(m.size >= 5 && m.size <= SONDE_PG_MAX_MESSAGE);
			else if (ret == SONDE_PARSE_MORE)
				assert_true(m.size > n && m.size <= SONDE_WIN_BYTES);
		}
		sonde_postgresql_detect(&win, n, n, &st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_unnamed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_backend_stream),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_skip_run),
		cmocka_unit_test(test_detect),
		cmocka_unit_test(test_detect_others),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
