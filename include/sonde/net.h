/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * net.h - connections of stream sockets as the kernel side counts them: layout of the maps and of the iterator of `sonde net`.
 *
 * A connection is read from its owner's side. A turn is a request and its answer: a client asks by sending, a server is asked
 * by receiving; the next request ends the answer before it. Nothing of what is sent is looked at.
 */
#ifndef SONDE_NET_H
#define SONDE_NET_H

#include "hist.h"
#include "key.h"

#define SONDE_NET_LISTENER 3u /* a role beside those of enum sonde_role */
#define SONDE_NET_LEVELS 128u /* connections in use at once that are told apart; the last: so many or more */
#define SONDE_NET_PATH_BYTES 112u

/* What the kernel offered when the run began. */
#define SONDE_NET_HAS_IO 1u /* sends and receives are seen */
#define SONDE_NET_HAS_READY 2u /* the moment at which bytes come into a socket */
#define SONDE_NET_HAS_CALLS 4u /* connect and accept as system calls */
#define SONDE_NET_HAS_ITER 8u /* connections that are open now */

/**
 * struct sonde_net_peer - the addresses of a row, kept in a map under a hash of itself
 * @port, @addr: of the listening end; IPv4 in the first four bytes, network byte order; ports in host byte order
 * @other_port, @other: the connecting end: of servers the address, with a row for each connection the port, too
 * @inode: of a unix socket, with a row for each connection
 * @path: of a unix socket's listening end ("@": abstract; "": a pair without a name)
 */
struct sonde_net_peer {
	u16 family; /* enum sonde_family */
	u16 port;
	u16 other_port;
	u16 pad;
	u8 addr[16];
	u8 other[16];
	u64 inode;
	char path[SONDE_NET_PATH_BYTES];
};

/** struct sonde_net_key - a row: a process, what it is connected to, and as what */
struct sonde_net_key {
	struct sonde_proc proc;
	u64 peer;
	u32 role; /* enum sonde_role, SONDE_NET_LISTENER */
	u32 pad;
};

/** struct sonde_net_fail - attempts that failed: key of a map whose value is how many (u64). @error 0: given up by the process */
struct sonde_net_fail {
	struct sonde_net_key row;
	u32 error;
	u32 pad;
};

/**
 * struct sonde_net_tcp - what the kernel's TCP keeps of a connection (struct tcp_sock), of its traced part
 * @segs_out: segments with data sent, those sent again included
 * @busy, @rwnd, @sndbuf: jiffies with data under way; of these, held up by the receiver's window; by a full send buffer
 */
struct sonde_net_tcp {
	u64 segs_out;
	u64 retrans;
	u64 bytes_retrans;
	u64 bytes_acked;
	u64 bytes_received;
	u64 busy;
	u64 rwnd;
	u64 sndbuf;
};

/**
 * struct sonde_net_stat - the numbers of a row; counters only grow
 * @attempts: connects begun; @opens: connections made or accepted; @closes; @existed: seen first when they were open
 * @open: now; @open_max; of unix sockets not known here
 * @use: requests not answered yet now; @use_at_ns: when that changed last; @level_ns: how long there were how many
 * @full_ns: time with all open connections in use
 * @requests: turns begun; answered ones are in @first
 * @out, @in: bytes of @sends and @receives
 * @full: sends refused for want of buffer, @full_wait_ns: from there to the next one that went through
 * @reset_in, @reset_out: resets received and sent; @aborted: left an established state without a FIN
 * @rttvar_us: sum over the observations in @rtt
 * @accepts, @backlog_max, @backlog_limit, @drops: of a listener
 * @begin: duration of connects; of a listener from the established connection to accept()
 * @first: last byte of a request to the first of the answer; @turn: first byte of a request to the last of the answer
 * @late: bytes in the socket until the process reads
 * @rtt: the kernel's smoothed round-trip time, looked at with an answer, at most every millisecond, and at the end
 */
struct sonde_net_stat {
	u64 attempts;
	u64 opens;
	u64 closes;
	u64 existed;
	u64 open;
	u64 open_max;
	u64 use;
	u64 use_at_ns;
	u64 full_ns;
	u64 requests;
	u64 sends;
	u64 receives;
	u64 out;
	u64 in;
	u64 full;
	u64 full_wait_ns;
	u64 reset_in;
	u64 reset_out;
	u64 aborted;
	u64 rttvar_us;
	u64 accepts;
	u64 backlog_max;
	u64 backlog_limit;
	u64 drops;
	struct sonde_net_tcp tcp;
	u64 level_ns[SONDE_NET_LEVELS];
	struct sonde_hist begin;
	struct sonde_hist first;
	struct sonde_hist turn;
	struct sonde_hist late;
	struct sonde_hist rtt;
};

/* struct sonde_net_conn, flags */
#define SONDE_NET_OPEN 1u /* counted as open */
#define SONDE_NET_EXISTED 2u /* open when it was first seen: @base is what had been before */
#define SONDE_NET_ASKED 4u /* a request is not answered yet */
#define SONDE_NET_ANSWERED 8u /* the answer has begun */
#define SONDE_NET_TCP 16u
#define SONDE_NET_CLOSED 32u /* over, and added to its row; the reset that ends it may still go out */

/**
 * struct sonde_net_conn - a connection, hung on its socket; also what the iterator over them returns
 * @srtt_us, @rttvar_us, @now: filled in by the iterator: as the kernel has them now
 * Times are CLOCK_MONOTONIC, 0: none
 */
struct sonde_net_conn {
	struct sonde_net_key key;
	u64 start_ns; /* of the connect */
	u64 begin_ns; /* of the turn: its first */
	u64 asked_ns; /* last byte of the request */
	u64 answered_ns; /* last byte of the answer */
	u64 ready_ns; /* bytes lie in the socket since */
	u64 full_ns; /* a send was refused */
	u64 rtt_ns; /* when the round-trip time was looked at last */
	struct sonde_net_tcp base;
	u32 flags;
	u32 srtt_us;
	u32 rttvar_us;
	u32 walk; /* in which the iterator has returned it last */
	struct sonde_net_tcp now;
};

/**
 * struct sonde_net_fresh - a connection between two events on it, by the address of its socket
 * @est_ns: established; @ready_ns: first bytes came; @inode: of the socket's file, once somebody has one
 * @key: its row once accepted or connected by a traced process, else zero
 */
struct sonde_net_fresh {
	u64 est_ns;
	u64 ready_ns;
	u64 inode;
	struct sonde_net_key key;
};

/** struct sonde_net_call - a connect(2) under way, by thread */
struct sonde_net_call {
	u64 start_ns;
	u64 sk;
	u64 addr; /* in user memory */
	u32 family;
	u32 state; /* enum sonde_net_call_state */
};

enum sonde_net_call_state {
	SONDE_NET_CALLED = 0,
	SONDE_NET_STARTED, /* counted; how it ends the socket's state tells */
	SONDE_NET_FAILED, /* counted; the kernel gave up in the call, the result tells why */
};

/** struct sonde_net_totals - of the whole machine */
struct sonde_net_totals {
	u64 reset_in;
	u64 reset_out;
};

_Static_assert(sizeof(struct sonde_net_peer) == 160, "no holes");
_Static_assert(sizeof(struct sonde_net_key) == 24, "no holes");
_Static_assert(sizeof(struct sonde_net_fail) == 32, "no holes");
_Static_assert(sizeof(struct sonde_net_conn) == 24 + 56 + 64 + 16 + 64, "no holes");
_Static_assert(sizeof(struct sonde_net_fresh) == 48, "no holes");
_Static_assert(sizeof(struct sonde_net_call) == 32, "no holes");

#endif /* SONDE_NET_H */
