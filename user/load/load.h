/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * load.h - gets the BPF programs into the kernel and hands out their maps. Only user/load knows the skeleton.
 */
#ifndef SONDE_LOAD_LOAD_H
#define SONDE_LOAD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sonde/base.h"
#include "sonde/key.h"

struct sonde_load;
struct sonde_io_config;
struct sonde_net_config;
struct sonde_off_config;
struct sonde_syscall_config;
struct sonde_wait_config;
struct sonde_alloc_exact;
struct sonde_bpf; /* the skeleton, build/sonde.skel.h */

/* How socket data is captured (--capture). */
enum sonde_capture {
	SONDE_CAPTURE_AUTO = 0,
	SONDE_CAPTURE_TRACEPOINT, /* tp_btf/sock_send_length and sock_recv_length, Linux 6.3+ */
	SONDE_CAPTURE_FENTRY, /* fexit on the socket functions */
	SONDE_CAPTURE_KPROBE, /* kprobes on them, where the kernel has no trampolines */
	SONDE_CAPTURE_SYSCALL, /* raw_tp sys_enter/sys_exit: every system call pays */
};

/* Maps that collectors read. */
enum sonde_map {
#define SONDE_MAP(symbol, name) SONDE_MAP_##symbol,
#include "load/map.def"
#undef SONDE_MAP
	SONDE_MAP_MAX,
};

/**
 * struct sonde_alloc_exact_config - every allocation is watched, in running processes
 * @budget_ppm: processor time that this may cost, in parts per million of one processor
 * @max_objects: objects whose free can be awaited (0: a million)
 */
struct sonde_alloc_exact_config {
	u64 budget_ppm;
	u32 max_objects;
};

/**
 * struct sonde_load_opts - what to trace
 * @capture: back end; AUTO takes the first that the kernel offers
 * @view: protocols of which kind (column VIEW of proto.def)
 * @with: bits (1u << VIEW): sources that run beside that of @view
 * @standby: the same of sources that do nothing before sonde_load_turn()
 * @roles: bits of enum sonde_role (0: client for databases, both for HTTP)
 * @pids, @nr_pids: only these processes (0: all)
 * @comm: only processes of this name (NULL: all; compared on 15 characters)
 * @cgroup: path of a cgroup v2 directory (NULL: all)
 * @follow_children: children of @pids (and of pids added later) are traced too
 * @program: what is going to be started and added with sonde_load_add_pid() (NULL: nothing): its libraries are prepared
 * @max_queries: rows of the source's map (0: its default; statements: 4096)
 * @findings: count statements in units of work, watch inbound requests for that
 * @examples: slow statements are told as they stood on the wire, literals and all
 * @min_repeat: executions of a statement in one unit of work that make a finding (0: SONDE_MIN_REPEAT)
 * @syscalls: which system calls, and from when on they are slow
 * @io: which system calls are input or output, and from when on they are slow
 * @net: how connections are told apart
 * @off: from when on a wait has a row, and whether threads are told apart; @waits: which system call waits for what (@off, @breakdown)
 * @slow_ns, @large_rows, @large_bytes: of one execution that make a finding (0: never)
 * @breakdown: divide the time of inbound requests; statements are watched for that
 * @memory: tell what inbound requests allocate or touch, of views ALLOC and GROWTH; @with has HTTP then
 * @sample_hz: stacks taken a second and processor
 * @shim: path of libsonde-alloc.so, which @program is going to be started with (NULL: it is not there)
 * @exact: watch every call, not samples (NULL: samples)
 */
struct sonde_load_opts {
	enum sonde_capture capture;
	enum sonde_view view;
	u32 with;
	u32 standby;
	u32 roles;
	const pid_t *pids;
	size_t nr_pids;
	const char *comm;
	const char *cgroup;
	bool follow_children;
	const char *program;
	u32 max_queries;
	bool findings;
	bool examples;
	u32 min_repeat;
	u64 slow_ns;
	u64 large_rows;
	u64 large_bytes;
	bool slow_events;
	const struct sonde_syscall_config *syscalls;
	const struct sonde_io_config *io;
	const struct sonde_net_config *net;
	const struct sonde_off_config *off;
	const struct sonde_wait_config *waits;
	u32 sample_hz;
	const char *shim;
	const struct sonde_alloc_exact_config *exact;
	bool breakdown;
	bool memory;
};

/** struct sonde_load_error - why loading failed, in words a user can act on, and the exit code that fits */
struct sonde_load_error {
	int exit_code; /* enum sonde_exit: 1 failure, 3 not privileged, 4 kernel lacks something */
	char text[512];
};

/**
 * sonde_load_new - load and attach everything @opts asks for
 *
 * On success @load is set and is to be freed with sonde_load_free(). Otherwise returns -errno and fills @err.
 * The programs live as long as this process: nothing is pinned, a killed sonde leaves nothing behind.
 */
int sonde_load_new(struct sonde_load **load, const struct sonde_load_opts *opts, struct sonde_load_error *err);

/**
 * sonde_load_missed - times the kernel skipped one of the programs in use
 *
 * It does so when another run of the same program is under way on that processor (bpf_prog_info.recursion_misses).
 */
u64 sonde_load_missed(const struct sonde_load *load);

/** sonde_load_abandoned - statements of embedded databases that were under way when their process ended */
u64 sonde_load_abandoned(const struct sonde_load *load);

/**
 * sonde_load_open - statements outstanding, as what still lives tells; what else is missing ended with its connection
 *
 * Returns false if that is not known: before sonde_load_stop(), or with a back end that does not see sockets end.
 */
bool sonde_load_open(const struct sonde_load *load, u64 *open);

/** sonde_load_stop - detach everything: the maps keep their numbers and hold still from here on */
void sonde_load_stop(struct sonde_load *load);

/** sonde_load_stopped - whether sonde_load_stop() was called */
bool sonde_load_stopped(const struct sonde_load *load);

/** sonde_load_free - detach and free (NULL is fine) */
void sonde_load_free(struct sonde_load *load);

/** sonde_load_looks - whether processes are looked at until the end, for libraries to probe */
bool sonde_load_looks(const struct sonde_load *load);

/**
 * sonde_load_works - whether the calling thread's privileges suffice to read the maps, and to attach probes where
 * sonde_load_looks()
 */
bool sonde_load_works(const struct sonde_load *load);

/** sonde_load_capture - the back end in use, for the report */
enum sonde_capture sonde_load_capture(const struct sonde_load *load);

/** sonde_load_view - what is traced (struct sonde_load_opts) */
enum sonde_view sonde_load_view(const struct sonde_load *load);

/** sonde_load_map - file descriptor of a map; owned by @load, valid until sonde_load_free() */
int sonde_load_map(const struct sonde_load *load, enum sonde_map map);

/** sonde_load_has - what the kernel offers, as the source tells it (SONDE_NET_HAS_*); 0: it does not */
u32 sonde_load_has(const struct sonde_load *load);

/** sonde_load_exact - what watching every allocation costs, and whether it was ended for that; false: this is no such run */
bool sonde_load_exact(const struct sonde_load *load, struct sonde_alloc_exact *out);

/** sonde_load_iterate - a file descriptor that tells what is under way now, to be closed by the caller; -errno if there is none */
int sonde_load_iterate(const struct sonde_load *load);

/** sonde_load_turn - let a source that stands by begin, or stop for now; its numbers stay. 0 or -errno, -EOPNOTSUPP if it does not stand by */
int sonde_load_turn(struct sonde_load *load, enum sonde_view view, bool on);

/** sonde_load_ready - a descriptor that is readable when there are events; *@timeout_ms is lowered to when sonde_load_poll() has other work */
int sonde_load_ready(const struct sonde_load *load, int *timeout_ms);

/**
 * sonde_load_add_pid - let another process pass the filter (program started by sonde)
 *
 * Returns 0 or -errno.
 */
int sonde_load_add_pid(struct sonde_load *load, pid_t pid);

/**
 * sonde_load_round - begin a new round of samples: those of others are complete at the next call
 *
 * Returns the round that is now under way; 0 if the source takes none.
 */
u32 sonde_load_round(struct sonde_load *load);

/** typedef of the ring callback: @event is a struct sonde_event and its payload of @size bytes, valid during the call */
typedef void (*sonde_event_fn)(void *ctx, const void *event, size_t size);

/**
 * sonde_load_poll - wait up to @timeout_ms for events and hand each to @fn
 *
 * Also does the loader's own periodic work (processes that came or mapped a library since). Returns the number of
 * events, or -errno (-EINTR when a signal came).
 */
int sonde_load_poll(struct sonde_load *load, int timeout_ms, sonde_event_fn fn, void *ctx);

/** sonde_load_drain - hand out what is in the ring now, without waiting */
int sonde_load_drain(struct sonde_load *load, sonde_event_fn fn, void *ctx);

#endif /* SONDE_LOAD_LOAD_H */
