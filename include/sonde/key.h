/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * key.h - what the kernel aggregates by and what it keeps: the layout of the maps that user space reads.
 *
 * Every structure is made of fixed-width members without holes, so that it hashes and compares the same
 * everywhere. The verifier refuses a key with uninitialised bytes; the size asserts refuse a hidden one.
 */
#ifndef SONDE_KEY_H
#define SONDE_KEY_H

#include "base.h"
#include "hist.h"

enum sonde_proto {
	SONDE_PROTO_UNKNOWN = 0,
#define SONDE_PROTO(id, symbol, system, name, view, dialect) SONDE_PROTO_##symbol = id,
#include "proto.def"
	SONDE_PROTO_MAX = 16,
};

/* What a command shows: of a protocol (column VIEW of proto.def), or something else. */
enum sonde_view {
	SONDE_VIEW_DB = 0,
	SONDE_VIEW_HTTP,
	SONDE_VIEW_SYSCALL,
	SONDE_VIEW_IO,
	SONDE_VIEW_NET,
	SONDE_VIEW_CPU, /* stacks; no protocol */
	SONDE_VIEW_ALLOC, /* allocations by call site */
	SONDE_VIEW_OFFCPU,
	SONDE_VIEW_GROWTH, /* memory taken from the kernel */
	SONDE_VIEW_GC, /* garbage collections, beside ALLOC and GROWTH */
	SONDE_VIEWS,
};

/* Which end of the connection the traced process is. Values are bits of --role. */
enum sonde_role {
	SONDE_ROLE_CLIENT = 1,
	SONDE_ROLE_SERVER = 2,
};

enum sonde_counter {
#define SONDE_COUNTER(symbol, name, kind, text) SONDE_CNT_##symbol,
#include "counter.def"
#undef SONDE_COUNTER
	SONDE_CNT_MAX,
};

#define SONDE_COUNTER_ROOM 64 /* places in the kernel's array of counters: a power of two */
_Static_assert(SONDE_CNT_MAX <= SONDE_COUNTER_ROOM, "counters need more room");

/* What kind of error a statement ended with, coarse enough to act on. From SQLSTATE's class
 * (PostgreSQL appendix A) or the engine's own code (SQLite result codes).
 */
enum sonde_error_class {
	SONDE_ERR_OTHER = 0,
	SONDE_ERR_SYNTAX, /* 42: syntax error, undefined table or column, missing privilege */
	SONDE_ERR_CONSTRAINT, /* 23: unique, foreign key, not null, check */
	SONDE_ERR_DATA, /* 22: bad value, division by zero */
	SONDE_ERR_ROLLBACK, /* 40: serialization failure, deadlock; SQLite busy, locked */
	SONDE_ERR_CANCEL, /* 57: cancelled, statement timeout, shutdown */
	SONDE_ERR_RESOURCE, /* 53, 54: out of memory, disk full, too many connections */
	SONDE_ERR_CONNECTION, /* 08, 28: connection, authentication */
	SONDE_ERR_CLASSES,
};

/* The same for rows of VIEW HTTP: which class of status the response had. */
enum sonde_http_class {
	SONDE_HTTP_4XX = 0,
	SONDE_HTTP_5XX,
	SONDE_HTTP_OTHER, /* no answer: connection broken */
};

/** struct sonde_proc - one process: a pid together with its start time, because pids are used again */
struct sonde_proc {
	u32 tgid; /* process id in the initial pid namespace */
	u32 start; /* start_boottime >> 24: units of 16.8 ms since boot */
};

/**
 * struct sonde_query_key - a row of the query report
 * @id: the statement's id (sonde_sql), or a hash of its name while its text is unknown (SONDE_KEY_NAMED)
 * @peer: id of the struct sonde_peer (server, database, user)
 */
struct sonde_query_key {
	u64 id;
	u64 peer;
	struct sonde_proc proc;
	u8 proto; /* enum sonde_proto */
	u8 role; /* enum sonde_role */
	u16 flags; /* SONDE_KEY_* */
	u32 pad;
};

/* The text of the statement was never seen (prepared before sonde attached): the row stands for "stmt <name>". */
#define SONDE_KEY_NAMED 1
/* Waits by intent (BLPOP, SUBSCRIBE): its time says nothing about the server. */
#define SONDE_KEY_BLOCKING 2

/**
 * struct sonde_query_stat - the numbers of a row; counters only grow
 * @done: duration from the statement sent to its completion received (client), reversed (server)
 * @first: the same to the first byte of the response
 * @first_seen_ns, @last_seen_ns: CLOCK_MONOTONIC of the first and the last completion
 * @sqlstate: the last error's five characters, packed with the first in the lowest byte (0: none); above bit 40 the
 *            server's own error number (MySQL), 0 none
 */
struct sonde_query_stat {
	u64 count;
	u64 errors;
	u64 rows;
	u64 sent_bytes;
	u64 recv_bytes;
	u64 first_seen_ns;
	u64 last_seen_ns;
	u64 sqlstate;
	u32 error_class[SONDE_ERR_CLASSES];
	struct sonde_hist done;
	struct sonde_hist first;
};

/* Address families as struct sonde_peer holds them (the kernel's AF_ numbers). */
enum sonde_family {
	SONDE_AF_FILE = 0, /* no socket: @path names a file (SQLite) */
	SONDE_AF_UNIX = 1,
	SONDE_AF_INET = 2,
	SONDE_AF_INET6 = 10,
};

/** struct sonde_peer - who was asked: server address, database and user; kept in map `peers` under a hash of itself */
struct sonde_peer {
	u16 family; /* enum sonde_family */
	u16 port; /* host byte order */
	u32 pad;
	u8 addr[16]; /* network byte order; IPv4 in the first four bytes */
	char path[112]; /* unix socket's path ('@' first: abstract) or database file; cut, NUL-terminated */
	char database[SONDE_NAME_BYTES]; /* empty: not known (connected before sonde attached) */
	char user[SONDE_NAME_BYTES];
};

/** struct sonde_proc_info - value of map `procs` */
struct sonde_proc_info {
	char comm[SONDE_COMM_BYTES];
	u64 cgroup; /* cgroup v2 id */
};

_Static_assert(sizeof(struct sonde_query_key) == 32, "no holes");
_Static_assert(sizeof(struct sonde_peer) == 264, "no holes");
_Static_assert(sizeof(struct sonde_query_stat) == 8 * 8 + 4 * SONDE_ERR_CLASSES + 2 * (24 + 4 * SONDE_HIST_BUCKETS),
	       "no holes");

#endif /* SONDE_KEY_H */
