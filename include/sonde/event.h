/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.h - what the ring buffer carries: rare facts only, never one event per statement.
 */
#ifndef SONDE_EVENT_H
#define SONDE_EVENT_H

#include "base.h"
#include "key.h"
#include "scope.h"

enum sonde_event_type {
	SONDE_EVENT_TEXT = 1, /* struct sonde_event_text: a statement's normalised text, once */
	SONDE_EVENT_EXEC = 2, /* struct sonde_event_proc: a traced process runs a new program */
	SONDE_EVENT_EXIT = 3, /* struct sonde_event_proc: a traced process is gone */
	SONDE_EVENT_ALIAS = 4, /* struct sonde_event_alias: the text of a statement known by name only has shown up */
	SONDE_EVENT_FINDING =
		5, /* struct sonde_event_finding: a statement has repeated often enough in a scope that is still open */
	SONDE_EVENT_SLOW = 6, /* struct sonde_event_slow: an execution took too long */
	SONDE_EVENT_SYSCALL = 7, /* struct sonde_event_syscall: a system call took long */
	SONDE_EVENT_SPACE = 16, /* struct sonde_event_proc: a process's tables for unwinding are missing or stale */
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

/** struct sonde_event_proc - a process started a program or ended; @begun: it says by itself that it has mapped its libraries */
struct sonde_event_proc {
	struct sonde_event head;
	u32 tgid;
	u32 begun;
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

/**
 * struct sonde_event_finding - statement @key.id crossed the threshold in a scope; at most one a second for each row
 * @calls: so far in this scope; @stack: an id in map `stacks`, to be resolved while the process lives (< 0: none)
 */
struct sonde_event_finding {
	struct sonde_event head;
	struct sonde_finding_key key;
	u32 calls;
	s32 stack;
};

/**
 * struct sonde_event_slow - an execution took longer than the threshold; rate-limited (counted: slow_dropped)
 * @key: its row of map `queries`
 * @scope, @name: kind and name of the scope it belongs to (enum sonde_scope_kind; 0: none)
 * @start_ns, @done_ns, @first_ns: CLOCK_MONOTONIC of its beginning, durations to completion and to the first byte
 * @example_len: bytes of @example (--examples): what stood on the wire, the statement's text or, SONDE_SLOW_BIND, a message with
 *		 parameters; 0: none
 */
#define SONDE_SLOW_EXAMPLE_BYTES 4096u
#define SONDE_SLOW_CUT 1u /* flags: @example is only the beginning */
#define SONDE_SLOW_BIND 2u /* flags: @example is the protocol's message that executes a prepared statement */
#define SONDE_SLOW_FAILED 4u /* flags: it ended with an error */
/*
 * flags: @example is the length (u32) of the prepared statement's text and what follows it in its message (PostgreSQL: NUL,
 * number of parameter types, types), these bytes, then the message with the parameters
 */
#define SONDE_SLOW_PREPARED 8u

struct sonde_event_slow {
	struct sonde_event head;
	struct sonde_query_key key;
	u64 name;
	u64 start_ns;
	u64 done_ns;
	u64 first_ns;
	u64 rows;
	u64 bytes;
	u64 sqlstate; /* packed as in struct sonde_query_stat */
	u32 tid; /* thread that received the end of the response, in the initial pid namespace */
	s32 stack;
	u8 scope;
	u8 verb;
	u16 flags;
	u32 example_len;
	char example[SONDE_SLOW_EXAMPLE_BYTES];
};

#define SONDE_EVENT_SLOW_HEAD offsetof(struct sonde_event_slow, example)

#define SONDE_EVENT_TEXT_HEAD offsetof(struct sonde_event_text, text)

_Static_assert(sizeof(struct sonde_event) == 16, "no holes");
_Static_assert(sizeof(struct sonde_event_text) == 40 + SONDE_TEXT_BYTES, "no holes");

_Static_assert(sizeof(struct sonde_event_finding) == 16 + sizeof(struct sonde_finding_key) + 8, "no holes");
_Static_assert(sizeof(struct sonde_event_slow) ==
		       16 + sizeof(struct sonde_query_key) + 7 * 8 + 16 + SONDE_SLOW_EXAMPLE_BYTES,
	       "no holes");

#endif /* SONDE_EVENT_H */
