/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * comment.h - what the reader of SQL comments gives: the request that a statement belongs to.
 *
 * The work is done in comment_core.h and comment_name.h, once, for kernel and user space; every part of sonde may include
 * this. Read are sqlcommenter (key='value' with URL-encoded values, \' for a quote), marginalia and the query logs of Rails
 * (key:value), and whatever else has key=value or key: value, JSON among it: names of routes, controllers, actions and
 * jobs, and ids of traces and requests. Anything else in a comment is passed by.
 */
#ifndef SONDE_COMMENT_H
#define SONDE_COMMENT_H

#include "label.h"

#define SONDE_COMMENT_BYTES 512u /* of a comment that are looked at */
#define SONDE_COMMENT_NAME 128u /* longest name, bytes; power of two */
#define SONDE_COMMENT_FIELDS 4u

/* What a key says. The first ones are names with a buffer each, the last ones ids in the order of their weight. */
enum sonde_comment_key {
	SONDE_COMMENT_ROUTE = 0,
	SONDE_COMMENT_CONTROLLER,
	SONDE_COMMENT_ACTION,
	SONDE_COMMENT_JOB,
	SONDE_COMMENT_OTHER, /* of no interest */
	SONDE_COMMENT_REQUEST,
	SONDE_COMMENT_TRACE, /* trace id alone */
	SONDE_COMMENT_PARENT, /* traceparent: version, trace id, span id, flags (W3C Trace Context) */
};

enum sonde_comment_mode {
	SONDE_COMMENT_IN_KEY = 0,
	SONDE_COMMENT_BEHIND_KEY, /* blanks, the quote that ends it */
	SONDE_COMMENT_BEFORE_VALUE,
	SONDE_COMMENT_IN_VALUE,
};

/**
 * struct sonde_comment - a comment being read, and the result
 * @request: hash that identifies the request: of the trace id (not of the span, which may be the statement's own), else
 *	of the request id; 0: none
 * @name: route, else controller#action, else job; decoded, at most SONDE_COMMENT_NAME bytes; len 0: none
 *
 * Both are valid after a run (sonde_comment_finish()). The rest is state.
 */
struct sonde_comment {
	u64 request;
	struct sonde_label name;

	u32 pos, end; /* next byte in the window, where the comment ends */
	u32 slot; /* where the kernel side finds this */
	u64 word; /* last eight characters of the key; of the value once it is open, in lower case */
	u64 hash; /* over the open value */
	u64 high, low; /* the open value's last 32 hexadecimal digits */
	u32 len; /* of the open value, decoded */
	u8 key_len; /* characters of the key but for _ - and . */
	u8 mode; /* enum sonde_comment_mode */
	u8 key; /* enum sonde_comment_key of the open value */
	u8 quote; /* that ends the open value, 0: none */
	u8 escaped; /* a backslash came before */
	u8 percent; /* 1: behind %, 2: behind % and a digit */
	u8 digit; /* that one */
	u8 weight; /* key that @request comes from */
	u8 cut; /* the comment goes on behind @end */
	u8 wrong; /* traceparent: not of that form */
	u8 fields; /* bit for each name that has been read */
	u8 patterns; /* bit for each name that is a pattern already */
	u8 field_cut; /* bit for each name that goes on */

	/* While the name is put together. */
	u8 first, second; /* fields; SONDE_COMMENT_OTHER: none */
	u8 fold; /* it is a path */
	u8 nr_parts;
	u8 pad;
	u16 at; /* next byte */
	u16 segment, part; /* where they begin in the name */
	u64 segment_made, part_made; /* what they are made of, see SONDE_PIECE_LEN */
	u8 field_len[SONDE_COMMENT_FIELDS];
	u8 pad2[4];
	u8 field[SONDE_COMMENT_FIELDS * SONDE_COMMENT_NAME];
};

#endif /* SONDE_COMMENT_H */
