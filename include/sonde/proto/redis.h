/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * redis.h - Redis (Valkey, KeyDB, Dragonfly): detection, and the serialization protocol RESP 2 and 3.
 *
 * Source: the Redis documentation, "Redis serialization protocol specification" for the types, the command reference for
 * who answers what, "Redis Pub/Sub", "Transactions", CLIENT REPLY. A command is an array of bulk strings, or one line.
 *
 * What is not exact: UNSUBSCRIBE without channels ends with the first of its replies. Of arguments behind the third one
 * after the key, and of any beyond SONDE_REDIS_HASH bytes, nothing goes into the hash of parameters.
 */
#ifndef SONDE_PROTO_REDIS_H
#define SONDE_PROTO_REDIS_H

#include "redis_command.h"
#include "redis_reply.h"

/** sonde_redis_client - describe the client's message at @pos, of which @avail bytes are in the window; enum sonde_parse */
SONDE_INLINE int sonde_redis_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	if (!avail) {
		m->size = 1;
		return SONDE_PARSE_MORE;
	}
	m->type = sonde_win_u8(w, pos);
	if (st->fe_left)
		return sonde_redis_argument(w, pos, avail, st, m);
	if (SONDE_UNLIKELY(st->fe_mode & SONDE_REDIS_FE_LINE))
		return sonde_redis_line_rest(w, pos, avail, st, m);
	if (m->type == '*')
		return sonde_redis_array(w, pos, avail, st, m);
	return SONDE_REDIS_INLINE(w, pos, avail, st, m);
}

/** sonde_redis_server - describe the server's message at @pos; enum sonde_parse */
SONDE_INLINE int sonde_redis_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	if (SONDE_UNLIKELY(st->be_mode & SONDE_REDIS_BE_LINE))
		return sonde_redis_reply_rest(w, pos, avail, st, m);
	return sonde_redis_reply(w, pos, avail, st, m);
}

/** sonde_redis_plausible - "*" and a digit, or the inline command that everybody uses to ask whether the server is there */
SONDE_INLINE bool sonde_redis_plausible(u64 head, u32 total)
{
	u32 second = head >> 8 & 0xff;

	if ((head & 0xff) != '*')
		return total >= 6 && (head & 0xffffffffffffULL) == SONDE_WORD("PING\r\n", 0);
	return total < 2 || (second >= '1' && second <= '9');
}

/* Whether what looks like (P|S)(UN)SUBSCRIBE is the server's answer to it: a number is the third part. */
SONDE_INLINE bool sonde_redis_is_answer(const struct sonde_win *w, struct sonde_redis_args *a)
{
	if (a->left != 2)
		return false;
	if (SONDE_REDIS_NEXT(w, a) || a->at >= a->avail)
		return true; /* cannot be told */
	return sonde_win_u8(w, a->pos + a->at) != '$';
}

/**
 * sonde_redis_detect - whether @total bytes, the first @avail of them in the window from 0 on, are a Redis client's
 *
 * Strict: an array whose first element is the name of a command that is known (redis.def, or a module's: with a dot), or
 * PING as a line. Returns enum sonde_detect.
 */
SONDE_INLINE int sonde_redis_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st)
{
	int more = total <= 16 && avail == total ? SONDE_DETECT_MORE : SONDE_DETECT_NO;
	struct sonde_redis_args a = { .avail = avail };
	struct sonde_redis_call call = {};
	u32 have;
	u64 head;
	int ret;

	if (!avail || !sonde_redis_plausible(sonde_bytes_low(sonde_win_u64(w, 0), avail), total))
		return SONDE_DETECT_NO;
	if (sonde_win_u8(w, 0) == 'P')
		return total == 6 || (total >= 10 && avail >= 10 && sonde_win_le32(w, 6) == (u32)sonde_win_u64(w, 0))
			       ? SONDE_DETECT_CLIENT
			       : SONDE_DETECT_NO;
	head = SONDE_REDIS_NUMBER(w, 1, avail - 1);
	if (head & SONDE_REDIS_NUM_MORE)
		return more;
	if (head >> 40 || (u32)head > 1024 * 1024)
		return SONDE_DETECT_NO;
	a.at = 1 + SONDE_REDIS_NUM_LEN(head);
	a.left = head;
	ret = SONDE_REDIS_NEXT(w, &a);
	if (ret || a.len > SONDE_REDIS_NAME)
		return ret == -SONDE_PARSE_MORE ? more : SONDE_DETECT_NO;
	have = sonde_min_u32(a.len, avail > a.off ? avail - a.off : 0);
	call.len = a.len;
	sonde_redis_name(w, a.off, have, call.word);
	if (have < a.len) { /* a long name, cut where it cannot be waited for */
		if (more == SONDE_DETECT_MORE)
			return more;
		return have >= 4 && SONDE_BYTES_COUNT(sonde_redis_wordlike(call.word[0])) +
						       SONDE_BYTES_COUNT(sonde_redis_wordlike(call.word[1])) ==
					       have
			       ? SONDE_DETECT_CLIENT
			       : SONDE_DETECT_NO;
	}
	sonde_redis_look_up(&call);
	if (avail >= a.at && sonde_redis_whole(w, &a))
		return SONDE_DETECT_NO;
	if (!call.shape || (call.kind >= SONDE_REDIS_KIND_SUBSCRIBE && sonde_redis_is_answer(w, &a)))
		return SONDE_DETECT_NO;
	return SONDE_DETECT_CLIENT;
}

#endif /* SONDE_PROTO_REDIS_H */
