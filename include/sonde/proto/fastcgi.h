/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fastcgi.h - FastCGI: detection and message parser. The client is the web server, the server the application (PHP-FPM).
 *
 * Source: the FastCGI specification 1.0 (records in section 3, name-value pairs in 3.4, roles in 6). A message here is a
 * record with its padding, or a piece of a record of parameters. A request is a command; it is told with the record that
 * names its method and URI, at the latest with the end of the parameters. Its response is complete with END_REQUEST.
 *
 * The id of a request is what its response must carry (sonde_msg.kind): a connection whose responses come in another order
 * than its requests carries several at once, and is not read. A pair that is split over two records is passed by, except
 * that the beginning of a URI counts as one that is cut; when the cut is within its lengths, so is the rest of the
 * parameters.
 */
#ifndef SONDE_PROTO_FASTCGI_H
#define SONDE_PROTO_FASTCGI_H

#include "../cgi.h"

#define SONDE_FASTCGI_HEAD 8u /* bytes of a record's header */
#define SONDE_FASTCGI_BODY 8u /* bytes of the bodies of BEGIN_REQUEST and END_REQUEST */

enum sonde_fastcgi_type {
	SONDE_FASTCGI_BEGIN_REQUEST = 1,
	SONDE_FASTCGI_ABORT_REQUEST,
	SONDE_FASTCGI_END_REQUEST,
	SONDE_FASTCGI_PARAMS,
	SONDE_FASTCGI_STDIN,
	SONDE_FASTCGI_STDOUT,
	SONDE_FASTCGI_STDERR,
	SONDE_FASTCGI_DATA,
	SONDE_FASTCGI_GET_VALUES,
	SONDE_FASTCGI_GET_VALUES_RESULT,
	SONDE_FASTCGI_UNKNOWN_TYPE,
};

/* protocolStatus in END_REQUEST. */
enum sonde_fastcgi_status {
	SONDE_FASTCGI_COMPLETE = 0,
	SONDE_FASTCGI_CANNOT_MULTIPLEX,
	SONDE_FASTCGI_OVERLOADED,
	SONDE_FASTCGI_UNKNOWN_ROLE,
};

/*
 * sonde_state.fe_mode: flags; the padding of a record that goes on in bits 8 to 15; the id of the request in the upper half.
 * fe_left: bytes of that record still to come, and in the upper half those of a pair that goes on in the next record.
 * fe_aux: the method, once known (sonde_cgi_known()).
 */
#define SONDE_FASTCGI_ASKING 1u /* between BEGIN_REQUEST and the end of the parameters */
#define SONDE_FASTCGI_INSIDE 2u /* a record of parameters goes on */
#define SONDE_FASTCGI_TOLD 4u /* the command has been told */
#define SONDE_FASTCGI_BLIND 8u /* where the next pair begins is not known */
#define SONDE_FASTCGI_PAD_SHIFT 8
#define SONDE_FASTCGI_ID_SHIFT 16

/* sonde_state.be_mode; be_aux is the status then. */
#define SONDE_FASTCGI_HEADER_SEEN 1u

/** struct sonde_fastcgi_record - a record's header */
struct sonde_fastcgi_record {
	u32 type, id, len, pad;
};

/* The header at @pos, all of which is there; false: it is none. */
SONDE_INLINE bool sonde_fastcgi_record(const struct sonde_win *w, u32 pos, struct sonde_fastcgi_record *r)
{
	r->type = sonde_win_u8(w, pos + 1);
	r->id = sonde_win_be16(w, pos + 2);
	r->len = sonde_win_be16(w, pos + 4);
	r->pad = sonde_win_u8(w, pos + 6);
	return sonde_win_u8(w, pos) == 1;
}

SONDE_INLINE int sonde_fastcgi_more(u32 wanted, struct sonde_msg *m)
{
	m->size = wanted;
	return SONDE_PARSE_MORE;
}

/* Several requests at once: which response is whose cannot be told from their order. */
SONDE_INLINE int sonde_fastcgi_multiplexed(struct sonde_msg *m)
{
	m->op = SONDE_OP_UNREADABLE;
	m->kind = SONDE_CNT_UNREADABLE_MULTIPLEXED;
	return SONDE_PARSE_OK;
}

/* The request is named by what was found in front of @end; what else its parameters say does not matter. */
SONDE_INLINE void sonde_fastcgi_tell(const struct sonde_win *w, u32 end, struct sonde_state *st, struct sonde_msg *m)
{
	m->kind = st->fe_mode >> SONDE_FASTCGI_ID_SHIFT;
	sonde_cgi_command(w, st->fe_aux, end, m);
	st->fe_mode |= SONDE_FASTCGI_TOLD;
	st->fe_left = 0;
}

/*
 * A piece of a record's parameters, of which @left bytes are still to come from @from on; the message begins at @pos and
 * may have the record's header in front.
 */
SONDE_INLINE int sonde_fastcgi_pairs(const struct sonde_win *w, u32 pos, u32 from, u32 avail, u32 left, u32 pad,
				     struct sonde_state *st, struct sonde_msg *m)
{
	u32 piece = sonde_min_u32(left, SONDE_CGI_PIECE_MAX), end = from + piece,
	    id = st->fe_mode >> SONDE_FASTCGI_ID_SHIFT;
	u32 n, verdict, whole = from - pos + left + pad;
	bool last = false;

	if (avail < from - pos + piece)
		return sonde_fastcgi_more(from - pos + piece, m);
	n = SONDE_CGI_PAIRS_OF(w, from, end, SONDE_CGI_FASTCGI, m);
	if (n == ~0U)
		return SONDE_PARSE_BAD;
	verdict = sonde_cgi_verdict(st->fe_aux, from, n < left || left > piece, m);
	/* Without a URI other variables will do, if these are all: the empty record that says so comes next. */
	if (verdict == SONDE_CGI_WAIT && n == left &&
	    (m->scratch[SONDE_CGI_DOCUMENT] || m->scratch[SONDE_CGI_SCRIPT])) {
		if (avail < whole + SONDE_FASTCGI_HEAD)
			return sonde_fastcgi_more(whole + SONDE_FASTCGI_HEAD, m);
		last = sonde_win_be32(w, pos + whole) == (1u << 24 | SONDE_FASTCGI_PARAMS << 16 | id) &&
		       !sonde_win_be16(w, pos + whole + 4);
	}
	st->fe_mode = id << SONDE_FASTCGI_ID_SHIFT | SONDE_FASTCGI_ASKING;
	m->size = whole;
	if (last || verdict == SONDE_CGI_TELL) {
		sonde_fastcgi_tell(w, end, st, m);
		return SONDE_PARSE_OK;
	}
	st->fe_aux = sonde_cgi_known(w, st->fe_aux, end, m);
	if (verdict == SONDE_CGI_BACK)
		n = m->scratch[SONDE_CGI_URI_PAIR] - from;
	st->fe_left = 0;
	if (n > left) {
		st->fe_left = (u64)(n - left) << 32;
	} else if (n && n < left) {
		st->fe_mode |= SONDE_FASTCGI_INSIDE | pad << SONDE_FASTCGI_PAD_SHIFT;
		st->fe_left = left - n;
		m->size = from - pos + n;
	} else if (!n) {
		st->fe_mode |= SONDE_FASTCGI_BLIND;
	}
	return SONDE_PARSE_OK;
}

/* A record of parameters. */
SONDE_INLINE int sonde_fastcgi_params(const struct sonde_win *w, u32 pos, u32 avail,
				      const struct sonde_fastcgi_record *r, struct sonde_state *st, struct sonde_msg *m)
{
	u32 over = st->fe_left >> 32;

	if (!(st->fe_mode & SONDE_FASTCGI_ASKING))
		return SONDE_PARSE_BAD;
	if (st->fe_mode >> SONDE_FASTCGI_ID_SHIFT != r->id)
		return sonde_fastcgi_multiplexed(m);
	if (!r->len) { /* there are no more */
		sonde_cgi_forget(m);
		if (!(st->fe_mode & SONDE_FASTCGI_TOLD))
			sonde_fastcgi_tell(w, pos, st, m);
		st->fe_mode = 0;
		return SONDE_PARSE_OK;
	}
	if (st->fe_mode & (SONDE_FASTCGI_TOLD | SONDE_FASTCGI_BLIND))
		return SONDE_PARSE_OK;
	if (over >= r->len) { /* all of it belongs to a pair that began before */
		st->fe_left = (u64)(over - r->len) << 32;
		return SONDE_PARSE_OK;
	}
	if (over) { /* the end of such a pair: what is behind it are the next messages */
		m->size = SONDE_FASTCGI_HEAD + over;
		st->fe_mode |= SONDE_FASTCGI_INSIDE | r->pad << SONDE_FASTCGI_PAD_SHIFT;
		st->fe_left = r->len - over;
		return SONDE_PARSE_OK;
	}
	return sonde_fastcgi_pairs(w, pos, pos + SONDE_FASTCGI_HEAD, avail, r->len, r->pad, st, m);
}

/**
 * sonde_fastcgi_client - describe the web server's message at @pos
 * @avail: bytes from @pos on that are in the window
 *
 * Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_fastcgi_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				      struct sonde_msg *m)
{
	u32 id = st->fe_mode >> SONDE_FASTCGI_ID_SHIFT, asking = st->fe_mode & SONDE_FASTCGI_ASKING;
	bool inside = st->fe_mode & SONDE_FASTCGI_INSIDE;
	struct sonde_fastcgi_record r = {};

	if (inside)
		return sonde_fastcgi_pairs(w, pos, pos, avail, st->fe_left,
					   st->fe_mode >> SONDE_FASTCGI_PAD_SHIFT & 0xff, st, m);
	if (avail < SONDE_FASTCGI_HEAD)
		return sonde_fastcgi_more(SONDE_FASTCGI_HEAD, m);
	if (!sonde_fastcgi_record(w, pos, &r))
		return SONDE_PARSE_BAD;
	m->type = r.type;
	m->size = SONDE_FASTCGI_HEAD + r.len + r.pad;
	if (!r.id) /* about the connection, not about a request */
		return r.type == SONDE_FASTCGI_GET_VALUES ? SONDE_PARSE_OK : SONDE_PARSE_BAD;
	switch (r.type) {
	case SONDE_FASTCGI_BEGIN_REQUEST:
		if (r.len != SONDE_FASTCGI_BODY || (asking && r.id == id))
			return SONDE_PARSE_BAD;
		if (asking)
			return sonde_fastcgi_multiplexed(m);
		st->fe_mode = SONDE_FASTCGI_ASKING | r.id << SONDE_FASTCGI_ID_SHIFT;
		st->fe_left = 0;
		st->fe_aux = 0;
		return SONDE_PARSE_OK;
	case SONDE_FASTCGI_PARAMS:
		return sonde_fastcgi_params(w, pos, avail, &r, st, m);
	case SONDE_FASTCGI_ABORT_REQUEST: /* the response ends it all the same, if it has been told */
		if (asking && r.id == id)
			st->fe_mode = 0;
		return SONDE_PARSE_OK;
	case SONDE_FASTCGI_STDIN:
	case SONDE_FASTCGI_DATA:
		if (asking && r.id == id)
			return SONDE_PARSE_BAD;
		return asking ? sonde_fastcgi_multiplexed(m) : SONDE_PARSE_OK;
	default:
		return SONDE_PARSE_BAD;
	}
}

/*
 * END_REQUEST: the status is that of the header that was sent. Without one the web server answers "bad gateway" itself, or
 * what the application's reason to refuse means. The application's own exit status changes nothing of what was sent.
 */
SONDE_INLINE int sonde_fastcgi_end(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				   struct sonde_msg *m)
{
	u32 status = st->be_aux;

	if (avail < SONDE_FASTCGI_HEAD + SONDE_FASTCGI_BODY)
		return sonde_fastcgi_more(SONDE_FASTCGI_HEAD + SONDE_FASTCGI_BODY, m);
	if (!st->be_mode) {
		switch (sonde_win_u8(w, pos + SONDE_FASTCGI_HEAD + 4)) {
		case SONDE_FASTCGI_COMPLETE:
			status = 502;
			break;
		case SONDE_FASTCGI_UNKNOWN_ROLE:
			status = 501;
			break;
		default:
			status = 503;
		}
	}
	sonde_cgi_done(status, m);
	st->be_mode = 0;
	st->be_aux = 0;
	return SONDE_PARSE_OK;
}

/**
 * sonde_fastcgi_server - describe the application's message at @pos
 *
 * What comes while no request is outstanding means nothing. Returns enum sonde_parse.
 */
SONDE_INLINE int sonde_fastcgi_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				      struct sonde_msg *m)
{
	struct sonde_fastcgi_record r = {};
	u32 head;

	if (avail < SONDE_FASTCGI_HEAD)
		return sonde_fastcgi_more(SONDE_FASTCGI_HEAD, m);
	if (!sonde_fastcgi_record(w, pos, &r))
		return SONDE_PARSE_BAD;
	m->type = r.type;
	m->size = SONDE_FASTCGI_HEAD + r.len + r.pad;
	if (!r.id)
		return r.type == SONDE_FASTCGI_GET_VALUES_RESULT || r.type == SONDE_FASTCGI_UNKNOWN_TYPE
			       ? SONDE_PARSE_OK
			       : SONDE_PARSE_BAD;
	if ((r.type != SONDE_FASTCGI_STDOUT && r.type != SONDE_FASTCGI_STDERR && r.type != SONDE_FASTCGI_END_REQUEST) ||
	    (r.type == SONDE_FASTCGI_END_REQUEST && r.len != SONDE_FASTCGI_BODY))
		return SONDE_PARSE_BAD;
	if (!st->expect)
		return SONDE_PARSE_OK;
	if (st->expect != r.id)
		return sonde_fastcgi_multiplexed(m);
	if (r.type == SONDE_FASTCGI_END_REQUEST)
		return sonde_fastcgi_end(w, pos, avail, st, m);
	if (r.type == SONDE_FASTCGI_STDERR || !r.len)
		return SONDE_PARSE_OK;
	if (!st->be_mode) {
		head = sonde_min_u32(r.len, SONDE_CGI_STATUS_BYTES);
		if (avail < SONDE_FASTCGI_HEAD + head)
			return sonde_fastcgi_more(SONDE_FASTCGI_HEAD + head, m);
		st->be_aux = SONDE_CGI_STATUS(w, pos + SONDE_FASTCGI_HEAD, pos + SONDE_FASTCGI_HEAD + head);
		st->be_mode = SONDE_FASTCGI_HEADER_SEEN;
	}
	m->op = SONDE_OP_REPLY;
	return SONDE_PARSE_OK;
}

/**
 * sonde_fastcgi_plausible - the header of BEGIN_REQUEST, as far as it is there
 *
 * Version 1, type 1, an id, eight bytes of body, nothing reserved that is used.
 */
SONDE_INLINE bool sonde_fastcgi_plausible(u64 head, u32 total)
{
	u64 wanted = SONDE_HTTP_WORD(1, SONDE_FASTCGI_BEGIN_REQUEST, 0, 0, 0, SONDE_FASTCGI_BODY, 0, 0);
	u64 fixed = SONDE_HTTP_WORD(0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0xff);

	return total && !((head ^ wanted) & fixed & sonde_bytes_below(total)) && (total < 4 || head & 0xffff0000);
}

/**
 * sonde_fastcgi_detect - whether @total bytes of a client's stream, the first @avail of them in the window from 0 on, are
 * FastCGI
 *
 * Strict: a whole BEGIN_REQUEST of a known role, and behind it a record of the same request, as far as it is there. Returns
 * enum sonde_detect.
 */
SONDE_INLINE int sonde_fastcgi_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st)
{
	const u32 body = SONDE_FASTCGI_HEAD, next = SONDE_FASTCGI_HEAD + SONDE_FASTCGI_BODY;
	u64 head = sonde_win_u64(w, 0) & sonde_bytes_below(avail);
	struct sonde_fastcgi_record r = {};
	u32 pad = sonde_win_u8(w, 6);

	if (!avail || !sonde_fastcgi_plausible(head, avail))
		return SONDE_DETECT_NO;
	if (avail < next)
		return SONDE_DETECT_MORE;
	if (sonde_win_be16(w, body) - 1 > 2 || sonde_win_u8(w, body + 2) > 1 ||
	    (sonde_win_u64(w, body) >> 24)) /* role, flags, reserved */
		return SONDE_DETECT_NO;
	if (avail >= next + pad + SONDE_FASTCGI_HEAD &&
	    (!sonde_fastcgi_record(w, next + pad, &r) || r.id != sonde_win_be16(w, 2) ||
	     (r.type != SONDE_FASTCGI_PARAMS && r.type != SONDE_FASTCGI_ABORT_REQUEST)))
		return SONDE_DETECT_NO;
	return SONDE_DETECT_CLIENT;
}

#endif /* SONDE_PROTO_FASTCGI_H */
