/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls.bpf.h - what is known of TLS objects and of threads inside TLS calls: shared by the probes and the socket hooks.
 */
#ifndef SONDE_TLS_BPF_H
#define SONDE_TLS_BPF_H

#include "conn.bpf.h"

/**
 * struct tls_conn - a TLS object: the connection that its plaintext makes
 * @flavour: protocol that the socket spoke before it was encrypted, 0 none: the greeting tells MariaDB from MySQL
 */
struct tls_conn {
	struct sonde_tls_head head;
	u64 flavour;
	u64 presumed; /* the socket is known by what was received only: a send confirms it */
	struct conn c;
};

/* Not LRU: preallocated, it would take 30 MB. Entries go with SSL_free(); the loader removes those of dead processes. */
struct map_tls_conns_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_tls_key);
	__type(value, struct tls_conn);
};

/* Initial value, too big for the stack. */
struct map_zero_tls_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct tls_conn);
};

#define TLS_GOT 4u /* records of one receive whose lengths are kept */
#define TLS_PLAIN_MAX 16384u /* plaintext of one record: RFC 8446, 5.1 */
#define TLS_OVERHEAD_MIN 16u /* what encryption adds: at least an authentication tag ... */
#define TLS_OVERHEAD_MAX 96u /* ... at most vector, SHA-384 code and padding (CBC) */

#define TLS_FRAMES 4u /* TLS calls that a thread is inside at once: TLS over TLS, callbacks */

/** struct tls_call - a call that moves plaintext and has not returned */
struct tls_call {
	u64 obj;
	u64 buf;
	u64 out; /* where the number of bytes will stand, for some calls */
	u64 sp; /* stack pointer after the return */
	u64 cookie;
	u64 begin_ns; /* of a write: what is asked for is asked for from here on, and may be answered before the return */
};

/**
 * struct tls_thread - what a thread is doing in a TLS library
 * @wrote: object that the thread wrote @wrote_len bytes of plaintext to, last and without a socket call that was seen: it
 *         has a buffer in memory below it, and the bytes will be sent by somebody else
 */
struct tls_thread {
	u32 depth;
	u32 wrote_len;
	u64 wrote;
	u64 got_sk; /* the last encrypted socket that the thread received from outside of a TLS call, 0 none */
	u64 got_sock; /* its connection's id */
	u32 got_len[TLS_GOT]; /* lengths of the first records of data in there, 0 behind the last */
	struct tls_call call[TLS_FRAMES];
};

_Static_assert(sizeof(struct tls_thread) <= sizeof(struct tls_conn), "a zero connection makes a zero thread");

/* Thread -> its calls. LRU: dead threads fall out. A hash, because 5.15's task storage is out of reach of some hooks. */
struct map_tls_threads_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct tls_thread);
};

/* Go: calls are known by the goroutine, which may go on on another thread. */
struct tls_go_key {
	u64 g;
	u64 who; /* process id << 1 | writes */
};

struct tls_go_call {
	u64 obj;
	u64 buf;
	u64 begin_ns; /* as in struct tls_call */
};

struct map_tls_go_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tls_go_key);
	__type(value, struct tls_go_call);
};

/* 1 while a uprobe's program uses the CPU's scratch memory (SONDE_TLS_BUSY_MARK). */
struct map_tls_busy_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
};

extern struct map_tls_conns_def tls_conns SEC(".maps");
extern struct map_zero_tls_def zero_tls SEC(".maps");
extern struct map_tls_threads_def tls_threads SEC(".maps");
extern struct map_tls_busy_def tls_busy SEC(".maps");

static __always_inline u64 *tls_busy_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&tls_busy, &zero);
}

/** tls_fits - whether a record of @len bytes can hold @plain bytes of plaintext and no more */
static __always_inline bool tls_fits(u32 len, u32 plain)
{
	return len >= plain + TLS_OVERHEAD_MIN && len <= plain + TLS_OVERHEAD_MAX;
}

/* Whether a uprobe's program that this one has preempted uses the scratch memory. */
static __always_inline bool tls_in_the_way(void)
{
	u64 *busy = tls_guard == SONDE_TLS_BUSY_MARK ? tls_busy_get() : NULL;

	return busy && READ_ONCE(*busy);
}

/** tls_thread_make - what thread @id is doing */
static __always_inline struct tls_thread *tls_thread_make(u64 id)
{
	struct tls_thread *t = bpf_map_lookup_elem(&tls_threads, &id);
	struct tls_conn *init;
	u32 zero = 0;

	if (t)
		return t;
	init = bpf_map_lookup_elem(&zero_tls, &zero); /* zeros enough, and none of them on the stack */
	if (!init)
		return NULL;
	bpf_map_update_elem(&tls_threads, &id, init, BPF_NOEXIST);
	return bpf_map_lookup_elem(&tls_threads, &id);
}

/** tls_conn_make - the connection of a TLS object, made if it is new */
static __always_inline struct tls_conn *tls_conn_make(const struct sonde_tls_key *key)
{
	struct tls_conn *tc = bpf_map_lookup_elem(&tls_conns, key), *init;
	u32 zero = 0;

	if (tc)
		return tc;
	init = bpf_map_lookup_elem(&zero_tls, &zero);
	if (!init)
		return NULL;
	if (bpf_map_update_elem(&tls_conns, key, init, BPF_NOEXIST))
		count(SONDE_CNT_CONN_FULL);
	tc = bpf_map_lookup_elem(&tls_conns, key);
	if (tc && !tc->c.id) /* those of sockets have a CPU number in the upper bits */
		tc->c.id = 1ULL << 63 | sonde_mix64(key->ptr ^ key->tgid << 48 ^ bpf_ktime_get_ns());
	return tc;
}

/* In tls_plain.bpf.h: */
#define TLS_SENT (1ULL << 32) /* added to a length: the plaintext was sent */
extern int tls_plaintext(struct tls_conn *tc, u64 buf, u64 how, u64 now);
extern int tls_end(struct tls_conn *tc);

#endif /* SONDE_TLS_BPF_H */
