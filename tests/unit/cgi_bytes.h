/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cgi_bytes.h - puts sessions of FastCGI and uwsgi together byte by byte, and tells what a parser made of them.
 */
#ifndef TESTS_UNIT_CGI_BYTES_H
#define TESTS_UNIT_CGI_BYTES_H

#include "unit.h"
#include "stream.h"

#define CGI_TURNS 64u

/** struct cgi_session - sends of both sides, in order */
struct cgi_session {
	u8 b[200000];
	u32 len;
	struct {
		u32 from, len;
		bool server;
	} turn[CGI_TURNS];
	u32 nr;
	bool server; /* whose bytes come now */
};

static inline void cgi_put(struct cgi_session *s, const void *data, u32 n)
{
	if (!s->nr || s->turn[s->nr - 1].server != s->server) {
		assert_true(s->nr < CGI_TURNS);
		s->turn[s->nr].from = s->len;
		s->turn[s->nr].len = 0;
		s->turn[s->nr++].server = s->server;
	}
	assert_true(s->len + n <= sizeof(s->b));
	memcpy(s->b + s->len, data, n);
	s->len += n;
	s->turn[s->nr - 1].len += n;
}

static inline void cgi_text(struct cgi_session *s, const char *text)
{
	cgi_put(s, text, strlen(text));
}

/** struct cgi_told - a line for each message that means something */
struct cgi_told {
	char text[8192];
	u32 len;
	u64 params; /* of the last request */
	u32 kind;
};

static inline void cgi_tell(void *ctx, bool server, const struct sonde_msg *m, const struct sonde_win *w, u32 pos)
{
	struct cgi_told *told = ctx;
	char *to = told->text + told->len;
	size_t room = sizeof(told->text) - told->len;

	switch (m->op) {
	case SONDE_OP_COMMAND:
		told->len += snprintf(to, room, "%.*s%s\n", (int)m->label.len, m->label.b, m->label.cut ? "..." : "");
		told->params = m->params;
		told->kind = m->kind;
		break;
	case SONDE_OP_DONE:
		told->len +=
			snprintf(to, room, m->flags & SONDE_MSG_UNTIL_CLOSE ? "%u until close\n" : "%u\n", m->code);
		break;
	case SONDE_OP_ERROR:
		told->len += snprintf(to, room, "%u %s\n", m->code, m->error_class == SONDE_HTTP_5XX ? "5xx" : "4xx");
		break;
	case SONDE_OP_REPLY:
		if (told->len < 2 || memcmp(to - 2, ".\n", 2))
			told->len += snprintf(to, room, ".\n");
		break;
	case SONDE_OP_UNREADABLE:
		told->len += snprintf(to, room, "unreadable %u\n", m->kind == SONDE_CNT_UNREADABLE_MULTIPLEXED);
		break;
	case SONDE_OP_NONE:
		break;
	default:
		told->len += snprintf(to, room, "op %u\n", m->op);
	}
}

/** cgi_walk - the session in pieces of @cut bytes; true if no direction's place was lost */
static inline bool cgi_walk(const struct stream_proto *proto, const struct cgi_session *s, u32 cut,
			    struct cgi_told *told)
{
	static struct stream stream;

	memset(told, 0, sizeof(*told));
	stream_begin(&stream, proto, cgi_tell, told);
	for (u32 i = 0; i < s->nr; i++)
		for (u32 at = 0; at < s->turn[i].len; at += cut)
			stream_feed(&stream, s->turn[i].server, s->b + s->turn[i].from + at,
				    sonde_min_u32(cut, s->turn[i].len - at));
	return !stream.dir[0].lost && !stream.dir[1].lost;
}

/** cgi_check - whole and in pieces of many sizes the session is what is expected */
static inline void cgi_check(const struct stream_proto *proto, const struct cgi_session *s, const char *expected)
{
	static const u32 cuts[] = { 1 << 20, 1, 2, 3, 4, 7, 8, 13, 64, 1000, 5000 };
	static struct cgi_told told;

	for (u32 i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		bool kept = cgi_walk(proto, s, cuts[i], &told);

		assert_string_equal(told.text, expected);
		assert_true(kept);
	}
}

/** cgi_refuse - the session is lost at some place, and before that it is what is expected */
static inline void cgi_refuse(const struct stream_proto *proto, const struct cgi_session *s, const char *expected)
{
	static const u32 cuts[] = { 1 << 20, 1, 3, 8, 1000 };
	static struct cgi_told told;

	for (u32 i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		assert_false(cgi_walk(proto, s, cuts[i], &told));
		assert_string_equal(told.text, expected);
	}
}

/** cgi_detect - what the @n bytes at @data are, asked as the kernel does */
static inline int cgi_detect(const struct stream_proto *proto, const void *data, u32 n)
{
	static struct sonde_win win;
	u32 avail = sonde_min_u32(n, SONDE_WIN_BYTES);
	struct sonde_state st = {};
	u64 head = 0;
	int ret;

	memset(&win, 0x41, sizeof(win));
	memcpy(win.b, data, avail);
	memcpy(&head, data, n < 8 ? n : 8);
	ret = proto->detect(&win, n, avail, &st);
	if (ret)
		assert_true(proto->plausible(head, n));
	return ret;
}

#endif /* TESTS_UNIT_CGI_BYTES_H */
