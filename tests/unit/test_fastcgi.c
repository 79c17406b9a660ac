// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_fastcgi.c - the FastCGI detector and message parser, against records put together after the FastCGI specification
 * 1.0, whole, cut at every byte, and broken.
 */
#include "cgi_bytes.h"
#include "sonde/proto/fastcgi.h"

static const struct stream_proto fastcgi = STREAM_PROTO(fastcgi);
static struct cgi_session s;

/* Parameters being put together, before they are cut into records. */
static u8 params[150000];
static u32 nr_params;

static void record(u32 type, u32 id, const void *data, u32 n, u32 pad)
{
	const u8 head[] = { 1, type, id >> 8, id, n >> 8, n, pad, 0 };
	static const u8 zeros[255];

	cgi_put(&s, head, sizeof(head));
	if (n)
		cgi_put(&s, data, n);
	if (pad)
		cgi_put(&s, zeros, pad);
}

static void length(u32 n, bool wide)
{
	if (n >= 128 || wide) {
		params[nr_params++] = n >> 24 | 0x80;
		params[nr_params++] = n >> 16;
		params[nr_params++] = n >> 8;
	}
	params[nr_params++] = n;
}

static void pair_wide(const char *name, const char *value, bool wide)
{
	length(strlen(name), wide);
	length(strlen(value), wide);
	memcpy(params + nr_params, name, strlen(name));
	nr_params += strlen(name);
	memcpy(params + nr_params, value, strlen(value));
	nr_params += strlen(value);
}

static void pair(const char *name, const char *value)
{
	pair_wide(name, value, false);
}

/* A value of @n letters. */
static void pair_long(const char *name, u32 n)
{
	static char value[80000];

	memset(value, 'v', n);
	value[n] = 0;
	pair(name, value);
}

static void begin(u32 id, bool keep)
{
	const u8 body[8] = { 0, 1, keep };

	s.server = false;
	record(SONDE_FASTCGI_BEGIN_REQUEST, id, body, sizeof(body), 0);
	nr_params = 0;
}

/* The parameters in records of at most @size bytes, then the empty one and an empty body. */
static void send_params(u32 id, u32 size, u32 pad)
{
	for (u32 at = 0; at < nr_params; at += size)
		record(SONDE_FASTCGI_PARAMS, id, params + at, sonde_min_u32(size, nr_params - at), pad);
	record(SONDE_FASTCGI_PARAMS, id, NULL, 0, 0);
	record(SONDE_FASTCGI_STDIN, id, NULL, 0, 0);
}

static void answer(u32 id, const char *text)
{
	static const u8 body[8];

	s.server = true;
	if (text)
		record(SONDE_FASTCGI_STDOUT, id, text, strlen(text), -strlen(text) & 7);
	record(SONDE_FASTCGI_END_REQUEST, id, body, sizeof(body), 0);
}

static void clear(void)
{
	s.len = s.nr = 0;
	s.server = false;
}

/* What nginx sends. */
static void nginx(u32 id, const char *method, const char *uri, bool keep)
{
	begin(id, keep);
	pair("QUERY_STRING", "");
	pair("REQUEST_METHOD", method);
	pair("CONTENT_TYPE", "");
	pair("CONTENT_LENGTH", "");
	pair("SCRIPT_FILENAME", "/srv/www/index.php");
	pair("SCRIPT_NAME", "/index.php");
	pair("REQUEST_URI", uri);
	pair("DOCUMENT_URI", "/index.php");
	pair("HTTP_HOST", "localhost");
	send_params(id, 65535, -nr_params & 7);
}

static void test_session(void **state)
{
	clear();
	nginx(1, "GET", "/orders/42?page=7", true);
	answer(1, "Content-type: text/html\r\n\r\nhello");
	nginx(1, "POST", "/orders", true);
	answer(1, "Status: 404 Not Found\r\nContent-type: text/html\r\n\r\nStatus: 500\r\n");
	nginx(1, "PROPPATCH", "/", true);
	answer(1, "Content-type: text/plain\nSTATUS:503\n\n");
	nginx(0xffff, "HEAD", "http://a.example/x/12", false);
	answer(0xffff, "Status: 204\r\n\r\n");
	cgi_check(
		&fastcgi, &s,
		"GET /orders/{id}\n.\n200\nPOST /orders\n.\n404 4xx\nPROPPATCH /\n.\n503 5xx\nHEAD /x/{id}\n.\n204\n");
}

static void test_body(void **state)
{
	static u8 body[65535];

	memset(body, 1, sizeof(body));
	clear();
	begin(1, true);
	pair("REQUEST_METHOD", "PUT");
	pair("REQUEST_URI", "/a");
	record(SONDE_FASTCGI_PARAMS, 1, params, nr_params, 0);
	record(SONDE_FASTCGI_PARAMS, 1, NULL, 0, 0);
	record(SONDE_FASTCGI_STDIN, 1, body, sizeof(body), 255);
	record(SONDE_FASTCGI_DATA, 1, body, 100, 0);
	record(SONDE_FASTCGI_STDIN, 1, NULL, 0, 0);
	s.server = true;
	record(SONDE_FASTCGI_STDERR, 1, "Status: 500\r\n", 13, 3);
	record(SONDE_FASTCGI_STDOUT, 1, NULL, 0, 0);
	record(SONDE_FASTCGI_STDOUT, 1, "Status: 201 Created\r\n\r\n", 23, 1);
	record(SONDE_FASTCGI_STDOUT, 1, body, sizeof(body), 1);
	record(SONDE_FASTCGI_STDERR, 1, body, 3000, 0);
	record(SONDE_FASTCGI_STDOUT, 1, NULL, 0, 0);
	answer(1, NULL);
	nginx(1, "GET", "/b", true);
	answer(1, "\r\nStatus: 404\r\n");
	cgi_check(&fastcgi, &s, "PUT /a\n.\n201\nGET /b\n.\n200\n");
}

/* The names in any order, with lengths of both forms, split where pairs end. */
static void test_any_order(void **state)
{
	static const char *const pairs[][2] = { { "REQUEST_METHOD", "GET" },	{ "REQUEST_URI", "/orders/42" },
						{ "DOCUMENT_URI", "/doc.php" }, { "SCRIPT_NAME", "/script.php" },
						{ "PATH_INFO", "/7" },		{ "REQUEST_URJ", "/wrong" },
						{ "HTTP_X", "REQUEST_URI" } };
	const u32 nr = sizeof(pairs) / sizeof(pairs[0]);
	u64 r = 7;

	for (u32 round = 0; round < 200; round++) {
		u32 order[7] = { 0, 1, 2, 3, 4, 5, 6 };

		for (u32 i = nr; i > 1; i--) {
			u32 j = unit_random(&r) % i, was = order[j];

			order[j] = order[i - 1];
			order[i - 1] = was;
		}
		clear();
		begin(1, true);
		for (u32 i = 0; i < nr; i++)
			pair_wide(pairs[order[i]][0], pairs[order[i]][1], unit_random(&r) & 1);
		send_params(1, 65535, round & 7);
		answer(1, "X: y\r\n\r\n");
		cgi_check(&fastcgi, &s, "GET /orders/{id}\n.\n200\n");
	}
}

static void test_without_uri(void **state)
{
	static const struct {
		const char *pairs[4][2];
		const char *expected;
	} cases[] = {
		{ { { "SCRIPT_NAME", "/s/1.php" }, { "DOCUMENT_URI", "/d/2" }, { "REQUEST_METHOD", "GET" } },
		  "GET /d/{id}\n" },
		{ { { "PATH_INFO", "/p/3" }, { "SCRIPT_NAME", "/app.php" }, { "REQUEST_METHOD", "GET" } },
		  "GET /app.php/p/{id}\n" },
		{ { { "SCRIPT_NAME", "/app.php" }, { "PATH_INFO", "" }, { "REQUEST_METHOD", "GET" } },
		  "GET /app.php\n" },
		{ { { "REQUEST_METHOD", "GET" }, { "HTTP_HOST", "a" } }, "GET\n" },
		{ { { "REQUEST_URI", "/a" } }, "_OTHER /a\n" },
		{ { { "REQUEST_METHOD", "G T" }, { "REQUEST_URI", "/a" } }, "_OTHER /a\n" },
		{ { { "REQUEST_METHOD", "METHODMETHODMETHODMETHOD" }, { "REQUEST_URI", "/a" } }, "_OTHER /a\n" },
		{ { { "REQUEST_METHOD", "" }, { "REQUEST_URI", "" } }, "_OTHER\n" },
		{ { { "", "" }, { "REQUEST_METHOD", "GET" }, { "REQUEST_URI", "*" } }, "GET *\n" },
	};

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clear();
		begin(9, false);
		for (u32 k = 0; k < 4 && cases[i].pairs[k][0]; k++)
			pair(cases[i].pairs[k][0], cases[i].pairs[k][1]);
		send_params(9, 65535, 5);
		cgi_check(&fastcgi, &s, cases[i].expected);
	}
}

/* More than is ever kept of a stream: in front, between and behind what matters. */
static void test_long_values(void **state)
{
	static const u32 sizes[] = { 100, 127, 128, 3000, 4060, 4096, 4100, 9000, 20000, 60000 };

	for (u32 i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (u32 order = 0; order < 4; order++) {
			clear();
			begin(1, true);
			if (order != 3)
				pair_long("HTTP_COOKIE", sizes[i]);
			pair("REQUEST_METHOD", "DELETE");
			if (order == 1)
				pair_long("QUERY_STRING", sonde_min_u32(sizes[i], 5000));
			pair("REQUEST_URI", "/orders/42");
			if (order >= 2)
				pair_long("HTTP_X", sonde_min_u32(sizes[i], 5000));
			send_params(1, 65535, 7);
			answer(1, "X: y\r\n\r\n");
			nginx(1, "GET", "/next", true);
			answer(1, "X: y\r\n\r\n");
			cgi_check(&fastcgi, &s, "DELETE /orders/{id}\n.\n200\nGET /next\n.\n200\n");
		}
	}
	/* The method behind the URI, as far as a piece reaches; the URI behind much else. */
	clear();
	begin(1, true);
	pair_long("HTTP_COOKIE", 3990);
	pair("REQUEST_URI", "/orders/42");
	pair_long("QUERY_STRING", 3000);
	pair("REQUEST_METHOD", "GET");
	send_params(1, 65535, 0);
	cgi_check(&fastcgi, &s, "GET /orders/{id}\n");
	clear();
	begin(1, true);
	pair("REQUEST_URI", "/orders/42");
	pair_long("QUERY_STRING", 5000);
	pair("REQUEST_METHOD", "GET");
	send_params(1, 65535, 0);
	cgi_check(&fastcgi, &s, "_OTHER /orders/{id}\n");
	/* A long URI: its path. */
	clear();
	begin(1, true);
	pair("REQUEST_METHOD", "GET");
	memset(params + nr_params, 0, 20);
	length(11, false);
	length(6000, false);
	memcpy(params + nr_params, "REQUEST_URI/orders/42?", 22);
	memset(params + nr_params + 22, 'q', 6000 - 11);
	nr_params += 11 + 6000;
	send_params(1, 65535, 0);
	cgi_check(&fastcgi, &s, "GET /orders/{id}...\n");
	/* Two of them long, and only together. */
	clear();
	begin(1, true);
	pair_long("QUERY_STRING", 3000);
	pair("REQUEST_METHOD", "GET");
	memset(params + nr_params, 0, 20);
	length(11, false);
	length(3012, false);
	memcpy(params + nr_params, "REQUEST_URI/orders/42?", 22);
	memset(params + nr_params + 22, 'q', 3012 - 11);
	nr_params += 11 + 3012;
	pair("HTTP_HOST", "a");
	send_params(1, 65535, 0);
	cgi_check(&fastcgi, &s, "GET /orders/{id}\n");
	/* Hundreds of short pairs. */
	clear();
	begin(1, true);
	for (u32 i = 0; i < 1000; i++)
		pair("A", "");
	pair("REQUEST_METHOD", "GET");
	for (u32 i = 0; i < 1000; i++)
		pair("", "");
	pair("REQUEST_URI", "/a");
	send_params(1, 65535, 0);
	cgi_check(&fastcgi, &s, "GET /a\n");
}

/* Records that end inside pairs: the next request is right in any case, and this one, unless it is cut where it matters. */
static void test_split_records(void **state)
{
	static const char expected[] = "GET /orders/{id}\n";
	static struct cgi_told told;
	u32 right = 0, whole;

	for (u32 size = 1; size < 120; size++) {
		clear();
		begin(1, true);
		pair("REQUEST_METHOD", "GET");
		pair("REQUEST_URI", "/orders/42");
		pair_wide("HTTP_COOKIE", "a=b; c=d; e=f; g=h", true);
		send_params(1, size, size & 7);
		answer(1, "X: y\r\n\r\n");
		nginx(1, "GET", "/next", true);
		answer(1, "X: y\r\n\r\n");
		for (u32 cut = 1; cut < 200; cut += 37) {
			assert_true(cgi_walk(&fastcgi, &s, cut, &told));
			assert_non_null(strstr(told.text, "\n200\nGET /next\n.\n200\n"));
			assert_true(!strncmp(told.text, "GET", 3) || !strncmp(told.text, "_OTHER", 6));
		}
		right += !strncmp(told.text, expected, strlen(expected));
	}
	assert_true(right > 70);
	/* A pair that goes on over two records and more. */
	for (u32 size = 3000; size < 20000; size += 1000) {
		clear();
		begin(1, true);
		pair("REQUEST_METHOD", "GET");
		pair_long("HTTP_COOKIE", 30000);
		whole = nr_params;
		pair("REQUEST_URI", "/orders/42");
		if (whole % size > size - 30) /* cut where it matters */
			continue;
		send_params(1, size, 3);
		cgi_check(&fastcgi, &s, expected);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		u8 status;
		const char *expected;
	} cases[] = {
		{ 0, "502 5xx\n" }, { 1, "503 5xx\n" }, { 2, "503 5xx\n" }, { 3, "501 5xx\n" }, { 200, "503 5xx\n" }
	};
	char expected[100];

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const u8 body[8] = { 0, 0, 0, 1, cases[i].status };

		clear();
		nginx(1, "GET", "/a", true);
		s.server = true;
		record(SONDE_FASTCGI_END_REQUEST, 1, body, 8, 0);
		nginx(1, "GET", "/b", true);
		s.server = true; /* an exit status behind a header changes nothing */
		record(SONDE_FASTCGI_STDOUT, 1, "X: y\r\n\r\n", 8, 0);
		record(SONDE_FASTCGI_END_REQUEST, 1, body, 8, 0);
		sprintf(expected, "GET /a\n%sGET /b\n.\n200\n", cases[i].expected);
		cgi_check(&fastcgi, &s, expected);
	}
}

static void test_management_and_abort(void **state)
{
	static const u8 values[] = "\x0e\0FCGI_MAX_CONNS";

	clear();
	record(SONDE_FASTCGI_GET_VALUES, 0, values, sizeof(values) - 1, 1);
	s.server = true;
	record(SONDE_FASTCGI_GET_VALUES_RESULT, 0, values, sizeof(values) - 1, 0);
	record(SONDE_FASTCGI_UNKNOWN_TYPE, 0, values, 8, 0);
	nginx(1, "GET", "/a", true);
	record(SONDE_FASTCGI_ABORT_REQUEST, 1, NULL, 0, 0);
	answer(1, NULL);
	/* Given up before it has a name: then it is none, whatever the answer. */
	begin(1, true);
	record(SONDE_FASTCGI_ABORT_REQUEST, 1, NULL, 0, 0);
	answer(1, "Status: 500\r\n");
	nginx(1, "GET", "/b", true);
	answer(1, "X: y\r\n\r\n");
	cgi_check(&fastcgi, &s, "GET /a\n502 5xx\nGET /b\n.\n200\n");
}

static void test_multiplexed(void **state)
{
	clear(); /* one after the other, answered in order */
	nginx(1, "GET", "/a", true);
	nginx(2, "GET", "/b", true);
	answer(1, "X: y\r\n\r\n");
	answer(2, "Status: 404\r\n");
	cgi_check(&fastcgi, &s, "GET /a\nGET /b\n.\n200\n.\n404 4xx\n");
	clear(); /* in another order */
	nginx(1, "GET", "/a", true);
	nginx(2, "GET", "/b", true);
	answer(2, "X: y\r\n\r\n");
	cgi_check(&fastcgi, &s, "GET /a\nGET /b\nunreadable 1\n");
	clear(); /* parameters of two at once */
	begin(1, true);
	begin(2, true);
	cgi_check(&fastcgi, &s, "unreadable 1\n");
	clear();
	begin(1, true);
	record(SONDE_FASTCGI_PARAMS, 2, "\1\1ab", 4, 0);
	cgi_check(&fastcgi, &s, "unreadable 1\n");
	clear();
	begin(1, true);
	record(SONDE_FASTCGI_STDIN, 2, "ab", 2, 0);
	cgi_check(&fastcgi, &s, "unreadable 1\n");
}

static void test_broken(void **state)
{
	static const u8 huge[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'A' };

	clear(); /* lengths beyond everything */
	begin(1, true);
	record(SONDE_FASTCGI_PARAMS, 1, huge, sizeof(huge), 0);
	cgi_refuse(&fastcgi, &s, "");
	clear(); /* parameters without a request */
	record(SONDE_FASTCGI_PARAMS, 1, "\1\1ab", 4, 0);
	cgi_refuse(&fastcgi, &s, "");
	clear(); /* the same request again; a body before the parameters end */
	begin(1, true);
	begin(1, true);
	cgi_refuse(&fastcgi, &s, "");
	clear();
	begin(1, true);
	record(SONDE_FASTCGI_STDIN, 1, "ab", 2, 0);
	cgi_refuse(&fastcgi, &s, "");
	clear(); /* the other side's records, another version */
	record(SONDE_FASTCGI_STDOUT, 1, "ab", 2, 0);
	cgi_refuse(&fastcgi, &s, "");
	clear();
	nginx(1, "GET", "/a", true);
	s.server = true;
	record(SONDE_FASTCGI_PARAMS, 1, "ab", 2, 0);
	cgi_refuse(&fastcgi, &s, "GET /a\n");
	clear();
	cgi_put(&s, "\2\1\0\1\0\x8\0\0", 8);
	cgi_refuse(&fastcgi, &s, "");
}

static void test_detect(void **state)
{
	static const char *const others[] = { "GET / HTTP/1.1\r\n\r\n....", "*1\r\n$4\r\nPING\r\n.............." };
	static const u8 whole[24] = { 1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 4, 0, 1, 0, 9, 7, 0 };
	u8 data[24];

	for (u32 n = 1; n <= sizeof(whole); n++)
		assert_int_equal(cgi_detect(&fastcgi, whole, n), n < 16 ? SONDE_DETECT_MORE : SONDE_DETECT_CLIENT);
	for (u32 i = 0; i < sizeof(whole); i++) { /* id and padding may be anything */
		memcpy(data, whole, sizeof(data));
		data[i] ^= 0x44;
		if (i == 2 || i == 3 || i == 18 || i == 19)
			assert_int_equal(cgi_detect(&fastcgi, data, 16), SONDE_DETECT_CLIENT);
		if (i != 6 && i < 20)
			assert_int_equal(cgi_detect(&fastcgi, data, 24), SONDE_DETECT_NO);
	}
	memcpy(data, whole, sizeof(data));
	data[3] = data[19] = 0;
	assert_int_equal(cgi_detect(&fastcgi, data, 24), SONDE_DETECT_NO);
	for (u32 i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(cgi_detect(&fastcgi, others[i], strlen(others[i])), SONDE_DETECT_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),	    cmocka_unit_test(test_body),
		cmocka_unit_test(test_any_order),   cmocka_unit_test(test_without_uri),
		cmocka_unit_test(test_long_values), cmocka_unit_test(test_split_records),
		cmocka_unit_test(test_refusals),    cmocka_unit_test(test_management_and_abort),
		cmocka_unit_test(test_multiplexed), cmocka_unit_test(test_broken),
		cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
