/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http.h - HTTP/1.0 and HTTP/1.1: detection and message parser.
 *
 * Source: RFC 9112 (message format and framing), RFC 9110 (methods, status codes), RFC 4918, 3253 and 5323 (WebDAV's
 * methods). A message here is a header together with its body if the length is announced; else the header, then each
 * chunk. A header longer than what is kept is taken in pieces. A request is a command whose label is its method and the
 * pattern of its path; a response is complete with its last byte.
 */
#ifndef SONDE_PROTO_HTTP_H
#define SONDE_PROTO_HTTP_H

#include "../http_fields.h"

#define SONDE_HTTP_METHOD_MAX 20u
#define SONDE_HTTP_BODY_MAX 0x40000000u /* of a body, how much goes into one message */
#define SONDE_HTTP_PREFACE_BYTES 24u /* HTTP/2's connection preface, RFC 9113 section 3.4 */

/* sonde_msg.kind of requests: what their responses depend on. */
enum sonde_http_kind {
	SONDE_HTTP_KIND_ANY = 1,
	SONDE_HTTP_KIND_HEAD, /* the response has no body, whatever it announces */
	SONDE_HTTP_KIND_CONNECT, /* behind a 2xx another protocol begins */
};

/* MORE: one byte more than there is. */
SONDE_INLINE int sonde_http_more(u32 avail, struct sonde_msg *m)
{
	m->size = avail + 1;
	return SONDE_PARSE_MORE;
}

/* How the final response ended: complete, or complete and an error. */
SONDE_INLINE void sonde_http_done(u64 aux, struct sonde_msg *m)
{
	u32 status = aux >> SONDE_HTTP_STATUS_SHIFT;

	m->op = status >= 400 ? SONDE_OP_ERROR : SONDE_OP_DONE;
	m->error_class = status >= 500 ? SONDE_HTTP_5XX : SONDE_HTTP_4XX;
	m->code = status;
}

/* Body whose length is known, *@left bytes from here on, of which as much as a message takes is added to it. True: all. */
SONDE_INLINE bool sonde_http_body(u64 *left, u32 *mode, struct sonde_msg *m)
{
	u64 n = *left;

	if (n > SONDE_HTTP_BODY_MAX)
		n = SONDE_HTTP_BODY_MAX;
	m->size += n;
	*left -= n;
	*mode = *left ? SONDE_HTTP_BODY : SONDE_HTTP_START;
	return !*left;
}

/* The chunk at @pos with its line and the line end behind it. The last one: *@mode says what follows, if anything. */
SONDE_INLINE int sonde_http_chunk(const struct sonde_win *w, u32 pos, u32 avail, u32 *mode, u64 *aux,
				  struct sonde_msg *m)
{
	u64 line = SONDE_HTTP_CHUNK_LINE(w, pos, pos + avail);
	u32 len = line >> 32, size = line, end;

	if (line == ~0ULL)
		return sonde_http_more(avail, m);
	if (!len || size > SONDE_HTTP_BODY_MAX)
		return SONDE_PARSE_BAD;
	if (size) {
		m->size = len + size + 2;
		return SONDE_PARSE_OK;
	}
	if (avail < len + 2)
		return sonde_http_more(avail, m);
	end = sonde_win_le16(w, pos + len);
	if (end == ('\r' | '\n' << 8)) {
		m->size = len + 2;
		*mode = SONDE_HTTP_START;
		return SONDE_PARSE_OK;
	}
	m->size = len;
	*aux |= SONDE_HTTP_TRAILER;
	*mode = SONDE_HTTP_FIELDS;
	return SONDE_PARSE_OK;
}

#define SONDE_HTTP_GOES_ON 3 /* beside enum sonde_parse: a piece of a header that goes on behind it */

/*
 * The fields from @from on of the header or trailer that begins at @pos. All of them, or as many as make a piece of
 * SONDE_HTTP_HEAD_MAX bytes: so that what a message is does not depend on how the stream is cut.
 */
SONDE_INLINE int sonde_http_header(const struct sonde_win *w, u32 pos, u32 avail, u32 from, struct sonde_state *st,
				   u32 flags, struct sonde_msg *m)
{
	u64 *left = flags & SONDE_HTTP_FROM_SERVER ? &st->be_left : &st->fe_left, old_left = *left;
	u64 *aux = flags & SONDE_HTTP_FROM_SERVER ? &st->be_aux : &st->fe_aux, old_aux = *aux;
	u32 *mode = flags & SONDE_HTTP_FROM_SERVER ? &st->be_mode : &st->fe_mode, fields;

	if (!(flags & SONDE_HTTP_FROM_AGAIN)) {
		*left = 0;
		*aux = m->code << SONDE_HTTP_STATUS_SHIFT | m->type;
	}
	fields = SONDE_HTTP_FIELDS_AT(w, from, pos + sonde_min_u32(avail, SONDE_HTTP_HEAD_MAX), st, flags);
	m->size = from + SONDE_HTTP_PASSED(fields) - pos;
	if (fields & SONDE_HTTP_END)
		return SONDE_PARSE_OK;
	if (avail < SONDE_HTTP_HEAD_MAX) {
		*left = old_left;
		*aux = old_aux;
		return sonde_http_more(avail, m);
	}
	*mode = fields & SONDE_HTTP_INSIDE ? SONDE_HTTP_FIELD : SONDE_HTTP_FIELDS;
	return SONDE_HTTP_GOES_ON;
}

/* The client's header is complete: what of its body is still to come. */
SONDE_INLINE int sonde_http_request_body(struct sonde_state *st, struct sonde_msg *m)
{
	st->fe_mode = SONDE_HTTP_START;
	if (st->fe_aux & SONDE_HTTP_TRAILER)
		return SONDE_PARSE_OK;
	if (st->fe_aux & SONDE_HTTP_CODED) /* without chunked last its end could not be told: servers refuse it */
		st->fe_mode = st->fe_aux & SONDE_HTTP_CHUNKED ? SONDE_HTTP_CHUNK : SONDE_HTTP_START;
	else if (st->fe_aux & SONDE_HTTP_LENGTH)
		sonde_http_body(&st->fe_left, &st->fe_mode, m);
	return SONDE_PARSE_OK;
}

/* What the line at @pos, up to and without @end, asks for: label, parameters, kind. False: it is no request line. */
SONDE_INLINE bool sonde_http_request(const struct sonde_win *w, u32 pos, u32 end, bool cut, struct sonde_msg *m)
{
	u64 head = sonde_win_u64(w, pos), found = 0;
	u32 len = 0, target;

	for (u32 i = 0; i < 3 && !found; i++) {
		u64 word = sonde_win_u64(w, pos + len), space = sonde_bytes_equal(word, ' ');
		u32 n = space ? sonde_bytes_first(space) : 8;

		found = space;
		if (~(sonde_bytes_letters(word, 26) | sonde_bytes_equal(word, '-')) & SONDE_BYTES_HIGH &
		    sonde_bytes_below(n))
			return false;
		len += n;
	}
	target = pos + len + 1;
	if (!found || !len || len > SONDE_HTTP_METHOD_MAX || target > end || end - target < (cut ? 1u : 10u))
		return false;
	if (!cut) {
		end -= 9;
		if ((sonde_win_u64(w, end) ^ SONDE_HTTP_WORD(' ', 'H', 'T', 'T', 'P', '/', '1', '.')) ||
		    sonde_win_u8(w, end + 8) - '0' > 9)
			return false;
	}
	m->op = SONDE_OP_COMMAND;
	m->kind = SONDE_HTTP_KIND_ANY;
	m->label.cut = cut;
	m->params = SONDE_HTTP_HASH(w, target, sonde_min_u32(end - target, SONDE_HASH_TEXT_MAX));
	SONDE_HTTP_COPY(w, pos, len, &m->label);
	if (len == 7 && head == SONDE_HTTP_WORD('C', 'O', 'N', 'N', 'E', 'C', 'T', ' ')) {
		m->kind = SONDE_HTTP_KIND_CONNECT;
		return true;
	}
	if (len == 4 && (u32)head == ('H' | 'E' << 8 | 'A' << 16 | 'D' << 24))
		m->kind = SONDE_HTTP_KIND_HEAD;
	sonde_label_byte(&m->label, ' ');
	sonde_http_target(w, target, end, &m->label);
	return true;
}

/* Where a request line begins. */
SONDE_INLINE int sonde_http_request_line(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					 struct sonde_msg *m)
{
	u32 first = sonde_win_u8(w, pos), end, lf;
	bool cut;
	int ret;

	if (!avail)
		return sonde_http_more(avail, m);
	if (first == '\r' || first == '\n') { /* an empty line before a request is to be ignored (RFC 9112, 2.2) */
		m->size = 1;
		return SONDE_PARSE_OK;
	}
	if ((first & 0xdf) - 'A' > 25)
		return SONDE_PARSE_BAD;
	end = pos + sonde_min_u32(avail, SONDE_HTTP_LINE_MAX);
	lf = SONDE_HTTP_LF(w, pos, end);
	cut = lf >= end;
	if (cut && avail < SONDE_HTTP_LINE_MAX)
		return sonde_http_more(avail, m);
	if (!cut && sonde_win_u8(w, lf - 1) == '\r')
		end = lf - 1;
	else
		end = lf;
	if (!sonde_http_request(w, pos, end, cut, m)) {
		if (avail < 16 || sonde_win_u64(w, pos) != SONDE_HTTP_WORD('P', 'R', 'I', ' ', '*', ' ', 'H', 'T') ||
		    sonde_win_u64(w, pos + 8) != SONDE_HTTP_WORD('T', 'P', '/', '2', '.', '0', '\r', '\n'))
			return SONDE_PARSE_BAD;
		m->op = SONDE_OP_UNREADABLE;
		m->kind = SONDE_CNT_UNREADABLE_HTTP2;
		m->size = SONDE_HTTP_PREFACE_BYTES;
		return SONDE_PARSE_OK;
	}
	ret = sonde_http_header(w, pos, avail, cut ? end : lf + 1, st, cut ? SONDE_HTTP_FROM_INSIDE : 0, m);
	if (ret == SONDE_PARSE_OK)
		return sonde_http_request_body(st, m);
	return ret == SONDE_HTTP_GOES_ON ? SONDE_PARSE_OK : ret;
}

/**
 * sonde_http_client - describe the client's message at @pos
 * @avail: bytes from @pos on that are in the window
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_http_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				   struct sonde_msg *m)
{
	u32 flags = SONDE_HTTP_FROM_AGAIN;
	int ret;

	switch (st->fe_mode) {
	case SONDE_HTTP_START:
		return sonde_http_request_line(w, pos, avail, st, m);
	case SONDE_HTTP_BODY:
		sonde_http_body(&st->fe_left, &st->fe_mode, m);
		return SONDE_PARSE_OK;
	case SONDE_HTTP_CHUNK:
		return sonde_http_chunk(w, pos, avail, &st->fe_mode, &st->fe_aux, m);
	default:
		if (st->fe_mode == SONDE_HTTP_FIELD)
			flags |= SONDE_HTTP_FROM_INSIDE;
		ret = sonde_http_header(w, pos, avail, pos, st, flags, m);
		if (ret == SONDE_PARSE_OK)
			return sonde_http_request_body(st, m);
		return ret == SONDE_HTTP_GOES_ON ? SONDE_PARSE_OK : ret;
	}
}

/* The server's header (or trailer) is complete: what of its body is still to come. RFC 9112, section 6.3. */
SONDE_INLINE int sonde_http_response_body(struct sonde_state *st, struct sonde_msg *m)
{
	u32 status = st->be_aux >> SONDE_HTTP_STATUS_SHIFT;
	u64 aux = st->be_aux;

	st->be_mode = SONDE_HTTP_START;
	if (aux & SONDE_HTTP_SWITCHES) { /* completes the request, too */
		m->op = SONDE_OP_SWITCH;
		return SONDE_PARSE_OK;
	}
	if (status < 200) { /* interim: the final response follows */
		m->op = SONDE_OP_NONE;
		return SONDE_PARSE_OK;
	}
	m->op = SONDE_OP_REPLY;
	if (aux & (SONDE_HTTP_BODYLESS | SONDE_HTTP_TRAILER)) {
		sonde_http_done(aux, m);
	} else if (aux & SONDE_HTTP_CHUNKED) {
		st->be_mode = SONDE_HTTP_CHUNK;
	} else if (aux & SONDE_HTTP_CODED || !(aux & SONDE_HTTP_LENGTH)) {
		st->be_mode = SONDE_HTTP_CLOSE;
		sonde_http_done(aux, m);
		m->flags = SONDE_MSG_UNTIL_CLOSE;
	} else if (sonde_http_body(&st->be_left, &st->be_mode, m)) {
		sonde_http_done(aux, m);
	}
	return SONDE_PARSE_OK;
}

/* Where a status line begins. */
SONDE_INLINE int sonde_http_status_line(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					struct sonde_msg *m)
{
	u64 word = sonde_win_u64(w, pos) ^ SONDE_HTTP_WORD('H', 'T', 'T', 'P', '/', '1', '.', 0);
	u32 end = pos + sonde_min_u32(avail, SONDE_HTTP_LINE_MAX), lf, status;
	u32 digits = sonde_win_le32(w, pos + 9) & 0xffffff;
	int ret;

	if (word & sonde_bytes_below(sonde_min_u32(avail, 7)))
		return SONDE_PARSE_BAD;
	if (avail < 13)
		return sonde_http_more(avail, m);
	if ((word >> 56) - '0' > 9 || sonde_win_u8(w, pos + 8) != ' ' ||
	    sonde_bytes_count(sonde_bytes_digits(digits)) != 3)
		return SONDE_PARSE_BAD;
	status = (digits & 0xf) * 100 + (digits >> 8 & 0xf) * 10 + (digits >> 16 & 0xf);
	lf = SONDE_HTTP_LF(w, pos + 12, end);
	if (status < 100 || (lf >= end && avail >= SONDE_HTTP_LINE_MAX))
		return SONDE_PARSE_BAD;
	if (lf >= end)
		return sonde_http_more(avail, m);
	m->code = status;
	m->type = 0;
	if (status == 101 || (st->expect == SONDE_HTTP_KIND_CONNECT && status - 200 < 100))
		m->type |= SONDE_HTTP_SWITCHES;
	if (st->expect == SONDE_HTTP_KIND_HEAD || status == 204 || status == 304)
		m->type |= SONDE_HTTP_BODYLESS;
	ret = sonde_http_header(w, pos, avail, lf + 1, st, SONDE_HTTP_FROM_SERVER, m);
	if (ret == SONDE_PARSE_OK)
		return sonde_http_response_body(st, m);
	m->op = status < 200 ? SONDE_OP_NONE : SONDE_OP_REPLY;
	return ret == SONDE_HTTP_GOES_ON ? SONDE_PARSE_OK : ret;
}

/**
 * sonde_http_server - describe the server's message at @pos
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_http_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				   struct sonde_msg *m)
{
	u32 flags = SONDE_HTTP_FROM_SERVER | SONDE_HTTP_FROM_AGAIN;
	u64 aux = st->be_aux;
	int ret;

	switch (st->be_mode) {
	case SONDE_HTTP_START:
		return sonde_http_status_line(w, pos, avail, st, m);
	case SONDE_HTTP_BODY:
		m->op = SONDE_OP_REPLY;
		if (sonde_http_body(&st->be_left, &st->be_mode, m))
			sonde_http_done(aux, m);
		return SONDE_PARSE_OK;
	case SONDE_HTTP_CHUNK:
		m->op = SONDE_OP_REPLY;
		ret = sonde_http_chunk(w, pos, avail, &st->be_mode, &st->be_aux, m);
		if (!ret && st->be_mode == SONDE_HTTP_START)
			sonde_http_done(aux, m);
		return ret;
	case SONDE_HTTP_CLOSE: /* there is nothing to look at any more */
		m->size = SONDE_HTTP_BODY_MAX;
		return SONDE_PARSE_OK;
	default:
		if (st->be_mode == SONDE_HTTP_FIELD)
			flags |= SONDE_HTTP_FROM_INSIDE;
		ret = sonde_http_header(w, pos, avail, pos, st, flags, m);
		if (ret == SONDE_PARSE_OK)
			return sonde_http_response_body(st, m);
		m->op = aux >> SONDE_HTTP_STATUS_SHIFT < 200 ? SONDE_OP_NONE : SONDE_OP_REPLY;
		return ret == SONDE_HTTP_GOES_ON ? SONDE_PARSE_OK : ret;
	}
}

/* Whether the first @n bytes of @head are @name and a blank behind it, if there are so many. */
SONDE_INLINE bool sonde_http_is(u64 head, u32 total, u64 name, u32 n)
{
	return !((head ^ (name | (n < 8 ? (u64)' ' << 8 * (n & 7) : 0))) &
		 sonde_bytes_below(sonde_min_u32(n + 1, total)));
}

#define SONDE_HTTP_IS(a, b, c, d, e, f, g, h, n) sonde_http_is(head, total, SONDE_HTTP_WORD(a, b, c, d, e, f, g, h), n)

/** sonde_http_plausible - a known method and a blank, as far as they are there; HTTP/2's preface */
SONDE_INLINE bool sonde_http_plausible(u64 head, u32 total)
{
	switch (head & 0xff) {
	case 'G':
		return SONDE_HTTP_IS('G', 'E', 'T', 0, 0, 0, 0, 0, 3);
	case 'H':
		return SONDE_HTTP_IS('H', 'E', 'A', 'D', 0, 0, 0, 0, 4);
	case 'P':
		return SONDE_HTTP_IS('P', 'O', 'S', 'T', 0, 0, 0, 0, 4) ||
		       SONDE_HTTP_IS('P', 'U', 'T', 0, 0, 0, 0, 0, 3) ||
		       SONDE_HTTP_IS('P', 'A', 'T', 'C', 'H', 0, 0, 0, 5) ||
		       SONDE_HTTP_IS('P', 'R', 'O', 'P', 'F', 'I', 'N', 'D', 8) ||
		       SONDE_HTTP_IS('P', 'R', 'O', 'P', 'P', 'A', 'T', 'C', 8) ||
		       SONDE_HTTP_IS('P', 'R', 'I', ' ', '*', ' ', 'H', 'T', 8);
	case 'D':
		return SONDE_HTTP_IS('D', 'E', 'L', 'E', 'T', 'E', 0, 0, 6);
	case 'O':
		return SONDE_HTTP_IS('O', 'P', 'T', 'I', 'O', 'N', 'S', 0, 7);
	case 'C':
		return SONDE_HTTP_IS('C', 'O', 'N', 'N', 'E', 'C', 'T', 0, 7) ||
		       SONDE_HTTP_IS('C', 'O', 'P', 'Y', 0, 0, 0, 0, 4);
	case 'T':
		return SONDE_HTTP_IS('T', 'R', 'A', 'C', 'E', 0, 0, 0, 5);
	case 'M':
		return SONDE_HTTP_IS('M', 'O', 'V', 'E', 0, 0, 0, 0, 4) ||
		       SONDE_HTTP_IS('M', 'K', 'C', 'O', 'L', 0, 0, 0, 5);
	case 'L':
		return SONDE_HTTP_IS('L', 'O', 'C', 'K', 0, 0, 0, 0, 4);
	case 'U':
		return SONDE_HTTP_IS('U', 'N', 'L', 'O', 'C', 'K', 0, 0, 6);
	case 'R':
		return SONDE_HTTP_IS('R', 'E', 'P', 'O', 'R', 'T', 0, 0, 6);
	case 'S':
		return SONDE_HTTP_IS('S', 'E', 'A', 'R', 'C', 'H', 0, 0, 6);
	default:
		return false;
	}
}

/**
 * sonde_http_detect - whether @total bytes of a client's stream, the first @avail of them in the window from 0 on, are
 * HTTP/1.x
 *
 * Strict: a known method and a request line that ends as one must. Of a line that goes on behind what was sent, the method
 * and the beginning of an absolute path or URI must do. Returns enum sonde_detect.
 */
SONDE_INLINE int sonde_http_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st)
{
	u64 head = sonde_win_u64(w, 0) & sonde_bytes_below(avail), space;
	u32 lf, target;

	if (!avail || !sonde_http_plausible(head, avail))
		return SONDE_DETECT_NO;
	lf = SONDE_HTTP_LF(w, 0, avail);
	if (lf < avail) {
		lf -= lf && sonde_win_u8(w, lf - 1) == '\r';
		if (lf == 14 && head == SONDE_HTTP_WORD('P', 'R', 'I', ' ', '*', ' ', 'H', 'T'))
			return sonde_win_u64(w, 6) == SONDE_HTTP_WORD('H', 'T', 'T', 'P', '/', '2', '.', '0')
				       ? SONDE_DETECT_CLIENT
				       : SONDE_DETECT_NO;
		if (lf < 14 || sonde_win_u64(w, lf - 9) != SONDE_HTTP_WORD(' ', 'H', 'T', 'T', 'P', '/', '1', '.') ||
		    sonde_win_u8(w, lf - 1) - '0' > 9)
			return SONDE_DETECT_NO;
		return SONDE_DETECT_CLIENT;
	}
	if (avail <= 16)
		return SONDE_DETECT_MORE;
	space = sonde_bytes_equal(sonde_win_u64(w, 3), ' '); /* methods have three to nine letters */
	target = space ? 3 + sonde_bytes_first(space) + 1 : SONDE_WIN_BYTES;
	if (target + 4 > avail)
		return SONDE_DETECT_NO;
	if (sonde_win_u8(w, target) == '/')
		return SONDE_DETECT_CLIENT;
	return sonde_win_le32(w, target) == ('h' | 't' << 8 | 't' << 16 | 'p' << 24) ? SONDE_DETECT_CLIENT
										     : SONDE_DETECT_NO;
}

#endif /* SONDE_PROTO_HTTP_H */
