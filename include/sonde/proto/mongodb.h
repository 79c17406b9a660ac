/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mongodb.h - MongoDB's wire protocol: detection and message parser.
 *
 * Sources: MongoDB manual, "MongoDB Wire Protocol" and "Database Commands"; bsonspec.org, version 1.1; MongoDB
 * specifications, "OP_MSG" and "Wire Compression". All integers are little-endian. A message is a header of four (length
 * that counts itself, request id, id answered to, opcode) and a body: OP_MSG's is flags and sections, one of which (kind 0)
 * is the command or the reply as one document; others (kind 1) carry the documents of a write. The first message of a
 * session may still be an OP_QUERY on "admin.$cmd", answered by OP_REPLY. Requests of a connection are answered in order.
 *
 * A command's label is "find orders {customer_id: ?, total: {$gt: ?}}": command, collection, shape of the filter; of an
 * update or delete that of the first q; of an aggregate the pipeline's stages. Values are always ?, lists of values [?+].
 * No value is ever copied, but names of collections, and of the field that distinct asks for. The first
 * SONDE_MONGO_WANTED bytes of a message are looked at.
 *
 * A reply is its header, then, while more than SONDE_MONGO_WHOLE bytes are left, one message for each element that is
 * looked at (documents of a batch, elements around it), then the rest. be_mode is enum sonde_mongo_stage and flags,
 * be_left what is left of the message, be_aux rows below and the error's code above; fe_aux a hash of the last database.
 */
#ifndef SONDE_PROTO_MONGODB_H
#define SONDE_PROTO_MONGODB_H

#include "../proto.h"

#define SONDE_MONGO_MAX_MESSAGE 48000000u /* maxMessageSizeBytes of every server */
#define SONDE_MONGO_WANTED 4608u /* bytes of a command that are waited for and looked at */
#define SONDE_MONGO_WHOLE 4096u /* the last bytes of a reply are looked at in one go */
#define SONDE_MONGO_HEAD 512u /* bytes of a reply's element that are waited for */
#define SONDE_MONGO_STEPS 256u /* elements of a command, or of the end of a reply */
#define SONDE_MONGO_DEPTH 8u /* documents in documents whose shape is shown; power of two */
#define SONDE_MONGO_NAME 96u /* longest name in a label */

enum {
	SONDE_MONGO_OP_REPLY = 1,
	SONDE_MONGO_OP_UPDATE = 2001,
	SONDE_MONGO_OP_INSERT = 2002,
	SONDE_MONGO_OP_QUERY = 2004,
	SONDE_MONGO_OP_GET_MORE = 2005,
	SONDE_MONGO_OP_DELETE = 2006,
	SONDE_MONGO_OP_KILL_CURSORS = 2007,
	SONDE_MONGO_OP_COMPRESSED = 2012,
	SONDE_MONGO_OP_MSG = 2013,
};

/* OP_MSG's flags; unknown ones among the lower 16 are not allowed. */
#define SONDE_MONGO_MORE_TO_COME 2u
#define SONDE_MONGO_EXHAUST_ALLOWED 0x10000u
#define SONDE_MONGO_FLAGS_UNKNOWN 0xfffcu

/* BSON types. */
enum {
	SONDE_BSON_DOUBLE = 1,
	SONDE_BSON_STRING = 2,
	SONDE_BSON_DOCUMENT = 3,
	SONDE_BSON_ARRAY = 4,
	SONDE_BSON_BOOL = 8,
	SONDE_BSON_REGEX = 11,
	SONDE_BSON_INT32 = 16,
	SONDE_BSON_INT64 = 18,
	SONDE_BSON_DECIMAL = 19,
	SONDE_BSON_MAX = 127,
	SONDE_BSON_MIN = 255,
};

/* sonde_msg.kind */
#define SONDE_MONGO_KIND 1u /* always */
#define SONDE_MONGO_KIND_EXHAUST 2u /* the reply may be several */
#define SONDE_MONGO_KIND_END 4u /* ends a transaction */
#define SONDE_MONGO_KIND_TXN 8u /* in a transaction */
#define SONDE_MONGO_KIND_WRITE 16u /* rows: member n of the reply */
#define SONDE_MONGO_KIND_LEGACY 32u /* OP_REPLY with documents that are the user's */

/* What the container that is walked is: where in a command or a reply. */
enum sonde_mongo_level {
	SONDE_MONGO_COMMAND = 1, /* the command */
	SONDE_MONGO_SHAPE, /* a document of the filter */
	SONDE_MONGO_LIST, /* an array of the filter */
	SONDE_MONGO_PIPELINE, /* of aggregate: an array of stages */
	SONDE_MONGO_PIPE_STAGE,
	SONDE_MONGO_WRITES, /* array of updates or deletes */
	SONDE_MONGO_WRITE, /* one of them */
};

enum sonde_mongo_stage {
	SONDE_MONGO_AT_HEADER = 0,
	SONDE_MONGO_TOP, /* in the reply's document */
	SONDE_MONGO_CURSOR, /* in its cursor */
	SONDE_MONGO_BATCH, /* in the cursor's array */
	SONDE_MONGO_VALUES, /* in distinct's array */
	SONDE_MONGO_ERRORS, /* in writeErrors */
	SONDE_MONGO_ERROR, /* in the first of them */
	SONDE_MONGO_CONCERN, /* in writeConcernError */
};
#define SONDE_MONGO_STAGE 15u
#define SONDE_MONGO_BE_START 16u /* the body begins here */
#define SONDE_MONGO_BE_MORE 32u /* another reply to the same request follows */
#define SONDE_MONGO_BE_UNASKED 64u /* this one is the answer to nothing */
#define SONDE_MONGO_BE_FAILED 128u
#define SONDE_MONGO_BE_LEGACY 256u /* it is an OP_REPLY */

/* sonde_mongo_walk.flags */
#define SONDE_MONGO_SEEN 1u /* the filter has been seen */
#define SONDE_MONGO_FILTERS 2u /* the command has one */
#define SONDE_MONGO_GETMORE 4u
#define SONDE_MONGO_DISTINCT 8u
#define SONDE_MONGO_WAITS 16u /* by intent */
#define SONDE_MONGO_HELLO 32u

/**
 * struct sonde_mongo_walk - place in a document
 * @pos: of the next element, @end: of what may be looked at
 * @type, @name, @name_len, @value, @next: the element: its value begins at @value, the next one at @next (may lie behind @end)
 * @word: the first eight bytes of its name, zeros behind a shorter one
 * @level, @stop: what each container is (enum sonde_mongo_level) and where it ends
 * @body, @list: places of the command and of the first of updates or deletes beside it, 0 none
 * @mode, @aux: of a reply: sonde_state.be_mode, be_aux
 */
struct sonde_mongo_walk {
	u32 pos, end;
	u32 type, name, name_len, value, next;
	u32 depth;
	u32 nr;
	u32 flags;
	u32 kind;
	u32 body, list;
	u32 db_off, db_len;
	u32 mode;
	u64 word;
	u64 params;
	u64 aux;
	u32 stop[SONDE_MONGO_DEPTH];
	u8 level[SONDE_MONGO_DEPTH];
	u8 begun[SONDE_MONGO_DEPTH]; /* an element has been written */
};

/* "find" as the first eight bytes of a name. */
#define SONDE_MONGO_WORD(a, b, c, d, e, f, g, h)                                                                       \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 | (u64)(f) << 40 |                \
	 (u64)(g) << 48 | (u64)(h) << 56)

/* The kernel side replaces these by subprograms, whose arguments are in scratch memory. */
#ifndef SONDE_MONGO_WALK
#define SONDE_MONGO_WALK(k) struct sonde_mongo_walk k##_memory = {}, *k = &k##_memory
#define SONDE_MONGO_ELEMENT(w, k) sonde_mongo_element(w, k)
#define SONDE_MONGO_COPY(w, l, off, len) sonde_mongo_copy(w, l, off, len)
#define SONDE_MONGO_HASH(w, off, len) sonde_win_hash_text(w, off, len)
#define SONDE_MONGO_ARGUMENT(w, k, l) sonde_mongo_argument(w, k, l)
#define SONDE_MONGO_VERB(w, k, l) sonde_mongo_verb(w, k, l)
#define SONDE_MONGO_VALUE(w, k, l) sonde_mongo_value(w, k, l)
#define SONDE_MONGO_STEP(w, k, l) sonde_mongo_step(w, k, l)
#define SONDE_MONGO_SECTIONS(w, k) sonde_mongo_sections(w, k)
#define SONDE_MONGO_REPLY_STEP(w, k) sonde_mongo_reply_step(w, k)
#endif

/* ---- elements ---- */

/* Bytes of a value, without those that its length counts; five bits for each type, from 0 and from 12 on. */
#define SONDE_BSON_FIXED_LOW                                                                                           \
	(8ULL << 5 * 1 | 4ULL << 5 * 2 | 5ULL << 5 * 5 | 12ULL << 5 * 7 | 1ULL << 5 * 8 | 8ULL << 5 * 9)
#define SONDE_BSON_FIXED_HIGH                                                                                          \
	(16ULL << 5 * 0 | 4ULL << 5 * 1 | 4ULL << 5 * 2 | 4ULL << 5 * 4 | 8ULL << 5 * 5 | 8ULL << 5 * 6 |              \
	 16ULL << 5 * 7)
/* Types whose value begins with a length: string, document, array, binary, DBPointer, code, symbol, code with scope. */
#define SONDE_BSON_LENGTHS (1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15)

/**
 * sonde_mongo_element - read the head of the element at @k->pos
 *
 * Returns 0, or -1 if it is none or its name or length lies behind @k->end.
 */
SONDE_INLINE int sonde_mongo_element(const struct sonde_win *w, struct sonde_mongo_walk *k)
{
	u32 pos = k->pos, type = sonde_win_u8(w, pos), len, size, shift;
	u64 scan;

	if (pos + 2 > k->end)
		return -1;
	scan = SONDE_SCAN_NAME(w, pos + 1);
	len = SONDE_NAME_LEN(scan);
	k->type = type;
	k->name = pos + 1;
	k->name_len = len;
	k->value = pos + 2 + len;
	if (len == SONDE_NAME_SCAN_NONE || k->value > k->end)
		return -1;
	shift = len < 8 ? 64 - 8 * len : 0;
	k->word = len ? sonde_win_u64(w, pos + 1) << shift >> shift : 0;
	if (type == SONDE_BSON_REGEX) { /* two strings */
		u32 first = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, k->value));
		u32 second = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, k->value + first + 1));

		k->next = k->value + first + second + 2;
		return first == SONDE_NAME_SCAN_NONE || second == SONDE_NAME_SCAN_NONE || k->next > k->end ? -1 : 0;
	}
	if (type > SONDE_BSON_DECIMAL) {
		k->next = k->value;
		return type == SONDE_BSON_MAX || type == SONDE_BSON_MIN ? 0 : -1;
	}
	size = (type < 12 ? SONDE_BSON_FIXED_LOW >> 5 * type : SONDE_BSON_FIXED_HIGH >> 5 * (type - 12)) & 31;
	if (SONDE_BSON_LENGTHS >> (type & 31) & 1) {
		u32 counted = sonde_win_le32(w, k->value);

		if (k->value + 4 > k->end || counted > SONDE_MONGO_MAX_MESSAGE)
			return -1;
		/* documents count their own length and end; nothing else in them is shorter than a byte */
		if (!size && counted < 5)
			return -1;
		size += counted;
	}
	k->next = k->value + size;
	return type ? 0 : -1;
}

/** sonde_mongo_copy - append the name of @len bytes at @off to the label */
SONDE_INLINE int sonde_mongo_copy(const struct sonde_win *w, struct sonde_label *l, u32 off, u32 len)
{
	u32 at = l->len, fits = sonde_min_u32(SONDE_MONGO_NAME, SONDE_LABEL_BYTES - at);

	if (at >= SONDE_LABEL_BYTES)
		fits = 0;
	if (len > fits) {
		l->cut = 1;
		len = fits;
	}
	for (u32 i = 0; i < SONDE_MONGO_NAME; i += 8) { /* bytes copied behind the name do not count */
		u64 word = sonde_win_u64(w, off + i);

		if (i >= len)
			break;
		__builtin_memcpy(&l->b[(at + i) & (SONDE_LABEL_BYTES - 1)], &word, sizeof(word));
	}
	l->len = at + len;
	return 0;
}

/* ---- commands ---- */

/* The container whose value is the current element is walked next. */
SONDE_INLINE void sonde_mongo_enter(struct sonde_mongo_walk *k, u32 level)
{
	u32 depth = (k->depth + 1) & (SONDE_MONGO_DEPTH - 1);

	k->depth = depth;
	k->level[depth] = level;
	k->begun[depth] = 0;
	k->stop[depth] = k->next;
	k->pos = k->value + 4;
}

/* Mixes the value of @len bytes at @pos into the parameters. */
SONDE_INLINE void sonde_mongo_param(const struct sonde_win *w, struct sonde_mongo_walk *k, u32 pos, u32 stop)
{
	u32 len = sonde_min_u32(stop, k->end) - pos;

	if (len && len <= SONDE_WIN_BYTES)
		k->params = sonde_mix64(k->params ^ SONDE_MONGO_HASH(w, pos, sonde_min_u32(len, SONDE_HASH_TEXT_MAX))) +
			    stop - pos;
	else
		k->params = sonde_mix64(k->params ^ k->type);
}

/** sonde_mongo_value - write the shape of the current element's value */
SONDE_INLINE int sonde_mongo_value(const struct sonde_win *w, struct sonde_mongo_walk *k, struct sonde_label *l)
{
	u32 first = sonde_win_u8(w, k->value + 4);

	k->pos = k->next;
	if (k->type != SONDE_BSON_DOCUMENT && k->type != SONDE_BSON_ARRAY) {
		sonde_label_byte(l, '?');
		sonde_mongo_param(w, k, k->value, k->next);
		return 0;
	}
	if (k->value + 4 >= k->end || k->depth >= SONDE_MONGO_DEPTH - 1) {
		sonde_label_word(l, SONDE_MONGO_WORD('.', '.', '.', 0, 0, 0, 0, 0), 3);
		l->cut = 1;
	} else if (k->type == SONDE_BSON_DOCUMENT) {
		sonde_label_byte(l, '{');
		sonde_mongo_enter(k, SONDE_MONGO_SHAPE);
	} else if (first == SONDE_BSON_DOCUMENT || first == SONDE_BSON_ARRAY) {
		sonde_label_byte(l, '[');
		sonde_mongo_enter(k, SONDE_MONGO_LIST);
	} else {
		sonde_label_word(l, SONDE_MONGO_WORD('[', '?', '+', ']', 0, 0, 0, 0), 4);
		sonde_mongo_param(w, k, k->value + 4, k->next);
	}
	return 0;
}

/* Commands whose value is a collection's name; @flags: SONDE_MONGO_* of the walk, kind above bit 16. */
SONDE_INLINE bool sonde_mongo_collection(u64 word, u32 len, u32 *flags)
{
	*flags = 0;
	switch (word) {
	case SONDE_MONGO_WORD('f', 'i', 'n', 'd', 0, 0, 0, 0):
	case SONDE_MONGO_WORD('c', 'o', 'u', 'n', 't', 0, 0, 0):
		*flags = SONDE_MONGO_FILTERS;
		return true;
	case SONDE_MONGO_WORD('f', 'i', 'n', 'd', 'A', 'n', 'd', 'M'):
	case SONDE_MONGO_WORD('f', 'i', 'n', 'd', 'a', 'n', 'd', 'm'):
		*flags = SONDE_MONGO_FILTERS;
		return len == 13;
	case SONDE_MONGO_WORD('a', 'g', 'g', 'r', 'e', 'g', 'a', 't'):
		*flags = SONDE_MONGO_FILTERS;
		return len == 9;
	case SONDE_MONGO_WORD('d', 'i', 's', 't', 'i', 'n', 'c', 't'):
		*flags = SONDE_MONGO_DISTINCT;
		return len == 8;
	case SONDE_MONGO_WORD('u', 'p', 'd', 'a', 't', 'e', 0, 0):
	case SONDE_MONGO_WORD('d', 'e', 'l', 'e', 't', 'e', 0, 0):
		*flags = SONDE_MONGO_FILTERS | SONDE_MONGO_KIND_WRITE << 16;
		return true;
	case SONDE_MONGO_WORD('i', 'n', 's', 'e', 'r', 't', 0, 0):
		*flags = SONDE_MONGO_KIND_WRITE << 16;
		return true;
	case SONDE_MONGO_WORD('k', 'i', 'l', 'l', 'C', 'u', 'r', 's'):
	case SONDE_MONGO_WORD('l', 'i', 's', 't', 'I', 'n', 'd', 'e'):
	case SONDE_MONGO_WORD('d', 'r', 'o', 'p', 'I', 'n', 'd', 'e'):
		return len == 11;
	case SONDE_MONGO_WORD('c', 'r', 'e', 'a', 't', 'e', 'I', 'n'):
		return len == 13;
	case SONDE_MONGO_WORD('c', 'r', 'e', 'a', 't', 'e', 0, 0):
	case SONDE_MONGO_WORD('d', 'r', 'o', 'p', 0, 0, 0, 0):
	case SONDE_MONGO_WORD('c', 'o', 'l', 'l', 'M', 'o', 'd', 0):
		return true;
	case SONDE_MONGO_WORD('c', 'o', 'l', 'l', 'S', 't', 'a', 't'):
		return len == 9;
	}
	return false;
}

/** sonde_mongo_verb - the first element of a command: its name and, of some, the collection */
SONDE_INLINE int sonde_mongo_verb(const struct sonde_win *w, struct sonde_mongo_walk *k, struct sonde_label *l)
{
	u32 flags = 0, len;

	k->pos = k->next;
	SONDE_MONGO_COPY(w, l, k->name, k->name_len);
	if (sonde_mongo_collection(k->word, k->name_len, &flags) && k->type == SONDE_BSON_STRING) {
		len = k->next - k->value - 5; /* between the length and the NUL */
		if (k->next <= k->end && len && len <= SONDE_MONGO_NAME) {
			sonde_label_byte(l, ' ');
			SONDE_MONGO_COPY(w, l, k->value + 4, len);
		}
	}
	k->flags |= flags & 0xffff;
	k->kind |= flags >> 16;
	switch (k->word) {
	case SONDE_MONGO_WORD('g', 'e', 't', 'M', 'o', 'r', 'e', 0):
		k->flags |= SONDE_MONGO_GETMORE;
		break;
	case SONDE_MONGO_WORD('h', 'e', 'l', 'l', 'o', 0, 0, 0):
	case SONDE_MONGO_WORD('i', 's', 'm', 'a', 's', 't', 'e', 'r'):
	case SONDE_MONGO_WORD('i', 's', 'M', 'a', 's', 't', 'e', 'r'):
		k->flags |= SONDE_MONGO_HELLO;
		break;
	case SONDE_MONGO_WORD('c', 'o', 'm', 'm', 'i', 't', 'T', 'r'): /* commitTransaction, abortTransaction */
	case SONDE_MONGO_WORD('a', 'b', 'o', 'r', 't', 'T', 'r', 'a'):
		k->kind |= SONDE_MONGO_KIND_END;
		break;
	}
	return 0;
}

/* A name that the label shows although it is a value: the getMore's collection, the field that distinct asks for. */
SONDE_INLINE void sonde_mongo_named(const struct sonde_win *w, struct sonde_mongo_walk *k, struct sonde_label *l)
{
	u32 len = k->next - k->value - 5;

	if (k->type != SONDE_BSON_STRING || k->next > k->end || !len || len > SONDE_MONGO_NAME)
		return;
	sonde_label_byte(l, ' ');
	SONDE_MONGO_COPY(w, l, k->value + 4, len);
}

/** sonde_mongo_argument - another element of a command */
SONDE_INLINE int sonde_mongo_argument(const struct sonde_win *w, struct sonde_mongo_walk *k, struct sonde_label *l)
{
	bool inside = k->value + 4 < k->end;

	k->pos = k->next;
	switch (k->word) {
	case SONDE_MONGO_WORD('f', 'i', 'l', 't', 'e', 'r', 0, 0):
	case SONDE_MONGO_WORD('q', 'u', 'e', 'r', 'y', 0, 0, 0):
		if (k->type != SONDE_BSON_DOCUMENT || !inside)
			break;
		k->flags |= SONDE_MONGO_SEEN;
		sonde_label_word(l, SONDE_MONGO_WORD(' ', '{', 0, 0, 0, 0, 0, 0), 2);
		sonde_mongo_enter(k, SONDE_MONGO_SHAPE);
		break;
	case SONDE_MONGO_WORD('p', 'i', 'p', 'e', 'l', 'i', 'n', 'e'):
		if (k->type != SONDE_BSON_ARRAY || !inside || k->name_len != 8)
			break;
		k->flags |= SONDE_MONGO_SEEN;
		sonde_label_word(l, SONDE_MONGO_WORD(' ', '[', 0, 0, 0, 0, 0, 0), 2);
		sonde_mongo_enter(k, SONDE_MONGO_PIPELINE);
		break;
	case SONDE_MONGO_WORD('u', 'p', 'd', 'a', 't', 'e', 's', 0):
	case SONDE_MONGO_WORD('d', 'e', 'l', 'e', 't', 'e', 's', 0):
		if (k->type == SONDE_BSON_ARRAY && inside)
			sonde_mongo_enter(k, SONDE_MONGO_WRITES);
		break;
	case SONDE_MONGO_WORD('$', 'd', 'b', 0, 0, 0, 0, 0):
		if (k->type == SONDE_BSON_STRING && k->next <= k->end && k->next > k->value + 5) {
			k->db_off = k->value + 4;
			k->db_len = k->next - k->value - 5;
		}
		break;
	case SONDE_MONGO_WORD('c', 'o', 'l', 'l', 'e', 'c', 't', 'i'): /* collection */
		if (k->flags & SONDE_MONGO_GETMORE && k->name_len == 10)
			sonde_mongo_named(w, k, l);
		break;
	case SONDE_MONGO_WORD('k', 'e', 'y', 0, 0, 0, 0, 0):
		if (k->flags & SONDE_MONGO_DISTINCT)
			sonde_mongo_named(w, k, l);
		break;
	case SONDE_MONGO_WORD('a', 'u', 't', 'o', 'c', 'o', 'm', 'm'): /* autocommit: only in transactions, and false */
		k->kind |= SONDE_MONGO_KIND_TXN;
		break;
	case SONDE_MONGO_WORD('m', 'a', 'x', 'A', 'w', 'a', 'i', 't'): /* maxAwaitTimeMS */
		k->flags |= SONDE_MONGO_WAITS;
		break;
	case SONDE_MONGO_WORD('m', 'a', 'x', 'T', 'i', 'm', 'e', 'M'): /* of a getMore only with awaitData */
		if (k->flags & SONDE_MONGO_GETMORE)
			k->flags |= SONDE_MONGO_WAITS;
		break;
	}
	return 0;
}

/* The document at @at, which is @level, is walked next. */
SONDE_INLINE void sonde_mongo_start(const struct sonde_win *w, struct sonde_mongo_walk *k, u32 at, u32 level)
{
	k->depth = 0;
	k->level[0] = level;
	k->begun[0] = 0;
	k->pos = at + 4;
	k->stop[0] = at + sonde_win_le32(w, at);
}

/* The container ends. After the command come updates or deletes in a sequence of their own. */
SONDE_INLINE int sonde_mongo_leave(const struct sonde_win *w, struct sonde_mongo_walk *k, struct sonde_label *l,
				   u32 level)
{
	u32 list = k->list;

	if (level == SONDE_MONGO_SHAPE)
		sonde_label_byte(l, '}');
	else if (level == SONDE_MONGO_LIST || level == SONDE_MONGO_PIPELINE)
		sonde_label_byte(l, ']');
	k->pos = k->stop[k->depth & (SONDE_MONGO_DEPTH - 1)];
	if (k->depth) {
		k->depth--;
		return 0;
	}
	k->list = 0;
	if (!list || k->flags & SONDE_MONGO_SEEN)
		return 1;
	sonde_mongo_start(w, k, list, SONDE_MONGO_WRITE);
	return 0;
}

/* An element of a filter or a pipeline. */
SONDE_INLINE void sonde_mongo_part(const struct sonde_win *w, struct sonde_mongo_walk *k, struct sonde_label *l,
				   u32 level)
{
	u32 depth = k->depth & (SONDE_MONGO_DEPTH - 1);

	if (k->begun[depth])
		sonde_label_word(l, SONDE_MONGO_WORD(',', ' ', 0, 0, 0, 0, 0, 0), 2);
	k->begun[depth] = 1;
	if (level == SONDE_MONGO_PIPELINE) {
		if (k->type == SONDE_BSON_DOCUMENT)
			sonde_mongo_enter(k, SONDE_MONGO_PIPE_STAGE);
		else
			k->pos = k->next;
		return;
	}
	if (level != SONDE_MONGO_LIST) {
		SONDE_MONGO_COPY(w, l, k->name, k->name_len);
		if (level == SONDE_MONGO_SHAPE)
			sonde_label_byte(l, ':');
		sonde_label_byte(l, ' ');
	}
	SONDE_MONGO_VALUE(w, k, l);
}

/** sonde_mongo_step - look at one element of a command; 0 to go on, 1 at its end, -1 if the rest is not there or not BSON */
SONDE_INLINE int sonde_mongo_step(const struct sonde_win *w, struct sonde_mongo_walk *k, struct sonde_label *l)
{
	u32 depth = k->depth & (SONDE_MONGO_DEPTH - 1), level = k->level[depth];

	if (k->pos >= k->end)
		return -1;
	if (!sonde_win_u8(w, k->pos))
		return sonde_mongo_leave(w, k, l, level);
	if (SONDE_MONGO_ELEMENT(w, k))
		return -1;
	switch (level) {
	case SONDE_MONGO_COMMAND:
		if (k->nr++)
			SONDE_MONGO_ARGUMENT(w, k, l);
		else
			SONDE_MONGO_VERB(w, k, l);
		return 0;
	case SONDE_MONGO_WRITES:
		if (k->type != SONDE_BSON_DOCUMENT || k->flags & SONDE_MONGO_SEEN)
			return sonde_mongo_leave(w, k, l, level);
		sonde_mongo_enter(k, SONDE_MONGO_WRITE);
		return 0;
	case SONDE_MONGO_WRITE:
		if (k->word != 'q' || k->type != SONDE_BSON_DOCUMENT) {
			k->pos = k->next;
			return k->flags & SONDE_MONGO_SEEN ? sonde_mongo_leave(w, k, l, level) : 0;
		}
		k->flags |= SONDE_MONGO_SEEN;
		sonde_label_word(l, SONDE_MONGO_WORD(' ', '{', 0, 0, 0, 0, 0, 0), 2);
		sonde_mongo_enter(k, SONDE_MONGO_SHAPE);
		return 0;
	default:
		sonde_mongo_part(w, k, l, level);
		return 0;
	}
}

/** sonde_mongo_sections - where OP_MSG's command, and updates or deletes for it, begin; from @k->pos on */
SONDE_INLINE int sonde_mongo_sections(const struct sonde_win *w, struct sonde_mongo_walk *k)
{
	for (u32 i = 0; i < 4; i++) {
		u32 at = k->pos, kind = sonde_win_u8(w, at), size = sonde_win_le32(w, at + 1);
		u64 name = sonde_win_u64(w, at + 5);

		if (at + 5 > k->end || kind > 1 || size < 5 || size > SONDE_MONGO_MAX_MESSAGE)
			break;
		if (!kind)
			k->body = at + 1;
		else if (size > 17 && at + 17 <= k->end &&
			 (name == SONDE_MONGO_WORD('u', 'p', 'd', 'a', 't', 'e', 's', 0) ||
			  name == SONDE_MONGO_WORD('d', 'e', 'l', 'e', 't', 'e', 's', 0)))
			k->list = at + 13;
		k->pos = at + 1 + size;
	}
	return 0;
}

/* Header of the message at @pos: size and opcode; the answer is final unless OK. */
SONDE_INLINE int sonde_mongo_header(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_msg *m)
{
	m->size = 16;
	if (avail < 16)
		return SONDE_PARSE_MORE;
	m->size = sonde_win_le32(w, pos);
	return m->size < 16 || m->size > SONDE_MONGO_MAX_MESSAGE ? SONDE_PARSE_BAD : SONDE_PARSE_OK;
}

/* What the walk found out goes into the message. */
SONDE_INLINE void sonde_mongo_command(const struct sonde_win *w, struct sonde_mongo_walk *k, struct sonde_state *st,
				      struct sonde_msg *m)
{
	u64 db;

	m->op = SONDE_OP_COMMAND;
	m->kind = SONDE_MONGO_KIND | k->kind;
	m->params = k->params;
	if (!m->label.len)
		sonde_label_word(&m->label, SONDE_MONGO_WORD('c', 'o', 'm', 'm', 'a', 'n', 'd', 0), 7);
	if (k->flags & SONDE_MONGO_WAITS)
		m->flags |= SONDE_MSG_BLOCKING;
	if (k->flags & SONDE_MONGO_HELLO) /* its further replies, one for each change, are answers to nothing */
		m->kind &= ~SONDE_MONGO_KIND_EXHAUST;
	if (m->kind & SONDE_MONGO_KIND_EXHAUST)
		m->flags |= SONDE_MSG_LAST;
	if (!k->db_len || k->db_len >= SONDE_NAME_BYTES)
		return;
	db = SONDE_MONGO_HASH(w, k->db_off, k->db_len);
	if (db == st->fe_aux)
		return;
	st->fe_aux = db;
	m->flags |= SONDE_MSG_IN_DATABASE;
	m->db_off = k->db_off;
	m->db_len = k->db_len;
}

/* OP_QUERY, OP_GET_MORE: flags or zero, name of the collection with its database, two numbers or one long, a document. */
SONDE_INLINE void sonde_mongo_legacy(const struct sonde_win *w, u32 pos, struct sonde_mongo_walk *k,
				     struct sonde_msg *m)
{
	u32 name = pos + 20, len = SONDE_NAME_LEN(SONDE_SCAN_NAME(w, name)), at = name + len + 9;
	bool query = m->type == (u8)SONDE_MONGO_OP_QUERY;

	k->pos = k->end; /* nothing to walk */
	if (len == SONDE_NAME_SCAN_NONE || at + 4 > k->end)
		return;
	if (query && len > 5 && sonde_win_le32(w, name + len - 5) == ('.' | '$' << 8 | 'c' << 16 | (u32)'m' << 24)) {
		k->db_off = name;
		k->db_len = len - 5;
		sonde_mongo_start(w, k, at, SONDE_MONGO_COMMAND);
		return;
	}
	k->kind |= SONDE_MONGO_KIND_LEGACY;
	k->flags |= SONDE_MONGO_SEEN;
	if (query)
		sonde_label_word(&m->label, SONDE_MONGO_WORD('f', 'i', 'n', 'd', ' ', 0, 0, 0), 5);
	else
		sonde_label_word(&m->label, SONDE_MONGO_WORD('g', 'e', 't', 'M', 'o', 'r', 'e', ' '), 8);
	SONDE_MONGO_COPY(w, &m->label, name, len);
}

SONDE_INLINE bool sonde_mongodb_plausible(u64 head, u32 total)
{
	u32 len = (u32)head;

	return len >= 26 && len <= SONDE_MONGO_MAX_MESSAGE && (total >= 26 || total == 16);
}

/* Whether @c can begin the name of a command or a database. */
SONDE_INLINE bool sonde_mongo_letter(u32 c)
{
	return (c | 0x20) - 'a' < 26 || c == '_';
}

SONDE_INLINE int sonde_mongodb_detect(const struct sonde_win *w, u32 total, u32 avail, struct sonde_state *st)
{
	u32 len = sonde_win_le32(w, 0), op = sonde_win_le32(w, 12), size = sonde_win_le32(w, 21);
	bool yes = false;

	if (avail < 16 || len < 26 || len > SONDE_MONGO_MAX_MESSAGE || sonde_win_le32(w, 8))
		return SONDE_DETECT_NO;
	if (op != SONDE_MONGO_OP_MSG && op != SONDE_MONGO_OP_QUERY && op != SONDE_MONGO_OP_COMPRESSED)
		return SONDE_DETECT_NO;
	if (total == 16)
		return SONDE_DETECT_MORE;
	if (avail < 32)
		return SONDE_DETECT_NO;
	if (op == SONDE_MONGO_OP_COMPRESSED) /* opcode, size, compressor: none, snappy, zlib, zstd */
		yes = (sonde_win_le32(w, 16) == SONDE_MONGO_OP_MSG || sonde_win_le32(w, 16) == SONDE_MONGO_OP_QUERY) &&
		      sonde_win_le32(w, 20) <= SONDE_MONGO_MAX_MESSAGE && sonde_win_u8(w, 24) <= 3;
	else if (op == SONDE_MONGO_OP_QUERY)
		yes = sonde_win_le32(w, 16) < 256 && sonde_mongo_letter(sonde_win_u8(w, 20));
	else if (sonde_win_le32(w, 16) & SONDE_MONGO_FLAGS_UNKNOWN || size < 5 || size > len - 20)
		yes = false;
	else if (sonde_win_u8(w, 20) == 0)
		yes = sonde_win_u8(w, 25) - 1 < SONDE_BSON_DECIMAL && sonde_mongo_letter(sonde_win_u8(w, 26));
	else if (sonde_win_u8(w, 20) == 1)
		yes = sonde_mongo_letter(sonde_win_u8(w, 25));
	return yes ? SONDE_DETECT_CLIENT : SONDE_DETECT_NO;
}

/* What goes both ways is compressed. */
SONDE_INLINE int sonde_mongo_compressed(struct sonde_msg *m)
{
	m->op = SONDE_OP_UNREADABLE;
	m->kind = SONDE_CNT_UNREADABLE_COMPRESSED;
	return SONDE_PARSE_OK;
}

/* OP_MSG: flags, sections; a checksum behind them is none. */
SONDE_INLINE int sonde_mongo_op_msg(const struct sonde_win *w, u32 pos, struct sonde_mongo_walk *k, struct sonde_msg *m)
{
	u32 flags = sonde_win_le32(w, pos + 16);

	if (m->size < 26 || flags & SONDE_MONGO_FLAGS_UNKNOWN)
		return SONDE_PARSE_BAD;
	k->pos = pos + 20;
	k->end = sonde_min_u32(k->end, pos + m->size - 4 * (flags & 1));
	SONDE_MONGO_SECTIONS(w, k);
	if (k->body)
		sonde_mongo_start(w, k, k->body, SONDE_MONGO_COMMAND);
	else
		k->pos = k->end;
	if (flags & SONDE_MONGO_MORE_TO_COME)
		m->flags |= SONDE_MSG_NO_REPLY;
	if (flags & SONDE_MONGO_EXHAUST_ALLOWED)
		k->kind |= SONDE_MONGO_KIND_EXHAUST;
	return SONDE_PARSE_OK;
}

SONDE_INLINE int sonde_mongodb_client(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				      struct sonde_msg *m)
{
	int ret = sonde_mongo_header(w, pos, avail, m);
	u32 op = sonde_win_le32(w, pos + 12), want;
	SONDE_MONGO_WALK(k);

	if (ret != SONDE_PARSE_OK)
		return ret;
	if (op == SONDE_MONGO_OP_COMPRESSED)
		return sonde_mongo_compressed(m);
	if (op == SONDE_MONGO_OP_UPDATE || op == SONDE_MONGO_OP_INSERT || op == SONDE_MONGO_OP_DELETE ||
	    op == SONDE_MONGO_OP_KILL_CURSORS)
		return SONDE_PARSE_OK; /* never answered, and long gone */
	if (!k || (op != SONDE_MONGO_OP_MSG && op != SONDE_MONGO_OP_QUERY && op != SONDE_MONGO_OP_GET_MORE))
		return SONDE_PARSE_BAD;
	want = sonde_min_u32(m->size, SONDE_MONGO_WANTED);
	if (avail < want) {
		m->size = want;
		return SONDE_PARSE_MORE;
	}
	m->type = op;
	k->end = pos + want;
	k->nr = k->flags = k->kind = k->db_len = 0;
	k->depth = k->body = k->list = 0;
	k->params = 0;
	if (op != SONDE_MONGO_OP_MSG)
		sonde_mongo_legacy(w, pos, k, m);
	else if (sonde_mongo_op_msg(w, pos, k, m) != SONDE_PARSE_OK)
		return SONDE_PARSE_BAD;
	for (u32 i = 0; i < SONDE_MONGO_STEPS; i++) {
		ret = SONDE_MONGO_STEP(w, k, &m->label);
		if (ret)
			break;
	}
	/* not all of the filter was there */
	if (ret != 1 && (k->depth || (k->flags & (SONDE_MONGO_FILTERS | SONDE_MONGO_SEEN)) == SONDE_MONGO_FILTERS))
		m->label.cut = 1;
	sonde_mongo_command(w, k, st, m);
	return SONDE_PARSE_OK;
}

/* ---- replies ---- */

/* Where the end of a container of a reply leads back to; four bits for each stage. */
#define SONDE_MONGO_BACK                                                                                               \
	(SONDE_MONGO_TOP << 4 * SONDE_MONGO_CURSOR | SONDE_MONGO_CURSOR << 4 * SONDE_MONGO_BATCH |                     \
	 SONDE_MONGO_TOP << 4 * SONDE_MONGO_VALUES | SONDE_MONGO_TOP << 4 * SONDE_MONGO_ERRORS |                       \
	 (u32)SONDE_MONGO_ERRORS << 4 * SONDE_MONGO_ERROR | (u32)SONDE_MONGO_TOP << 4 * SONDE_MONGO_CONCERN)

/* The container that is the current element's value is walked next. */
SONDE_INLINE void sonde_mongo_into(struct sonde_mongo_walk *k, u32 stage)
{
	k->mode = (k->mode & ~SONDE_MONGO_STAGE) | stage;
	k->pos = k->value + 4;
}

/* A number of any type is zero. */
SONDE_INLINE bool sonde_mongo_zero(const struct sonde_win *w, const struct sonde_mongo_walk *k)
{
	u32 len = k->next - k->value;

	return len && len <= 8 && k->next <= k->end && !(sonde_win_u64(w, k->value) << (64 - 8 * len));
}

/* An element of the reply's document itself. */
SONDE_INLINE void sonde_mongo_top(const struct sonde_win *w, struct sonde_mongo_walk *k)
{
	bool there = k->next <= k->end;

	switch (k->word) {
	case SONDE_MONGO_WORD('c', 'u', 'r', 's', 'o', 'r', 0, 0):
		if (k->type == SONDE_BSON_DOCUMENT)
			sonde_mongo_into(k, SONDE_MONGO_CURSOR);
		break;
	case SONDE_MONGO_WORD('v', 'a', 'l', 'u', 'e', 's', 0, 0): /* distinct */
		if (k->type == SONDE_BSON_ARRAY)
			sonde_mongo_into(k, SONDE_MONGO_VALUES);
		break;
	case SONDE_MONGO_WORD('v', 'a', 'l', 'u', 'e', 0, 0, 0): /* findAndModify */
		if (k->type == SONDE_BSON_DOCUMENT)
			k->aux |= 1;
		break;
	case SONDE_MONGO_WORD('w', 'r', 'i', 't', 'e', 'E', 'r', 'r'): /* writeErrors */
		if (k->type == SONDE_BSON_ARRAY)
			sonde_mongo_into(k, SONDE_MONGO_ERRORS);
		break;
	case SONDE_MONGO_WORD('w', 'r', 'i', 't', 'e', 'C', 'o', 'n'): /* writeConcernError */
		if (k->type == SONDE_BSON_DOCUMENT)
			sonde_mongo_into(k, SONDE_MONGO_CONCERN);
		break;
	case SONDE_MONGO_WORD('o', 'k', 0, 0, 0, 0, 0, 0):
		if (sonde_mongo_zero(w, k))
			k->mode |= SONDE_MONGO_BE_FAILED;
		break;
	case SONDE_MONGO_WORD('c', 'o', 'd', 'e', 0, 0, 0, 0):
		if (k->type == SONDE_BSON_INT32 && there)
			k->aux = (u32)k->aux | (u64)sonde_win_le32(w, k->value) << 32;
		break;
	case SONDE_MONGO_WORD('n', 0, 0, 0, 0, 0, 0, 0):
		if (k->type == SONDE_BSON_INT32 && there && k->kind & SONDE_MONGO_KIND_WRITE)
			k->aux += sonde_win_le32(w, k->value);
		break;
	}
}

/** sonde_mongo_reply_step - look at one element of a reply; 0 to go on, 1 at its end, -1 if it is not there or not BSON */
SONDE_INLINE int sonde_mongo_reply_step(const struct sonde_win *w, struct sonde_mongo_walk *k)
{
	u32 stage = k->mode & SONDE_MONGO_STAGE;

	if (k->pos >= k->end)
		return -1;
	if (!sonde_win_u8(w, k->pos)) {
		k->pos++;
		k->mode = (k->mode & ~SONDE_MONGO_STAGE) | (SONDE_MONGO_BACK >> 4 * stage & SONDE_MONGO_STAGE);
		return stage == SONDE_MONGO_TOP;
	}
	if (SONDE_MONGO_ELEMENT(w, k))
		return -1;
	k->pos = k->next;
	switch (stage) {
	case SONDE_MONGO_TOP:
		sonde_mongo_top(w, k);
		break;
	case SONDE_MONGO_CURSOR:
		if (k->type == SONDE_BSON_ARRAY &&
		    (k->word == SONDE_MONGO_WORD('f', 'i', 'r', 's', 't', 'B', 'a', 't') ||
		     k->word == SONDE_MONGO_WORD('n', 'e', 'x', 't', 'B', 'a', 't', 'c')))
			sonde_mongo_into(k, SONDE_MONGO_BATCH);
		break;
	case SONDE_MONGO_BATCH:
	case SONDE_MONGO_VALUES:
		k->aux++;
		break;
	case SONDE_MONGO_ERRORS:
		if (k->type == SONDE_BSON_DOCUMENT && !(k->mode & SONDE_MONGO_BE_FAILED))
			sonde_mongo_into(k, SONDE_MONGO_ERROR);
		k->mode |= SONDE_MONGO_BE_FAILED;
		break;
	case SONDE_MONGO_CONCERN:
		k->mode |= SONDE_MONGO_BE_FAILED;
		/* fallthrough */
	case SONDE_MONGO_ERROR:
		if (k->word == SONDE_MONGO_WORD('c', 'o', 'd', 'e', 0, 0, 0, 0) && k->type == SONDE_BSON_INT32 &&
		    k->next <= k->end)
			k->aux = (u32)k->aux | (u64)sonde_win_le32(w, k->value) << 32;
		break;
	}
	return 0;
}

/** sonde_mongo_error_class - of a server's error code; source: the manual's "Error Codes" */
SONDE_INLINE u32 sonde_mongo_error_class(u32 code)
{
	switch (code) {
	case 2: /* BadValue: also an unknown operator */
	case 9: /* FailedToParse */
	case 13: /* Unauthorized */
	case 26: /* NamespaceNotFound */
	case 59: /* CommandNotFound */
		return SONDE_ERR_SYNTAX;
	case 121: /* DocumentValidationFailure */
	case 11000: /* DuplicateKey */
	case 11001:
	case 12582:
		return SONDE_ERR_CONSTRAINT;
	case 14: /* TypeMismatch */
	case 15: /* Overflow */
	case 22: /* InvalidBSON */
	case 10334: /* BSONObjectTooLarge */
		return SONDE_ERR_DATA;
	case 24: /* LockTimeout */
	case 112: /* WriteConflict */
	case 244: /* TransactionTooOld */
	case 251: /* NoSuchTransaction */
		return SONDE_ERR_ROLLBACK;
	case 50: /* MaxTimeMSExpired */
	case 91: /* ShutdownInProgress */
	case 189: /* PrimarySteppedDown */
	case 237: /* CursorKilled */
	case 262: /* ExceededTimeLimit */
	case 11600: /* InterruptedAtShutdown */
	case 11601: /* Interrupted */
	case 11602: /* InterruptedDueToReplStateChange */
		return SONDE_ERR_CANCEL;
	case 146: /* ExceededMemoryLimit */
	case 292: /* QueryExceededMemoryLimitNoDiskUseAllowed */
	case 14031: /* OutOfDiskSpace */
		return SONDE_ERR_RESOURCE;
	case 6: /* HostUnreachable */
	case 7: /* HostNotFound */
	case 18: /* AuthenticationFailed */
	case 89: /* NetworkTimeout */
	case 9001: /* SocketException */
		return SONDE_ERR_CONNECTION;
	default:
		return SONDE_ERR_OTHER;
	}
}

/* The reply is complete: everything that is left of it. */
SONDE_INLINE int sonde_mongo_done(struct sonde_mongo_walk *k, struct sonde_state *st, struct sonde_msg *m)
{
	bool failed = k->mode & SONDE_MONGO_BE_FAILED, more = k->mode & SONDE_MONGO_BE_MORE;

	m->size = st->be_left;
	st->be_mode = more && !(k->kind & SONDE_MONGO_KIND_EXHAUST) ? SONDE_MONGO_BE_MORE : 0;
	st->be_left = 0;
	st->be_aux = 0;
	if (k->mode & SONDE_MONGO_BE_UNASKED)
		return SONDE_PARSE_OK;
	m->op = failed ? SONDE_OP_ERROR : SONDE_OP_DONE;
	m->rows = (u32)k->aux;
	if (failed) {
		m->code = k->aux >> 32;
		m->error_class = sonde_mongo_error_class(m->code);
	}
	if (k->kind & SONDE_MONGO_KIND_EXHAUST)
		m->flags |= more && !failed ? SONDE_MSG_MORE : SONDE_MSG_LAST;
	if (k->kind & SONDE_MONGO_KIND_END)
		m->txn = SONDE_TXN_IDLE;
	else if (k->kind & SONDE_MONGO_KIND_TXN)
		m->txn = failed ? SONDE_TXN_FAILED : SONDE_TXN_OPEN;
	else if (k->kind)
		m->txn = SONDE_TXN_IDLE;
	return SONDE_PARSE_OK;
}

/* A reply's header. */
SONDE_INLINE int sonde_mongo_reply_begin(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
					 struct sonde_msg *m)
{
	int ret = sonde_mongo_header(w, pos, avail, m);
	u32 op = sonde_win_le32(w, pos + 12);
	bool unasked = st->be_mode & SONDE_MONGO_BE_MORE;

	if (ret != SONDE_PARSE_OK)
		return ret;
	if (op == SONDE_MONGO_OP_COMPRESSED)
		return sonde_mongo_compressed(m);
	if ((op != SONDE_MONGO_OP_MSG || m->size < 26) && (op != SONDE_MONGO_OP_REPLY || m->size < 36))
		return SONDE_PARSE_BAD;
	m->type = op;
	m->op = unasked ? SONDE_OP_NONE : SONDE_OP_REPLY;
	st->be_mode = SONDE_MONGO_TOP | SONDE_MONGO_BE_START | (unasked ? SONDE_MONGO_BE_UNASKED : 0) |
		      (op == SONDE_MONGO_OP_REPLY ? SONDE_MONGO_BE_LEGACY : 0);
	st->be_left = m->size - 16;
	st->be_aux = 0;
	m->size = 16;
	return SONDE_PARSE_OK;
}

/* Between the header and the document; false if there is none to look at. */
SONDE_INLINE bool sonde_mongo_reply_head(const struct sonde_win *w, u32 pos, struct sonde_mongo_walk *k)
{
	u32 flags = sonde_win_le32(w, pos);

	k->mode &= ~SONDE_MONGO_BE_START;
	if (!(k->mode & SONDE_MONGO_BE_LEGACY)) { /* flags, kind of the section, length of the document */
		k->pos = pos + 9;
		if (flags & SONDE_MONGO_MORE_TO_COME)
			k->mode |= SONDE_MONGO_BE_MORE;
		return !sonde_win_u8(w, pos + 4);
	}
	k->pos = pos + 24; /* flags, cursor, first and number of documents; length of the first */
	if (flags & 2) /* QueryFailure */
		k->mode |= SONDE_MONGO_BE_FAILED;
	if (!(k->kind & SONDE_MONGO_KIND_LEGACY))
		return true;
	k->aux = sonde_win_le32(w, pos + 16);
	return false;
}

SONDE_INLINE int sonde_mongodb_server(const struct sonde_win *w, u32 pos, u32 avail, struct sonde_state *st,
				      struct sonde_msg *m)
{
	bool whole = st->be_left <= SONDE_MONGO_WHOLE;
	u32 want = whole ? (u32)st->be_left : SONDE_MONGO_HEAD;
	SONDE_MONGO_WALK(k);
	int ret = 1;

	if (!(st->be_mode & SONDE_MONGO_STAGE))
		return sonde_mongo_reply_begin(w, pos, avail, st, m);
	if (!k)
		return SONDE_PARSE_BAD;
	m->size = want;
	if (avail < want)
		return SONDE_PARSE_MORE;
	k->kind = st->expect;
	k->mode = st->be_mode;
	k->aux = st->be_aux;
	k->pos = pos;
	k->end = pos + want;
	if (k->mode & SONDE_MONGO_BE_START && !sonde_mongo_reply_head(w, pos, k))
		return sonde_mongo_done(k, st, m);
	for (u32 i = 0; i < SONDE_MONGO_STEPS; i++) {
		ret = SONDE_MONGO_REPLY_STEP(w, k);
		if (ret || !whole)
			break;
	}
	if (ret || k->pos - pos >= st->be_left)
		return sonde_mongo_done(k, st, m);
	m->op = k->mode & SONDE_MONGO_BE_UNASKED ? SONDE_OP_NONE : SONDE_OP_REPLY;
	m->size = k->pos - pos;
	st->be_mode = k->mode;
	st->be_left -= m->size;
	st->be_aux = k->aux;
	return SONDE_PARSE_OK;
}

/* ---- runs of documents ---- */

#define SONDE_MONGO_RUN 32u

/**
 * sonde_mongo_skip_run - pass by the documents of a batch, of which the first begins at @pos and the data ends at @end
 *
 * What sonde_mongodb_server() would do with each of them, while more than SONDE_MONGO_WHOLE bytes of the reply are left.
 * Returns the bytes passed, @rows the documents.
 */
SONDE_INLINE u32 sonde_mongo_skip_run(const struct sonde_win *w, u32 pos, u32 end, u64 left, u32 *rows)
{
	const u64 ones = 0x0101010101010101ULL;
	u32 begin = pos;

	*rows = 0;
	for (u32 i = 0; i < SONDE_MONGO_RUN; i++) {
		u64 word = sonde_win_u64(w, pos + 1), zero = (word - ones) & ~word & (ones << 7);
		u32 len = (u32)((((zero ^ (zero - 1)) >> 8 & ones) * ones) >> 56);
		u32 size = sonde_win_le32(w, pos + 2 + len);
		/* few branches: the key is no short number, or what it names no document */
		u64 other = (~zero & (zero - 1)) >> 63 | (sonde_win_u8(w, pos) ^ SONDE_BSON_DOCUMENT);

		if (other || pos + 6 + len > end || size - 5 > SONDE_MONGO_MAX_MESSAGE)
			break;
		size += 2 + len;
		if (left < (u64)size + SONDE_MONGO_WHOLE)
			break;
		left -= size;
		pos += size;
		(*rows)++;
	}
	return pos - begin;
}

#endif /* SONDE_PROTO_MONGODB_H */
