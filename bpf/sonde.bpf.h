/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sonde.bpf.h - what every BPF source starts with: kernel types, helpers, configuration, counters.
 */
#ifndef SONDE_BPF_H
#define SONDE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "sonde/base.h"
#include "sonde/key.h"
#include "sonde/event.h"

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, val) ((*(volatile typeof(x) *)&(x)) = (val))

#include "sonde/config.h"
#include "sonde/tls_probe.h"

/* Set by the loader before the object is loaded: the verifier removes the branches that are off. */
extern const volatile struct sonde_config conf;

/* enum sonde_tls_guard: whether uprobe programs take the way of the socket hooks, and what keeps them apart. */
extern const volatile u32 tls_guard;

/*
 * 1 while statements are watched. Hooks attach and detach one after the other, milliseconds apart: without a common
 * switch a reply would be missed whose statement was seen, and every later one taken for the statement before it.
 */
extern u32 active;

/* 1 once a traced process has read an inbound request: until then no statement can belong to one, and nothing is looked up. */
extern u32 inbound;

#include "maps.bpf.h"

/*
 * What happens now and then is counted in one array that all CPUs share and that is reached without a look-up. (A
 * look-up makes the verifier move the whole program to make room for it: with one in every place where something is
 * counted loading took a third longer.)
 */
extern u64 counters[SONDE_COUNTER_ROOM];

static __always_inline void count_add(u32 counter, u64 n)
{
	__sync_fetch_and_add(&counters[counter & (SONDE_COUNTER_ROOM - 1)], n);
}

/* count - add one to a counter */
static __always_inline void count(u32 counter)
{
	count_add(counter, 1);
}

/*
 * count_seen - add one to SONDE_CNT_SEEN, that of every statement: in this CPU's own place
 *
 * Programs on tracepoints are not preempted: a plain addition does. A source whose programs are (uprobes) defines
 * COUNT_PREEMPTIBLE before it includes this; what serves both does as the kernel demands.
 */
static __always_inline void count_seen(void)
{
	u32 zero = 0;
	u64 *slot = bpf_map_lookup_elem(&seen, &zero);

	if (!slot)
		return;
#ifdef COUNT_PREEMPTIBLE
	__sync_fetch_and_add(slot, 1);
#else
	if (tls_guard == SONDE_TLS_BUSY_MARK)
		__sync_fetch_and_add(slot, 1);
	else
		*slot += 1;
#endif
}

#endif /* SONDE_BPF_H */
