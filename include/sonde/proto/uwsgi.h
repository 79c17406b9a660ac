/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uwsgi.h - the uwsgi protocol: detection and message parser. The client is the web server, the server the application.
 *
 * Source: uWSGI's documentation, "The uwsgi (lowercase) Protocol": a header of four bytes (modifier1, size of the variables,
 * modifier2), CGI variables, then a body of CONTENT_LENGTH bytes; the response is that of HTTP/1.x or begins with a CGI
 * header, and ends as one of HTTP does: usually with the connection. Only modifier 0 is read: a request for the default
 * handler (WSGI). A message here is a piece of the variables (all of them, unless they are long), the last piece together
 * with the body; and of a response what it is of one of HTTP.
 */
#ifndef SONDE_PROTO_UWSGI_H
#define SONDE_PROTO_UWSGI_H

#include "../cgi.h"
#include "http.h"

#define SONDE_UWSGI_HEAD 4u
#define SONDE_UWSGI_SHORTEST 20u /* bytes of variables that name a request */

/* sonde_state.fe_mode: what comes next. */
enum sonde_uwsgi_mode {
	SONDE_UWSGI_START = 0,
	SONDE_UWSGI_VARIABLES,
	SONDE_UWSGI_TOLD, /* the same, with the command told: the length of the body is still to come */
	SONDE_UWSGI_BODY,
};

/*
 * sonde_state.fe_left: of the body, the length that the variables have named so far, or what is still to come; the bytes of
 * variables still to come in the upper 16 bits. fe_aux: the method, once known (sonde_cgi_known()).
 */
#define SONDE_UWSGI_LEFT_SHIFT 48

/* The decimal number of a CONTENT_LENGTH. */
SONDE_INLINE u64 sonde_uwsgi_number(const struct sonde_win *w, u64 value)
{
	u64 number = 0;

	for (u32 i = 0; i < 14; i++) {
		u32 digit = sonde_win_u8(w, SONDE_CGI_OFF(value) + i) - '0';

		if (i >= SONDE_CGI_LEN(value) || digit > 9)
			break;
		number = number * 10 + digit;
	}
	return number;
}

/* The request is named by what was found in front of @end. */
SONDE_INLINE void sonde_uwsgi_tell(const struct sonde_win *w, u32 end, u64 method, struct sonde_msg *m)
{
	sonde_cgi_command(w, method, end, m);
	m->kind = m->label.len >= 4 && (m->label.len == 4 || m->label.b[4] == ' ') && m->label.b[0] == 'H' &&
				  m->label.b[1] == 'E' && m->label.b[2] == 'A' && m->label.b[3] == 'D'
			  ? SONDE_HTTP_KIND_HEAD
			  : SONDE_HTTP_KIND_ANY;
}

/* Of the body as much as goes into the message. */
SONDE_INLINE void sonde_uwsgi_body(struct sonde_state *st, struct sonde_msg *m)
{
	u32 mode;

	sonde_http_body(&st->fe_left, &mode, m);
	st->fe_mode = st->fe_left ? SONDE_UWSGI_BODY : SONDE_UWSGI_START;
}

/* A piece of the variables, of which @left bytes are still to come from @from on; the message begins at @pos. */
SONDE_INLINE int sonde_uwsgi_variables(const struct sonde_win *w, u32 pos, u32 from, u32 avail, u32 left,
				       struct sonde_state *st, struct sonde_msg *m)
{
	u32 piece = sonde_min_u32(left, SONDE_CGI_PIECE_MAX), end = from + piece, n, verdict;
	u64 method = from == pos ? st->fe_aux : 0, body = from == pos ? st->fe_left : 0;
	bool told = st->fe_mode == SONDE_UWSGI_TOLD;

	if (avail < from - pos + piece) {
		m->size = from - pos + piece;
		return SONDE_PARSE_MORE;
	}
	n = SONDE_CGI_PAIRS_OF(w, from, end, 0, m);
	if (!n || n > left)
		return SONDE_PARSE_BAD;
	body &= (1ULL << SONDE_UWSGI_LEFT_SHIFT) - 1;
	if (m->scratch[SONDE_CGI_LENGTH])
		body = sonde_uwsgi_number(w, m->scratch[SONDE_CGI_LENGTH]);
	verdict = told ? (u32)SONDE_CGI_WAIT : sonde_cgi_verdict(method, from, n < left, m);
	st->fe_aux = sonde_cgi_known(w, method, end, m);
	if (verdict == SONDE_CGI_BACK)
		n = m->scratch[SONDE_CGI_URI_PAIR] - from;
	if (verdict == SONDE_CGI_TELL || (!told && n == left)) {
		sonde_uwsgi_tell(w, end, method, m);
		told = true;
	}
	m->size = from - pos + n;
	st->fe_left = body;
	if (n == left) {
		sonde_uwsgi_body(st, m);
		return SONDE_PARSE_OK;
	}
	st->fe_left |= (u64)(left - n) << SONDE_UWSGI_LEFT_SHIFT;
	st->fe_mode = told ? SONDE_UWSGI_TOLD : SONDE_UWSGI_VARIABLES;
	return SONDE_PARSE_OK;
}

/**
 * sonde_uwsgi_client - describe the web server's message at @pos
 * @avail: bytes from @pos on that are in the window
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_uwsgi_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	u32 from = pos, left = st->fe_left >> SONDE_UWSGI_LEFT_SHIFT;

	if (st->fe_mode == SONDE_UWSGI_BODY) {
		sonde_uwsgi_body(st, m);
		return SONDE_PARSE_OK;
	}
	if (st->fe_mode == SONDE_UWSGI_START) {
		if (avail < SONDE_UWSGI_HEAD) {
			m->size = SONDE_UWSGI_HEAD;
			return SONDE_PARSE_MORE;
		}
		if (sonde_win_u8(w, pos) || sonde_win_u8(w, pos + 3))
			return SONDE_PARSE_BAD;
		left = sonde_win_le16(w, pos + 1);
		from += SONDE_UWSGI_HEAD;
	}
	return sonde_uwsgi_variables(w, pos, from, avail, left, st, m);
}

/* The beginning of a response that has a CGI header instead of a status line. */
SONDE_INLINE int sonde_uwsgi_cgi_header(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					struct sonde_msg *m)
{
	u32 status, first = sonde_win_u8(w, pos);
	int ret;

	if ((first & 0xdf) - 'A' > 25)
		return SONDE_PARSE_BAD;
	status = SONDE_CGI_STATUS(w, pos, pos + sonde_min_u32(avail, SONDE_CGI_STATUS_BYTES));
	m->code = status;
	m->type = st->expect == SONDE_HTTP_KIND_HEAD || status == 204 || status == 304 ? SONDE_HTTP_BODYLESS : 0;
	ret = sonde_http_header(w, pos, avail, pos, st, SONDE_HTTP_FROM_SERVER, m);
	if (ret == SONDE_PARSE_OK)
		return sonde_http_response_body(st, m);
	m->op = SONDE_OP_REPLY;
	return ret == SONDE_HTTP_GOES_ON ? SONDE_PARSE_OK : ret;
}

/* In the kernel HTTP's subprogram. */
#ifndef SONDE_UWSGI_HTTP
#define SONDE_UWSGI_HTTP(w, pos, avail, st, m) sonde_http_server(w, pos, avail, st, m)
#endif

/**
 * sonde_uwsgi_server - describe the application's message at @pos
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_uwsgi_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	const u64 http = SONDE_HTTP_WORD('H', 'T', 'T', 'P', '/', '1', '.', 0);

	if (st->be_mode != SONDE_HTTP_START)
		return SONDE_UWSGI_HTTP(w, pos, avail, st, m);
	if (!((sonde_win_u64(w, pos) ^ http) & sonde_bytes_below(sonde_min_u32(avail, 7))))
		return SONDE_UWSGI_HTTP(w, pos, avail, st, m);
	return sonde_uwsgi_cgi_header(w, pos, avail, st, m);
}

/* Whether all of the @n (at most 8) bytes of @word may stand in a variable's name. */
SONDE_INLINE bool sonde_uwsgi_is_name(u64 word, u32 n)
{
	u64 upper = sonde_bytes_letters(word, 26) & ~(word << 2); /* bit 5 tells lower case */

	return !(~(upper | sonde_bytes_digits(word) | sonde_bytes_equal(word, '_')) & SONDE_BYTES_HIGH &
		 sonde_bytes_below(n));
}

/**
 * sonde_uwsgi_plausible - a header of modifier 0, and the first variable's name in capitals, as far as it is there
 */
SONDE_INLINE bool sonde_uwsgi_plausible(u64 head, u32 total)
{
	u32 size = head >> 8 & 0xffff, name_len = head >> 32 & 0xffff;

	if (total < SONDE_UWSGI_HEAD)
		return total && !(head & 0xff);
	if (head & 0xff0000ffULL || size < SONDE_UWSGI_SHORTEST)
		return false;
	return total < 8 || (name_len - 4 <= 124 && sonde_uwsgi_is_name(head >> 48, 2));
}

/* Whether a variable's name, or as much of it as matters, stands at @pos in front of @end. */
SONDE_INLINE bool sonde_uwsgi_named(const struct sonde_win *w, u32 pos, u32 len, u32 end)
{
	u32 there = pos < end ? sonde_min_u32(end - pos, len) : 0;

	if (len - 4 > 124 || !sonde_uwsgi_is_name(sonde_win_u64(w, pos), sonde_min_u32(there, 8)))
		return false;
	return len < 8 || there < len || sonde_uwsgi_is_name(sonde_win_u64(w, pos + len - 8), 8);
}

/**
 * sonde_uwsgi_detect - whether @total bytes of a client's stream, the first @avail of them in the window from 0 on, are
 * uwsgi
 *
 * Strict: the first two variables, as far as they are there, have names in capitals and fit into the size announced.
 * Returns enum sonde_detect.
 */
SONDE_INLINE int sonde_uwsgi_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st)
{
	u64 head = sonde_win_u64(w, 0) & sonde_bytes_below(avail);
	u32 end = SONDE_UWSGI_HEAD + (sonde_win_le16(w, 1)), name_len = sonde_win_le16(w, 4), next;

	if (!avail || !sonde_uwsgi_plausible(head, avail))
		return SONDE_DETECT_NO;
	if (avail < 14)
		return SONDE_DETECT_MORE;
	next = 6 + name_len;
	if (next + 2 > end || !sonde_uwsgi_named(w, 6, name_len, avail))
		return SONDE_DETECT_NO;
	if (next + 2 > avail)
		return SONDE_DETECT_CLIENT;
	next += 2 + sonde_win_le16(w, next);
	if (next + 6 > end) /* no second one */
		return SONDE_DETECT_NO;
	if (next + 2 > avail)
		return SONDE_DETECT_CLIENT;
	name_len = sonde_win_le16(w, next);
	return next + 4 + name_len <= end && sonde_uwsgi_named(w, next + 2, name_len, avail) ? SONDE_DETECT_CLIENT
											     : SONDE_DETECT_NO;
}

#endif /* SONDE_PROTO_UWSGI_H */
