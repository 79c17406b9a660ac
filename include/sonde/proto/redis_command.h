/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * redis_command.h - what a Redis client says: commands, their names, keys and parameters.
 *
 * A message is the command with its key and, as long as they are short, up to three more arguments; the other arguments
 * are messages of no interest, sonde_state.fe_left of them.
 */
#ifndef SONDE_PROTO_REDIS_COMMAND_H
#define SONDE_PROTO_REDIS_COMMAND_H

#include "redis_wire.h"

#define SONDE_REDIS_SHORT 512u /* longest argument that is waited for; behind a longer one the message ends */
#define SONDE_REDIS_SCRIPT_SHORT 2048u /* the same of a script */
#define SONDE_REDIS_TAIL 3u /* arguments behind the key that belong to its message */
#define SONDE_REDIS_HASH 128u /* bytes from the key on that count as parameters */
#define SONDE_REDIS_NAME 24u /* longest name of a command */

/* sonde_state.fe_mode */
#define SONDE_REDIS_FE_LINE 1u /* in the rest of a long inline command */
#define SONDE_REDIS_FE_OFF 2u /* CLIENT REPLY OFF: nothing is answered */
#define SONDE_REDIS_FE_SKIP 4u /* CLIENT REPLY SKIP: the next command is not answered */

/* Where the keys are: column 2 of redis.def. */
enum sonde_redis_shape {
	SONDE_REDIS_UNKNOWN = 0,
	SONDE_REDIS_NONE,
	SONDE_REDIS_KEY,
	SONDE_REDIS_KEYS,
	SONDE_REDIS_KEYS_TIME,
	SONDE_REDIS_PAIRS,
	SONDE_REDIS_SECOND,
	SONDE_REDIS_THIRD,
	SONDE_REDIS_GROUP,
	SONDE_REDIS_GROUP_KEY,
	SONDE_REDIS_STREAMS,
	SONDE_REDIS_VALUE,
	SONDE_REDIS_SECRET,
	SONDE_REDIS_SCRIPT,
	SONDE_REDIS_SHA,
	SONDE_REDIS_FUNCTION,
	SONDE_REDIS_DATABASE,
	SONDE_REDIS_REPLICA,
};

/** sonde_redis_command - shape | kind << 8 of the command whose name, in upper case, folds to @name; 0 unknown */
SONDE_INLINE u32 sonde_redis_command(u64 name)
{
#define SONDE_REDIS_COMMAND(s, shape, kind)                                                                            \
	if (name == SONDE_REDIS_CODE(s))                                                                               \
		return SONDE_REDIS_##shape | SONDE_REDIS_KIND_##kind << 8;
#include "redis.def"
	return 0;
}

/* The kernel side replaces these by subprograms of their own. */
#ifndef SONDE_REDIS_LOOKUP
#define SONDE_REDIS_LOOKUP(name) sonde_redis_command(name)
#define SONDE_REDIS_HASH_TEXT(w, pos, len) sonde_win_hash_text(w, pos, len)
#endif

#define SONDE_REDIS_THEN_KEY 2 /* beside enum sonde_parse, negative, and 1: the key is the next argument */

/** struct sonde_redis_call - the command being described */
struct sonde_redis_call {
	struct sonde_redis_args a;
	u64 word[3]; /* its name in upper case */
	u32 len; /* bytes of the name */
	u32 shape, kind;
	u32 hash_off; /* parameters begin here, 0: there are none */
	u32 next; /* fe_mode after this command */
	u32 silent; /* 1: is not answered */
	u32 several; /* 1: more keys follow the one that is shown */
	u32 pad;
};

_Static_assert(sizeof(struct sonde_redis_call) <= sizeof(((struct sonde_msg *)0)->scratch), "it lies there");

/* Name of the command or its second part, @len bytes at @off, to words in upper case. */
SONDE_INLINE void sonde_redis_name(const struct sonde_win *w, u32 off, u32 len, u64 word[3])
{
	word[0] = sonde_bytes_upper(sonde_bytes_low(sonde_win_u64(w, off), len));
	word[1] = len > 8 ? sonde_bytes_upper(sonde_bytes_low(sonde_win_u64(w, off + 8), len - 8)) : 0;
	word[2] = len > 16 ? sonde_bytes_upper(sonde_bytes_low(sonde_win_u64(w, off + 16), len - 16)) : 0;
}

/* Bytes of @word that may be part of a name that is not in the list. */
SONDE_INLINE u64 sonde_redis_wordlike(u64 word)
{
	return SONDE_BYTES_WITHIN(word, 'A', 'Z') | SONDE_BYTES_WITHIN(word, '-', '.') |
	       SONDE_BYTES_WITHIN(word, '_', '_');
}

/* The name to the label; one that no command should have is not shown: it may be anything. */
SONDE_INLINE void sonde_redis_label(struct sonde_label *l, const u64 word[3], u32 len, bool known)
{
	u32 fits = SONDE_BYTES_COUNT(sonde_redis_wordlike(word[0])) + SONDE_BYTES_COUNT(sonde_redis_wordlike(word[1])) +
		   SONDE_BYTES_COUNT(sonde_redis_wordlike(word[2]));

	if (len > SONDE_REDIS_NAME || !len || (!known && fits != len)) {
		sonde_label_byte(l, '?');
		return;
	}
	sonde_label_word(l, word[0], len < 8 ? len : 8);
	if (len > 8)
		sonde_label_word(l, word[1], len < 16 ? len - 8 : 8);
	if (len > 16)
		sonde_label_word(l, word[2], len - 16);
}

/* " ?" */
SONDE_INLINE void sonde_redis_value(struct sonde_label *l)
{
	sonde_label_word(l, SONDE_WORD(" ?", 0), 2);
}

/* Data structures of the modules: their commands have the key in front. */
SONDE_INLINE bool sonde_redis_is_module(u64 name)
{
	return (name & 0xffffffffffULL) == SONDE_WORD("JSON.", 0) || (name & 0xffffff) == SONDE_WORD("BF.", 0) ||
	       (name & 0xffffff) == SONDE_WORD("CF.", 0) || (name & 0xffffffff) == SONDE_WORD("CMS.", 0) ||
	       (name & 0xffffffffffULL) == SONDE_WORD("TOPK.", 0) || name == SONDE_WORD("TDIGEST.", 0);
}

/* What the command is, from its name. */
SONDE_INLINE void sonde_redis_look_up(struct sonde_redis_call *call)
{
	u32 found = 0;

	if (call->len <= SONDE_REDIS_NAME)
		found = SONDE_REDIS_LOOKUP(SONDE_REDIS_FOLD(call->word[0], call->word[1], call->word[2]));
	if (!found && sonde_redis_is_module(call->word[0]))
		found = SONDE_REDIS_KEY | SONDE_REDIS_KIND_PLAIN << 8;
	call->shape = found & 0xff;
	call->kind = found >> 8 ? found >> 8 : SONDE_REDIS_KIND_PLAIN;
}

/* Number of the argument that is the key, 0: none. */
SONDE_INLINE u32 sonde_redis_key_at(u32 shape)
{
	switch (shape) {
	case SONDE_REDIS_KEY:
	case SONDE_REDIS_KEYS:
	case SONDE_REDIS_KEYS_TIME:
	case SONDE_REDIS_PAIRS:
	case SONDE_REDIS_FUNCTION:
	case SONDE_REDIS_DATABASE:
		return 1;
	case SONDE_REDIS_SECOND:
		return 2;
	case SONDE_REDIS_THIRD:
		return 3;
	default:
		return 0;
	}
}

/* Whether further keys follow the first, @left arguments behind it. */
SONDE_INLINE bool sonde_redis_several(u32 shape, u32 left)
{
	if (shape == SONDE_REDIS_KEYS)
		return left > 0;
	return (shape == SONDE_REDIS_KEYS_TIME || shape == SONDE_REDIS_PAIRS) && left > 1;
}

/* The next argument is the key: its pattern to the label. 0: go on, 1: the message ends here; else enum sonde_parse, -. */
SONDE_INLINE int sonde_redis_key(const struct sonde_win *w, struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_redis_args *a = &call->a;
	u32 want;
	int ret;

	if (!a->left)
		return 0;
	ret = SONDE_REDIS_NEXT(w, a);
	if (ret)
		return ret;
	want = a->off - a->pos + sonde_min_u32(a->len, SONDE_REDIS_HASH);
	if (a->len > SONDE_REDIS_SHORT) {
		if (sonde_redis_lacks(a, want))
			return -SONDE_PARSE_MORE;
	} else {
		ret = sonde_redis_whole(w, a);
		if (ret)
			return ret;
	}
	if (call->shape == SONDE_REDIS_DATABASE) {
		m->db_off = a->off;
		m->db_len = a->len <= 10 ? a->len : 0;
		m->flags |= m->db_len ? SONDE_MSG_DATABASE : 0;
		sonde_redis_value(&m->label);
		return 0;
	}
	sonde_label_byte(&m->label, ' ');
	if (a->len)
		sonde_key_pattern(w, a->off, a->len, &m->label);
	else
		sonde_label_byte(&m->label, '?');
	if (call->several || sonde_redis_several(call->shape, a->left))
		sonde_label_word(&m->label, SONDE_WORD(" ...", 0), 4);
	call->hash_off = a->off;
	return a->len > SONDE_REDIS_SHORT;
}

/* The next argument is passed by; the same answers. */
SONDE_INLINE int sonde_redis_pass(const struct sonde_win *w, struct sonde_redis_args *a, u32 longest)
{
	int ret;

	if (!a->left)
		return 0;
	ret = SONDE_REDIS_NEXT(w, a);
	if (ret)
		return ret;
	return a->len > longest;
}

/* CLIENT REPLY ON, OFF, SKIP. */
SONDE_INLINE int sonde_redis_client_reply(const struct sonde_win *w, struct sonde_redis_call *call)
{
	struct sonde_redis_args *a = &call->a;
	u64 word;
	int ret;

	if (!a->left)
		return 0;
	ret = SONDE_REDIS_NEXT(w, a);
	if (ret)
		return ret;
	if (a->len > SONDE_REDIS_SHORT)
		return 1;
	ret = sonde_redis_whole(w, a);
	if (ret)
		return ret;
	word = sonde_bytes_upper(sonde_bytes_low(sonde_win_u64(w, a->off), a->len));
	if (a->len == 2 && word == SONDE_WORD("ON", 0)) {
		call->next = 0;
		call->silent = 0;
	} else if (a->len == 3 && word == SONDE_WORD("OFF", 0)) {
		call->next = SONDE_REDIS_FE_OFF;
		call->silent = 1;
	} else if (a->len == 4 && word == SONDE_WORD("SKIP", 0)) {
		call->next = call->next & SONDE_REDIS_FE_OFF ? SONDE_REDIS_FE_OFF : SONDE_REDIS_FE_SKIP;
		call->silent = 1;
	}
	return 0;
}

/* The second part of the command's name. */
SONDE_INLINE int sonde_redis_group(const struct sonde_win *w, struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_redis_args *a = &call->a;
	int ret;

	if (!a->left)
		return 0;
	ret = SONDE_REDIS_NEXT(w, a);
	if (ret)
		return ret;
	sonde_label_byte(&m->label, ' ');
	if (a->len > SONDE_REDIS_NAME) {
		sonde_label_byte(&m->label, '?');
		return a->len > SONDE_REDIS_SHORT;
	}
	ret = sonde_redis_whole(w, a);
	if (ret)
		return ret;
	sonde_redis_name(w, a->off, a->len, call->word);
	sonde_redis_label(&m->label, call->word, a->len, false);
	if (call->kind == SONDE_REDIS_KIND_CLIENT && a->len == 5 && call->word[0] == SONDE_WORD("REPLY", 0))
		return sonde_redis_client_reply(w, call);
	return call->shape == SONDE_REDIS_GROUP_KEY ? SONDE_REDIS_THEN_KEY : 0;
}

/* XREAD [COUNT n] [BLOCK ms] STREAMS key [key ...] id [id ...], XREADGROUP GROUP g c ... */
SONDE_INLINE int sonde_redis_streams(const struct sonde_win *w, struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_redis_args *a = &call->a;
	int ret;

	for (u32 i = 0; i < 9; i++) {
		u64 word;

		if (!a->left)
			return 0;
		ret = SONDE_REDIS_NEXT(w, a);
		if (ret)
			return ret;
		if (a->len > SONDE_REDIS_SHORT)
			return 1;
		ret = sonde_redis_whole(w, a);
		if (ret)
			return ret;
		word = sonde_bytes_upper(sonde_bytes_low(sonde_win_u64(w, a->off), a->len));
		if (a->len == 5 && word == SONDE_WORD("BLOCK", 0))
			m->flags |= SONDE_MSG_BLOCKING;
		if (a->len == 7 && word == SONDE_WORD("STREAMS", 0)) {
			call->several = a->left > 2; /* keys and as many ids */
			return SONDE_REDIS_THEN_KEY;
		}
	}
	return 0;
}

/* EVALSHA sha numkeys key ...: the hash is shown: it names the script and says nothing about its text. */
SONDE_INLINE int sonde_redis_sha(const struct sonde_win *w, struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_redis_args *a = &call->a;
	u32 digits = 0;
	int ret;

	if (!a->left)
		return 0;
	ret = SONDE_REDIS_NEXT(w, a);
	if (ret)
		return ret;
	call->hash_off = a->pos + a->at;
	if (a->len != 40) {
		sonde_redis_value(&m->label);
		return a->len > SONDE_REDIS_SHORT;
	}
	ret = sonde_redis_whole(w, a);
	if (ret)
		return ret;
	for (u32 i = 0; i < 5; i++) {
		u64 word = sonde_win_u64(w, a->off + 8 * i);

		digits += SONDE_BYTES_COUNT(SONDE_BYTES_WITHIN(word, '0', '9') | SONDE_BYTES_WITHIN(word, 'a', 'f') |
					    SONDE_BYTES_WITHIN(word, 'A', 'F'));
	}
	if (digits != 40) {
		sonde_redis_value(&m->label);
		return 0;
	}
	sonde_label_byte(&m->label, ' ');
	for (u32 i = 0; i < 5; i++)
		sonde_label_word(&m->label, sonde_win_u64(w, a->off + 8 * i) | 0x20 * SONDE_ONES, 8);
	return 0;
}

/* The command's name is the argument just read: what it is, and the label's beginning. */
SONDE_INLINE int sonde_redis_named(const struct sonde_win *w, struct sonde_redis_call *call, struct sonde_msg *m)
{
	call->len = call->a.len;
	sonde_redis_name(w, call->a.off, call->len, call->word);
	sonde_redis_look_up(call);
	sonde_redis_label(&m->label, call->word, call->len, call->shape);
	return 0;
}

/* What stands before the key, or instead of it; answers as sonde_redis_key(), or that the key is next. */
SONDE_INLINE int sonde_redis_arguments(const struct sonde_win *w, struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_redis_args *a = &call->a;
	u32 key = sonde_redis_key_at(call->shape);
	int ret;

	switch (call->shape) {
	case SONDE_REDIS_SECOND:
	case SONDE_REDIS_THIRD:
		for (u32 i = 1; i < 3; i++) {
			if (i >= key)
				break;
			ret = sonde_redis_pass(w, a, SONDE_REDIS_SHORT);
			if (ret)
				return ret;
		}
		return SONDE_REDIS_THEN_KEY;
	case SONDE_REDIS_GROUP:
	case SONDE_REDIS_GROUP_KEY:
		return sonde_redis_group(w, call, m);
	case SONDE_REDIS_SHA:
		return sonde_redis_sha(w, call, m);
	case SONDE_REDIS_SCRIPT:
		if (a->left)
			sonde_redis_value(&m->label);
		ret = sonde_redis_pass(w, a, SONDE_REDIS_SCRIPT_SHORT);
		call->hash_off = a->pos + a->at;
		return ret;
	case SONDE_REDIS_VALUE:
		call->hash_off = a->pos + a->at;
		break;
	case SONDE_REDIS_NONE:
		return 0;
	}
	if (a->left) /* VALUE, SECRET, and names that are not known */
		sonde_redis_value(&m->label);
	return 0;
}

/* The kernel side replaces these by subprograms of their own, one after the other to save stack. */
#ifndef SONDE_REDIS_ARGUMENTS
#define SONDE_REDIS_ARGUMENTS(w, call, m) sonde_redis_arguments(w, call, m)
#define SONDE_REDIS_KEY(w, call, m) sonde_redis_key(w, call, m)
#define SONDE_REDIS_NAMED(w, call, m) sonde_redis_named(w, call, m)
#define SONDE_REDIS_PARAMS(w, call, m) sonde_redis_params(w, call, m)
#define SONDE_REDIS_STREAMS_OF(w, call, m) sonde_redis_streams(w, call, m)
#endif

/* What the command is to the bookkeeping. */
SONDE_INLINE void sonde_redis_describe(const struct sonde_redis_call *call, u32 args, struct sonde_msg *m)
{
	u32 kind = call->kind;

	m->op = call->shape == SONDE_REDIS_REPLICA ? SONDE_OP_IGNORE : SONDE_OP_COMMAND;
	m->kind = kind;
	if (kind >= SONDE_REDIS_KIND_SUBSCRIBE)
		m->replies = args < 0xffff ? args : 0xffff;
	if (kind == SONDE_REDIS_KIND_BLOCKING ||
	    (kind >= SONDE_REDIS_KIND_MONITOR && kind <= SONDE_REDIS_KIND_SSUBSCRIBE))
		m->flags |= SONDE_MSG_BLOCKING;
	if (call->silent)
		m->flags |= SONDE_MSG_NO_REPLY;
}

/* What is known of a command before anything is read. */
SONDE_INLINE void sonde_redis_begin(struct sonde_redis_call *call, const struct sonde_state *st)
{
	call->hash_off = 0;
	call->silent = !!(st->fe_mode & (SONDE_REDIS_FE_OFF | SONDE_REDIS_FE_SKIP));
	call->next = st->fe_mode & SONDE_REDIS_FE_OFF;
}

/* The hash of parameters: from call->hash_off to the end of the message. */
SONDE_INLINE int sonde_redis_params(const struct sonde_win *w, struct sonde_redis_call *call, struct sonde_msg *m)
{
	struct sonde_redis_args *a = &call->a;
	u32 end = a->pos + a->at, n;

	if (!call->hash_off || call->hash_off >= end)
		return 0;
	n = sonde_min_u32(end - call->hash_off, SONDE_REDIS_HASH);
	if (sonde_redis_lacks(a, call->hash_off - a->pos + n))
		return -SONDE_PARSE_MORE;
	m->params = SONDE_REDIS_HASH_TEXT(w, call->hash_off, n);
	return 0;
}

/* A command: an array of bulk strings. */
SONDE_INLINE int sonde_redis_array(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				   struct sonde_msg *m)
{
	struct sonde_redis_call *call = (void *)m->scratch;
	struct sonde_redis_args *a = &call->a;
	u64 head = SONDE_REDIS_NUMBER(w, pos + 1, avail - 1);
	u32 args;
	int ret;

	if (head & SONDE_REDIS_NUM_MORE) {
		m->size = avail + 1;
		return SONDE_PARSE_MORE;
	}
	if (head & (SONDE_REDIS_NUM_BAD | SONDE_REDIS_NUM_OPEN))
		return SONDE_PARSE_BAD;
	m->size = 1 + SONDE_REDIS_NUM_LEN(head);
	if (head & SONDE_REDIS_NUM_NIL || !(u32)head) /* passed by without an answer */
		return SONDE_PARSE_OK;
	*call = (struct sonde_redis_call){};
	a->pos = pos;
	a->avail = avail;
	a->at = m->size;
	a->left = head;
	sonde_redis_begin(call, st);
	ret = SONDE_REDIS_NEXT(w, a);
	if (!ret && a->len <= SONDE_REDIS_SHORT)
		ret = sonde_redis_whole(w, a);
	if (ret)
		goto out;
	args = a->left;
	SONDE_REDIS_NAMED(w, call, m);
	if (a->len > SONDE_REDIS_SHORT)
		ret = 1;
	else if (SONDE_LIKELY(sonde_redis_key_at(call->shape) == 1))
		ret = SONDE_REDIS_THEN_KEY;
	else if (call->shape == SONDE_REDIS_STREAMS)
		ret = SONDE_REDIS_STREAMS_OF(w, call, m);
	else
		ret = SONDE_REDIS_ARGUMENTS(w, call, m);
	if (ret == SONDE_REDIS_THEN_KEY)
		ret = SONDE_REDIS_KEY(w, call, m);
	for (u32 i = 0; i < SONDE_REDIS_TAIL; i++) {
		if (ret || !a->left)
			break;
		ret = sonde_redis_pass(w, a, SONDE_REDIS_SHORT);
	}
	if (ret >= 0)
		ret = SONDE_REDIS_PARAMS(w, call, m);
out:
	if (ret < 0) {
		m->size = a->want;
		return -ret;
	}
	m->size = a->at;
	sonde_redis_describe(call, args, m);
	st->fe_mode = call->next;
	st->fe_left = a->left;
	return SONDE_PARSE_OK;
}

/* An argument behind those that belong to the command's message. */
SONDE_INLINE int sonde_redis_argument(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				      struct sonde_msg *m)
{
	struct sonde_redis_args a = { .pos = pos, .avail = avail, .left = 1 };
	int ret = SONDE_REDIS_NEXT(w, &a);

	m->size = ret ? a.want : a.at;
	if (ret)
		return -ret;
	st->fe_left--;
	return SONDE_PARSE_OK;
}

/* The rest of a line that is longer than what is read of it. */
SONDE_INLINE int sonde_redis_line_rest(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				       struct sonde_msg *m)
{
	u32 len = SONDE_LINE(w, pos, sonde_min_u32(avail, SONDE_LINE_MAX));

	m->size = len ? len : SONDE_LINE_MAX;
	if (m->size > avail) {
		m->size = avail + 1;
		return SONDE_PARSE_MORE;
	}
	if (len)
		st->fe_mode &= ~SONDE_REDIS_FE_LINE;
	return SONDE_PARSE_OK;
}

/* What follows the name of an inline command: @off to @end. A key in quotes is a value: escapes may be in it. */
SONDE_INLINE void sonde_redis_inline_key(const struct sonde_win *w, struct sonde_redis_call *call, u32 off, u32 end,
					 struct sonde_msg *m)
{
	u32 len = SONDE_TOKEN(w, off, sonde_min_u32(end - off, SONDE_TOKEN_MAX)), c = sonde_win_u8(w, off);

	if (!len || call->shape == SONDE_REDIS_NONE)
		return;
	if (sonde_redis_key_at(call->shape) != 1 || c == '"' || c == '\'' || call->shape == SONDE_REDIS_DATABASE) {
		sonde_redis_value(&m->label);
		if (call->shape != SONDE_REDIS_DATABASE || len > 10)
			return;
		m->db_off = off;
		m->db_len = len;
		m->flags |= SONDE_MSG_DATABASE;
		return;
	}
	sonde_label_byte(&m->label, ' ');
	sonde_key_pattern(w, off, len, &m->label);
	if (sonde_redis_several(call->shape, off + len + 2 < end ? 2 : 0))
		sonde_label_word(&m->label, SONDE_WORD(" ...", 0), 4);
	m->params = SONDE_REDIS_HASH_TEXT(w, off, sonde_min_u32(end - off, SONDE_REDIS_HASH));
}

/* A command as people type it: one line, words between blanks. Only commands of the list are taken for some. */
SONDE_INLINE int sonde_redis_inline(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				    struct sonde_msg *m)
{
	u32 line = SONDE_LINE(w, pos, sonde_min_u32(avail, SONDE_LINE_MAX)), end;
	struct sonde_redis_call *call = (void *)m->scratch;

	if (!line && avail < SONDE_LINE_MAX) {
		m->size = avail + 1;
		return SONDE_PARSE_MORE;
	}
	m->size = line ? line : SONDE_LINE_MAX;
	end = pos + m->size - (line ? 1 : 0);
	if (end != pos && line && sonde_win_u8(w, end - 1) == '\r')
		end--;
	if (line && end == pos) /* an empty line is passed by */
		return SONDE_PARSE_OK;
	*call = (struct sonde_redis_call){};
	sonde_redis_begin(call, st);
	call->len = SONDE_TOKEN(w, pos, sonde_min_u32(end - pos, SONDE_REDIS_NAME + 1));
	sonde_redis_name(w, pos, call->len, call->word);
	sonde_redis_look_up(call);
	if (!call->len || !call->shape)
		return SONDE_PARSE_BAD;
	sonde_redis_label(&m->label, call->word, call->len, true);
	if (pos + call->len + 1 < end)
		sonde_redis_inline_key(w, call, pos + call->len + 1, end, m);
	sonde_redis_describe(call, 1, m);
	st->fe_mode = call->next | (line ? 0 : SONDE_REDIS_FE_LINE);
	return SONDE_PARSE_OK;
}

#ifndef SONDE_REDIS_INLINE
#define SONDE_REDIS_INLINE(w, pos, avail, st, m) sonde_redis_inline(w, pos, avail, st, m)
#endif

#endif /* SONDE_PROTO_REDIS_COMMAND_H */
