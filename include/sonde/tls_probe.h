/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_probe.h - what the loader tells the TLS probes through their cookies, and what it reads of their connections.
 */
#ifndef SONDE_TLS_PROBE_H
#define SONDE_TLS_PROBE_H

#include "base.h"
#include "tls.h"

/* How a function that moves plaintext is called and what it returns. The first argument is the TLS object. */
enum sonde_tls_call {
	SONDE_TLS_PLAIN = 1, /* buffer second; returns the bytes */
	SONDE_TLS_OUT4, /* buffer second; returns > 0 and stores the bytes where the fourth argument says */
	SONDE_TLS_OUT5, /* the same with the fifth */
	SONDE_TLS_TYPED, /* record type second, must be SONDE_TLS_APPLICATION_DATA; buffer third; returns the bytes */
	SONDE_TLS_GO_CALL, /* of Go's crypto/tls: programs of its own */
	SONDE_TLS_GO_TRIP, /* of Go's net/http, for whom a request is sent; not a TLS object's, but of the same binary */
	SONDE_TLS_GO_SENDS, /* and who sends it */
	SONDE_TLS_GO_RUNS, /* of Go's scheduler, likewise: a thread is going to run a goroutine */
	SONDE_TLS_GO_STOPS, /* it looks for another one */
};

/* Cookie: enum sonde_tls_call, and this; of SONDE_TLS_GO_RUNS the program's number from bit SONDE_TLS_GO_PROGRAM on, 0: none. */
#define SONDE_TLS_GO_PROGRAM 16
#define SONDE_TLS_SENT 0x100u /* writes */
#define SONDE_TLS_GO_RETURN 0x200u /* a return instruction of a Go function */

/** struct sonde_tls_key - a TLS object of a process */
struct sonde_tls_key {
	u64 ptr;
	u64 tgid;
};

/**
 * struct sonde_tls_head - the beginning of what the kernel side knows of a TLS object
 * @sk: the kernel's socket under it, 0 not known
 * @sock: id of the socket's connection
 * @outstanding: statements sent and not completed
 */
struct sonde_tls_head {
	u64 sk;
	u64 sock;
	u32 outstanding;
	u32 pad;
};

/* What keeps two programs from meeting in a CPU's scratch memory, see bpf/tls.bpf.c. */
enum sonde_tls_guard {
	SONDE_TLS_OFF = 0, /* no TLS probes in this run */
	SONDE_TLS_NO_GUARD, /* uprobe programs are not preempted (before Linux 6.0) */
	SONDE_TLS_PREEMPT_OFF, /* they switch preemption off */
	SONDE_TLS_BUSY_MARK, /* they mark the CPU's scratch memory as in use */
};

#endif /* SONDE_TLS_PROBE_H */
