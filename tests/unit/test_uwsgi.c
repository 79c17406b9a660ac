// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_uwsgi.c - the uwsgi detector and message parser, against packets put together after uWSGI's documentation of the
 * protocol, whole, cut at every byte, and broken.
 */
#include "cgi_bytes.h"
#include "sonde/proto/uwsgi.h"

static const struct stream_proto uwsgi = STREAM_PROTO(uwsgi);
static struct cgi_session s;
static u8 vars[70000];
static u32 nr_vars;

static void put16(u32 n)
{
	vars[nr_vars++] = n;
	vars[nr_vars++] = n >> 8;
}

static void pair(const char *name, const char *value)
{
	put16(strlen(name));
	memcpy(vars + nr_vars, name, strlen(name));
	nr_vars += strlen(name);
	put16(strlen(value));
	memcpy(vars + nr_vars, value, strlen(value));
	nr_vars += strlen(value);
}

static void pair_long(const char *name, u32 n)
{
	static char value[66000];

	memset(value, 'v', n);
	value[n] = 0;
	pair(name, value);
}

static void clear(void)
{
	s.len = s.nr = 0;
	s.server = false;
	nr_vars = 0;
}

/* The packet of what was put together. */
static void send_vars(void)
{
	const u8 head[] = { 0, nr_vars, nr_vars >> 8, 0 };

	s.server = false;
	cgi_put(&s, head, sizeof(head));
	cgi_put(&s, vars, nr_vars);
	nr_vars = 0;
}

/* What nginx sends. */
static void nginx(const char *method, const char *uri, const char *length)
{
	pair("QUERY_STRING", "");
	pair("REQUEST_METHOD", method);
	pair("CONTENT_TYPE", "");
	pair("CONTENT_LENGTH", length);
	pair("REQUEST_URI", uri);
	pair("PATH_INFO", "/other/path");
	pair("HTTP_HOST", "localhost");
	send_vars();
}

static void answer(const char *text)
{
	s.server = true;
	cgi_text(&s, text);
}

static void test_session(void **state)
{
	clear();
	nginx("GET", "/orders/42?page=7", "");
	answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	nginx("POST", "/orders", "20");
	cgi_text(&s, "01234567890123456789");
	answer("HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\nabc");
	nginx("HEAD", "/", "0");
	answer("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
	nginx("GET", "/c", "");
	answer("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	nginx("GET", "/d/77", "");
	answer("HTTP/1.1 500 Oh\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
	cgi_check(&uwsgi, &s,
		  "GET /orders/{id}\n200\nPOST /orders\n404 4xx\nHEAD /\n200\nGET /c\n.\n503 5xx\nGET /d/{id}\n500 "
		  "5xx\n");
}

static void test_cgi_header(void **state)
{
	clear();
	nginx("GET", "/a", "");
	answer("Status: 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
	nginx("GET", "/b", "");
	answer("Content-Type: text/plain\r\nStatus: 500 Oh\r\nContent-Length: 0\r\n\r\n");
	nginx("HEAD", "/c", "");
	answer("Content-Type: text/plain\r\n\r\n");
	nginx("GET", "/d", "");
	answer("Status: 304\r\nContent-Length: 7\r\n\r\n");
	nginx("GET", "/e", "");
	answer("Content-Type: text/plain\r\n\r\nStatus: 500\r\n");
	cgi_check(&uwsgi, &s, "GET /a\n404 4xx\nGET /b\n500 5xx\nHEAD /c\n200\nGET /d\n304\nGET /e\n200 until close\n");
}

static void test_any_order(void **state)
{
	static const char *const pairs[][2] = { { "REQUEST_METHOD", "PUT" }, { "REQUEST_URI", "/orders/42" },
						{ "CONTENT_LENGTH", "9" },   { "DOCUMENT_URI", "/doc" },
						{ "SCRIPT_NAME", "" },	     { "PATH_INFO", "/7" } };
	const u32 nr = sizeof(pairs) / sizeof(pairs[0]);
	u64 r = 7;

	for (u32 round = 0; round < 200; round++) {
		u32 order[6] = { 0, 1, 2, 3, 4, 5 };

		for (u32 i = nr; i > 1; i--) {
			u32 j = unit_random(&r) % i, was = order[j];

			order[j] = order[i - 1];
			order[i - 1] = was;
		}
		clear();
		for (u32 i = 0; i < nr; i++)
			pair(pairs[order[i]][0], pairs[order[i]][1]);
		send_vars();
		cgi_text(&s, "123456789");
		answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		nginx("GET", "/next", "");
		cgi_check(&uwsgi, &s, "PUT /orders/{id}\n200\nGET /next\n");
	}
}

static void test_without_uri(void **state)
{
	clear();
	pair("PATH_INFO", "/orders/42");
	pair("SCRIPT_NAME", "/app");
	pair("REQUEST_METHOD", "GET");
	send_vars();
	pair("PATH_INFO", "/orders/42");
	pair("REQUEST_METHOD", "GET");
	send_vars();
	pair("REQUEST_METHOD", "GET");
	pair("HTTP_HOST", "a");
	send_vars();
	pair("SERVER_NAME", "a");
	pair("REQUEST_URI", "/a");
	send_vars();
	cgi_check(&uwsgi, &s, "GET /app/orders/{id}\nGET /orders/{id}\nGET\n_OTHER /a\n");
}

static void test_long_values(void **state)
{
	static const u32 sizes[] = { 100, 4000, 4096, 9000, 30000, 60000 };

	for (u32 i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (u32 order = 0; order < 3; order++) {
			clear();
			if (order == 0)
				pair_long("HTTP_COOKIE", sizes[i]);
			pair("CONTENT_LENGTH", "3");
			pair("REQUEST_METHOD", "HEAD");
			if (order == 1)
				pair_long("HTTP_COOKIE", sizes[i]);
			pair("REQUEST_URI", "/orders/42");
			if (order == 2)
				pair_long("HTTP_COOKIE", sizes[i]);
			send_vars();
			cgi_text(&s, "abc");
			answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
			/* The length of the body behind all else. */
			pair("REQUEST_METHOD", "GET");
			pair("REQUEST_URI", "/next");
			pair_long("HTTP_COOKIE", sizes[i]);
			pair("CONTENT_LENGTH", "4");
			send_vars();
			cgi_text(&s, "abcd");
			answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
			nginx("GET", "/last", "");
			cgi_check(&uwsgi, &s, "HEAD /orders/{id}\n200\nGET /next\n200\nGET /last\n");
		}
	}
	clear();
	pair_long("HTTP_COOKIE", 4000);
	pair("REQUEST_URI", "/orders/42");
	pair_long("QUERY_STRING", 3000);
	pair("REQUEST_METHOD", "GET");
	send_vars();
	cgi_check(&uwsgi, &s, "GET /orders/{id}\n");
}

static void test_broken(void **state)
{
	static const u8 packets[][16] = { { 1, 8, 0, 0 }, /* another modifier */
					  { 0, 8, 0, 1 },
					  { 0, 0, 0, 0 }, /* no variables */
					  { 0, 8, 0, 0, 4, 0, 'A', 'B', 'C', 'D', 3, 0 }, /* beyond the size */
					  { 0, 8, 0, 0, 0xff, 0xff, 'A', 'B', 'C', 'D', 3, 0 } };

	for (u32 i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		clear();
		cgi_put(&s, packets[i], sizeof(packets[i]));
		cgi_refuse(&uwsgi, &s, "");
	}
	clear();
	nginx("GET", "/a", "");
	answer("\1\2\3\4\5\6\7\0");
	s.server = true;
	cgi_put(&s, "\1\2\3", 3);
	cgi_refuse(&uwsgi, &s, "GET /a\n");
}

static void test_detect(void **state)
{
	static const u8 other[][24] = {
		{ 0, 0, 0, 20, 0, 3, 0, 0, 'u', 's', 'e', 'r', 0, 'a', 0, 0 }, /* PostgreSQL's first message */
		{ 0, 100, 0, 0, 4, 0, 'u', 's', 'e', 'r', 2, 0, 'a', 'b', 3, 0, 'x', 'y', 'z', 0, 0, 0 },
		{ 0, 100, 0, 0, 4, 0, 'U', 'S', 'E', 'r', 2, 0, 'a', 'b', 5, 0, 'X', 'Y', 'Z', 'A', 'B', 0, 0 },
		{ 0, 100, 0, 0, 4, 0, 'U', 'S', 'E', 'R', 2, 0, 'a', 'b', 5, 0, 'x', 'Y', 'Z', 'A', 'B', 0, 0 },
		{ 0, 14, 0, 0, 4, 0, 'U', 'S', 'E', 'R', 2, 0, 'a', 'b', 5, 0, 'X', 'Y', 'Z', 'A', 'B', 0, 0 },
		{ 5, 100, 0, 0, 4, 0, 'U', 'S', 'E', 'R', 2, 0, 'a', 'b', 5, 0, 'X', 'Y', 'Z', 'A', 'B', 0, 0 },
	};

	clear();
	nginx("GET", "/a", "");
	for (u32 n = 1; n <= s.len; n++)
		assert_int_equal(cgi_detect(&uwsgi, s.b, n), n < 14 ? SONDE_DETECT_MORE : SONDE_DETECT_CLIENT);
	for (u32 i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_int_equal(cgi_detect(&uwsgi, other[i], sizeof(other[i])), SONDE_DETECT_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),	    cmocka_unit_test(test_cgi_header),
		cmocka_unit_test(test_any_order),   cmocka_unit_test(test_without_uri),
		cmocka_unit_test(test_long_values), cmocka_unit_test(test_broken),
		cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
