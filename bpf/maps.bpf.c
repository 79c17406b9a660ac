// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps.bpf.c - the one place where the shared maps and the configuration are defined.
 */
#include "sonde.bpf.h"
#include "slow.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct sonde_config conf = {};
u32 active = 0;
u32 inbound = 0;
u64 counters[SONDE_COUNTER_ROOM] SEC(".data.counters") = {};
const volatile u32 tls_guard = SONDE_TLS_OFF;

struct map_queries_def queries SEC(".maps");
struct map_zero_stat_def zero_stat SEC(".maps");
struct map_texts_def texts SEC(".maps");
struct map_peers_def peers SEC(".maps");
struct map_procs_def procs SEC(".maps");
struct map_seen_def seen SEC(".maps");
struct map_events_def events SEC(".maps");
struct map_event_def event SEC(".maps");
struct map_pids_def pids SEC(".maps");
struct map_cgroups_def cgroups SEC(".maps");
struct map_rejects_def rejects SEC(".maps");
struct map_scopes_def scopes SEC(".maps");
struct map_zero_scope_def zero_scope SEC(".maps");
struct map_findings_def findings SEC(".maps");
struct map_zero_finding_def zero_finding SEC(".maps");
struct map_callers_def callers SEC(".maps");
struct map_zero_caller_def zero_caller SEC(".maps");
struct map_stacks_def stacks SEC(".maps");
struct map_announced_def announced SEC(".maps");
struct map_contexts_def contexts SEC(".maps");
struct map_slow_event_def slow_event SEC(".maps");
struct map_slow_used_def slow_used SEC(".maps");
