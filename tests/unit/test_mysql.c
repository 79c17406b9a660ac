// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_mysql.c - the MySQL and MariaDB message parser, against sessions put together by hand from the
 * protocol's documentation, whole, cut at every byte, and broken.
 *
 * A session is written as sends: server or client, then packets. What the parser makes of it is compared as text: a
 * letter for the direction, the operation, what matters of it.
 */
#include <stdio.h>

#include "mysql_bytes.h"
#include "stream.h"
#include "unit.h"
#include "sonde/proto/mysql.h"

static const struct stream_proto mysql = STREAM_PROTO(mysql);

#define SENDS 64
#define BYTES 60000

/* The session being put together. */
static struct {
	u8 b[BYTES];
	u32 len;
	u32 nr;
	struct {
		bool server;
		u32 from, to;
	} send[SENDS];
} session;

static char trace[65536];
static u32 trace_len;

static void begin(void)
{
	session.len = session.nr = 0;
}

static void sends(bool server)
{
	session.send[session.nr].server = server;
	session.send[session.nr].from = session.send[session.nr].to = session.len;
	session.nr++;
}

static void put(const void *bytes, u32 n)
{
	memcpy(session.b + session.len, bytes, n);
	session.len += n;
	session.send[session.nr - 1].to = session.len;
}

static void header(u32 len, u32 seq)
{
	u8 b[4] = { len, len >> 8, len >> 16, seq };

	put(b, 4);
}

static void packet(u32 seq, const void *payload, u32 n)
{
	header(n, seq);
	put(payload, n);
}

#define PACKET(seq, payload) packet(seq, payload, sizeof(payload) - 1)

/* A send of the client with one packet, of sequence 0. */
#define COMMAND(payload) (sends(false), PACKET(0, payload))

static void query(const char *text)
{
	char b[9000] = "\3";

	memcpy(b + 1, text, strlen(text));
	sends(false);
	packet(0, b, strlen(text) + 1);
}

/* Column definition: catalog, schema, table, its alias, name, its alias, 12, character set, length, type, flags, decimals. */
#define DEFINITION "\3def\5bench\1t\1t\2id\2id\x0c\x3f\0\x0b\0\0\0\3\3\x42\0\0\0"
#define EOF_PACKET "\xfe\0\0\2\0" /* warnings, status: autocommit */
#define OK_EOF "\xfe\0\0\2\0\0\0" /* the same with CLIENT_DEPRECATE_EOF: affected, id, status, warnings */
#define OK_PACKET "\0\0\0\2\0\0\0"

static void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	trace_len += vsnprintf(trace + trace_len, sizeof(trace) - trace_len, format, args);
	va_end(args);
}

static const char *const names[] = {
	[SONDE_OP_NONE] = "-",
	[SONDE_OP_QUERY] = "query",
	[SONDE_OP_PREPARE_CALL] = "prepare",
	[SONDE_OP_RUN] = "run",
	[SONDE_OP_FETCH] = "fetch",
	[SONDE_OP_COMMAND] = "command",
	[SONDE_OP_CLOSE] = "close",
	[SONDE_OP_STARTUP] = "startup",
	[SONDE_OP_END] = "end",
	[SONDE_OP_REPLY] = "reply",
	[SONDE_OP_ROW] = "row",
	[SONDE_OP_DONE] = "done",
	[SONDE_OP_ERROR] = "error",
	[SONDE_OP_PREPARED] = "prepared",
	[SONDE_OP_FLAVOUR] = "flavour",
	[SONDE_OP_TLS] = "tls",
	[SONDE_OP_UNREADABLE] = "unreadable",
	[SONDE_OP_IGNORE] = "ignore",
};

static void name_of(u64 name)
{
	if (name == SONDE_NAME_LAST)
		note(" last");
	else if (name)
		note(" %llu", (unsigned long long)(name & 0xffffffff));
}

static void seen(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos)
{
	note("%s%s", trace_len ? ", " : "", names[m->op] ? names[m->op] : "?");
	if (m->op == SONDE_OP_QUERY || m->op == SONDE_OP_PREPARE_CALL)
		note(" [%.*s]", m->text_len > 60 ? 60 : (int)m->text_len, w->b + m->text_off);
	if (m->op == SONDE_OP_COMMAND)
		note(" [%.*s]", (int)m->label.len, m->label.b);
	name_of(m->name);
	if (m->op == SONDE_OP_RUN || m->op == SONDE_OP_FETCH)
		note("[%.*s]%s", (int)m->label.len, m->label.b, m->params ? " params" : "");
	if (m->op == SONDE_OP_DONE && m->rows == SONDE_ROWS_COUNTED)
		note(" counted");
	else if (m->op == SONDE_OP_DONE)
		note(" %llu", (unsigned long long)m->rows);
	if (m->op == SONDE_OP_ERROR)
		note(" %u %.5s class %u", m->code, (const char *)&m->sqlstate, m->error_class);
	if (m->op == SONDE_OP_STARTUP || m->flags & SONDE_MSG_DATABASE)
		note(" user[%.*s] db[%.*s]", (int)m->user_len, w->b + m->user_off, (int)m->db_len, w->b + m->db_off);
	if (m->op >= SONDE_OP_REPLY && m->flags & SONDE_MSG_LAST)
		note(" last");
	if (m->flags & SONDE_MSG_MORE)
		note(" more");
	if (m->txn == SONDE_TXN_OPEN)
		note(" open");
	if (m->op == SONDE_OP_UNREADABLE || m->op == SONDE_OP_FLAVOUR)
		note(" %u", m->kind);
}

/* The session, each send cut into pieces of @piece bytes behind a first one of @first bytes. */
static const char *play(u32 first, u32 piece)
{
	static struct stream s;
	bool on = true;

	trace_len = 0;
	trace[0] = 0;
	stream_begin(&s, &mysql, seen, NULL);
	for (u32 i = 0; i < session.nr && on; i++) {
		for (u32 at = session.send[i].from, to; at < session.send[i].to && on; at = to) {
			to = at + (at == session.send[i].from ? first : piece);
			to = sonde_min_u32(to, session.send[i].to);
			on = stream_feed(&s, session.send[i].server, session.b + at, to - at);
		}
	}
	if (s.dir[0].lost || s.dir[1].lost)
		note(" LOST");
	return trace;
}

static void check(const char *expected)
{
	assert_string_equal(play(BYTES, BYTES), expected);
	assert_string_equal(play(1, 1), expected);
	for (u32 first = 1; first < 200; first++)
		assert_string_equal(play(first, BYTES), expected);
	for (u32 piece = 2; piece < 40; piece++)
		assert_string_equal(play(piece, piece), expected);
}

static void test_query(void **state)
{
	begin();
	query("select id from t");
	sends(true);
	PACKET(1, "\1");
	PACKET(2, DEFINITION);
	PACKET(3, EOF_PACKET);
	PACKET(4, "\1"
		  "5");
	PACKET(5, "\xfb"); /* NULL */
	PACKET(6, "\0"); /* empty string */
	PACKET(7, EOF_PACKET);
	check("query [select id from t], reply, reply, reply, row, row, row, done counted last");
}

static void test_deprecate_eof(void **state)
{
	begin();
	query("select id, x from t");
	sends(true);
	PACKET(1, "\2");
	PACKET(2, DEFINITION);
	PACKET(3, DEFINITION);
	PACKET(4, "\1"
		  "5\1x");
	PACKET(5, OK_EOF);
	query("select id from t where false"); /* no rows: the first packet behind the definitions is the end */
	sends(true);
	PACKET(1, "\1");
	PACKET(2, DEFINITION);
	PACKET(3, "\xfe\0\0\3\0\0\0"); /* in a transaction */
	query("select id from t where false");
	sends(true);
	PACKET(1, "\1");
	PACKET(2, DEFINITION);
	PACKET(3, "\xfe\0\0\2\x40\0\0\5hello\4\0\2xy"); /* information and session state behind it */
	check("query [select id, x from t], reply, reply, reply, row, done counted last, "
	      "query [select id from t where false], reply, reply, done counted last open, "
	      "query [select id from t where false], reply, reply, done counted last");
}

static void test_ok(void **state)
{
	static const struct {
		const char *packet;
		u32 len;
		const char *done;
	} cases[] = {
		{ "\0\5\0\2\0\0\0", 7, "done 5 last" },
		{ "\0\xfc\xe8\3\0\3\0\0\0", 9, "done 1000 last open" },
		{ "\0\xfd\x40\x42\x0f\xfd\1\2\3\2\0\0\0", 13, "done 1000000 last" },
		{ "\0\xfe\0\0\0\0\1\0\0\0\xfe\1\2\3\4\5\6\7\0\3\0\0\0", 23, "done 4294967296 last open" },
		{ "\0\5\0\x0a\0\0\0Rows matched: 5", 22, "done 5 more" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[200];

		begin();
		query("update t set a = 1");
		sends(true);
		packet(1, cases[i].packet, cases[i].len);
		snprintf(expected, sizeof(expected), "query [update t set a = 1], %s", cases[i].done);
		check(expected);
	}
}

static void test_several_results(void **state)
{
	begin();
	query("select 1; update t set a = 2; call p()");
	sends(true);
	PACKET(1, "\1");
	PACKET(2, DEFINITION);
	PACKET(3, EOF_PACKET);
	PACKET(4, "\1"
		  "1");
	PACKET(5, "\xfe\0\0\x0a\0");
	PACKET(6, "\0\7\0\x0a\0\0\0");
	PACKET(7, "\1");
	PACKET(8, DEFINITION);
	PACKET(9, "\xfe\0\0\x0a\0"); /* what the end of the definitions says does not count */
	PACKET(10, "\1"
		   "1");
	PACKET(11, "\xfe\0\0\x0a\0");
	PACKET(12, OK_PACKET);
	check("query [select 1; update t set a = 2; call p()], reply, reply, reply, row, done counted more, done 7 "
	      "more, "
	      "reply, reply, reply, row, done counted more, done 0 last");
}

static void test_errors(void **state)
{
	static const struct {
		u16 code;
		const char *sqlstate;
		u32 class;
	} cases[] = {
		{ 1064, "42000", SONDE_ERR_SYNTAX },	 { 1146, "42S02", SONDE_ERR_SYNTAX },
		{ 1062, "23000", SONDE_ERR_CONSTRAINT }, { 1451, "23000", SONDE_ERR_CONSTRAINT },
		{ 4025, "23000", SONDE_ERR_CONSTRAINT }, { 3819, "HY000", SONDE_ERR_CONSTRAINT },
		{ 1213, "40001", SONDE_ERR_ROLLBACK },	 { 1205, "HY000", SONDE_ERR_ROLLBACK },
		{ 1317, "70100", SONDE_ERR_CANCEL },	 { 3024, "HY000", SONDE_ERR_CANCEL },
		{ 1406, "22001", SONDE_ERR_DATA },	 { 1364, "HY000", SONDE_ERR_DATA },
		{ 1136, "21S01", SONDE_ERR_SYNTAX },	 { 1040, "08004", SONDE_ERR_RESOURCE },
		{ 1045, "28000", SONDE_ERR_CONNECTION }, { 1644, "45000", SONDE_ERR_OTHER },
		{ 1105, "HY000", SONDE_ERR_OTHER },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char body[200], expected[200];
		int n = snprintf(body, sizeof(body), "%c%c%c#%sThe message", 0xff, cases[i].code & 0xff,
				 cases[i].code >> 8, cases[i].sqlstate);

		begin();
		query("do 1");
		sends(true);
		packet(1, body, n);
		snprintf(expected, sizeof(expected), "query [do 1], error %u %s class %u last", cases[i].code,
			 cases[i].sqlstate, cases[i].class);
		check(expected);
	}
	/* Among the rows, and the next reply is read as if nothing had happened. */
	begin();
	query("select id from t");
	sends(true);
	PACKET(1, "\1");
	PACKET(2, DEFINITION);
	PACKET(3, "\1"
		  "5");
	PACKET(4, "\xff\x25\5#70100Query execution was interrupted");
	query("do 1");
	sends(true);
	PACKET(1, OK_PACKET);
	check("query [select id from t], reply, reply, row, error 1317 70100 class 5 last, query [do 1], done 0 last");
	/* How far it has come is no error. */
	begin();
	query("alter table t add column x int");
	sends(true);
	PACKET(1, "\xff\xff\xff\1\1\2\x10\x27\0\4copy");
	PACKET(2, "\xff\xff\xff\1\2\2\x20\x27\0\4copy");
	PACKET(3, OK_PACKET);
	check("query [alter table t add column x int], reply, reply, done 0 last");
}

static void test_prepared(void **state)
{
	/* With and without the packets that end definitions. */
	for (int deprecated = 0; deprecated < 2; deprecated++) {
		u32 seq = 1;

		begin();
		COMMAND("\x16select id from t where a = ? and b = ?");
		sends(true);
		packet(seq++, "\0\7\0\0\0\1\0\2\0\0\0\0", 12); /* id 7, one column, two parameters */
		packet(seq++, DEFINITION, sizeof(DEFINITION) - 1);
		packet(seq++, DEFINITION, sizeof(DEFINITION) - 1);
		if (!deprecated)
			packet(seq++, EOF_PACKET, 5);
		packet(seq++, DEFINITION, sizeof(DEFINITION) - 1);
		if (!deprecated)
			packet(seq++, EOF_PACKET, 5);
		/* Flags, iteration count, which are NULL, types follow, types, values. */
		COMMAND("\x17\7\0\0\0\0\1\0\0\0\0\1\3\0\xfd\0\5\0\0\0\2hi");
		sends(true);
		PACKET(1, "\1");
		PACKET(2, DEFINITION);
		if (!deprecated)
			PACKET(3, EOF_PACKET);
		packet(4, "\0\0\5\0\0\0", 6);
		if (deprecated)
			PACKET(5, OK_EOF);
		else
			PACKET(5, EOF_PACKET);
		COMMAND("\x1a\7\0\0\0");
		sends(true);
		PACKET(1, OK_PACKET);
		COMMAND("\x18\7\0\0\0\1\0long data");
		COMMAND("\x19\7\0\0\0");
		COMMAND("\1");
		check(deprecated ? "prepare [select id from t where a = ? and b = ?], reply, reply, reply, prepared 7 "
				   "last, "
				   "run 7[7] params, reply, reply, row, done counted last, "
				   "command [admin stmt_reset], done 0 last, -, close 7, end"
				 : "prepare [select id from t where a = ? and b = ?], reply, reply, reply, reply, "
				   "prepared 7 last, "
				   "-, run 7[7] params, reply, reply, reply, row, done counted last, "
				   "command [admin stmt_reset], done 0 last, -, close 7, end");
	}
	/* Nothing to define; an error; the statement that was prepared last (MariaDB). */
	begin();
	COMMAND("\x16"
		"commit");
	sends(true);
	PACKET(1, "\0\1\0\0\0\0\0\0\0\0\0\0");
	COMMAND("\x16nonsense");
	sends(true);
	PACKET(1, "\xff\x28\4#42000You have an error");
	sends(false);
	PACKET(0, "\x16insert into t values (?)");
	PACKET(0, "\x17\xff\xff\xff\xff\0\1\0\0\0");
	sends(true);
	PACKET(1, "\0\2\0\0\0\0\0\1\0\0\0\0");
	PACKET(2, DEFINITION);
	PACKET(3, EOF_PACKET);
	PACKET(1, OK_PACKET);
	COMMAND("\xfa\2\0\0\0\x80\0\3\0\0\1\0\0\0\0\2\0\0\0");
	sends(true);
	PACKET(1, "\0\2\0\2\0\0\0");
	check("prepare [commit], prepared 1 last, prepare [nonsense], error 1064 42000 class 1 last, "
	      "prepare [insert into t values (?)], run last[4294967295], reply, prepared 2 last, -, done 0 last, "
	      "run 2[2] params, done 2 last");
	/* A reply that begins with an EOF packet is not taken for the end of definitions. */
	begin();
	COMMAND("\x16select ?");
	sends(true);
	PACKET(1, "\0\2\0\0\0\0\0\1\0\0\0\0");
	PACKET(2, DEFINITION);
	COMMAND("\x1b\0\0");
	sends(true);
	PACKET(1, EOF_PACKET);
	check("prepare [select ?], reply, prepared 2 last, command [admin set_option], done 0 last");
}

static void test_cursor(void **state)
{
	for (int deprecated = 0; deprecated < 2; deprecated++) {
		begin();
		COMMAND("\x17\1\0\0\0\1\1\0\0\0");
		sends(true);
		PACKET(1, "\1");
		PACKET(2, DEFINITION);
		if (deprecated)
			PACKET(3, "\xfe\0\0\x42\0\0\0");
		else
			PACKET(3, "\xfe\0\0\x42\0");
		COMMAND("\x1c\1\0\0\0\2\0\0\0");
		sends(true);
		packet(1, "\0\0\5\0\0\0", 6);
		packet(2, "\0\0\6\0\0\0", 6);
		if (deprecated)
			PACKET(3, "\xfe\0\0\x42\0\0\0");
		else
			PACKET(3, "\xfe\0\0\x42\0");
		COMMAND("\x1c\1\0\0\0\2\0\0\0");
		sends(true);
		PACKET(1, "\xfe\0\0\x82\0");
		check("run 1[1], reply, reply, done counted last, fetch 1[1], row, row, done counted last, "
		      "fetch 1[1], done counted last");
	}
}

static void test_columns(void **state)
{
	static const struct {
		const char *payload;
		u32 len, columns;
		bool follow, bad;
	} cases[] = {
		{ "\3", 1, 3, true, false },
		{ "\3\1", 2, 3, true, false },
		{ "\3\0", 2, 3, false, false },
		{ "\1\3", 2, 3, true, false },
		{ "\0\3", 2, 3, false, false },
		{ "\1\1", 2, 1, true, false },
		{ "\1\0", 2, 1, false, false },
		{ "\xfc\x2c\1", 3, 300, true, false },
		{ "\xfc\x2c\1\0", 4, 300, false, false },
		{ "\1\xfc\x2c\1", 4, 300, true, false },
		{ "\2\2", 2, 0, false, true },
		{ "\0", 1, 0, false, true },
		{ "\0\0", 2, 0, false, true },
		{ "hello", 5, 0, false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[8000] = "query [select 1]";

		begin();
		query("select 1");
		sends(true);
		packet(1, cases[i].payload, cases[i].len);
		if (cases[i].bad) {
			check("query [select 1] LOST");
			continue;
		}
		strcat(expected, ", reply");
		for (u32 c = 0; cases[i].follow && c < cases[i].columns; c++) {
			packet(2 + c, DEFINITION, sizeof(DEFINITION) - 1);
			strcat(expected, ", reply");
		}
		PACKET(3, "\1x");
		PACKET(4, OK_EOF);
		strcat(expected, ", row, done counted last");
		check(expected);
	}
}

static void test_commands(void **state)
{
	begin();
	COMMAND("\2shop");
	sends(true);
	PACKET(1, OK_PACKET);
	COMMAND("\x0e");
	sends(true);
	PACKET(1, OK_PACKET);
	COMMAND("\x09");
	sends(true);
	PACKET(1, "Uptime: 5  Threads: 1");
	COMMAND("\x0d");
	sends(true);
	PACKET(1, EOF_PACKET);
	COMMAND("\x0c\5\0\0\0");
	sends(true);
	PACKET(1, "\xff\x46\4#HY000Unknown thread id: 5");
	COMMAND("\x1f");
	sends(true);
	PACKET(1, OK_PACKET);
	COMMAND("\x11root\0\3abcshop\0\x21\0mysql_native_password\0");
	sends(true);
	PACKET(1, "\xfemysql_native_password\0aaaaaaaaaaaaaaaaaaaa\0");
	sends(false);
	PACKET(2, "bbbbbbbbbbbbbbbbbbbb");
	sends(true);
	PACKET(3, OK_PACKET);
	COMMAND("\4t\0%");
	sends(true);
	PACKET(1, DEFINITION);
	PACKET(2, DEFINITION);
	PACKET(3, EOF_PACKET);
	COMMAND("\x0a");
	sends(true);
	PACKET(1, "\1");
	PACKET(2, DEFINITION);
	PACKET(3, EOF_PACKET);
	PACKET(4, "\1x");
	PACKET(5, EOF_PACKET);
	COMMAND("\x12\4\0\0\0\0\0\1\0\0\0mariadb-bin.000001");
	check("command [admin init_db] user[] db[shop], done 0 last, command [admin ping], done 0 last, "
	      "command [admin statistics], done 0 last, command [admin debug], done 0 last, "
	      "command [admin process_kill], error 1094 HY000 class 0 last, "
	      "command [admin reset_connection], done 0 last, "
	      "command [admin change_user] user[root] db[shop], reply, -, done 0 last, "
	      "command [admin field_list], reply, reply, done 0 last, "
	      "command [admin process_info], reply, reply, reply, row, done counted last, ignore");
}

static void test_infile(void **state)
{
	/* So many packets that their numbers come to 0 and 1 again; what is in them looks like commands. */
	char expected[4000] = "query [load data local infile 'f' into table t], reply";

	begin();
	query("load data local infile 'f' into table t");
	sends(true);
	PACKET(1, "\xfb"
		  "f");
	sends(false);
	for (u32 i = 0; i < 600; i++) {
		packet(2 + i, "\3select 1", 9);
		strcat(expected, ", -");
	}
	header(0, 2 + 600);
	sends(true);
	PACKET(2 + 601, "\0\5\0\2\0\0\0");
	query("select 1");
	strcat(expected, ", -, done 5 last, query [select 1]");
	assert_string_equal(play(BYTES, BYTES), expected);
	assert_string_equal(play(1, 1), expected);
	assert_string_equal(play(1000, 7), expected);
}

static void test_attributes(void **state)
{
	begin();
	COMMAND("\3\0\1select 1");
	sends(true);
	PACKET(1, OK_PACKET);
	/* Three: a string, NULL, a number. */
	COMMAND("\3\3\1\2\1\xfe\0\4name\3\0\1n\x08\0\2id\5value\1\2\3\4\5\6\7\x08select 2");
	sends(true);
	PACKET(1, OK_PACKET);
	query("\tselect 3");
	check("query [select 1], done 0 last, query [select 2], done 0 last, query [\tselect 3]");
}

static void test_use(void **state)
{
	static const struct {
		const char *text, *db;
	} cases[] = {
		{ "use shop", "shop" },	 { "USE `a b`;", "a b" }, { "use  shop ; select 1", "shop" },
		{ "Use shop;", "shop" }, { "use\tshop", NULL },	  { "use ", NULL },
		{ "user", NULL },	 { "use ;", NULL },	  { "use shop-1", "shop-1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[200];

		begin();
		query(cases[i].text);
		snprintf(expected, sizeof(expected), cases[i].db ? "query [%s] user[] db[%s]" : "query [%s]",
			 cases[i].text, cases[i].db);
		check(expected);
	}
}

/* Packets of 16 MiB: continued, both ways. Their bytes are not put together, only said to be there. */
static void test_long_packets(void **state)
{
	struct sonde_state st = {};
	struct sonde_msg m = {};
	static struct sonde_win w;

	memcpy(w.b, "\xff\xff\xff\0\3select '", 13);
	assert_int_equal(sonde_mysql_client(&w, 0, SONDE_WIN_BYTES, &st, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_QUERY);
	assert_int_equal(m.size, 0xffffff + 4);
	memset(&m, 0, sizeof(m));
	memcpy(w.b, "\5\0\0\1\1quit", 9);
	assert_int_equal(sonde_mysql_client(&w, 0, 9, &st, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_NONE);
	memset(&m, 0, sizeof(m));
	memcpy(w.b, "\1\0\0\0\1", 5);
	assert_int_equal(sonde_mysql_client(&w, 0, 5, &st, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_END);
	/* A row of exactly that length is continued by nothing. One may begin with 0xfe. */
	memset(&st, 0, sizeof(st));
	st.expect = SONDE_MYSQL_RESULT;
	st.be_mode = SONDE_MYSQL_ROW;
	memset(&m, 0, sizeof(m));
	memcpy(w.b, "\xff\xff\xff\7\xfe\0\0\0\2\0\0\0\0", 13);
	assert_int_equal(sonde_mysql_server(&w, 0, SONDE_WIN_BYTES, &st, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_ROW);
	assert_int_equal(m.size, 0xffffff + 4);
	memset(&m, 0, sizeof(m));
	memcpy(w.b, "\0\0\0\x08", 4);
	assert_int_equal(sonde_mysql_server(&w, 0, 4, &st, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_REPLY);
	memset(&m, 0, sizeof(m));
	memcpy(w.b, "\5\0\0\x09\xfe\0\0\2\0", 9);
	assert_int_equal(sonde_mysql_server(&w, 0, 9, &st, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_DONE);
}

static void test_handshake(void **state)
{
	begin();
	sends(true);
	PACKET(0, MARIADB_GREETING);
	sends(false);
	PACKET(1, RESPONSE("\x8d", "\xa2", "\x3b") "alice\0\x14"
						   "01234567890123456789shop\0mysql_native_password\0");
	sends(true);
	PACKET(2, "\xfemysql_native_password\0ABCDEFGHIJKLMNOPQRST\0");
	sends(false);
	PACKET(3, "01234567890123456789");
	sends(true);
	PACKET(4, OK_PACKET);
	query("select 1");
	check("flavour 4, startup user[alice] db[shop], -, -, -, query [select 1]");
	begin();
	sends(true);
	PACKET(0, OLD_GREETING);
	sends(false);
	PACKET(1, RESPONSE("\x85", "\xa2", "\x00") "bob\0\0"); /* no database, no password */
	sends(true);
	PACKET(2, "\xff\x15\4#28000Access denied");
	check("flavour 4, startup user[bob] db[], -");
	begin();
	sends(true);
	PACKET(0, MYSQL_GREETING);
	sends(false); /* length-encoded authentication data, caching_sha2_password's rounds */
	PACKET(1, RESPONSE("\x8d", "\xa2", "\x3b") "carol\0\x20"
						   "01234567890123456789012345678901x\0caching_sha2_password\0");
	sends(true);
	PACKET(2, "\1\3");
	PACKET(3, OK_PACKET);
	check("-, startup user[carol] db[x], -, -");
	begin(); /* TLS */
	sends(true);
	PACKET(0, MYSQL_GREETING);
	sends(false);
	PACKET(1, RESPONSE("\x85", "\xae", "\x3b"));
	check("-, tls");
	begin(); /* with the greeting's bytes where zeros belong, as go-sql-driver sends it */
	sends(true);
	PACKET(0, MYSQL_GREETING);
	sends(false);
	PACKET(1, "\x8d\xaa\x0a\0\0\0\0\0\x2d.11.19-MariaDB-0+deb12u");
	check("-, tls");
	begin(); /* and in it */
	sends(false);
	PACKET(2, RESPONSE("\x85", "\xae", "\x3b") "dave\0\0");
	sends(true);
	PACKET(3, OK_PACKET);
	query("select 1");
	check("startup user[dave] db[], -, query [select 1]");
}

static void test_compressed(void **state)
{
	char expected[100];

	begin();
	sends(true);
	PACKET(0, MYSQL_GREETING);
	sends(false);
	PACKET(1, RESPONSE("\xa5", "\xa2", "\x3b") "erin\0\0");
	sends(true);
	PACKET(2, OK_PACKET);
	snprintf(expected, sizeof(expected), "-, startup user[erin] db[], unreadable %u",
		 SONDE_CNT_UNREADABLE_COMPRESSED);
	check(expected);
}

/* Runs of definitions and rows in one go come to the same as one by one. */
static void test_skip_run(void **state)
{
	for (int variant = 0; variant < 3; variant++) {
		struct sonde_state st = { .be_mode = SONDE_MYSQL_DEFINITION,
					  .be_left = 3,
					  .expect = SONDE_MYSQL_RESULT };
		static struct sonde_win w;
		u32 rows, total = 0, at;

		begin();
		sends(true);
		for (u32 i = 0; i < 3; i++)
			packet(2 + i, DEFINITION, sizeof(DEFINITION) - 1);
		if (variant)
			PACKET(5, EOF_PACKET);
		for (u32 i = 0; i < 100 && variant < 2; i++)
			PACKET(6, "\1x");
		at = session.len;
		PACKET(6, EOF_PACKET);
		if (!variant)
			session.b[at] = 7;
		memcpy(w.b, session.b, session.len);
		for (u32 pos = 0, next; pos < at; pos = next, total += rows) {
			next = sonde_mysql_skip_run(&w, pos, session.len, &st, 32, &rows);
			assert_true(next > pos && next <= at);
		}
		assert_int_equal(total, variant < 2 ? 100 : 0);
		assert_int_equal(st.be_mode, SONDE_MYSQL_ROW);
		assert_int_equal(sonde_mysql_skip_run(&w, at, session.len, &st, 32, &rows), at);
		/* One that is not all there is left alone, and nothing changes. */
		st = (struct sonde_state){ .be_mode = SONDE_MYSQL_DEFINITION, .be_left = 3 };
		assert_int_equal(sonde_mysql_skip_run(&w, 0, sizeof(DEFINITION) + 2, &st, 32, &rows), 0);
		assert_int_equal(st.be_left, 3);
		assert_int_equal(st.be_mode, SONDE_MYSQL_DEFINITION);
	}
}

/* A run may begin with the usual column count, and with nothing else that is a reply's first packet. */
static void test_is_run(void **state)
{
	static const struct {
		const char *bytes;
		u32 expect;
		bool run;
	} cases[] = {
		{ "\1\0\0\1\3", SONDE_MYSQL_RESULT, true },
		{ "\1\0\0\1\xfa", SONDE_MYSQL_RESULT, true },
		{ "\1\0\0\1\0", SONDE_MYSQL_RESULT, false },
		{ "\1\0\0\1\xfb", SONDE_MYSQL_RESULT, false },
		{ "\1\0\0\1\xff", SONDE_MYSQL_RESULT, false },
		{ "\2\0\0\1\3", SONDE_MYSQL_RESULT, false },
		{ "\1\0\0\2\3", SONDE_MYSQL_RESULT, false },
		{ "\1\0\0\1\3", SONDE_MYSQL_SIMPLE, false },
		{ "\1\0\0\1\3", 0, false },
	};
	struct sonde_state st = {};
	static struct sonde_win w;
	u32 rows;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(w.b, cases[i].bytes, 5);
		assert_int_equal(sonde_mysql_is_run(&w, 0, &st, cases[i].expect), cases[i].run);
	}
	begin();
	sends(true);
	PACKET(1, "\1");
	PACKET(2, DEFINITION);
	PACKET(3, EOF_PACKET);
	PACKET(4, "\1x");
	PACKET(5, EOF_PACKET);
	memcpy(w.b, session.b, session.len);
	assert_int_equal(sonde_mysql_skip_run(&w, 0, session.len, &st, 24, &rows), session.len - 9);
	assert_int_equal(rows, 1);
	assert_int_equal(st.be_mode, SONDE_MYSQL_ROW);
	memset(&st, 0, sizeof(st));
	assert_int_equal(sonde_mysql_skip_run(&w, 0, 5, &st, 24, &rows), 5);
	assert_int_equal(st.be_mode, SONDE_MYSQL_DEFINITION);
	assert_int_equal(st.be_left, 1);
}

/* Any bytes at all, held to the parser's contract by stream_feed(). */
static void test_random(void **state)
{
	static const u8 some[] = "\0\0\0\1\2\3\5\7\xfe\xfb\xfc\xff\x16\x17\x1c#";
	static struct stream s;
	u64 seed = 11;
	u8 b[64];

	for (int i = 0; i < 200000; i++) {
		u32 n = unit_random(&seed) % sizeof(b);

		trace_len = 0;
		for (u32 j = 0; j < n; j++) {
			u64 r = unit_random(&seed);

			b[j] = r % 3 ? some[r >> 8 & 15] : r >> 8;
		}
		if (n > 3 && i & 1) /* a length that is right */
			memcpy(b, (u8[]){ n - 4, 0, 0, i & 2 ? 0 : 1 }, 4);
		stream_begin(&s, &mysql, seen, NULL);
		stream_expect(&s, unit_random(&seed) % 7, 2);
		if (stream_feed(&s, i & 4, b, n))
			stream_feed(&s, i & 4, b, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),	     cmocka_unit_test(test_deprecate_eof),
		cmocka_unit_test(test_ok),	     cmocka_unit_test(test_several_results),
		cmocka_unit_test(test_errors),	     cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_cursor),	     cmocka_unit_test(test_columns),
		cmocka_unit_test(test_commands),     cmocka_unit_test(test_infile),
		cmocka_unit_test(test_attributes),   cmocka_unit_test(test_use),
		cmocka_unit_test(test_long_packets), cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_compressed),   cmocka_unit_test(test_skip_run),
		cmocka_unit_test(test_is_run),	     cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
