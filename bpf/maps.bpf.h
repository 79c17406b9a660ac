/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps.bpf.h - the maps that several BPF sources share. Defined in maps.bpf.c, declared here.
 */
#ifndef SONDE_MAPS_BPF_H
#define SONDE_MAPS_BPF_H

#include <bpf/bpf_helpers.h>

#include "sonde/event.h"
#include "sonde/key.h"
#include "sonde/scope.h"

/* Rows of the query report. Preallocated: inserting never fails for want of memory, only when full (counted). */
struct map_queries_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sonde_query_key);
	__type(value, struct sonde_query_stat);
};

/* One element that stays zero: the initial value of a row, too big for the stack. */
struct map_zero_stat_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_query_stat);
};

/* Statements whose text has been sent to user space. */
struct map_texts_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
};

struct map_peers_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct sonde_peer);
};

struct map_procs_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_proc);
	__type(value, struct sonde_proc_info);
};

struct map_seen_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
};

struct map_events_def {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
};

/* Scratch for one event while it is put together, per CPU and slot. */
struct map_event_def {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SONDE_SLOTS);
	__type(key, u32);
	__type(value, struct sonde_event_text);
};

/* Filter: processes that are traced (key tgid, value 1; 2: joined as a child). */
struct map_pids_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u32);
};

/* Filter: element 0 is the cgroup whose tasks are traced. */
struct map_cgroups_def {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
};

/* Filter: processes that it turned down lately, a slot for each low half of a pid: saves asking again. */
struct map_rejects_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u32);
};

/* Containers of scopes. LRU: nobody tells when a thread or connection will begin none any more. */
struct map_scopes_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, u64);
	__type(value, struct sonde_scope);
};

/* Their initial value. */
struct map_zero_scope_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_scope);
};

struct map_findings_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_finding_key);
	__type(value, struct sonde_finding_stat);
};

struct map_zero_finding_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_finding_stat);
};

struct map_callers_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_caller_key);
	__type(value, struct sonde_caller_stat);
};

struct map_zero_caller_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_caller_stat);
};

/* User stacks, addresses from the innermost frame on, 0: none; the key is a hash of them and the process. */
struct map_stacks_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u64[SONDE_STACK_DEPTH]);
};

/* Findings that have been announced: hash of statement, name and process -> when last. */
struct map_announced_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u64);
};

/** struct scope_context - a thread or goroutine that handles inbound requests */
struct scope_context {
	u64 scope; /* container of the request it handles, 0 none */
	u32 epoch;
	u8 async; /* it handles several at once */
	u8 answered; /* the response has begun */
	u8 pad[2];
};

struct map_contexts_def {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct scope_context);
};

extern struct map_queries_def queries SEC(".maps");
extern struct map_zero_stat_def zero_stat SEC(".maps");
extern struct map_texts_def texts SEC(".maps");
extern struct map_peers_def peers SEC(".maps");
extern struct map_procs_def procs SEC(".maps");
extern struct map_seen_def seen SEC(".maps");
extern struct map_events_def events SEC(".maps");
extern struct map_event_def event SEC(".maps");
extern struct map_pids_def pids SEC(".maps");
extern struct map_cgroups_def cgroups SEC(".maps");
extern struct map_rejects_def rejects SEC(".maps");
extern struct map_scopes_def scopes SEC(".maps");
extern struct map_zero_scope_def zero_scope SEC(".maps");
extern struct map_findings_def findings SEC(".maps");
extern struct map_zero_finding_def zero_finding SEC(".maps");
extern struct map_callers_def callers SEC(".maps");
extern struct map_zero_caller_def zero_caller SEC(".maps");
extern struct map_stacks_def stacks SEC(".maps");
extern struct map_announced_def announced SEC(".maps");
extern struct map_contexts_def contexts SEC(".maps");

#endif /* SONDE_MAPS_BPF_H */
