// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_redis.c - the Redis parser against commands and replies written by hand from the protocol's specification: whole,
 * cut at every byte, and broken; and the patterns of keys.
 */
#include <stdio.h>

#include "unit.h"
#include "stream.h"
#include "sonde/proto/redis.h"

static const struct stream_proto redis = STREAM_PROTO(redis);
static struct stream stream;

/* What was seen, in words: of the client "GET user:?|", of the server "done 1|". */
static char seen[8192];
static u64 last_params;

static void note(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos)
{
	size_t n = strlen(seen);
	char *to = seen + n;
	size_t room = sizeof(seen) - n;

	if (m->op == SONDE_OP_NONE || m->op == SONDE_OP_REPLY)
		return;
	if (!server) {
		if (m->op == SONDE_OP_IGNORE) {
			snprintf(to, room, "ignore|");
			return;
		}
		last_params = m->params;
		snprintf(to, room, "%.*s%s%s%s|", (int)m->label.len, m->label.b,
			 m->flags & SONDE_MSG_BLOCKING ? " blocking" : "",
			 m->flags & SONDE_MSG_NO_REPLY ? " silent" : "",
			 m->flags & SONDE_MSG_DATABASE ? " database" : "");
		if (m->flags & SONDE_MSG_DATABASE)
			snprintf(to + strlen(to) - 1, room - strlen(to), " %.*s|", (int)m->db_len, w->b + m->db_off);
		return;
	}
	if (m->op == SONDE_OP_ERROR)
		snprintf(to, room, "error %.5s %d%s|", (const char *)&m->sqlstate, m->error_class,
			 m->txn == SONDE_TXN_FAILED ? " failed" : "");
	else
		snprintf(to, room, "done %llu%s%s|", (unsigned long long)m->rows,
			 m->txn == SONDE_TXN_OPEN ? " open" : "", m->txn == SONDE_TXN_IDLE ? " idle" : "");
}

static void begin(void)
{
	stream_begin(&stream, &redis, note, NULL);
	seen[0] = 0;
}

static void client(const char *bytes)
{
	stream_feed(&stream, false, (const u8 *)bytes, strlen(bytes));
}

static void server(const char *bytes)
{
	stream_feed(&stream, true, (const u8 *)bytes, strlen(bytes));
}

/* "SET k v" as an array of bulk strings; words are separated by one blank, "_" is an empty one. */
static const char *array(const char *words)
{
	static char to[4096 + 16];
	char body[4096] = "", copy[2048];
	int nr = 0;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "), nr++) {
		if (!strcmp(word, "_"))
			word += 1;
		snprintf(body + strlen(body), sizeof(body) - strlen(body), "$%zu\r\n%s\r\n", strlen(word), word);
	}
	snprintf(to, sizeof(to), "*%d\r\n%s", nr, body);
	return to;
}

/* A conversation, whole and cut at every byte: what the client sends, what the server answers, what is understood. */
static void talk(const char *request, const char *reply, const char *want)
{
	u32 lens[2] = { strlen(request), strlen(reply) };

	for (u32 piece = 0; piece < 4; piece++) {
		begin();
		for (int side = 0; side < 2; side++) {
			const u8 *bytes = (const u8 *)(side ? reply : request);
			u32 step = piece ? piece : lens[side];

			for (u32 at = 0; at < lens[side]; at += step)
				stream_feed(&stream, side, bytes + at, sonde_min_u32(step, lens[side] - at));
		}
		assert_string_equal(seen, want);
		assert_false(stream.dir[0].lost);
		assert_false(stream.dir[1].lost);
	}
}

static void label(const char *words, const char *want)
{
	char with[512];

	snprintf(with, sizeof(with), "%s|", want);
	talk(array(words), "", with);
	assert_int_equal(stream.dir[0].kept, 0);
	assert_int_equal(stream.dir[0].skip, 0);
}

static void test_labels(void **state)
{
	label("GET user:17", "GET user:?");
	label("get user:17", "GET user:?");
	label("PING", "PING");
	label("SET user:17:name secret", "SET user:?:name");
	label("SET user:17:name secret EX 60 NX GET", "SET user:?:name");
	label("MGET user:1", "MGET user:?");
	label("MGET user:1 user:2 user:3 user:4 user:5 user:6", "MGET user:? ...");
	label("MSET a:1 v", "MSET a:?");
	label("MSET a:1 v a:2 w", "MSET a:? ...");
	label("BLPOP queue:1 0", "BLPOP queue:? blocking");
	label("BLPOP queue:1 queue:2 0", "BLPOP queue:? ... blocking");
	label("BLMOVE a b LEFT RIGHT 0", "BLMOVE a blocking");
	label("BLMPOP 0 2 list:1 list:2 LEFT", "BLMPOP list:? blocking");
	label("BITOP AND dest:1 a b", "BITOP dest:?");
	label("CONFIG GET maxmemory", "CONFIG GET");
	label("client setname secret", "CLIENT SETNAME");
	label("OBJECT ENCODING user:1", "OBJECT ENCODING user:?");
	label("XINFO STREAM events:7 FULL", "XINFO STREAM events:?");
	label("MEMORY USAGE user:3", "MEMORY USAGE user:?");
	label("EVAL return{secret} 1 user:1 secret", "EVAL ?");
	label("EVALSHA 1B936E3FE509BCBC9CD0664897BBE8FD0CAC101B 0", "EVALSHA 1b936e3fe509bcbc9cd0664897bbe8fd0cac101b");
	label("EVALSHA secret 0", "EVALSHA ?");
	label("FCALL my_function 1 user:1", "FCALL my_function");
	label("AUTH user secret", "AUTH ?");
	label("HELLO 3 AUTH user secret", "HELLO ?");
	label("SELECT 12", "SELECT ? database 12");
	label("ECHO secret", "ECHO ?");
	label("XREAD COUNT 2 STREAMS events:1 0", "XREAD events:?");
	label("XREAD BLOCK 0 STREAMS events:1 events:2 0 0", "XREAD events:? ... blocking");
	label("XREADGROUP GROUP g secret COUNT 1 BLOCK 5 NOACK STREAMS e >", "XREADGROUP e blocking");
	label("KEYS user:*", "KEYS user:*");
	label("FLUSHALL ASYNC", "FLUSHALL");
	label("JSON.GET doc:1 $.secret", "JSON.GET doc:?");
	label("NOSUCH secret", "NOSUCH ?");
	label("b840fc02d524 GET maxmemory", "? ?"); /* a command renamed to something nobody shall know */
	label("GET _", "GET ?");
	label("SUBSCRIBE news:1 news:2", "SUBSCRIBE news:? ... blocking");
	label("GEORADIUSBYMEMBER_RO places:1 secret 10 km", "GEORADIUSBYMEMBER_RO places:?");
	begin();
	client(array("PSYNC ? -1"));
	assert_string_equal(seen, "ignore|");
}

/* Not one byte of any value may be in a label: every argument but keys' words is "secret". */
static void test_all_commands(void **state)
{
	static const char *const names[] = {
#define SONDE_REDIS_COMMAND(name, shape, kind) name,
#include "sonde/proto/redis.def"
	};

	for (u32 i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char words[128], want[64];

		begin();
		snprintf(words, sizeof(words), "%s 7 7 7 7 7 secret secret", names[i]);
		client(array(words));
		assert_null(strstr(seen, "secret"));
		snprintf(want, sizeof(want), "%.24s", names[i]);
		if (!strstr(seen, "ignore"))
			assert_int_equal(strncmp(seen, want, strlen(want)), 0);
		for (u32 k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
		assert_true(strlen(names[i]) <= SONDE_REDIS_NAME);
	}
}

static void test_params(void **state)
{
	static const char *const calls[] = { "GET user:1", "GET user:2", "HGET user:1 a", "HGET user:1 b",
					     "SADD s 1",   "SADD s 2",	 "SET k v1",	  "SET k v2",
					     "EVAL x 1 a", "EVAL x 1 b", "GET user:11",	  "ECHO a" };
	u64 params[12];

	for (u32 i = 0; i < 12; i++) {
		begin();
		client(array(calls[i]));
		params[i] = last_params;
		assert_true(params[i] != 0);
		for (u32 k = 0; k < i; k++)
			assert_true(params[i] != params[k]);
	}
	begin();
	client(array("GET user:1"));
	assert_true(last_params == params[0]);
	begin();
	client(array("AUTH secret"));
	assert_true(last_params == 0);
}

static void test_values(void **state)
{
	static const struct {
		const char *reply, *want;
	} cases[] = {
		{ "+OK\r\n", "done 1|" },
		{ ":1000\r\n", "done 1|" },
		{ "$5\r\nhello\r\n", "done 1|" },
		{ "$0\r\n\r\n", "done 0|" },
		{ "$-1\r\n", "done 0|" },
		{ "*-1\r\n", "done 0|" },
		{ "*0\r\n", "done 0|" },
		{ "*2\r\n$3\r\nfoo\r\n$-1\r\n", "done 2|" },
		{ "*3\r\n:1\r\n*2\r\n+a\r\n*1\r\n$1\r\nx\r\n-ERR in an array\r\n", "done 3|" },
		{ "*2\r\n*0\r\n*0\r\n", "done 2|" },
		{ "_\r\n", "done 0|" },
		{ "#t\r\n", "done 1|" },
		{ ",3.25\r\n", "done 1|" },
		{ "(3492890328409238509324850943850943825024385\r\n", "done 1|" },
		{ "=15\r\ntxt:Some string\r\n", "done 1|" },
		{ "%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n:1\r\n:2\r\n", "done 2|" },
		{ "~3\r\n+a\r\n+b\r\n+c\r\n", "done 3|" },
		{ "|1\r\n+ttl\r\n:3600\r\n$3\r\nfoo\r\n", "done 1|" },
		{ "*2\r\n|1\r\n+ttl\r\n:3600\r\n:1\r\n:2\r\n", "done 2|" },
		{ "$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;0\r\n", "done 1|" },
		{ "*?\r\n:1\r\n*2\r\n:2\r\n:3\r\n$?\r\n;1\r\na\r\n;0\r\n.\r\n", "done 3|" },
		{ "*2\r\n*?\r\n:1\r\n.\r\n:2\r\n", "done 2|" },
		{ "-ERR unknown command 'x'\r\n", "error ERR 1|" },
		{ "-ERR value is not an integer or out of range\r\n", "error ERR 3|" },
		{ "-ERR something else\r\n", "error ERR 0|" },
		{ "-WRONGTYPE Operation against a key\r\n", "error WRONG 3|" },
		{ "-NOAUTH Authentication required.\r\n", "error NOAUT 7|" },
		{ "-MOVED 3999 127.0.0.1:6381\r\n", "error MOVED 7|" },
		{ "-OOM command not allowed\r\n", "error OOM 6|" },
		{ "-secret\r\n", "error  0|" },
		{ "!21\r\nSYNTAX invalid syntax\r\n", "error SYNTA 0|" },
		{ ">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nfoo\r\n:1\r\n", "done 1|" },
	};

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[128];

		snprintf(want, sizeof(want), "GET k|%s", cases[i].want);
		talk("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", cases[i].reply, want);
		assert_int_equal(stream.st.be_left, 0);
		assert_int_equal(stream.head, stream.tail);
	}
}

static void test_long(void **state)
{
	static char big[300000], line[2000];
	char head[64];

	/* A value, there and back. */
	memset(big, 'v', sizeof(big) - 1);
	snprintf(head, sizeof(head), "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%zu\r\n", sizeof(big) - 1);
	begin();
	client(head);
	client(big);
	client("\r\n");
	server("+OK\r\n");
	client(array("GET big"));
	snprintf(head, sizeof(head), "$%zu\r\n", sizeof(big) - 1);
	server(head);
	server(big);
	assert_string_equal(seen, "SET big|done 1|GET big|done 1|");
	assert_int_equal(stream.head + 1, stream.tail); /* not before its last byte */
	server("\r\n");
	assert_int_equal(stream.head, stream.tail);
	/* A key of which only the beginning is looked at, and one longer than anything waited for. */
	begin();
	memset(line, 'k', sizeof(line));
	memcpy(line, "user:", 5);
	line[600] = 0;
	snprintf(big, sizeof(big), "*3\r\n$3\r\nSET\r\n$600\r\n%s\r\n$1\r\nv\r\n", line);
	client(big);
	server("+OK\r\n");
	client(array("PING"));
	assert_string_equal(seen, "SET user:*|done 1|PING|");
	/* An error longer than what is read of a line. */
	memset(line, 'e', sizeof(line));
	memcpy(line, "-ERR ", 5);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	begin();
	client(array("PING"));
	client(array("PING"));
	server(line);
	server("+PONG\r\n");
	assert_string_equal(seen, "PING|PING|error ERR 0|done 1|");
}

static void test_transaction(void **state)
{
	talk("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$3\r\nk:1\r\n*1\r\n$4\r\nEXEC\r\n*1\r\n$4\r\nPING\r\n",
	     "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n+PONG\r\n",
	     "MULTI|INCR k:?|EXEC|PING|done 1 open|done 0|done 1 idle|done 1|");
	talk("*1\r\n$5\r\nMULTI\r\n*1\r\n$1\r\nX\r\n*1\r\n$4\r\nEXEC\r\n",
	     "+OK\r\n-ERR unknown command\r\n-EXECABORT no\r\n",
	     "MULTI|X|EXEC|done 1 open|error ERR 1 failed|error EXECA 4|");
	talk("*1\r\n$5\r\nMULTI\r\n*1\r\n$7\r\nDISCARD\r\n", "+OK\r\n+OK\r\n",
	     "MULTI|DISCARD|done 1 open|done 1 idle|");
}

static void test_pubsub(void **state)
{
	/* RESP2: one reply for each channel, messages belong to nobody. */
	begin();
	client(array("SUBSCRIBE a b"));
	server("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
	assert_int_equal(stream.tail - stream.head, 1);
	server("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
	assert_int_equal(stream.tail, stream.head);
	server("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$2\r\nhi\r\n");
	client(array("PING"));
	server("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n");
	client(array("UNSUBSCRIBE"));
	server("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n");
	assert_int_equal(stream.tail, stream.head);
	assert_string_equal(seen, "SUBSCRIBE a ... blocking|done 3|done 3|PING|done 2|UNSUBSCRIBE|done 3|");
	/* RESP3: they are pushes; so are the answers. */
	talk("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n",
	     ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n+PONG\r\n",
	     "SUBSCRIBE a blocking|PING|done 3|done 1|");
	/* A list that only looks like it. */
	talk(array("LRANGE l 0 -1"), "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n", "LRANGE l|done 3|");
	talk("*1\r\n$7\r\nMONITOR\r\n", "+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n",
	     "MONITOR blocking|done 1|");
}

static void test_client_reply(void **state)
{
	begin();
	client(array("CLIENT REPLY OFF"));
	client(array("SET a 1"));
	client(array("CLIENT REPLY ON"));
	server("+OK\r\n");
	client(array("CLIENT REPLY SKIP"));
	client(array("SET a 2"));
	client(array("GET a"));
	server("$1\r\n2\r\n");
	assert_string_equal(seen,
			    "CLIENT REPLY silent|SET a silent|CLIENT REPLY|done 1|CLIENT REPLY silent|SET a silent|"
			    "GET a|done 1|");
	assert_int_equal(stream.head, stream.tail);
}

static void test_inline(void **state)
{
	static char line[1000];

	talk("PING\r\nget user:17\r\nSET k \"a secret\"\nset \"k y\" v\r\n\r\nAUTH secret\r\nSELECT 3\r\n", "",
	     "PING|GET user:?|SET k|SET ?|AUTH ?|SELECT ? database 3|");
	begin();
	memset(line, 'v', sizeof(line) - 1);
	memcpy(line, "SET k:1 ", 8);
	client(line);
	client("\r\nPING\r\n");
	assert_string_equal(seen, "SET k:?|PING|");
	begin();
	client("greet world\r\n");
	assert_true(stream.dir[0].lost);
}

static int detect(const char *bytes)
{
	static struct sonde_win w;
	struct sonde_state st = {};
	u32 n = strlen(bytes);
	u64 head = 0;
	int ret;

	memset(&w, 0xff, sizeof(w));
	memcpy(w.b, bytes, n);
	memcpy(&head, bytes, n < 8 ? n : 8);
	ret = sonde_redis_detect(&w, n, n, &st);
	if (ret != SONDE_DETECT_NO)
		assert_true(sonde_redis_plausible(head, n));
	return ret;
}

static void test_detect(void **state)
{
	static const char whole[] = "*3\r\n$16\r\nZREVRANGEBYSCORE\r\n$1\r\na\r\n$1\r\nb\r\n";
	char part[64];

	assert_int_equal(detect("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), SONDE_DETECT_CLIENT);
	assert_int_equal(detect("*1\r\n$4\r\nping\r\n"), SONDE_DETECT_CLIENT);
	assert_int_equal(detect("*2\r\n$8\r\nJSON.GET\r\n$1\r\nk\r\n"), SONDE_DETECT_CLIENT);
	assert_int_equal(detect("PING\r\n"), SONDE_DETECT_CLIENT);
	assert_int_equal(detect("PING\r\nPING\r\n"), SONDE_DETECT_CLIENT);
	for (u32 n = 1; n < sizeof(whole); n++) {
		snprintf(part, sizeof(part), "%.*s", n, whole);
		assert_int_equal(detect(part), n <= 16 ? SONDE_DETECT_MORE : SONDE_DETECT_CLIENT);
	}
	/* What a server says must not be taken for a client's command. */
	assert_int_equal(detect("*2\r\n$5\r\nhello1\r\n$1\r\nk\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("*2\r\n$5\r\nhelps\r\n$1\r\nk\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n$1\r\nb\r\n"), SONDE_DETECT_CLIENT);
	assert_int_equal(detect("*-1\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("*0\r\n$3\r\nGET\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("*x\r\n$3\r\nGET\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("*2\r\n:3\r\nGET\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("+OK\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("GET / HTTP/1.1\r\n\r\n"), SONDE_DETECT_NO);
	assert_int_equal(detect("PINGPONG\r\n"), SONDE_DETECT_NO);
}

static void test_numbers(void **state)
{
	static struct sonde_win w;
	char text[32];

	for (u64 n = 1; n < 2000000000; n = n * 7 / 2 + 1) {
		int len = snprintf(text, sizeof(text), "%llu\r\n", (unsigned long long)n);

		memset(&w, '\r', sizeof(w));
		memcpy(w.b, text, len);
		for (int have = 0; have < len; have++)
			assert_true(sonde_redis_number(&w, 0, have) & SONDE_REDIS_NUM_MORE);
		assert_true(sonde_redis_number(&w, 0, len) == (n | (u64)len << 32));
	}
	for (const char *const *bad =
		     (const char *const[]){ "\r\n", "1x\r\n", "x", "12345678901\r\n", "-2\r\n", "+1\r\n", "1\rx",
					    "99999999999\r\n", "4294967296\r\n", NULL };
	     *bad; bad++) {
		memset(&w, 0, sizeof(w));
		memcpy(w.b, *bad, strlen(*bad));
		assert_true(sonde_redis_number(&w, 0, strlen(*bad)) & SONDE_REDIS_NUM_BAD);
	}
}

static void pattern(const char *key, const char *want)
{
	static struct sonde_win w;
	struct sonde_label l;

	memset(&w, '7', sizeof(w));
	memcpy(w.b + 5, key, strlen(key));
	sonde_label_begin(&l);
	sonde_key_pattern(&w, 5, strlen(key), &l);
	assert_int_equal(l.len, strlen(want));
	assert_memory_equal(l.b, want, l.len);
}

static void test_patterns(void **state)
{
	pattern("mykey", "mykey");
	pattern("user:17", "user:?");
	pattern("user17", "user?");
	pattern("user:17:cart:3", "user:?:cart:?");
	pattern("key:000000000012", "key:?");
	pattern("cache:v1:users", "cache:v1:users");
	pattern("v100", "v?");
	pattern("session:a8f5f167f44f4964e6c998dee827110c", "session:?");
	pattern("deadbeef1", "?");
	pattern("decade", "decade");
	pattern("550e8400-e29b-41d4-a716-446655440000:x", "?:x");
	pattern("11111111-2222-3333-4444-555555555555", "?");
	pattern("log-2024-01-02", "log-?");
	pattern("10.0.0.1:80", "?:?");
	pattern("Cache_UserProfile_42", "Cache_UserProfile_?");
	pattern("sess:Ab3-xYz_9kQ2w0aBBcd", "sess:?");
	pattern("getUserProfileById", "getUserProfileById");
	pattern("aBcDeFgHiJkLmNoPqR", "?");
	pattern("{user1000}.following", "{user?}.following");
	pattern("caf\303\251:1", "?:?");
	pattern("a\001b", "?");
	pattern("::::::::::::::::::::::::::::::::", "::::::::::::::::::::::::*");
	pattern("some:word:and:another:word:and:another:and:so:on:until:the:end:of:it",
		"some:word:and:another:word:and:another:and:so:on:until:the:end:*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels), cmocka_unit_test(test_all_commands), cmocka_unit_test(test_params),
		cmocka_unit_test(test_values), cmocka_unit_test(test_long),	    cmocka_unit_test(test_transaction),
		cmocka_unit_test(test_pubsub), cmocka_unit_test(test_client_reply), cmocka_unit_test(test_inline),
		cmocka_unit_test(test_detect), cmocka_unit_test(test_numbers),	    cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
