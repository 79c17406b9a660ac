// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_memcached.c - the memcached parser against commands and answers written by hand from the protocol's description:
 * whole, cut at every byte, and broken.
 */
#include <stdio.h>

#include "unit.h"
#include "stream.h"
#include "sonde/proto/memcached.h"

static const struct stream_proto memcached = STREAM_PROTO(memcached);
static struct stream stream;
static char seen[8192]; /* in words: of the client "get user:?|", of the server "done 1|" */
static u64 last_params;
static u32 rows;

static void note(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos)
{
	char *to = seen + strlen(seen);
	size_t room = sizeof(seen) - strlen(seen);

	rows += m->op == SONDE_OP_ROW;
	if (m->op == SONDE_OP_NONE || m->op == SONDE_OP_REPLY || m->op == SONDE_OP_ROW)
		return;
	if (m->op == SONDE_OP_IGNORE || m->op == SONDE_OP_END) {
		snprintf(to, room, "%s|", m->op == SONDE_OP_END ? "end" : "ignore");
	} else if (!server) {
		last_params = m->params;
		snprintf(to, room, "%.*s%s%s|", (int)m->label.len, m->label.b,
			 m->flags & SONDE_MSG_QUIET ? " quiet" : "", m->flags & SONDE_MSG_NO_REPLY ? " silent" : "");
	} else if (m->op == SONDE_OP_ERROR) {
		snprintf(to, room, "error %.5s %d|", (const char *)&m->sqlstate, m->error_class);
	} else {
		snprintf(to, room, "%s %u|", m->flags & SONDE_MSG_LOUD ? "loud" : "done",
			 m->rows == SONDE_ROWS_COUNTED ? rows : (u32)m->rows);
		rows = 0;
	}
}

/* A conversation, whole and in pieces of one, two, three bytes. */
static void talk(const char *request, const char *reply, const char *want)
{
	u32 lens[2] = { strlen(request), strlen(reply) };

	for (u32 piece = 0; piece < 4; piece++) {
		stream_begin(&stream, &memcached, note, NULL);
		seen[0] = 0;
		rows = 0;
		for (int side = 0; side < 2; side++) {
			const u8 *bytes = (const u8 *)(side ? reply : request);
			u32 step = piece ? piece : lens[side];

			for (u32 at = 0; at < lens[side]; at += step)
				stream_feed(&stream, side, bytes + at, sonde_min_u32(step, lens[side] - at));
		}
		assert_string_equal(seen, want);
		assert_false(stream.dir[0].lost);
		assert_false(stream.dir[1].lost);
		assert_int_equal(stream.head, stream.tail);
	}
}

static void test_classic(void **state)
{
	talk("get user:17\r\n", "VALUE user:17 0 3\r\nfoo\r\nEND\r\n", "get user:?|done 1|");
	talk("get a:1 a:2 a:3\r\n", "VALUE a:1 0 3\r\nEND\r\nVALUE a:3 0 7 99\r\n\r\nEND\r\n\r\nEND\r\n",
	     "get a:? ...|done 2|");
	talk("gets a\r\n", "END\r\n", "gets a|done 0|");
	talk("gat 60 user:1 user:2\r\n", "END\r\n", "gat user:? ...|done 0|");
	talk("set k:1 0 0 6\r\nsecret\r\nget k:1\r\n", "STORED\r\nEND\r\n", "set k:?|get k:?|done 1|done 0|");
	talk("add k 0 0 8\r\nget x\r\n1\r\ncas k 0 0 1 77\r\nx\r\n", "NOT_STORED\r\nEXISTS\r\n",
	     "add k|cas k|done 0|done 0|");
	talk("set k 0 0 1 noreply\r\nx\r\ndelete k noreply\r\nget k\r\n", "END\r\n",
	     "set k silent|delete k silent|get k|done 0|");
	talk("incr n 5\r\ndecr n 1\r\ntouch n 9\r\ndelete n\r\n", "17\r\n16\r\nTOUCHED\r\nNOT_FOUND\r\n",
	     "incr n|decr n|touch n|delete n|done 1|done 1|done 1|done 0|");
	talk("stats items\r\nversion\r\nflush_all 10\r\nverbosity 1\r\n",
	     "STAT pid 1\r\nSTAT x y\r\nEND\r\nVERSION 1.6.18\r\nOK\r\nOK\r\n",
	     "stats items|version|flush_all|verbosity|done 0|done 1|done 1|done 1|");
	talk("version\r\nget k\r\n", "ERROR\r\nEND\r\n", "version|get k|error ERROR 1|done 0|");
	talk("nonsense secret\r\nquit\r\n", "ERROR\r\n", "?|end|error ERROR 1|");
	talk("incr n x\r\nset k 0 0 9\r\n123456789\r\n",
	     "CLIENT_ERROR cannot increment or decrement non-numeric value\r\nSERVER_ERROR out of memory storing "
	     "object\r\n",
	     "incr n|set k|error CLIEN 3|error SERVE 6|");
	talk("set k 0 0 9 noreply\r\n123456789\r\nget k\r\n", "SERVER_ERROR object too large for cache\r\nEND\r\n",
	     "set k silent|get k|done 0|");
	talk("watch evictions\r\n", "", "ignore|");
}

static void test_meta(void **state)
{
	talk("mg user:1 v\r\nmg user:2\r\nmg user:3 v\r\n", "VA 3 f0\r\nfoo\r\nHD\r\nEN\r\n",
	     "mg user:?|mg user:?|mg user:?|done 1|done 1|done 0|");
	talk("ms k:1 6 T60\r\nsecret\r\nmd k:1\r\nma n:1 v\r\nme k\r\n", "HD\r\nNF\r\nVA 1\r\n7\r\nME k exp=-1\r\n",
	     "ms k:?|md k:?|ma n:?|me k|done 1|done 0|done 1|done 1|");
	/* A run of quiet ones and the command that ends it. */
	talk("mg a:1 v q\r\nmg a:2 v q\r\nmg a:3 q v\r\nmn\r\n", "VA 1\r\nx\r\nMN\r\n",
	     "mg a:? quiet|mg a:? quiet|mg a:? quiet|mn|done 1|loud 1|");
	talk("ms a 1 q\r\nx\r\nmd b q\r\nmg c\r\n", "HD\r\n", "ms a quiet|md b quiet|mg c|loud 1|");
	talk("mg Zm9vYmFy b k v\r\n", "EN\r\n", "mg ?|done 0|");
	talk("mg k Oq k\r\n", "EN\r\n", "mg k|done 0|");
}

static void test_long(void **state)
{
	static char line[6000], reply[400000];
	char want[64];
	u32 n = 0;

	for (u32 i = 0; i < 500; i++)
		n += snprintf(line + n, sizeof(line) - n, "%s %s", i ? "" : "get", "item:1234");
	assert_true(n + 3 < sizeof(line));
	strcpy(line + n, "\r\n");
	talk(line, "END\r\n", "get item:? ...|done 0|");
	/* A value longer than anything kept. */
	n = snprintf(reply, sizeof(reply), "VALUE k 0 300000\r\n");
	memset(reply + n, 'v', 300000);
	strcpy(reply + n + 300000, "\r\nEND\r\n");
	snprintf(want, sizeof(want), "get k|done 1|");
	talk("get k\r\n", reply, want);
	n = snprintf(reply, sizeof(reply), "set k 0 0 300000\r\n");
	memset(reply + n, 'v', 300000);
	strcpy(reply + n + 300000, "\r\nget k\r\n");
	talk(reply, "STORED\r\nEND\r\n", "set k|get k|done 1|done 0|");
}

static void test_params(void **state)
{
	static const char *const calls[] = { "get a:1\r\n", "get a:2\r\n", "get a:1 a:2\r\n", "incr n 1\r\n",
					     "incr n 2\r\n" };
	u64 params[5];

	for (u32 i = 0; i < 5; i++) {
		stream_begin(&stream, &memcached, note, NULL);
		stream_feed(&stream, false, (const u8 *)calls[i], strlen(calls[i]));
		params[i] = last_params;
		for (u32 k = 0; k < i; k++)
			assert_true(params[i] != params[k]);
	}
}

/* gearmand has the same command. */
static void test_foreign(void **state)
{
	stream_begin(&stream, &memcached, note, NULL);
	stream_feed(&stream, 0, (const u8 *)"version\r\n", 9);
	assert_false(stream.dir[1].lost);
	stream_feed(&stream, 1, (const u8 *)"OK 1.1.19\r\n", 11);
	assert_true(stream.dir[1].lost);
}

static int detect(const char *bytes)
{
	static struct sonde_win w;
	struct sonde_state st = {};
	u32 n = strlen(bytes);

	memset(&w, '\n', sizeof(w));
	memcpy(w.b, bytes, n);
	return sonde_memcached_detect(&w, n, n, &st);
}

static void test_detect(void **state)
{
	static const char *const yes[] = { "get a\r\n",		 "gets a b c\r\n", "set k 0 0 1\r\nx\r\n",
					   "set k 0 0 1000\r\n", "incr n 1\r\n",   "mg k v\r\n",
					   "ms k 1\r\nx\r\n",	 "mn\r\n",	   "version\r\n",
					   "flush_all\r\n",	 "delete abc\r\n", "gat 60 k\r\n" };
	static const char *const no[] = {
		"GET / HTTP/1.1\r\n",	     "get a\n",	     "delete 17\r\n",	  "touch 17\r\n",	 "set k\r\n",
		"set k a b c\r\n",	     "stats\r\n",    "get \r\n",	  "version 3\r\n",	 "ms k x\r\n",
		"put 0 0 60 5\r\nhello\r\n", "gat k 60\r\n", "getaddrinfo a\r\n", "*1\r\n$4\r\nPING\r\n"
	};

	for (u32 i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_int_equal(detect(yes[i]), SONDE_DETECT_CLIENT);
	for (u32 i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_int_equal(detect(no[i]), SONDE_DETECT_NO);
	assert_int_equal(detect("g"), SONDE_DETECT_MORE);
	assert_int_equal(detect("get user:17\r"), SONDE_DETECT_MORE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classic), cmocka_unit_test(test_meta),	cmocka_unit_test(test_long),
		cmocka_unit_test(test_params),	cmocka_unit_test(test_foreign), cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
