/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakdown.bpf.h - a thread that handles an inbound request, and where its time goes: what the programs at the scheduler and
 * those for sockets share. So do those that tell of allocations and of growth, for the memory that requests take.
 */
#ifndef SONDE_BREAKDOWN_BPF_H
#define SONDE_BREAKDOWN_BPF_H

#include "sonde.bpf.h"
#include "sonde/breakdown.h"
#include "sonde/go_park.h"
#include "sonde/share.h"

#define BD_SLOTS 16 /* statements of one request that are told apart, and two for all others; power of two */

/* bd_thread.state */
enum {
	BD_RUNS = 0,
	BD_QUEUED, /* could run */
	BD_BLOCKED,
	BD_PARKED, /* a goroutine that no thread runs */
};

/* bd_thread.call */
enum {
	BD_RECEIVES = 0,
	BD_SENDS,
	BD_POLLS, /* waits for one of several descriptors, or for a time out: an event loop's timers */
	BD_CALLS,
};

/* bd_thread.park_ns: what a goroutine was parked for */
enum {
	BD_PARK_QUEUE = 0, /* nothing: it was Go's scheduler that let others run first */
	BD_PARK_SLEEP,
	BD_PARK_LOCK,
	BD_PARK_CHANNEL,
	BD_PARK_NETWORK,
	BD_PARK_OTHER,
	BD_PARKS,
	BD_PARK_UNKNOWN = BD_PARKS,
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
 * struct bd_thread - a thread (key: its id) or goroutine (BD_GOROUTINE and a hash) that has read requests
 * @on: what it does is noted
 * @loop: it has had several requests open at once, and still has some
 * @polled: it waits for events, which is nobody's time
 * @nr_open: requests it has read and not answered
 * @share: whose its time is; .cur: the request that it is about
 * @mark_ns: since when it is in @state; @slice_ns: since when what follows has been going on
 * @end_ns: when it has answered last
 * @reason: of being blocked, enum sonde_wait; @call: of those that wait for sockets, BD_RECEIVES, ...
 * @net_ns: waited in such calls, for a socket that is not known yet
 * @tid: of a goroutine: the thread that runs it (struct map_bd_runs_def), 0: none, or that is not seen
 * @blind: of a goroutine: it was parked, and it was not seen why
 * @park_ns: of a goroutine: parked since it has sent something last, or a reply has come to it. If one comes to what it has sent it was that
 */
struct bd_thread {
	u64 mark_ns;
	u64 slice_ns;
	u64 end_ns;
	u32 nr_open;
	u8 on;
	u8 loop;
	u8 polled;
	u8 state;
	u8 reason;
	u8 call;
	u8 blind;
	u8 pad;
	u32 tid;
	u64 cpu_ns;
	u64 net_ns[BD_CALLS];
	u64 wait_ns[SONDE_WAITS];
	u64 park_ns[BD_PARKS];
	struct sonde_share share;
};

/**
 * struct bd_request - an inbound request (key: its connection's id) that is being handled
 * @thread: key in bd_threads of who has read it
 * @begin_ns: when it had come; @mark_ns: until when its time is divided (of an event loop, or a goroutine)
 * @epoch: tells it from others on its connection; @place: in bd_thread.share
 * @shared: its thread has others open; @used: slots with an id
 * @spent: bd_spent() at @mark_ns; @sent_ns, @sent_spent: when its goroutine has sent something last, and bd_spent() then
 * @of: the endpoint; @memory: what was taken for it
 */
struct bd_request {
	u64 thread;
	u64 begin_ns;
	u64 mark_ns;
	u32 epoch;
	u32 place;
	u8 shared;
	u8 used;
	u8 pad[6];
	u64 cpu_ns;
	u64 loop_ns;
	u64 spent;
	u64 sent_ns;
	u64 sent_spent;
	u64 dep_ns[SONDE_DEPS];
	u64 wait_ns[SONDE_WAITS];
	u64 channel_ns;
	struct bd_slot slot[BD_SLOTS];
	struct sonde_query_key of;
	struct sonde_memory memory;
};

/**
 * struct bd_sock - what is known of a socket (key: its address)
 * @came_ns: when bytes came that have not been read, or (@owner) it was connected, 0: none
 * @owner, @epoch: the request that it was connected for, until it is used; 0: none
 * @ports: both ends', tells a reused address apart; 0: not known
 * @used: something has been read from it
 */
struct bd_sock {
	u64 came_ns;
	u64 owner;
	u32 epoch;
	u32 ports;
	u64 used;
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

struct map_bd_open_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct bd_request);
};

struct map_bd_zero_open_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bd_request);
};

struct map_bd_socks_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct bd_sock);
};

/* A byte for each TCP port: 1 if traced processes answer there. Asked for only where others are not traced. */
struct map_bd_ports_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u8[64]);
};

/*
 * Go: thread -> the goroutine that it runs, as a key in bd_threads, if that handles a request; else 0. There is an element for each
 * thread of programs whose scheduler is probed (breakdown_go.bpf.c; of those that run already the loader makes them), and for no other.
 */
struct map_bd_runs_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, u64);
};

/* Go: goroutine that sends requests for others -> the one that it does so for now, both as keys in bd_threads. */
struct map_bd_speaks_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, u64);
};

/* Go: where the functions of a program stand whose scheduler is probed, by the number in the probe's cookie. */
struct map_bd_parks_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct sonde_go_parks);
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
extern struct map_bd_open_def bd_open SEC(".maps");
extern struct map_bd_zero_open_def bd_zero_open SEC(".maps");
extern struct map_bd_socks_def bd_socks SEC(".maps");
extern struct map_bd_ports_def bd_ports SEC(".maps");
extern struct map_bd_runs_def bd_runs SEC(".maps");
extern struct map_bd_speaks_def bd_speaks SEC(".maps");
extern struct map_bd_rows_def bd_rows SEC(".maps");
extern struct map_bd_deps_def bd_deps SEC(".maps");
extern struct map_bd_sites_def bd_sites SEC(".maps");
extern struct map_bd_zero_row_def bd_zero_row SEC(".maps");

extern const volatile struct sonde_breakdown_config bd_conf;

/* 1 once there is something in bd_runs. */
extern u32 bd_goes;

/** struct bd_answer - a request that has been answered, as the connection saw it */
struct bd_answer {
	struct sonde_query_key key; /* its row */
	u64 conn;
	u64 owner; /* key in bd_threads of who read it */
	u64 self; /* and of who answered it */
	u64 begin_ns, end_ns;
};

/**
 * struct bd_use - thread @self used a socket
 * @conn: the connection, 0: not known; @sk: its socket, 0: not known
 * @owner, @epoch: the request that it is used for: of an inbound connection its own, of others the one that has sent last. Set to who
 *                 sends
 * @id, @proto: of the request outstanding there that was sent first; @kind: its, SONDE_DEP_SOCKET: none; BD_INBOUND: it is where
 *              requests come from
 * @busy: requests outstanding, but for the one that is being sent
 * @came_ns: when what is received had come, 0: not known; @fresh: it is the first that is received there, which somebody had to accept
 */
struct bd_use {
	u64 self;
	u64 conn;
	u64 sk;
	u64 owner;
	u64 id;
	u64 now;
	u64 came_ns;
	u32 epoch;
	u32 busy;
	u32 kind;
	u16 proto;
	u8 sent;
	u8 fresh;
};

/** bd_begin - request of connection @conn (@fresh: its first), which had come at @came (0: not known), read at @now by @self */
extern int bd_begin(u64 self, u64 conn, u64 now, u64 came, u32 fresh);

/** bd_answered - into its row */
extern int bd_answered(const struct bd_answer *a);

/** bd_gave_up - a request of @conn that @owner had read will not be answered */
extern int bd_gave_up(u64 owner, u64 conn);

/** bd_socket - a socket was used: what its thread has waited for since the last time was that one */
extern int bd_socket(struct bd_use *use);
#define BD_INBOUND SONDE_DEPS

/* ---- what both make use of ---- */

static __always_inline struct bd_thread *bd_thread_get(u64 self)
{
	return bpf_map_lookup_elem(&bd_threads, &self);
}

/* The thread has executed until @now, or a later moment that is known already, which is returned. */
static __always_inline u64 bd_ran(struct bd_thread *t, u64 now)
{
	if (now > t->mark_ns) {
		t->cpu_ns += now - t->mark_ns;
		t->mark_ns = now;
	}
	return t->mark_ns;
}

/* The goroutine with a request that thread @tid runs; NULL: none, or that is not seen. */
static __always_inline struct bd_thread *bd_run_by(u64 tid)
{
	u64 *runs = READ_ONCE(bd_goes) ? bpf_map_lookup_elem(&bd_runs, &tid) : NULL, self = runs ? *runs : 0;
	struct bd_thread *t = self ? bd_thread_get(self) : NULL;

	/* It may go on on another thread while this one is on its way out of a system call. */
	return t && t->tid == (u32)tid ? t : NULL;
}

/* What goroutine @t has executed and waited for on threads since its request came, in ns. */
static __always_inline u64 bd_spent(const struct bd_thread *t, u64 now)
{
	u64 ns = t->cpu_ns;

	for (u32 i = 0; i < BD_CALLS; i++)
		ns += t->net_ns[i];
	for (u32 i = 0; i < SONDE_WAITS; i++)
		ns += t->wait_ns[i];
	if (t->tid && now > t->mark_ns && (t->state != BD_BLOCKED || t->reason < SONDE_WAITS))
		ns += now - t->mark_ns;
	return ns;
}

/* What goroutine @t was parked for was not to wait for a reply: it is request @r's. */
static __always_inline void bd_give_parks(struct bd_thread *t, struct bd_request *r)
{
	r->wait_ns[SONDE_WAIT_RUNNABLE] += t->park_ns[BD_PARK_QUEUE];
	r->wait_ns[SONDE_WAIT_SLEEP] += t->park_ns[BD_PARK_SLEEP];
	r->wait_ns[SONDE_WAIT_LOCK] += t->park_ns[BD_PARK_LOCK];
	r->wait_ns[SONDE_WAIT_OTHER] += t->park_ns[BD_PARK_OTHER];
	r->dep_ns[SONDE_DEP_SOCKET] += t->park_ns[BD_PARK_NETWORK];
	r->channel_ns += t->park_ns[BD_PARK_CHANNEL];
	__builtin_memset(t->park_ns, 0, sizeof(t->park_ns));
}

/* The request that connection @conn is about; NULL: none is open. */
static __always_inline struct bd_request *bd_request_get(u64 conn)
{
	return conn ? bpf_map_lookup_elem(&bd_open, &conn) : NULL;
}

/* The byte of @port. */
static __always_inline u8 *bd_port(u16 port)
{
	u32 at = port / 64;
	u8 *bytes = bpf_map_lookup_elem(&bd_ports, &at);

	return bytes ? &bytes[port % 64] : NULL;
}

/* A traced process answers at @port. */
static __always_inline void bd_answers_at(u16 port)
{
	u8 *does = bd_conf.memory ? NULL : bd_port(port);

	if (does)
		*does = 1;
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

static __always_inline void bd_add_memory(struct sonde_memory *to, const struct sonde_memory *more)
{
	__sync_fetch_and_add(&to->samples, more->samples);
	__sync_fetch_and_add(&to->objects, more->objects);
	__sync_fetch_and_add(&to->bytes, more->bytes);
	__sync_fetch_and_add(&to->var, more->var);
}

static __always_inline void bd_add_undivided(struct sonde_breakdown_stat *row, u32 why, u64 ns)
{
	__sync_fetch_and_add(&row->undivided[why], 1);
	__sync_fetch_and_add(&row->undivided_ns[why], ns);
}

/* Into the slot of @id; what finds none is added to that of all others of its kind, which has no id. */
static __always_inline void bd_slot_add(struct bd_request *r, u64 id, u32 kind, u32 proto, u64 ns, u32 calls)
{
	u32 at = r->used, found = BD_SLOTS;
	struct bd_slot *s;

	for (u32 i = 0; i < BD_SLOTS; i++) { /* without branches, for the verifier */
		u64 differs = (r->slot[i].id ^ id) | (r->slot[i].kind ^ kind);
		u32 is;

		differs |= -differs;
		SONDE_OPAQUE(differs); /* else the compiler sees a comparison in it, and makes a branch */
		is = (u32)(differs >> 63) - 1;
		SONDE_OPAQUE(is);
		found = (found & ~is) | (i & is);
	}
	if (found < BD_SLOTS) {
		at = found;
	} else if (at < BD_SLOTS - 2) {
		r->used = at + 1;
	} else { /* the last two */
		at = BD_SLOTS - 2 + (kind == SONDE_DEP_HTTP);
		id = 0;
	}
	SONDE_OPAQUE(at);
	s = &r->slot[at & (BD_SLOTS - 1)];
	s->id = id;
	s->kind = kind;
	s->proto = proto;
	s->ns += ns;
	s->calls += calls;
}

#endif /* SONDE_BREAKDOWN_BPF_H */
