/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown.bpf.h - a thread that handles an inbound request, and where its time goes: what the programs at the scheduler and
 * those for sockets share. So do those that tell of allocations and of growth, for the memory that requests take.
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

/* bd_thread.call */
enum {
	BD_RECEIVES = 0,
	BD_SENDS,
	BD_POLLS, /* waits for one of several descriptors, or for a time out: an event loop's timers */
	BD_CALLS,
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
 * @reason: of being blocked, enum sonde_wait; @call: of those that wait for sockets, BD_RECEIVES, ...
 * @net_ns: waited in such calls, for a socket that is not known yet
 * @of: the endpoint; @memory: what was taken for the request
 */
struct bd_thread {
	u64 conn;
	u64 begin_ns;
	u64 mark_ns;
	u32 nr_open;
	u8 state;
	u8 reason;
	u8 call;
	u8 used; /* slots with an id */
	u64 cpu_ns;
	u64 net_ns[BD_CALLS];
	u64 dep_ns[SONDE_DEPS];
	u64 wait_ns[SONDE_WAITS];
	struct bd_slot slot[BD_SLOTS];
	struct sonde_query_key of;
	struct sonde_memory memory;
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

struct map_bd_sites_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_memory_key);
	__type(value, struct sonde_memory);
};

struct map_bd_zero_row_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_breakdown_stat);
};

extern struct map_bd_threads_def bd_threads SEC(".maps");
extern struct map_bd_zero_def bd_zero SEC(".maps");
extern struct map_bd_rows_def bd_rows SEC(".maps");
extern struct map_bd_deps_def bd_deps SEC(".maps");
extern struct map_bd_sites_def bd_sites SEC(".maps");
extern struct map_bd_zero_row_def bd_zero_row SEC(".maps");

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

/** bd_gave_up - a request of @conn that @owner had read will not be answered */
extern int bd_gave_up(u64 owner, u64 conn);

/**
 * bd_socket - thread @self used a socket: what it has waited for since the last time was that one
 * @sent: it sent, otherwise it received; @kind, @proto, @id: of the request outstanding there (SONDE_DEP_SOCKET: none; BD_INBOUND:
 * it is where requests come from)
 */
#define BD_INBOUND SONDE_DEPS
extern int bd_socket(u64 self, u32 sent, u32 kind, u32 proto, u64 id);

/* ---- what both make use of ---- */

static __always_inline struct bd_thread *bd_thread_get(u64 self)
{
	return bpf_map_lookup_elem(&bd_threads, &self);
}

/* The row of @key, made if it is new; NULL: there is no room, which is counted. */
static __always_inline struct sonde_breakdown_stat *bd_row_get(const struct sonde_query_key *key)
{
	struct sonde_breakdown_stat *row = bpf_map_lookup_elem(&bd_rows, key), *zero;
	u32 z = 0;

	if (row)
		return row;
	zero = bpf_map_lookup_elem(&bd_zero_row, &z);
	if (!zero)
		return NULL;
	bpf_map_update_elem(&bd_rows, key, zero, BPF_NOEXIST);
	row = bpf_map_lookup_elem(&bd_rows, key);
	if (!row)
		count(SONDE_CNT_BREAKDOWN_FULL);
	return row;
}

static __always_inline void bd_add_undivided(struct sonde_breakdown_stat *row, u32 why, u64 ns)
{
	__sync_fetch_and_add(&row->undivided[why], 1);
	__sync_fetch_and_add(&row->undivided_ns[why], ns);
}

/* Into the slot of @id; what finds none is added to that of all others of its kind, which has no id. */
static __always_inline void bd_slot_add(struct bd_thread *t, u64 id, u32 kind, u32 proto, u64 ns, u32 calls)
{
	u32 at = t->used, found = BD_SLOTS;
	struct bd_slot *s;

	for (u32 i = 0; i < BD_SLOTS; i++) { /* without branches, for the verifier */
		u64 differs = (t->slot[i].id ^ id) | (t->slot[i].kind ^ kind);
		u32 is;

		SONDE_OPAQUE(differs);
		is = (u32)((differs | -differs) >> 63) - 1;
		SONDE_OPAQUE(is);
		found = (found & ~is) | (i & is);
	}
	if (found < BD_SLOTS) {
		at = found;
	} else if (at < BD_SLOTS - 2) {
		t->used = at + 1;
	} else { /* the last two */
		at = BD_SLOTS - 2 + (kind == SONDE_DEP_HTTP);
		id = 0;
	}
	SONDE_OPAQUE(at);
	s = &t->slot[at & (BD_SLOTS - 1)];
	s->id = id;
	s->kind = kind;
	s->proto = proto;
	s->ns += ns;
	s->calls += calls;
}

#endif /* SONDE_BREAKDOWN_BPF_H */
