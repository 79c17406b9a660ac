/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown.bpf.h - a thread that handles an inbound request, and where its time goes: what the programs at the scheduler and
 * those for sockets share.
 */
#ifndef SONDE_BREAKDOWN_BPF_H
#define SONDE_BREAKDOWN_BPF_H

#include "sonde.bpf.h"
#include "sonde/breakdown.h"

#define BD_SLOTS 16 /* statements of one request that are told apart, and two for all others; power of two */

/* bd_thread.state */
enum {
	BD_RUNS = 0,
	BD_QUEUED, /* could run */
	BD_BLOCKED,
};

/** struct bd_slot - replies to one statement, or to one kind of request sent */
struct bd_slot {
	u64 id;
	u64 ns;
	u32 calls;
	u16 kind; /* enum sonde_dep_kind */
	u16 proto;
};

/**
 * struct bd_thread - a thread (key: its id) or goroutine (BD_GOROUTINE and a hash)
 * @conn: of the request whose time is divided; 0: none, nothing is added
 * @nr_open: requests it has read and not answered
 * @mark_ns: since when it is in @state; a goroutine: until when its time is divided
 * @reason: of being blocked, enum sonde_wait; @sends: in a call that sends
 * @net_ns: waited at sockets, for one that is not known yet: to receive, to send
 */
struct bd_thread {
	u64 conn;
	u64 begin_ns;
	u64 mark_ns;
	u32 nr_open;
	u8 state;
	u8 reason;
	u8 sends;
	u8 used; /* slots with an id */
	u64 cpu_ns;
	u64 net_ns[2];
	u64 dep_ns[SONDE_DEPS];
	u64 wait_ns[SONDE_WAITS];
	struct bd_slot slot[BD_SLOTS];
};

#define BD_GOROUTINE (1ULL << 63)

struct map_bd_threads_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct bd_thread);
};

struct map_bd_zero_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bd_thread);
};

struct map_bd_rows_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_query_key);
	__type(value, struct sonde_breakdown_stat);
};

struct map_bd_deps_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_dep_key);
	__type(value, struct sonde_dep_stat);
};

extern struct map_bd_threads_def bd_threads SEC(".maps");
extern struct map_bd_zero_def bd_zero SEC(".maps");
extern struct map_bd_rows_def bd_rows SEC(".maps");
extern struct map_bd_deps_def bd_deps SEC(".maps");

extern const volatile struct sonde_breakdown_config bd_conf;

/** struct bd_answer - a request that has been answered, as the connection saw it */
struct bd_answer {
	struct sonde_query_key key; /* its row */
	u64 conn;
	u64 owner; /* key in bd_threads of who read it */
	u64 self; /* and of who answered it */
	u64 begin_ns, end_ns;
};

/** bd_begin - request of connection @conn, read at @now by thread or goroutine @self */
extern int bd_begin(u64 self, u64 conn, u64 now);

/** bd_answered - into its row */
extern int bd_answered(const struct bd_answer *a);

/** bd_unknown - a request of row @key that came while the one before it was not answered: @ns in all, no more is known */
extern int bd_unknown(const struct sonde_query_key *key, u64 ns);

/** bd_gave_up - a request of @conn that @owner had read will not be answered */
extern int bd_gave_up(u64 owner, u64 conn);

/**
 * bd_socket - thread @self used a socket: what it has waited for since the last time was that one
 * @sent: it sent, otherwise it received; @kind, @proto, @id: of the request outstanding there (SONDE_DEP_SOCKET: none)
 */
extern int bd_socket(u64 self, u32 sent, u32 kind, u32 proto, u64 id);

/** struct bd_reply - a reply that is complete; @begin_ns: when what it answers was sent */
struct bd_reply {
	u64 self;
	u64 id;
	u64 begin_ns, end_ns;
	u32 kind; /* enum sonde_dep_kind */
	u32 proto;
};

/** bd_replied - one call more; a goroutine waited for it since it was sent */
extern int bd_replied(const struct bd_reply *r);

#endif /* SONDE_BREAKDOWN_BPF_H */
