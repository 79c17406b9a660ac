/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.h - what the ring buffer carries: rare facts only, never one event per statement.
 */
#ifndef SONDE_EVENT_H
#define SONDE_EVENT_H

#include "base.h"

enum sonde_event_type {
	SONDE_EVENT_TEXT = 1, /* struct sonde_event_text: a statement's normalised text, once */
	SONDE_EVENT_EXEC = 2, /* struct sonde_event_proc: a traced process runs a new program */
	SONDE_EVENT_EXIT = 3, /* struct sonde_event_proc: a traced process is gone */
	SONDE_EVENT_ALIAS = 4, /* struct sonde_event_alias: the text of a statement known by name only has shown up */
};

/** struct sonde_event - common beginning of every event */
struct sonde_event {
	u32 type; /* enum sonde_event_type */
	u32 size; /* of the whole event, bytes */
	u64 time_ns; /* CLOCK_MONOTONIC */
};

#define SONDE_TEXT_PARTIAL 1u /* only the beginning of the statement: it was longer than what is read */
#define SONDE_TEXT_NAME 2u /* @text is a prepared statement's name whose text was never seen */

/** struct sonde_event_text - statement @id reads @text (normalised; @len bytes, not NUL-terminated) */
struct sonde_event_text {
	struct sonde_event head;
	u64 id;
	u32 proto; /* enum sonde_proto */
	u32 flags; /* SONDE_TEXT_* */
	u32 verb; /* enum sonde_sql_verb */
	u32 len;
	char text[SONDE_TEXT_BYTES];
};

/** struct sonde_event_proc - a process started a program or ended */
struct sonde_event_proc {
	struct sonde_event head;
	u32 tgid;
	u32 pad;
};

/** struct sonde_event_alias - statement @named (SONDE_KEY_NAMED) is prepared again on its connection, now as @id */
struct sonde_event_alias {
	struct sonde_event head;
	u64 named;
	u64 id;
	u64 peer;
	u32 tgid;
	u32 start;
};

#define SONDE_EVENT_TEXT_HEAD offsetof(struct sonde_event_text, text)

_Static_assert(sizeof(struct sonde_event) == 16, "no holes");
_Static_assert(sizeof(struct sonde_event_text) == 40 + SONDE_TEXT_BYTES, "no holes");

#endif /* SONDE_EVENT_H */
