/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memcached.h - memcached's text protocol: the classic commands and the meta commands.
 *
 * Source: protocol.txt of memcached 1.6. A command is a line; those that store are followed by a block of data whose length
 * the line says. The binary protocol is not read.
 *
 * A quiet meta command (flag q) is answered only if there is something unusual to say: mg a hit, ms and ma and md a failure.
 * Which one of several outstanding an answer belongs to is not said unless the client asked for it (flags k, O), which is not
 * looked at. So, exact: the number of commands, errors, rows in all, and every time at which nothing quiet is outstanding.
 * Not exact: of a run of quiet commands that were not all answered alike, the answers go to the first ones of the run; and
 * a plain command behind them is told from them only if its answer cannot be theirs (EN behind mg q, HD behind ms q or md q):
 * else the run is over with the next such answer, or with that of mn.
 *
 * Not exact either: a command with noreply that fails may be answered nevertheless. What can only be the answer to one that
 * stores is passed by when none of these is outstanding.
 *
 * Rows: values of a get; 1 for an answer that says it was done, 0 for NOT_FOUND, NOT_STORED, EXISTS and their meta forms.
 */
#ifndef SONDE_PROTO_MEMCACHED_H
#define SONDE_PROTO_MEMCACHED_H

#include "../key_pattern.h"
#include "../proto.h"

#define SONDE_MC_LINE 1u /* fe_mode, be_mode: in the rest of a line of which everything has been said */
#define SONDE_MC_KEY_MAX 250u
#define SONDE_MC_FLAGS_MAX 128u /* bytes of meta flags that are looked at */
#define SONDE_MC_DATA_MAX 0x7fff0000u

/* sonde_msg.kind; those that are quiet come last. */
enum sonde_mc_kind {
	SONDE_MC_PLAIN = 1,
	SONDE_MC_GET, /* values, then END */
	SONDE_MC_STORE,
	SONDE_MC_LINES, /* lines, then END */
	SONDE_MC_VERSION, /* gearmand has this command, too, and answers OK */
	SONDE_MC_QUIET_GET,
	SONDE_MC_QUIET_STORE,
	SONDE_MC_QUIET_DELETE,
	SONDE_MC_QUIET_COUNT, /* ma */
};

/* What the arguments of a command are. */
enum sonde_mc_shape {
	SONDE_MC_UNKNOWN = 0,
	SONDE_MC_NONE,
	SONDE_MC_KEY,
	SONDE_MC_KEYS, /* of which there may be several */
	SONDE_MC_TIME_KEYS, /* the same, behind an expiration time */
	SONDE_MC_DATA, /* key flags exptime bytes */
	SONDE_MC_META, /* key flags */
	SONDE_MC_META_DATA, /* key bytes flags */
	SONDE_MC_WORD, /* a word that belongs to the command */
	SONDE_MC_QUIT,
	SONDE_MC_WATCH,
};

/** sonde_mc_command - shape | kind << 8 of the command that begins with @word; 0 unknown */
SONDE_INLINE u32 sonde_mc_command(u64 word)
{
#define SONDE_MC_IS(s, shape, kind)                                                                                    \
	if (word == SONDE_WORD(s, 0))                                                                                  \
		return SONDE_MC_##shape | SONDE_MC_##kind << 8;
	SONDE_MC_IS("get", KEYS, GET)
	SONDE_MC_IS("gets", KEYS, GET)
	SONDE_MC_IS("gat", TIME_KEYS, GET)
	SONDE_MC_IS("gats", TIME_KEYS, GET)
	SONDE_MC_IS("set", DATA, STORE)
	SONDE_MC_IS("add", DATA, STORE)
	SONDE_MC_IS("replace", DATA, STORE)
	SONDE_MC_IS("append", DATA, STORE)
	SONDE_MC_IS("prepend", DATA, STORE)
	SONDE_MC_IS("cas", DATA, STORE)
	SONDE_MC_IS("delete", KEY, PLAIN)
	SONDE_MC_IS("incr", KEY, PLAIN)
	SONDE_MC_IS("decr", KEY, PLAIN)
	SONDE_MC_IS("touch", KEY, PLAIN)
	SONDE_MC_IS("mg", META, PLAIN)
	SONDE_MC_IS("ms", META_DATA, STORE)
	SONDE_MC_IS("md", META, PLAIN)
	SONDE_MC_IS("ma", META, PLAIN)
	SONDE_MC_IS("me", KEY, PLAIN)
	SONDE_MC_IS("mn", NONE, PLAIN)
	SONDE_MC_IS("stats", WORD, LINES)
	SONDE_MC_IS("version", NONE, VERSION)
	SONDE_MC_IS("flush_all", NONE, PLAIN)
	SONDE_MC_IS("verbosity", NONE, PLAIN)
	SONDE_MC_IS("lru", WORD, PLAIN)
	SONDE_MC_IS("lru_crawler", WORD, LINES)
	SONDE_MC_IS("slabs", WORD, PLAIN)
	SONDE_MC_IS("cache_memlimit", NONE, PLAIN)
	SONDE_MC_IS("shutdown", NONE, PLAIN)
	SONDE_MC_IS("quit", QUIT, PLAIN)
	SONDE_MC_IS("watch", WATCH, PLAIN)
#undef SONDE_MC_IS
	return 0;
}

/* Whether a word that is just "@letter" stands in [@from, @to), behind a blank. */
SONDE_INLINE bool sonde_mc_flag(const struct sonde_win *w, u32 from, u32 to, u32 letter)
{
	for (u32 i = 0; i < SONDE_MC_FLAGS_MAX; i += 8) {
		u64 a, b, hit;
		u32 at = from + i;

		if (at + 2 > to)
			break;
		a = sonde_win_u64(w, at);
		b = sonde_win_u64(w, at + 1);
		/* Bounds may be equal. NOLINTNEXTLINE(misc-redundant-expression) */
		hit = SONDE_BYTES_WITHIN(a, ' ', ' ') & SONDE_BYTES_WITHIN(b ^ letter * SONDE_ONES, 0, 0) &
		      SONDE_BYTES_WITHIN(sonde_win_u64(w, at + 2), 0, ' ');
		if (hit && at + sonde_bytes_before(hit) + 2 <= to)
			return true;
	}
	return false;
}

/** struct sonde_mc_line - a line being read */
struct sonde_mc_line {
	u32 size; /* with its end */
	u32 end; /* where that begins, in the window */
	u32 off, len; /* the last word */
	u32 whole; /* 0: the line is longer than what is read of it */
};

/** sonde_mc_next - the next word of the line; its length */
SONDE_INLINE u32 sonde_mc_next(const struct sonde_win *w, struct sonde_mc_line *l)
{
	u32 off = l->off + l->len;

	l->len = 0;
	if (off < l->end && sonde_win_u8(w, off) == ' ')
		off++;
	if (off < l->end && sonde_win_u8(w, off) == ' ')
		off++;
	l->off = off;
	if (off < l->end)
		l->len = SONDE_TOKEN(w, off, sonde_min_u32(l->end - off, SONDE_TOKEN_MAX));
	return l->len;
}

/* The kernel side replaces these by subprograms of their own. */
#ifndef SONDE_MC_FLAG
#define SONDE_MC_FLAG(w, from, to, letter) sonde_mc_flag(w, from, to, letter)
#define SONDE_MC_NEXT(w, l) sonde_mc_next(w, l)
#define SONDE_MC_HASH_TEXT(w, pos, len) sonde_win_hash_text(w, pos, len)
#endif

/* The line at @pos; 0 or SONDE_PARSE_MORE. */
SONDE_INLINE int sonde_mc_read(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_mc_line *l,
			       struct sonde_msg *m)
{
	u32 size = SONDE_LINE(w, pos, sonde_min_u32(avail, SONDE_LINE_MAX));

	if (!size && avail < SONDE_LINE_MAX) {
		m->size = avail + 1;
		return SONDE_PARSE_MORE;
	}
	l->whole = !!size;
	l->size = size ? size : SONDE_LINE_MAX;
	l->end = pos + l->size - (size ? 1 : 0);
	if (size > 1 && sonde_win_u8(w, l->end - 1) == '\r')
		l->end--;
	l->off = pos;
	l->len = SONDE_TOKEN(w, pos, sonde_min_u32(l->end - pos, SONDE_TOKEN_MAX));
	m->size = l->size;
	return 0;
}

/* The last word as a number; SONDE_MC_DATA_MAX + 1 if it is none. */
SONDE_INLINE u64 sonde_mc_number(const struct sonde_win *w, const struct sonde_mc_line *l)
{
	u64 word = sonde_win_u64(w, l->off), value;
	u32 n = l->len < 8 ? l->len : 8, rest = l->len - n;

	word = sonde_bytes_low(word, n);
	if (!n || rest > 2 || SONDE_BYTES_COUNT(SONDE_BYTES_WITHIN(word, '0', '9')) != n)
		return SONDE_MC_DATA_MAX + 1ULL;
	value = sonde_bytes_number(word, n);
	if (rest) {
		word = sonde_bytes_low(sonde_win_u64(w, l->off + 8), rest);
		if (SONDE_BYTES_COUNT(SONDE_BYTES_WITHIN(word, '0', '9')) != rest)
			return SONDE_MC_DATA_MAX + 1ULL;
		value = value * (rest == 2 ? 100 : 10) + sonde_bytes_number(word, rest);
	}
	return value;
}

/* The last word of the line is the length of the data behind it. */
SONDE_INLINE void sonde_mc_data(const struct sonde_win *w, const struct sonde_mc_line *l, struct sonde_msg *m)
{
	u64 bytes = sonde_mc_number(w, l);

	if (bytes <= SONDE_MC_DATA_MAX)
		m->size = l->size + bytes + 2;
}

/* The rest of a long line. */
SONDE_INLINE int sonde_mc_rest(const struct sonde_win *w, u32 pos, u32 avail, u32 *mode, struct sonde_msg *m)
{
	u32 size = SONDE_LINE(w, pos, sonde_min_u32(avail, SONDE_LINE_MAX));

	if (!size && avail < SONDE_LINE_MAX) {
		m->size = avail + 1;
		return SONDE_PARSE_MORE;
	}
	m->size = size ? size : SONDE_LINE_MAX;
	if (size)
		*mode &= ~SONDE_MC_LINE;
	return SONDE_PARSE_OK;
}

/* Quiet form of a meta command, by the second letter of its name. */
SONDE_INLINE u32 sonde_mc_quiet(u32 letter)
{
	switch (letter) {
	case 'g':
		return SONDE_MC_QUIET_GET;
	case 's':
		return SONDE_MC_QUIET_STORE;
	case 'd':
		return SONDE_MC_QUIET_DELETE;
	default:
		return SONDE_MC_QUIET_COUNT;
	}
}

/* Key, parameters, and what stands behind them. The last word is the key. */
SONDE_INLINE void sonde_mc_key(const struct sonde_win *w, struct sonde_mc_line *l, u32 shape, u32 letter,
			       struct sonde_msg *m)
{
	u32 key = l->off, len = l->len, flags = key + len, n;

	if (!len)
		return;
	n = sonde_min_u32(l->end - key, 128);
	m->params = SONDE_MC_HASH_TEXT(w, key, n);
	sonde_label_byte(&m->label, ' ');
	if ((shape == SONDE_MC_META || shape == SONDE_MC_META_DATA) && SONDE_MC_FLAG(w, flags, l->end, 'b'))
		sonde_label_byte(&m->label, '?'); /* base64 of something */
	else
		sonde_key_pattern(w, key, len, &m->label);
	switch (shape) {
	case SONDE_MC_KEYS:
	case SONDE_MC_TIME_KEYS:
		if (SONDE_MC_NEXT(w, l))
			sonde_label_word(&m->label, SONDE_WORD(" ...", 0), 4);
		break;
	case SONDE_MC_DATA:
		SONDE_MC_NEXT(w, l);
		SONDE_MC_NEXT(w, l);
		SONDE_MC_NEXT(w, l);
		sonde_mc_data(w, l, m);
		break;
	case SONDE_MC_META_DATA:
		SONDE_MC_NEXT(w, l);
		sonde_mc_data(w, l, m);
		break;
	}
	if ((shape == SONDE_MC_META || shape == SONDE_MC_META_DATA) && SONDE_MC_FLAG(w, flags, l->end, 'q')) {
		m->kind = sonde_mc_quiet(letter);
		m->flags |= SONDE_MSG_QUIET;
	}
}

/* The kernel side replaces this by a subprogram of its own. */
#ifndef SONDE_MC_ARGUMENTS
#define SONDE_MC_ARGUMENTS(w, l, shape, letter, m) sonde_mc_key(w, l, shape, letter, m)
#endif

/* First word of a command, of which eight bytes tell it apart from all others. */
SONDE_INLINE u64 sonde_mc_word(const struct sonde_win *w, const struct sonde_mc_line *l)
{
	return l->len > 14 ? 0 : sonde_bytes_low(sonde_win_u64(w, l->off), l->len);
}

/** sonde_memcached_client - describe the client's command at @pos; enum sonde_parse */
SONDE_INLINE int sonde_memcached_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					struct sonde_msg *m)
{
	struct sonde_mc_line l = {};
	u32 shape;
	u64 word;

	if (SONDE_UNLIKELY(st->fe_mode & SONDE_MC_LINE))
		return sonde_mc_rest(w, pos, avail, &st->fe_mode, m);
	if (sonde_mc_read(w, pos, avail, &l, m))
		return SONDE_PARSE_MORE;
	word = sonde_mc_word(w, &l);
	shape = sonde_mc_command(word);
	if (!shape && sonde_win_u8(w, pos) < ' ' && sonde_win_u8(w, pos) != '\r' && sonde_win_u8(w, pos) != '\n')
		return SONDE_PARSE_BAD;
	if (!shape && sonde_win_u8(w, pos) >= 0x7f)
		return SONDE_PARSE_BAD;
	m->op = SONDE_OP_COMMAND;
	m->kind = shape >> 8 ? shape >> 8 : SONDE_MC_PLAIN;
	shape &= 0xff;
	if (!l.whole) {
		if (shape != SONDE_MC_KEYS && shape != SONDE_MC_TIME_KEYS)
			return SONDE_PARSE_BAD;
		st->fe_mode |= SONDE_MC_LINE;
	}
	if (shape == SONDE_MC_QUIT) {
		m->op = SONDE_OP_END;
		return SONDE_PARSE_OK;
	}
	if (shape == SONDE_MC_WATCH) { /* log lines follow without end */
		m->op = SONDE_OP_IGNORE;
		return SONDE_PARSE_OK;
	}
	if (shape == SONDE_MC_UNKNOWN) { /* answered with ERROR; may be a piece of data: not shown */
		sonde_label_byte(&m->label, '?');
		return SONDE_PARSE_OK;
	}
	sonde_label_word(&m->label, word, l.len < 8 ? l.len : 8);
	if (l.len > 8)
		sonde_label_word(&m->label, sonde_win_u64(w, pos + 8), l.len - 8);
	if (l.whole && l.end >= pos + 8 && sonde_win_u64(w, l.end - 8) == SONDE_WORD(" noreply", 0))
		m->flags |= SONDE_MSG_NO_REPLY;
	if (shape == SONDE_MC_TIME_KEYS)
		SONDE_MC_NEXT(w, &l);
	if (shape != SONDE_MC_NONE) {
		SONDE_MC_NEXT(w, &l);
		SONDE_MC_ARGUMENTS(w, &l, shape, sonde_win_u8(w, pos + 1), m);
	}
	return SONDE_PARSE_OK;
}

/* Whether the answer @word cannot be that to the oldest command, a quiet one: then that is complete. */
SONDE_INLINE bool sonde_mc_loud(u64 word, u32 expect)
{
	switch (expect) {
	case SONDE_MC_QUIET_GET:
		return word != SONDE_WORD("VA", 0) && word != SONDE_WORD("HD", 0);
	case SONDE_MC_QUIET_STORE:
	case SONDE_MC_QUIET_COUNT:
		return word != SONDE_WORD("NS", 0) && word != SONDE_WORD("EX", 0) && word != SONDE_WORD("NF", 0);
	default: /* newer servers than 1.6.18 do not say NF to md q */
		return word != SONDE_WORD("EX", 0) && word != SONDE_WORD("NF", 0);
	}
}

/* ERROR, CLIENT_ERROR, SERVER_ERROR. */
SONDE_INLINE void sonde_mc_error(const struct sonde_win *w, u32 pos, u32 len, u32 end, u64 word, u32 expect,
				 struct sonde_msg *m)
{
	u64 why = pos + len + 9 <= end ? sonde_win_u64(w, pos + len + 1) : 0;

	m->op = SONDE_OP_ERROR;
	m->sqlstate = word & 0xffffffffffULL;
	m->error_class = word == SONDE_WORD("SERVER_ERROR", 0) ? SONDE_ERR_RESOURCE : SONDE_ERR_SYNTAX;
	if (why == SONDE_WORD("cannot i", 0))
		m->error_class = SONDE_ERR_DATA;
	/* only a command that stores is told so; it was sent with noreply */
	if ((why == SONDE_WORD("object t", 0) || why == SONDE_WORD("bad data", 0)) && expect != SONDE_MC_STORE &&
	    expect != SONDE_MC_QUIET_STORE)
		m->op = SONDE_OP_NONE;
}

/** sonde_memcached_server - describe the server's answer, or line of one, at @pos; enum sonde_parse */
SONDE_INLINE int sonde_memcached_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					struct sonde_msg *m)
{
	struct sonde_mc_line l = {};
	u32 expect = st->expect;
	u64 word;

	if (SONDE_UNLIKELY(st->be_mode & SONDE_MC_LINE))
		return sonde_mc_rest(w, pos, avail, &st->be_mode, m);
	if (sonde_mc_read(w, pos, avail, &l, m))
		return SONDE_PARSE_MORE;
	word = sonde_mc_word(w, &l);
	if (!l.whole && expect != SONDE_MC_LINES)
		return SONDE_PARSE_BAD;
	if (word == SONDE_WORD("VALUE", 0)) {
		SONDE_MC_NEXT(w, &l);
		SONDE_MC_NEXT(w, &l);
		SONDE_MC_NEXT(w, &l);
		sonde_mc_data(w, &l, m);
		m->op = SONDE_OP_ROW;
		return m->size == l.size ? SONDE_PARSE_BAD : SONDE_PARSE_OK;
	}
	if (expect == SONDE_MC_VERSION && word == SONDE_WORD("OK", 0))
		return SONDE_PARSE_BAD;
	m->op = SONDE_OP_DONE;
	m->rows = 1;
	if (expect >= SONDE_MC_QUIET_GET && sonde_mc_loud(word, expect))
		m->flags |= SONDE_MSG_LOUD;
	if (word == SONDE_WORD("END", 0)) {
		m->rows = SONDE_ROWS_COUNTED;
	} else if (word == SONDE_WORD("VA", 0)) {
		SONDE_MC_NEXT(w, &l);
		sonde_mc_data(w, &l, m);
		return m->size == l.size ? SONDE_PARSE_BAD : SONDE_PARSE_OK;
	} else if (word == SONDE_WORD("ERROR", 0) || word == SONDE_WORD("CLIENT_ERROR", 0) ||
		   word == SONDE_WORD("SERVER_ERROR", 0)) {
		m->flags = 0;
		sonde_mc_error(w, pos, l.len, l.end, word, expect, m);
	} else if (word == SONDE_WORD("NOT_FOUND", 0) || word == SONDE_WORD("NOT_STORED", 0) ||
		   word == SONDE_WORD("EXISTS", 0) || word == SONDE_WORD("EN", 0) || word == SONDE_WORD("NF", 0) ||
		   word == SONDE_WORD("NS", 0) || word == SONDE_WORD("EX", 0)) {
		m->rows = 0;
	} else if (word != SONDE_WORD("STORED", 0) && word != SONDE_WORD("DELETED", 0) &&
		   word != SONDE_WORD("TOUCHED", 0) && word != SONDE_WORD("OK", 0) && word != SONDE_WORD("HD", 0) &&
		   word != SONDE_WORD("MN", 0) && word != SONDE_WORD("ME", 0) && word != SONDE_WORD("RESET", 0) &&
		   word != SONDE_WORD("VERSION", 0)) {
		if (expect == SONDE_MC_LINES)
			m->op = SONDE_OP_REPLY;
		else if (sonde_win_u8(w, pos) - '0' > 9 && sonde_win_u8(w, pos) - 'A' > 25)
			return SONDE_PARSE_BAD; /* neither a counter's value nor a word in capitals (BUSY, SAME, ...) */
	}
	if (!l.whole)
		st->be_mode |= SONDE_MC_LINE;
	return SONDE_PARSE_OK;
}

/** sonde_memcached_plausible - the first three letters of a command that tells enough; shorter: small letters */
SONDE_INLINE bool sonde_memcached_plausible(u64 head, u32 total)
{
	u64 word = head & 0xffffff;

	if (total < 3)
		return (head & 0xff) - 'a' < 26;
	return word == SONDE_WORD("get", 0) || word == SONDE_WORD("set", 0) || word == SONDE_WORD("gat", 0) ||
	       word == SONDE_WORD("add", 0) || word == SONDE_WORD("rep", 0) || word == SONDE_WORD("app", 0) ||
	       word == SONDE_WORD("pre", 0) || word == SONDE_WORD("cas", 0) || word == SONDE_WORD("del", 0) ||
	       word == SONDE_WORD("inc", 0) || word == SONDE_WORD("dec", 0) || word == SONDE_WORD("tou", 0) ||
	       word == SONDE_WORD("mg ", 0) || word == SONDE_WORD("ms ", 0) || word == SONDE_WORD("md ", 0) ||
	       word == SONDE_WORD("ma ", 0) || word == SONDE_WORD("mn\r", 0) || word == SONDE_WORD("ver", 0) ||
	       word == SONDE_WORD("flu", 0);
}

/* Whether the @nr words behind the last one are numbers. */
SONDE_INLINE bool sonde_mc_numbers(const struct sonde_win *w, struct sonde_mc_line *l, u32 nr)
{
	for (u32 i = 0; i < 3; i++) {
		u32 first;

		if (i >= nr)
			break;
		first = SONDE_MC_NEXT(w, l) ? sonde_win_u8(w, l->off) : 0;
		if (first - '0' > 9 && first != '-')
			return false;
	}
	return true;
}

/**
 * sonde_memcached_detect - whether @total bytes, the first @avail of them in the window, are a memcached client's
 *
 * Strict: a line with CRLF, a command that few others have, and as many arguments of the right kind. Returns enum
 * sonde_detect.
 */
SONDE_INLINE int sonde_memcached_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st)
{
	struct sonde_mc_line l = {};
	struct sonde_msg m;
	u32 shape, key;
	u64 word;

	if (!avail || !sonde_memcached_plausible(sonde_bytes_low(sonde_win_u64(w, 0), avail), total))
		return SONDE_DETECT_NO;
	if (sonde_mc_read(w, 0, avail, &l, &m))
		return total <= 16 && total == avail ? SONDE_DETECT_MORE : SONDE_DETECT_NO;
	word = sonde_mc_word(w, &l);
	shape = sonde_mc_command(word) & 0xff;
	if (!l.whole ? shape != SONDE_MC_KEYS : l.end + 2 != l.size)
		return SONDE_DETECT_NO;
	if (shape == SONDE_MC_NONE)
		return l.len == l.end ? SONDE_DETECT_CLIENT : SONDE_DETECT_NO;
	if (shape < SONDE_MC_KEY || shape > SONDE_MC_META_DATA)
		return SONDE_DETECT_NO;
	if (shape == SONDE_MC_TIME_KEYS && !sonde_mc_numbers(w, &l, 1))
		return SONDE_DETECT_NO;
	key = SONDE_MC_NEXT(w, &l);
	if (!key || key > SONDE_MC_KEY_MAX)
		return SONDE_DETECT_NO;
	/* A job's number, not a key: delete and touch are beanstalkd's as well. */
	if (shape == SONDE_MC_KEY && sonde_mc_number(w, &l) <= SONDE_MC_DATA_MAX)
		return SONDE_DETECT_NO;
	if (shape == SONDE_MC_DATA && !sonde_mc_numbers(w, &l, 3))
		return SONDE_DETECT_NO;
	if (shape == SONDE_MC_META_DATA && !sonde_mc_numbers(w, &l, 1))
		return SONDE_DETECT_NO;
	return SONDE_DETECT_CLIENT;
}

#endif /* SONDE_PROTO_MEMCACHED_H */
