/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cgi.h - what FastCGI and uwsgi have in common: a request is a list of CGI variables, a response begins with a CGI header.
 *
 * Source: RFC 3875, sections 4.1 (variables) and 6.3 (header of a response); REQUEST_URI and DOCUMENT_URI are what web
 * servers add. Variables come in any order and may be longer than what is kept of a stream, so they are looked at in
 * pieces: as many pairs as fit into SONDE_CGI_PIECE_MAX bytes. What of them matters stands in sonde_msg.scratch, indexed by
 * enum sonde_cgi_variable: the value's position in the lower half, its length in the upper half, 0 if it is not there.
 */
#ifndef SONDE_CGI_H
#define SONDE_CGI_H

#include "http_fields.h"

#define SONDE_CGI_PIECE_MAX 4096u /* bytes of variables that are waited for */
#define SONDE_CGI_PAIRS 128u /* in one piece */
#define SONDE_CGI_METHOD_MAX 20u
#define SONDE_CGI_STATUS_LINES 24u /* of a response's header that are looked at */
#define SONDE_CGI_STATUS_BYTES 1024u

enum sonde_cgi_variable {
	SONDE_CGI_OTHER = 0, /* of no interest */
	SONDE_CGI_METHOD,
	SONDE_CGI_URI,
	SONDE_CGI_DOCUMENT,
	SONDE_CGI_SCRIPT,
	SONDE_CGI_PATH,
	SONDE_CGI_LENGTH,
	SONDE_CGI_URI_PAIR, /* where the pair of SONDE_CGI_URI begins; not a variable */
};

#define SONDE_CGI_OFF(v) ((u32)(v))
#define SONDE_CGI_LEN(v) ((u32)((v) >> 32))

/* How the pairs are written: flags of sonde_cgi_pairs(). */
#define SONDE_CGI_FASTCGI 1u /* both lengths of one or four bytes in front; else two bytes in front of each (uwsgi) */
#define SONDE_CGI_FIRST 2u /* of sonde_cgi_pair(): a pair that goes on behind the end counts */

/** sonde_cgi_forget - nothing has been found yet */
SONDE_INLINE void sonde_cgi_forget(struct sonde_msg *m)
{
	for (u32 i = 0; i <= SONDE_CGI_URI_PAIR; i++)
		m->scratch[i] = 0;
}

/* Which variable the name of @len bytes at @pos is. */
SONDE_INLINE u32 sonde_cgi_name(const struct sonde_win *w, u32 pos, u32 len)
{
	u64 first = sonde_win_u64(w, pos), last = sonde_win_u64(w, pos + len - 8);

	switch (len) {
	case 14:
		if (first == SONDE_HTTP_WORD('R', 'E', 'Q', 'U', 'E', 'S', 'T', '_') &&
		    last == SONDE_HTTP_WORD('T', '_', 'M', 'E', 'T', 'H', 'O', 'D'))
			return SONDE_CGI_METHOD;
		if (first == SONDE_HTTP_WORD('C', 'O', 'N', 'T', 'E', 'N', 'T', '_') &&
		    last == SONDE_HTTP_WORD('T', '_', 'L', 'E', 'N', 'G', 'T', 'H'))
			return SONDE_CGI_LENGTH;
		break;
	case 12:
		if (first == SONDE_HTTP_WORD('D', 'O', 'C', 'U', 'M', 'E', 'N', 'T') &&
		    last == SONDE_HTTP_WORD('M', 'E', 'N', 'T', '_', 'U', 'R', 'I'))
			return SONDE_CGI_DOCUMENT;
		break;
	case 11:
		if (first == SONDE_HTTP_WORD('R', 'E', 'Q', 'U', 'E', 'S', 'T', '_') &&
		    last == SONDE_HTTP_WORD('U', 'E', 'S', 'T', '_', 'U', 'R', 'I'))
			return SONDE_CGI_URI;
		if (first == SONDE_HTTP_WORD('S', 'C', 'R', 'I', 'P', 'T', '_', 'N') &&
		    last == SONDE_HTTP_WORD('I', 'P', 'T', '_', 'N', 'A', 'M', 'E'))
			return SONDE_CGI_SCRIPT;
		break;
	case 9:
		if (first == SONDE_HTTP_WORD('P', 'A', 'T', 'H', '_', 'I', 'N', 'F') &&
		    last == SONDE_HTTP_WORD('A', 'T', 'H', '_', 'I', 'N', 'F', 'O'))
			return SONDE_CGI_PATH;
		break;
	}
	return SONDE_CGI_OTHER;
}

/* FastCGI's length at *@pos, of one or four bytes. */
SONDE_INLINE u32 sonde_cgi_length(const struct sonde_win *w, u32 *pos)
{
	u32 len = sonde_win_u8(w, *pos);

	if (len < 0x80) {
		*pos += 1;
		return len;
	}
	len = sonde_win_be32(w, *pos) & 0x7fffffff;
	*pos += 4;
	return len;
}

/**
 * sonde_cgi_pair - look at the pair at @pos; what it says of interest goes into @m, if all of it stands before @end
 *
 * Returns its length (~0: more than can be told), 0 if its lengths are not all there.
 */
SONDE_INLINE u32 sonde_cgi_pair(const struct sonde_win *w, u32 pos, u32 end, u32 flags, struct sonde_msg *m)
{
	u32 at = pos, name_len, value_len, value, var;
	u64 size;

	if (flags & SONDE_CGI_FASTCGI) {
		name_len = sonde_cgi_length(w, &at);
		value_len = sonde_cgi_length(w, &at);
		if (at > end)
			return 0;
		value = at + name_len;
	} else {
		name_len = sonde_win_le16(w, pos);
		at += 2;
		value = at + name_len + 2;
		if (at > end || value > end)
			return 0;
		value_len = sonde_win_le16(w, value - 2);
	}
	size = (u64)value - pos + value_len;
	if (value < pos || size > 0x7fffffff)
		return ~0U;
	if (value >= end || !value_len || name_len - 9 > 5 || (size > end - pos && !(flags & SONDE_CGI_FIRST)))
		return size;
	var = sonde_cgi_name(w, at, name_len);
	if (var)
		m->scratch[var & 7] = value | (u64)value_len << 32;
	if (var == SONDE_CGI_URI)
		m->scratch[SONDE_CGI_URI_PAIR] = pos;
	return size;
}

/* The kernel side replaces these by subprograms of their own (proto.h says why). */
#ifndef SONDE_CGI_PAIR
#define SONDE_CGI_PAIR(w, pos, end, flags, m) sonde_cgi_pair(w, pos, end, flags, m)
#endif

/**
 * sonde_cgi_pairs - look at the pairs in [@pos, @end); all of @end is in the window
 *
 * Returns the bytes of those that are whole. Of a first one that is not, its length all the same: what of its value is
 * there counts. 0: not even the lengths of the first one are there; ~0: they cannot be.
 */
SONDE_INLINE u32 sonde_cgi_pairs(const struct sonde_win *w, u32 pos, u32 end, u32 flags, struct sonde_msg *m)
{
	u32 at = pos;

	sonde_cgi_forget(m);
	for (u32 i = 0; i < SONDE_CGI_PAIRS && at < end; i++) {
		u32 size = SONDE_CGI_PAIR(w, at, end, at == pos ? flags | SONDE_CGI_FIRST : flags, m);

		if (at == pos && size > end - at)
			return size;
		if (!size || size > end - at)
			break;
		at += size;
	}
	return at - pos;
}

#ifndef SONDE_CGI_PAIRS_OF
#define SONDE_CGI_PAIRS_OF(w, pos, end, flags, m) sonde_cgi_pairs(w, pos, end, flags, m)
#endif

/* A method as the label has it: eight letters in a word, 0 if it is none or longer. */
SONDE_INLINE u64 sonde_cgi_method_word(const struct sonde_win *w, u64 value)
{
	u64 word = sonde_win_u64(w, SONDE_CGI_OFF(value));
	u32 len = SONDE_CGI_LEN(value);

	if (len > 8)
		return 0;
	word &= sonde_bytes_below(len);
	return ~(sonde_bytes_letters(word, 26) | sonde_bytes_equal(word, '-')) & SONDE_BYTES_HIGH &
			       sonde_bytes_below(len)
		       ? 0
		       : word;
}

/* The same of up to SONDE_CGI_METHOD_MAX letters, in the window: whether it is one. */
SONDE_INLINE bool sonde_cgi_method(const struct sonde_win *w, u64 value, u32 end)
{
	u32 pos = SONDE_CGI_OFF(value), len = SONDE_CGI_LEN(value);

	if (!len || len > SONDE_CGI_METHOD_MAX || pos + len > end)
		return false;
	for (u32 i = 0; i < SONDE_CGI_METHOD_MAX; i += 8) {
		u64 word = sonde_win_u64(w, pos + i), ok = sonde_bytes_letters(word, 26) | sonde_bytes_equal(word, '-');

		if (i < len && ~ok & SONDE_BYTES_HIGH & sonde_bytes_below(len - i))
			return false;
	}
	return true;
}

/**
 * sonde_cgi_known - the method that a piece in front of @end or an earlier one (@method) has named, for the next one
 */
SONDE_INLINE u64 sonde_cgi_known(const struct sonde_win *w, u64 method, u32 end, const struct sonde_msg *m)
{
	u64 value = m->scratch[SONDE_CGI_METHOD];

	return value && sonde_cgi_method(w, value, end) ? sonde_cgi_method_word(w, value) : method;
}

/* What a piece of the variables has led to: sonde_cgi_verdict(). */
enum sonde_cgi_verdict {
	SONDE_CGI_WAIT, /* the request's name is still to come */
	SONDE_CGI_TELL, /* it is there */
	SONDE_CGI_BACK, /* the piece shall end before the URI: the method is behind it, if anywhere */
};

/**
 * sonde_cgi_verdict - is what the piece at [@pos, @end) says enough to name the request?
 * @method: known from an earlier piece, or 0
 * @goes_on: it is not the last piece of its kind: the next one could begin with the URI
 */
SONDE_INLINE u32 sonde_cgi_verdict(u64 method, u32 pos, bool goes_on, const struct sonde_msg *m)
{
	if (!m->scratch[SONDE_CGI_URI])
		return SONDE_CGI_WAIT;
	if (!method && !m->scratch[SONDE_CGI_METHOD] && goes_on && m->scratch[SONDE_CGI_URI_PAIR] != pos)
		return SONDE_CGI_BACK;
	return SONDE_CGI_TELL;
}

/* Where the value ends, as far as it stands in front of @end. */
SONDE_INLINE u32 sonde_cgi_end(u64 value, u32 end, struct sonde_msg *m)
{
	u32 pos = SONDE_CGI_OFF(value);

	if (SONDE_CGI_LEN(value) <= end - pos)
		return pos + SONDE_CGI_LEN(value);
	m->label.cut = 1;
	return end;
}

/**
 * sonde_cgi_command - the request is named: label and parameters, from what was found in front of @end
 * @method: known from an earlier piece, or 0
 *
 * Without a method that can be shown its name is "_OTHER", as OpenTelemetry's http.request.method has it. Without any path
 * the label is the method alone.
 */
SONDE_INLINE void sonde_cgi_command(const struct sonde_win *w, u64 method, u32 end, struct sonde_msg *m)
{
	u64 value = m->scratch[SONDE_CGI_METHOD], more = 0;

	m->op = SONDE_OP_COMMAND;
	if (value && sonde_cgi_method(w, value, end))
		SONDE_HTTP_COPY(w, SONDE_CGI_OFF(value), SONDE_CGI_LEN(value), &m->label);
	else if (method)
		sonde_label_word(&m->label, method, 8 - sonde_bytes_count(sonde_bytes_equal(method, 0)));
	else
		sonde_label_word(&m->label, SONDE_HTTP_WORD('_', 'O', 'T', 'H', 'E', 'R', 0, 0), 6);
	value = m->scratch[SONDE_CGI_URI];
	if (!value)
		value = m->scratch[SONDE_CGI_DOCUMENT];
	if (!value) {
		value = m->scratch[SONDE_CGI_SCRIPT];
		more = m->scratch[SONDE_CGI_PATH];
		if (!value) {
			value = more;
			more = 0;
		}
	}
	if (!value)
		return;
	sonde_label_byte(&m->label, ' ');
	m->params = SONDE_HTTP_HASH(
		w, SONDE_CGI_OFF(value),
		sonde_min_u32(sonde_cgi_end(value, end, m) - SONDE_CGI_OFF(value), SONDE_HASH_TEXT_MAX));
	sonde_http_target(w, SONDE_CGI_OFF(value), sonde_cgi_end(value, end, m), &m->label);
	if (more)
		SONDE_HTTP_PATH(w, SONDE_CGI_OFF(more), sonde_cgi_end(more, end, m), &m->label);
}

/**
 * sonde_cgi_status - the status that the header of a response at [@pos, @end) names: its field Status, 200 without it
 */
SONDE_INLINE u32 sonde_cgi_status(const struct sonde_win *w, u32 pos, u32 end)
{
	for (u32 i = 0; i < SONDE_CGI_STATUS_LINES && pos < end; i++) {
		u64 word = sonde_win_u64(w, pos);
		u32 at = pos + 7, digits;

		if ((word & 0xff) == '\n' || (word & 0xffff) == ('\r' | '\n' << 8))
			break;
		if ((word | SONDE_BYTES_ONES * 0x20) << 8 ==
		    (SONDE_HTTP_WORD('s', 't', 'a', 't', 'u', 's', ':', 0) << 8)) {
			at += word >> 56 == ' ';
			digits = sonde_win_le32(w, at) & 0xffffff;
			if (at + 3 > end || sonde_bytes_count(sonde_bytes_digits(digits)) != 3)
				break;
			digits = (digits & 0xf) * 100 + (digits >> 8 & 0xf) * 10 + (digits >> 16 & 0xf);
			return digits >= 100 ? digits : 200;
		}
		pos = SONDE_HTTP_LF(w, pos, end) + 1;
	}
	return 200;
}

#ifndef SONDE_CGI_STATUS
#define SONDE_CGI_STATUS(w, pos, end) sonde_cgi_status(w, pos, end)
#endif

/* How a response with @status ended. */
SONDE_INLINE void sonde_cgi_done(u32 status, struct sonde_msg *m)
{
	m->op = status >= 400 ? SONDE_OP_ERROR : SONDE_OP_DONE;
	m->error_class = status >= 500 ? SONDE_HTTP_5XX : SONDE_HTTP_4XX;
	m->code = status;
}

#endif /* SONDE_CGI_H */
