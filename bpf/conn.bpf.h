/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * conn.bpf.h - what is kept for each traced connection: verdict, place in both streams, statements outstanding.
 */
#ifndef SONDE_CONN_BPF_H
#define SONDE_CONN_BPF_H

#include "sonde.bpf.h"
#include "arch.bpf.h"
#include "scope.bpf.h"
#include "sonde/again.h"
#include "sonde/proto.h"
#include "sonde/scope.h"

#define CONN_INLINE 16 /* statements outstanding that fit into the connection itself; power of two */
#define CONN_PIPELINE_MAX 4096 /* statements outstanding on one connection, the rest in map `pipeline` */
#define CARRY_BYTES 4864 /* longest beginning of a split message that is kept: names + text, see postgresql.h */

/* conn.state */
enum {
	CONN_UNKNOWN = 0, /* no protocol recognised yet: every message is a new try */
	CONN_OPEN, /* protocol and role known */
	CONN_TLS, /* under TLS: what it says in clear has a connection of its own */
	CONN_IGNORED, /* for good: cannot be read, not a role that is reported */
};

/*
 * A client may send and receive in two threads at once, on two processors. So no member is written by both
 * directions: flags of the client's and of the server's stream are apart, and so are those of an entry.
 */

/* conn.fe_flags */
#define CONN_FE_LOST 1 /* place in the client's stream is lost; found again when a send is recognised */
#define CONN_PORTAL_USED 2 /* the unnamed portal has been executed since its Bind */

/* conn.be_flags */
#define CONN_BE_LOST 1 /* place in the server's stream is lost; found again at the next end-of-batch reply */
#define CONN_ERROR 2 /* the server has reported an error since the last end-of-batch reply */
#define CONN_ANSWERED 4 /* the server has said something that its protocol allows: the verdict is confirmed */

/* conn.scope_flags */
#define SCOPE_REQUEST_OVER 1 /* the inbound request was answered in what has just been looked at */
#define SCOPE_TXN_OVER 2 /* a transaction ended in there */
#define SCOPE_TXN_OPENED 4 /* one began with a statement that is no BEGIN */
#define SCOPE_IMPLICIT 8 /* transactions begin without BEGIN here */
#define SCOPE_BEGUN 16 /* BEGIN was sent, its reply is outstanding */
#define SCOPE_HELD 32 /* what comes next on it is its owner's: between prepare and execute */
#define SCOPE_LOOP 64 /* an event loop, that of scope_ctx, uses it */
#define SCOPE_STARTUP 128 /* it has just been made */

/* entry.flags */
#define ENTRY_STATEMENT 1 /* a statement, not yet completed */
#define ENTRY_NAMED 4 /* id is a hash of the name, the text is not known */
#define ENTRY_MORE 8 /* further rows of an execution that has been counted */
#define ENTRY_EMPTY 16 /* an empty statement: answered, not counted */
#define ENTRY_EXTENDED 32 /* executed through a portal */
#define ENTRY_CHAIN 64 /* starts when the one before it completes (several statements in one query) */
#define ENTRY_BLOCKING 128 /* waits by intent */
#define ENTRY_QUIET 256 /* answered only if there is something to say */
#define ENTRY_DATABASE 512 /* on success the connection's peer becomes conn.peer_next */
#define ENTRY_PREPARE 1024 /* no statement: a text that the reply gives a name */

/** struct entry - one statement sent and not yet completed, or a bare end-of-batch mark */
struct entry {
	u64 id;
	u64 start_ns;
	u64 params; /* hash of the literals or parameters */
	u32 seq;
	u32 sent; /* bytes on the wire that led to it */
	u16 flags;
	u8 verb;
	u8 sync; /* 1: an end-of-batch reply follows this entry */
	u16 kind; /* what the server's parser is told while it is the oldest */
	u16 replies; /* that complete it; 0 is 1 */
	u64 scope; /* container it is counted in, 0 none; --breakdown: request that has sent it */
	u32 epoch; /* of the scope in there */
	u8 slot; /* its place in there; SONDE_SLOT_NONE */
	u8 scope_kind; /* enum sonde_scope_kind */
	u8 token; /* an event loop's token is with it: given back with the reply */
	u8 pad;
};

/** struct late - what a server's message means that has not arrived whole: acts when its last byte has gone by */
struct late {
	u8 op; /* 0: none */
	u8 txn;
	u8 error_class;
	u8 pad;
	u32 flags;
	u64 rows;
	u64 sqlstate;
	u64 name;
};

/** struct cursor - place in one direction's stream, between two sends or receives */
struct cursor {
	u32 skip; /* bytes of the current message still to pass by */
	u32 carry; /* bytes of a split message's beginning, kept in map `carry` */
};

/** struct last - the last statement that was counted in a burst */
struct last {
	u64 id;
	u64 params;
	u32 verb;
	u32 pad;
	struct scope_done done;
};

struct conn {
	u64 id; /* unique during the run, never 0 */
	u64 peer, peer_next; /* keys in map `peers`; the second while a change of database is outstanding */
	struct sonde_proc proc; /* last process seen using it */
	u8 proto;
	u8 role;
	u8 state;
	u8 fe_flags;
	u8 be_flags;
	u8 txn; /* enum sonde_txn */
	u8 kept; /* direction of the bytes kept while the protocol is unknown: 1 sent, 2 received, 0 none */
	u8 aside; /* inbound requests, watched because statements belong to them: in no count of statements */
	u16 tries[2]; /* pieces looked at in vain: received, sent */
	u32 sent; /* bytes of client messages since the last statement */
	struct cursor fe, be; /* client's and server's stream */
	u32 head, tail; /* sequence numbers of the oldest statement outstanding and of the next */
	u64 first_ns; /* first byte of the oldest statement's response, 0 not yet */
	u64 chain_ns; /* when the statement before it in the same query was sent */
	u64 rows; /* of the oldest statement, counted from its row messages */
	u64 more_rows; /* of its earlier results */
	u64 received; /* bytes of its response */
	u64 text_id; /* statement whose text is known to have been sent: saves the look-up */
	u64 prepared_name, prepared_id; /* last prepared statement looked up, and its entry */
	u64 unnamed_id; /* unnamed prepared statement */
	u64 prepared_params, unnamed_params; /* hash of the literals in their texts */
	u64 portal_id; /* statement of the unnamed portal */
	u64 portal_params; /* hash of the parameters bound to it */
	u64 parse_id, parse_ns; /* last PREPARE since the end of the batch: an error may be its */
	u16 prepared_flags, unnamed_flags, portal_flags, parse_flags; /* ENTRY_NAMED or 0 */
	u8 prepared_verb, unnamed_verb, portal_verb, parse_verb;
	u32 mmsg_next; /* sendmmsg(2): index of the next message of the call in progress */
	u64 mmsg_vec; /* its array, to tell calls apart */
	u64 tied; /* process whose TLS object speaks for the connection, which is ignored therefore; 0 none */
	u64 scope_ctx; /* of an inbound connection: context that read the request (bpf/context.bpf.h) */
	u64 owner; /* of a database connection: request that holds it while an event loop serves many; --breakdown: see bd_requests(), bd_used() */
	u64 comment, comment_name; /* of the statement @comment_seq: request and name that its comment tells */
	u32 comment_seq;
	u32 owner_epoch;
	u32 scoped; /* sequence number of the next statement to be counted in a scope */
	u8 scope_flags; /* SCOPE_* */
	u8 runtime; /* enum runtime of its process */
	u8 settled; /* bpf/open.bpf.c has counted it */
	u8 said_all; /* an inbound connection whose end was read while a request was outstanding */
	struct last last; /* for a transaction that it turns out to have begun */
	struct sonde_state st; /* the parser's */
	struct late late;
	struct sonde_again again; /* the last statement that came twice in a row */
	struct entry fifo[CONN_INLINE];
};

/* Socket -> connection, freed with the socket. */
struct map_conns_def {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
};

/** struct sock_key - a socket where socket storage is out of reach; @ino tells a reused address apart */
struct sock_key {
	u64 sk;
	u64 ino;
};

struct map_conn_hash_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sock_key);
	__type(value, struct conn);
};

struct pipeline_key {
	u64 conn;
	u64 seq;
};

/* Statements outstanding beyond CONN_INLINE. */
struct map_pipeline_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct pipeline_key);
	__type(value, struct entry);
};

struct name_key {
	u64 conn;
	u64 name; /* hash; portals have bit 63 set */
};

#define NAME_PORTAL (1ULL << 63)

struct name_value {
	u64 id;
	u64 params; /* hash of the literals in the text; portal: with the parameters bound */
	u16 flags; /* ENTRY_NAMED; ENTRY_MORE: portal that has been executed */
	u8 verb;
	u8 pad[5];
};

/* Prepared statements and named portals of all connections. LRU: those of dead connections fall out. */
struct map_prepared_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct name_key);
	__type(value, struct name_value);
};

/** struct raw_text - what the normaliser made of a text to be prepared, under a hash of its bytes */
struct raw_text {
	u64 id;
	u64 literals;
	u64 verb;
};

/* Drivers send the same few texts to prepare again and again. Full: the others are normalised each time. */
struct map_raw_texts_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct raw_text);
};

struct carry_key {
	u64 conn;
	u64 server; /* 0: client's stream, 1: server's */
};

struct carry {
	u8 b[CARRY_BYTES];
};

/* Beginnings of messages that were split over two sends or receives. LRU for the same reason. */
struct map_carry_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, struct carry_key);
	__type(value, struct carry);
};

/* Initial value of a connection, too big for the stack. */
struct map_zero_conn_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct conn);
};

extern struct map_conns_def conns SEC(".maps");
extern struct map_conn_hash_def conn_hash SEC(".maps");
extern struct map_pipeline_def pipeline SEC(".maps");
extern struct map_prepared_def prepared SEC(".maps");
extern struct map_raw_texts_def raw_texts SEC(".maps");
extern struct map_carry_def carry SEC(".maps");
extern struct map_zero_conn_def zero_conn SEC(".maps");

/* Everything about the send or receive being looked at, so that subprograms need no arguments but scalars. */
struct xfer {
	u64 now; /* CLOCK_MONOTONIC */
	u64 buf; /* user buffer, or 0: gather from @iov */
	u64 iov; /* user array of struct iovec */
	u32 nr_iov;
	u32 iov_off; /* bytes of pieces passed by for good: @iov and @nr_iov are what follows */
	u32 total; /* bytes, those carried over from the last time included */
	u32 carry; /* of them, bytes that stand in map `carry` */
	u32 pos; /* next byte to look at, counted from the first carried one */
	u32 win_off, win_len; /* what the window holds */
	u64 conn; /* id of the connection */
	u64 sk; /* address of the struct sock */
	u64 came; /* --breakdown: when what is received had come, 0 not known */
	u64 fresh; /* and whether it is the first that the socket has received */
	u32 server; /* 1: server's stream */
	u32 want; /* bytes that a message cut by the window needs */
	u32 batch; /* statements of the message so far */
	u32 more; /* 1: the message in @msg has more of them */
	struct sonde_peer peer; /* scratch: too big for the stack, whose 512 bytes all subprograms share */
	struct pt_regs regs; /* the same: the task's registers, copied (back end 3) */
	struct call call; /* the same: what of them counts */
	struct sock_key key; /* the same: key in map `conn_hash` */
	struct user_msghdr hdr; /* the same: argument of sendmsg(2), recvmsg(2) */
	struct sonde_msg msg; /* the same: the message being looked at */
	struct name_value value; /* the same: what a text to be prepared turned out to be */
	struct scope_pick pick; /* the same: scope that a statement belongs to */
	struct scope_what what; /* the same: that statement */
	struct sonde_query_key row; /* key in map `bd_rows`: before Linux 6.4 one must lie in a map or on the stack */
};

struct map_xfer_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct xfer);
};

extern struct map_xfer_def xfer SEC(".maps");

/* As window_leaf() and window() (window.bpf.h). */
static __always_inline struct xfer *xfer_leaf(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&xfer, &zero);
}

static __noinline __attribute__((unused)) struct xfer *xfer_get(void)
{
	return xfer_leaf();
}

#endif /* SONDE_CONN_BPF_H */
