// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_http.c - the HTTP/1.x detector and message parser, against messages written by hand after RFC 9110 and 9112, whole,
 * cut at every byte, and broken; and the patterns that paths become.
 */
#include <stdio.h>

#include "unit.h"
#include "stream.h"
#include "sonde/proto/http.h"

static const struct stream_proto http = STREAM_PROTO(http);

/* What a session was understood as: a line for each message that means something. */
struct told {
	char text[4096];
	u32 len;
	u64 params[8];
	u32 nr_params;
	bool until_close;
};

static void tell(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos)
{
	struct told *told = ctx;
	char *to = told->text + told->len;
	size_t room = sizeof(told->text) - told->len;

	told->until_close |= !!(m->flags & SONDE_MSG_UNTIL_CLOSE);
	switch (m->op) {
	case SONDE_OP_COMMAND:
		told->len += snprintf(to, room, "%.*s%s%s\n", (int)m->label.len, m->label.b, m->label.cut ? "..." : "",
				      m->kind == SONDE_HTTP_KIND_HEAD	   ? " (head)"
				      : m->kind == SONDE_HTTP_KIND_CONNECT ? " (connect)"
									   : "");
		told->params[told->nr_params++ & 7] = m->params;
		break;
	case SONDE_OP_DONE:
		told->len += snprintf(to, room, m->flags & SONDE_MSG_UNTIL_CLOSE ? "until close\n" : "done\n");
		break;
	case SONDE_OP_ERROR:
		told->len += snprintf(to, room, "%u %s\n", m->code, m->error_class == SONDE_HTTP_5XX ? "5xx" : "4xx");
		break;
	case SONDE_OP_REPLY:
		if (told->len < 2 || memcmp(to - 2, ".\n", 2))
			told->len += snprintf(to, room, ".\n");
		break;
	case SONDE_OP_SWITCH:
		told->len += snprintf(to, room, "switch\n");
		break;
	case SONDE_OP_UNREADABLE:
		told->len += snprintf(to, room, "unreadable %u\n", m->kind == SONDE_CNT_UNREADABLE_HTTP2);
		break;
	}
}

/* One send of a session. */
struct turn {
	bool server;
	const char *data;
	u32 len;
};

#define SAYS(server, text)                                                                                             \
	{                                                                                                              \
		server, text, sizeof(text) - 1                                                                         \
	}
#define CLIENT(text) SAYS(false, text)
#define SERVER(text) SAYS(true, text)

/* Walks the session in pieces of @cut bytes; true if no direction's place was lost. */
static bool walk(const struct turn *turns, u32 nr, u32 cut, struct told *told)
{
	static struct stream s;

	memset(told, 0, sizeof(*told));
	stream_begin(&s, &http, tell, told);
	for (u32 i = 0; i < nr; i++)
		for (u32 at = 0; at < turns[i].len; at += cut)
			stream_feed(&s, turns[i].server, (const u8 *)turns[i].data + at,
				    sonde_min_u32(cut, turns[i].len - at));
	return !s.dir[0].lost && !s.dir[1].lost && s.dir[1].until_close == told->until_close;
}

static void check(const struct turn *turns, u32 nr, const char *expected, struct told *told)
{
	static const u32 cuts[] = { 1 << 20, 1, 2, 3, 7, 13, 64, 1000 };

	for (u32 i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		assert_true(walk(turns, nr, cuts[i], told));
		assert_string_equal(told->text, expected);
	}
}

#define CHECK(expected, ...)                                                                                           \
	do {                                                                                                           \
		static const struct turn turns[] = { __VA_ARGS__ };                                                    \
		struct told told;                                                                                      \
                                                                                                                       \
		check(turns, sizeof(turns) / sizeof(turns[0]), expected, &told);                                       \
	} while (0)

static void test_bodies(void **state)
{
	CHECK("GET /\ndone\nGET /\ndone\n", CLIENT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	      SERVER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), CLIENT("GET / HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n"));
	/* A body that looks like a request or a response is none. */
	CHECK("POST /a\nGET /c\ndone\ndone\n",
	      CLIENT("POST /a HTTP/1.1\r\nCONTENT-LENGTH:   18\r\nContent-Type: text/plain\r\n\r\n"
		     "GET /b HTTP/1.1\r\n\r"
		     "GET /c HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
		     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
	/* Chunks, extensions, trailers; Transfer-Encoding wins over Content-Length; codings before chunked. */
	CHECK("PUT /a\nGET /b\n.\ndone\ndone\n",
	      CLIENT("PUT /a HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "5\r\nGET /\r\n1A;x=\"y\"\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip , Chunked \r\nContent-Length: 2\r\n\r\n"
		     "0000000a\r\n0123456789\r\n000\r\nContent-Length: 77\r\nX: y\r\n\r\n"
		     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
	/* Bare LF ends a line, too. */
	CHECK("GET /a\ndone\n", CLIENT("GET /a HTTP/1.0\nHost: a\n\n"),
	      SERVER("HTTP/1.0 200 OK\nContent-Length: 2\n\nab"));
}

static void test_no_body(void **state)
{
	CHECK("HEAD /a (head)\ndone\nGET /b\ndone\nGET /c\ndone\nHEAD /d (head)\n404 4xx\nGET /e\ndone\n",
	      CLIENT("HEAD /a HTTP/1.1\r\n\r\n"), SERVER("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
	      CLIENT("GET /b HTTP/1.1\r\n\r\n"), SERVER("HTTP/1.1 204 No Content\r\n\r\n"),
	      CLIENT("GET /c HTTP/1.1\r\n\r\n"), SERVER("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
	      CLIENT("HEAD /d HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"), CLIENT("GET /e HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx"));
}

static void test_pipeline(void **state)
{
	CHECK("GET /a\nHEAD /b (head)\nGET /c\nGET /d\ndone\ndone\ndone\n500 5xx\n",
	      CLIENT("GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
		     "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
		     "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"));
}

static void test_interim(void **state)
{
	CHECK("POST /a\ndone\n", CLIENT("POST /a HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
	      SERVER("HTTP/1.1 100 Continue\r\n\r\n"), CLIENT("hello"),
	      SERVER("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 7\r\n\r\n"),
	      SERVER("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"));
	/* Empty lines before a request are to be ignored. */
	CHECK("GET /a\nGET /b\n", CLIENT("\r\nGET /a HTTP/1.1\r\n\r\n\r\n\nGET /b HTTP/1.1\r\n\r\n"));
}

static void test_until_close(void **state)
{
	CHECK("GET /a\nuntil close\n", CLIENT("GET /a HTTP/1.0\r\n\r\n"),
	      SERVER("HTTP/1.0 200 OK\r\nServer: x\r\n\r\nabc"), SERVER("HTTP/1.0 200 OK\r\n\r\n"));
	CHECK("GET /a\n502 5xx\n", CLIENT("GET /a HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: gzip\r\n\r\nabc"));
}

static void test_switch(void **state)
{
	CHECK("GET /ws\nswitch\n", CLIENT("GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
	      SERVER("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"),
	      CLIENT("\x81\x85....GET / HTTP/1.1\r\n\r\n"));
	/* Asked for, and refused. */
	CHECK("GET /ws\n426 4xx\nGET /b\ndone\n", CLIENT("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
	      SERVER("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"), CLIENT("GET /b HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
	CHECK("CONNECT (connect)\nswitch\n",
	      CLIENT("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
	      SERVER("HTTP/1.1 200 Connection established\r\n\r\n"), CLIENT("\x16\x03\x01\x02\x00\x01"));
	CHECK("CONNECT (connect)\n403 4xx\nGET /b\n", CLIENT("CONNECT example.com:443 HTTP/1.1\r\n\r\n"),
	      SERVER("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"), CLIENT("GET /b HTTP/1.1\r\n\r\n"));
	CHECK("unreadable 1\n", CLIENT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"));
}

/* @n bytes of a header field. */
static u32 field(char *to, const char *name, u32 n)
{
	u32 len = sprintf(to, "%s: ", name);

	memset(to + len, 'c', n);
	return len + n + sprintf(to + len + n, "\r\n");
}

/* Headers longer than what is kept of a split message, and than the window. */
static void test_long_headers(void **state)
{
	static const u32 lengths[] = { 100, 2000, 4000, 4090, 4096, 5000, 8192, 20000 };
	static char request[100000], response[100000];
	struct told told;

	for (u32 i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct turn turns[] = { { false, request, 0 }, { true, response, 0 } };

		for (u32 where = 0; where < 2; where++) {
			u32 n = sprintf(request, "POST /long HTTP/1.1\r\n");

			n += where ? 0 : field(request + n, "Cookie", lengths[i]);
			n += sprintf(request + n, "Content-Length: 20\r\n");
			n += where ? field(request + n, "Content-Lengths", lengths[i]) : 0;
			n += sprintf(request + n, "\r\nGET /no HTTP/1.1\r\n\r\n");
			turns[0].len = n + sprintf(request + n, "GET /next HTTP/1.1\r\n\r\n");
			n = sprintf(response, "HTTP/1.1 200 OK\r\n");
			for (u32 k = 0; k < 3; k++)
				n += where ? 0 : field(response + n, "Set-Cookie", lengths[i]);
			n += sprintf(response + n, "Transfer-Encoding: chunked\r\n");
			n += where ? field(response + n, "X", lengths[i]) : 0;
			turns[1].len =
				n + sprintf(response + n,
					    "\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
			check(turns, 2, "POST /long\nGET /next\n.\ndone\n404 4xx\n", &told);
		}
	}
}

static void test_long_line(void **state)
{
	static char request[100000];
	struct turn turn = { false, request, 0 };
	char expected[400];
	struct told told;

	/* A long query: the path is whole. */
	turn.len = sprintf(request, "GET /search?q=%01500d HTTP/1.1\r\n\r\n", 1);
	check(&turn, 1, "GET /search\n", &told);
	turn.len = sprintf(request, "GET /search?q=%010000d HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n", 1);
	check(&turn, 1, "GET /search...\nGET /b\n", &told);
	/* A long path is cut at 200 bytes. */
	turn.len = sprintf(request, "GET /%0300d/x HTTP/1.1\r\n\r\n", 0);
	memset(request + 5, 'p', 300);
	sprintf(expected, "GET /%0199d...\n", 0);
	memset(expected + 5, 'p', 199);
	check(&turn, 1, expected, &told);
	/* Many segments that grow when they are folded. */
	turn.len = sprintf(request, "GET ");
	for (u32 i = 0; i < 90; i++)
		turn.len += sprintf(request + turn.len, "/7");
	turn.len += sprintf(request + turn.len, " HTTP/1.1\r\n\r\n");
	assert_true(walk(&turn, 1, 1000, &told));
	assert_memory_equal(told.text, "GET /{id}/{id}/", 15);
	assert_non_null(strstr(told.text, "...\n"));
}

/* A body longer than a message can say. */
static void test_huge_body(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n";
	struct sonde_state st = {};
	struct sonde_win win;
	struct sonde_msg m = {};
	u64 sum;
	u32 nr = 1;

	memset(&win, 'x', sizeof(win));
	memcpy(win.b, head, sizeof(head) - 1);
	assert_int_equal(sonde_http_server(&win, 0, SONDE_WIN_BYTES, &st, &m), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_REPLY);
	sum = m.size;
	while (m.op == SONDE_OP_REPLY) {
		memset(&m, 0, sizeof(m));
		assert_int_equal(sonde_http_server(&win, 0, SONDE_WIN_BYTES, &st, &m), SONDE_PARSE_OK);
		sum += m.size;
		nr++;
	}
	assert_int_equal(m.op, SONDE_OP_DONE);
	assert_true(sum == 5000000000ULL + sizeof(head) - 1);
	assert_true(nr < 8);
	assert_int_equal(st.be_mode, 0);
}

/* What no message can begin like. */
static void test_broken(void **state)
{
	static const char *const client[] = {
		"GET / HTTP/2.0\r\n\r\n",   "GET /\r\n",
		"GET  HTTP/1.1\r\n\r\n",    "G\x01T / HTTP/1.1\r\n\r\n",
		"*1\r\n$4\r\nPING\r\n",	    "set key 0 0 1\r\nx\r\n",
		"\x16\x03\x01\x02\x00\x01", "GET / HTTP/1.x\r\n\r\n",
		"GET / HTTP/1.1 \r\n\r\n",  "SELECT 1 FROM t\r\n",
		" GET / HTTP/1.1\r\n\r\n",  "ABCDEFGHIJKLMNOPQRSTUV / HTTP/1.1\r\n\r\n",
	};
	static const char *const server[] = {
		"HTTP/2 200\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"SSH-2.0-x\r\n",
		"HTTP/1.1 000 x\r\n\r\n",
		"http/1.1 200 OK\r\n\r\n",
		"+OK\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n\r\n",
	};
	struct told told;

	for (u32 cut = 1; cut < 1000; cut = cut * 3 + 1) {
		for (u32 i = 0; i < sizeof(client) / sizeof(client[0]); i++) {
			struct turn turn = { false, client[i], strlen(client[i]) };

			assert_false(walk(&turn, 1, cut, &told));
			assert_string_equal(told.text, "");
		}
		for (u32 i = 0; i < sizeof(server) / sizeof(server[0]); i++) {
			struct turn turn = { true, server[i], strlen(server[i]) };

			assert_false(walk(&turn, 1, cut, &told));
		}
	}
}

static int detect(const char *text, u32 n)
{
	struct sonde_state st = {};
	struct sonde_win win;
	u64 head = 0;
	int ret;

	memset(&win, 0x20, sizeof(win));
	memcpy(win.b, text, n);
	memcpy(&head, text, n < 8 ? n : 8);
	ret = sonde_http_detect(&win, n, n, &st);
	if (ret)
		assert_true(sonde_http_plausible(head, n));
	return ret;
}

static void test_detect(void **state)
{
	static const char *const methods[] = { "GET",	  "HEAD",      "POST",	"PUT",	    "DELETE", "CONNECT",
					       "OPTIONS", "TRACE",     "PATCH", "PROPFIND", "COPY",   "MOVE",
					       "MKCOL",	  "PROPPATCH", "LOCK",	"UNLOCK",   "REPORT", "SEARCH" };
	static const char *const others[] = {
		"GET key\r\n",
		"GET a HTTP\r\n",
		"SET GET / HTTP/1.1\r\n",
		"get / HTTP/1.1\r\n",
		"GETX / HTTP/1.1\r\n",
		"PING\r\n",
		"GET HTTP/1.1\r\n",
		"GET /x HTTP/3.0\r\n",
		"GET user:1\r\nGET user:2\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"POSTPONE\r\n",
		"PRI * HTTP/2.1\r\n",
	};
	char text[100];

	for (u32 i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		u32 n = sprintf(text, "%s /orders/12345678 HTTP/1.1\r\n", methods[i]), known = 0;

		assert_int_equal(detect(text, n), SONDE_DETECT_CLIENT);
		/* Any beginning of it: sure, or too short to tell. */
		for (u32 k = 1; k < n; k++) {
			known |= detect(text, k) == SONDE_DETECT_CLIENT;
			assert_int_equal(detect(text, k), k > 16 ? SONDE_DETECT_CLIENT : SONDE_DETECT_MORE);
		}
		assert_true(known);
	}
	assert_int_equal(detect("GET http://a/ HTTP/1.0\n", 23), SONDE_DETECT_CLIENT);
	assert_int_equal(detect("GET / HTTP/1.1\r\n", 16), SONDE_DETECT_CLIENT);
	assert_int_equal(detect("OPTIONS * HTTP/1.1\r\n", 20), SONDE_DETECT_CLIENT);
	assert_int_equal(detect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24), SONDE_DETECT_CLIENT);
	for (u32 i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(detect(others[i], strlen(others[i])), SONDE_DETECT_NO);
}

static void test_paths(void **state)
{
	static const char *const cases[][2] = {
		{ "/", "/" },
		{ "*", "*" },
		{ "/orders", "/orders" },
		{ "/orders/42", "/orders/{id}" },
		{ "/orders/42/", "/orders/{id}/" },
		{ "/orders/42/items/7?x=1&y=/9/", "/orders/{id}/items/{id}" },
		{ "/orders?id=42", "/orders" },
		{ "/orders#42", "/orders" },
		{ "/7", "/{id}" },
		{ "//7//", "//{id}//" },
		{ "/v1/users/1", "/v1/users/{id}" },
		{ "/api/1.0/users", "/api/1.0/users" },
		{ "/u/0188f0a2-1b9c-7d4e-9f3a-0123456789ab/x", "/u/{id}/x" },
		{ "/u/0188F0A2-1B9C-7D4E-9F3A-0123456789AB", "/u/{id}" },
		{ "/commit/deadbeef", "/commit/deadbeef" },
		{ "/commit/deadbee1", "/commit/{id}" },
		{ "/commit/dadb1", "/commit/dadb1" },
		{ "/commit/3f2a9c1b4d5e6f708192a3b4c5d6e7f8091a2b3c", "/commit/{id}" },
		{ "/token/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "/token/{id}" },
		{ "/token/abcdefghijklmnopqrstuvwxyz", "/token/abcdefghijklmnopqrstuvwxyz" },
		{ "/assets/app.3f2a9c1b.js", "/assets/app.{id}.js" },
		{ "/assets/app-3f2a9c1b.js", "/assets/app-{id}.js" },
		{ "/assets/jquery-3.6.0.min.js", "/assets/jquery-3.6.0.min.js" },
		{ "/orders/42.json", "/orders/{id}.json" },
		{ "/orders/order-12345", "/orders/order-{id}" },
		{ "/step-2/of-3", "/step-2/of-3" },
		{ "/log/2024-01-15", "/log/{id}" },
		{ "/a%20b/c%2F1", "/a%20b/c%2F1" },
		{ "http://example.com:8080/orders/42?x", "/orders/{id}" },
		{ "http://example.com", "/" },
		{ "http://example.com?x=1", "/" },
		{ "https://10.0.0.1/1234/a", "/{id}/a" },
		{ "/caf\xc3\xa9/1", "/caf\xc3\xa9/{id}" },
		{ "/1/a/2/b/3/c/4/d/5/e", "/{id}/a/{id}/b/{id}/c/{id}/d/{id}/e" },
		{ "/abcdefg/12345678/abcdefgh/1", "/abcdefg/{id}/abcdefgh/{id}" },
	};
	char request[400], expected[400];
	struct told told;

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct turn turn = { false, request, 0 };

		turn.len = sprintf(request, "GET %s HTTP/1.1\r\n\r\n", cases[i][0]);
		sprintf(expected, "GET %s\n", cases[i][1]);
		check(&turn, 1, expected, &told);
	}
}

/* Numbers of every length, at every place in the words that are looked at. */
static void test_path_places(void **state)
{
	char request[400], expected[400];
	struct told told;

	for (u32 before = 0; before < 20; before++) {
		for (u32 n = 1; n < 30; n++) {
			struct turn turn = { false, request, 0 };

			turn.len = sprintf(request, "GET /%.*s/%0*d/x?y HTTP/1.1\r\n\r\n", (int)before,
					   "abcdefghijklmnopqrstuvwxyz", (int)n, 7);
			sprintf(expected, "GET /%.*s/{id}/x\n", (int)before, "abcdefghijklmnopqrstuvwxyz");
			assert_true(walk(&turn, 1, 1000, &told));
			assert_string_equal(told.text, expected);
		}
	}
}

static void test_params(void **state)
{
	static const struct turn turns[] = {
		CLIENT("GET /orders/42 HTTP/1.1\r\n\r\nGET /orders/43 HTTP/1.1\r\n\r\nGET /orders/42?a HTTP/1.1\r\n\r\n"
		       "GET /orders/42?b HTTP/1.1\r\nHost: a\r\n\r\nGET /orders/42 HTTP/1.0\r\nX: y\r\n\r\n"),
	};
	struct told told;

	check(turns, 1, "GET /orders/{id}\nGET /orders/{id}\nGET /orders/{id}\nGET /orders/{id}\nGET /orders/{id}\n",
	      &told);
	for (u32 i = 0; i < 4; i++) {
		assert_true(told.params[i] != 0);
		for (u32 k = 0; k < i; k++)
			assert_true(told.params[i] != told.params[k]);
	}
	assert_true(told.params[0] == told.params[4]);
}

/* A byte's properties, asked of all bytes at all places. */
static void test_bytes(void **state)
{
	for (u32 c = 0; c < 256; c++) {
		for (u32 at = 0; at < 8; at++) {
			for (u32 k = 0; k < 3; k++) {
				const u64 fill = (u64[]){ 0, ~0ULL, 0x3961674130602f3aULL }[k];
				u64 word = (fill & ~(0xffULL << 8 * at)) | (u64)c << 8 * at, bit = 0x80ULL << 8 * at;
				bool hex = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
				bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

				assert_int_equal(!!(sonde_bytes_digits(word) & bit), c >= '0' && c <= '9');
				assert_int_equal(!!(sonde_bytes_letters(word, 6) & bit), hex);
				assert_int_equal(!!(sonde_bytes_letters(word, 26) & bit), letter);
				assert_int_equal(!!(sonde_bytes_equal(word, '/') & bit), c == '/');
				assert_int_equal(sonde_bytes_first(bit | 1ULL << 63), at);
				assert_int_equal(sonde_bytes_count(sonde_bytes_equal(word, c) & bit), 1);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),	     cmocka_unit_test(test_no_body),
		cmocka_unit_test(test_pipeline),     cmocka_unit_test(test_interim),
		cmocka_unit_test(test_until_close),  cmocka_unit_test(test_switch),
		cmocka_unit_test(test_long_headers), cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_huge_body),    cmocka_unit_test(test_broken),
		cmocka_unit_test(test_detect),	     cmocka_unit_test(test_paths),
		cmocka_unit_test(test_path_places),  cmocka_unit_test(test_params),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
