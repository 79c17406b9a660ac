// SPDX-License-Identifier: GPL-2.0-only
/*
 * load.c - configures, loads and attaches the BPF programs that one run needs; nothing is pinned.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cap.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "load/bins.h"
#include "load/capture.h"
#include "load/load.h"
#include "load/probe.h"
#include "load/settle.h"
#include "load/sqlite.h"
#include "load/tls.h"
#include "load/uprobe.h"
#include "sonde/config.h"
#include "sonde/event.h"
#include "sonde/key.h"
#include "sonde.skel.h"

#define DEFAULT_QUERIES 4096
#define RESCAN_MS 500 /* how often new processes and mappings are looked for */
#define EXEC_MS 400 /* how long after a traced process ran a new program its libraries are waited for, and ... */
#define EXEC_STEP_MS 20 /* ... how often they are looked for meanwhile */

struct sonde_load {
	struct sonde_bpf *skel;
	struct sonde_bins *bins;
	struct sonde_sqlite *sqlite;
	struct sonde_tls *tls;
	struct ring_buffer *ring;
	enum sonde_capture capture;
	struct bpf_link *link[SONDE_CAPTURE_LINKS]; /* those that the skeleton does not know */
	enum sonde_view view;
	u64 abandoned; /* taken before @sqlite and @tls go */
	u64 open; /* statements outstanding at the end, if @settled */
	int iter; /* counts them, -errno: there is none */
	bool settled;
	u64 rescan_ns; /* when the next look for new processes is due */
	u64 hurry_ns; /* until then looks follow each other quickly */
	sonde_event_fn fn; /* of the poll in progress */
	void *fn_ctx;
	bool exec_seen;
};

/* Why the kernel refused: libbpf's first complaint, and the verifier's last line that is not statistics. */
static char libbpf_said[256];
static char verifier_said[256];

static void keep_line(char *to, size_t size, const char *line)
{
	snprintf(to, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static void keep_verdict(char *log)
{
	static const char *const statistics[] = { "processed ", "verification time", "stack depth", "-- END",
						  "mark_precise" };
	char *line, *save = NULL;

	for (line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bool skip = false;

		for (size_t i = 0; i < sizeof(statistics) / sizeof(statistics[0]); i++)
			skip |= !strncmp(line, statistics[i], strlen(statistics[i]));
		if (!skip)
			keep_line(verifier_said, sizeof(verifier_said), line);
	}
}

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text, *log;

	if (level == LIBBPF_DEBUG && !sonde_log_is_verbose())
		return 0;
	if (vasprintf(&text, fmt, args) < 0)
		return 0;
	log = strstr(text, "-- BEGIN PROG LOAD LOG --\n");
	if (level == LIBBPF_WARN && !log && !libbpf_said[0])
		keep_line(libbpf_said, sizeof(libbpf_said), text);
	sonde_debug("%.*s", (int)strcspn(text, "\n"), text);
	if (log)
		keep_verdict(strchr(log, '\n') + 1);
	free(text);
	return 0;
}

static int fail(struct sonde_load_error *err, int exit_code, int ret, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	err->exit_code = exit_code;
	return ret < 0 ? ret : -EINVAL;
}

/* Protocols of the command's view are looked for, in the roles it wants; inbound requests where statements belong to them. */
static void set_roles(struct sonde_config *conf, const struct sonde_load_opts *opts)
{
	u8 any = SONDE_ROLE_CLIENT | SONDE_ROLE_SERVER;
	u8 roles = opts->roles ? opts->roles : opts->view == SONDE_VIEW_HTTP ? any : SONDE_ROLE_CLIENT;

#define SONDE_PROTO(id, symbol, system, name, of_view, dialect)                                                        \
	conf->roles[id] = opts->view == SONDE_VIEW_##of_view			      ? roles                          \
			  : SONDE_VIEW_##of_view == SONDE_VIEW_HTTP && opts->findings ? SONDE_ROLE_SERVER              \
										      : 0;
#include "sonde/proto.def"
}

/* What makes a finding; the maps for it take next to no memory where nothing does. */
static void set_findings(struct sonde_bpf *skel, struct sonde_config *conf, const struct sonde_load_opts *opts)
{
	struct bpf_map *maps[] = {
		skel->maps.scopes,    skel->maps.findings, skel->maps.callers, skel->maps.stacks,
		skel->maps.announced, skel->maps.contexts, skel->maps.loops,   skel->maps.stack_bufs
	};

	conf->view = opts->view;
	conf->scopes = opts->findings;
	conf->min_repeat = opts->min_repeat ? opts->min_repeat : SONDE_MIN_REPEAT;
	conf->slow_ns = opts->slow_ns;
	conf->large_rows = opts->large_rows;
	conf->large_bytes = opts->large_bytes;
	for (size_t i = 0; !opts->findings && i < sizeof(maps) / sizeof(maps[0]); i++)
		bpf_map__set_max_entries(maps[i], 1);
}

static void configure(struct sonde_bpf *skel, const struct sonde_load_opts *opts, enum sonde_capture capture)
{
	struct sonde_config *conf = (struct sonde_config *)&skel->rodata->conf;
	bool pids = opts->nr_pids || opts->follow_children;
	struct bpf_program *prog;

	set_roles(conf, opts);
	set_findings(skel, conf, opts);
	conf->filter_pids = pids;
	conf->follow_children = opts->follow_children;
	conf->self = getpid();
	if (opts->comm) {
		conf->filter_comm = 1;
		strncpy(conf->comm, opts->comm, sizeof(conf->comm) - 1);
	}
	conf->filter_cgroup = opts->cgroup != NULL;
	conf->slow_events = opts->slow_events;
	conf->examples = opts->slow_events && opts->examples;
	if (!conf->examples) {
		bpf_map__set_max_entries(skel->maps.slow_examples, 1);
		bpf_map__set_max_entries(skel->maps.slow_texts, 1);
	}

	/* All off, then on what this run needs. */
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, false);
	sonde_capture_prepare(skel, capture);
	bpf_program__set_autoload(skel->progs.process_exec, pids || opts->comm);
	bpf_program__set_autoload(skel->progs.process_exit, pids || opts->comm);
	bpf_program__set_autoload(skel->progs.process_fork, opts->follow_children);

	bpf_map__set_max_entries(skel->maps.queries, opts->max_queries ? opts->max_queries : DEFAULT_QUERIES);
	if (opts->max_queries > bpf_map__max_entries(skel->maps.texts)) /* a row's text is told once, if it can be remembered */
		bpf_map__set_max_entries(skel->maps.texts, opts->max_queries);
}

/* The filters that live in maps. */
static int fill_filters(struct sonde_load *load, const struct sonde_load_opts *opts, struct sonde_load_error *err)
{
	u32 zero = 0;
	int fd, ret;

	for (size_t i = 0; i < opts->nr_pids; i++) {
		ret = sonde_load_add_pid(load, opts->pids[i]);
		if (ret)
			return fail(err, SONDE_EXIT_FAILURE, ret, "cannot add process %d to the filter: %s",
				    opts->pids[i], strerror(-ret));
	}
	if (!opts->cgroup)
		return 0;
	fd = open(opts->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, SONDE_EXIT_FAILURE, -errno, "cannot open cgroup %s: %s", opts->cgroup,
			    strerror(errno));
	ret = bpf_map_update_elem(bpf_map__fd(load->skel->maps.cgroups), &zero, &fd, BPF_ANY);
	close(fd);
	if (ret)
		return fail(err, SONDE_EXIT_FAILURE, ret,
			    "%s is not a cgroup v2 directory (a directory below the cgroup2 mount is needed)",
			    opts->cgroup);
	return 0;
}

static int on_ring(void *ctx, void *data, size_t size)
{
	const struct sonde_event *event = data;
	struct sonde_load *load = ctx;

	if (size < sizeof(*event))
		return 0;
	if (event->type == SONDE_EVENT_EXEC)
		load->exec_seen = true;
	if (load->fn)
		load->fn(load->fn_ctx, data, size);
	return 0;
}

/* Loads the object; a refusal is put in words the user can act on. */
static int load_object(struct sonde_load *load, struct sonde_load_error *err)
{
	int ret = sonde_bpf__load(load->skel);

	if (!ret)
		return 0;
	if (ret == -EPERM) /* the verifier's own refusals are EACCES, EINVAL or E2BIG */
		return sonde_probe_refused(err, ret);
	if (ret == -ENOMEM)
		return fail(err, SONDE_EXIT_FAILURE, ret, "no memory for the BPF maps: lower --max-queries");
	return fail(err, SONDE_EXIT_KERNEL, ret, "the kernel did not accept a BPF program: %s: %s; see `sonde doctor`",
		    libbpf_said[0] ? libbpf_said : strerror(-ret), verifier_said);
}

/* Probes for libraries: what goes wrong here is said, and the rest is traced. */
static void attach_libraries(struct sonde_load *load, const struct sonde_load_opts *opts)
{
	bool filtered = opts->nr_pids || opts->follow_children;
	struct sonde_bins_opts bins = {
		.pids = opts->pids,
		.nr_pids = opts->nr_pids,
		.filter_map = filtered ? bpf_map__fd(load->skel->maps.pids) : -1,
		/* programs that start later: from their first statement */
		.ahead = opts->follow_children || !opts->nr_pids,
		.program = opts->program,
	};
	struct sonde_sqlite_opts sqlite = { .binds = opts->findings };
	struct sonde_tls_opts tls = {};
	int err;

	/* Processes to come are not known by number: the programs filter. */
	if (bins.ahead || !sonde_uprobe_caps()->process)
		bins.nr_pids = 0;
	sqlite.nr_pids = bins.nr_pids;
	tls.nr_pids = bins.nr_pids;
	load->bins = sonde_bins_new(&bins);
	if (!load->bins) {
		sonde_warn("libraries are not traced: out of memory");
		return;
	}
	err = load->view == SONDE_VIEW_DB ? sonde_sqlite_attach(&load->sqlite, load->skel, &sqlite, load->bins) : 0;
	if (err)
		sonde_warn("SQLite is not traced: %s", strerror(-err));
	err = sonde_tls_attach(&load->tls, load->skel, &tls, load->bins);
	if (err)
		sonde_warn("TLS is not traced: %s",
			   err == -EOPNOTSUPP ? "the kernel has no uprobe cookies (Linux 5.15 has)" : strerror(-err));
	sonde_bins_ahead(load->bins);
	err = sonde_bins_scan(load->bins);
	if (err)
		sonde_warn("libraries of running processes are not traced: %s", strerror(-err));
	if (sonde_bins_refused(load->bins) && !sonde_cap_have(SONDE_CAP_SYS_PTRACE))
		sonde_warn("no CAP_SYS_PTRACE: %zu processes may not be looked at: SQLite and TLS are traced only in the system's libraries there, "
			   "sources are not named; see Capabilities in `sonde doctor`",
			   sonde_bins_refused(load->bins));
}

static void free_libraries(struct sonde_load *load)
{
	sonde_sqlite_free(load->sqlite);
	load->sqlite = NULL;
	sonde_tls_free(load->tls);
	load->tls = NULL;
	sonde_bins_free(load->bins);
	load->bins = NULL;
}

int sonde_load_new(struct sonde_load **out, const struct sonde_load_opts *opts, struct sonde_load_error *err)
{
	struct sonde_sqlite_opts sqlite = { .binds = opts->findings };
	struct sonde_tls_opts tls = {};
	struct sonde_load *load;
	int ret;

	*out = NULL;
	libbpf_said[0] = verifier_said[0] = '\0';
	libbpf_set_print(libbpf_print);
	ret = sonde_probe_base(err);
	if (ret)
		return ret;
	load = calloc(1, sizeof(*load));
	if (!load)
		return fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	load->view = opts->view;
	load->iter = -1;
	ret = sonde_capture_choose(opts->capture, &load->capture, err);
	if (ret)
		goto err_free;
	load->skel = sonde_bpf__open();
	if (!load->skel) {
		ret = fail(err, SONDE_EXIT_FAILURE, -errno, "cannot open the built-in BPF object: %s", libbpf_said);
		goto err_free;
	}
	configure(load->skel, opts, load->capture);
	ret = opts->view == SONDE_VIEW_DB ? sonde_sqlite_prepare(load->skel, &sqlite) : 0;
	if (ret) {
		fail(err, SONDE_EXIT_KERNEL, ret, "cannot prepare the SQLite probes: %s", strerror(-ret));
		goto err_free;
	}
	sonde_tls_prepare(load->skel, &tls);
	ret = load_object(load, err);
	if (ret)
		goto err_free;
	ret = fill_filters(load, opts, err);
	if (ret)
		goto err_free;
	load->ring = ring_buffer__new(bpf_map__fd(load->skel->maps.events), on_ring, load, NULL);
	if (!load->ring) {
		ret = fail(err, SONDE_EXIT_FAILURE, -errno, "cannot map the ring buffer: %s", strerror(errno));
		goto err_free;
	}
	ret = sonde_capture_attach(load->skel, load->capture, load->link);
	if (!ret)
		ret = sonde_bpf__attach(load->skel);
	if (ret) {
		fail(err, SONDE_EXIT_KERNEL, ret, "cannot attach: %s (%s); see `sonde doctor`", strerror(-ret),
		     libbpf_said);
		goto err_free;
	}
	load->iter = sonde_settle_prepare(load->skel);
	attach_libraries(load, opts);
	load->skel->bss->active = 1;
	*out = load;
	return 0;

err_free:
	if (err->exit_code == SONDE_EXIT_KERNEL && sonde_probe_no_memory())
		ret = fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory: no room for the kernel's type information");
	sonde_load_free(load);
	return ret;
}

u64 sonde_load_missed(const struct sonde_load *load)
{
	struct bpf_program *prog;
	u64 missed = 0;

	bpf_object__for_each_program(prog, load->skel->obj) {
		struct bpf_prog_info info = {};
		u32 len = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (sonde_capture_first(load->skel, prog)) /* what these miss the second ones do */
			continue;
		if (fd >= 0 && bpf_program__autoload(prog) && !bpf_obj_get_info_by_fd(fd, &info, &len))
			missed += info.recursion_misses;
	}
	return missed;
}

u64 sonde_load_abandoned(const struct sonde_load *load)
{
	u64 n = load->abandoned;

	if (load->sqlite)
		n += sonde_sqlite_abandoned(load->sqlite);
	if (load->tls)
		n += sonde_tls_abandoned(load->tls);
	return n;
}

bool sonde_load_open(const struct sonde_load *load, u64 *open)
{
	*open = load->open;
	return load->settled;
}

static void detach_capture(struct sonde_load *load)
{
	for (size_t i = 0; i < SONDE_CAPTURE_LINKS; i++) {
		bpf_link__destroy(load->link[i]);
		load->link[i] = NULL;
	}
}

void sonde_load_stop(struct sonde_load *load)
{
	load->skel->bss->active = 0;
	detach_capture(load);
	sonde_bpf__detach(load->skel);
	if (load->bins)
		sonde_bins_settle(load->bins);
	load->abandoned = sonde_load_abandoned(load);
	load->settled = sonde_settle_open(load->skel, load->iter, &load->open);
	free_libraries(load);
}

void sonde_load_free(struct sonde_load *load)
{
	if (!load)
		return;
	detach_capture(load);
	free_libraries(load);
	if (load->iter >= 0)
		close(load->iter);
	ring_buffer__free(load->ring);
	sonde_bpf__destroy(load->skel);
	free(load);
}

bool sonde_load_looks(const struct sonde_load *load)
{
	return load->bins != NULL;
}

bool sonde_load_works(const struct sonde_load *load)
{
	struct bpf_program *prog;
	u32 key;

	if (bpf_map_get_next_key(bpf_map__fd(load->skel->maps.pids), NULL, &key) && errno == EPERM)
		return false;
	bpf_object__for_each_program(prog, load->skel->obj) {
		int type = bpf_program__expected_attach_type(prog);

		if (bpf_program__fd(prog) < 0 || bpf_program__type(prog) != BPF_PROG_TYPE_KPROBE)
			continue;
		if (load->bins && !sonde_uprobe_may_attach(bpf_program__fd(prog), type))
			return false;
	}
	return true;
}

enum sonde_capture sonde_load_capture(const struct sonde_load *load)
{
	return load->capture;
}

enum sonde_view sonde_load_view(const struct sonde_load *load)
{
	return load->view;
}

int sonde_load_map(const struct sonde_load *load, enum sonde_map map)
{
	switch (map) {
	case SONDE_MAP_QUERIES:
		return bpf_map__fd(load->skel->maps.queries);
	case SONDE_MAP_PEERS:
		return bpf_map__fd(load->skel->maps.peers);
	case SONDE_MAP_PROCS:
		return bpf_map__fd(load->skel->maps.procs);
	case SONDE_MAP_COUNTERS:
		return bpf_map__fd(load->skel->maps.data_counters);
	case SONDE_MAP_SEEN:
		return bpf_map__fd(load->skel->maps.seen);
	case SONDE_MAP_PIDS:
		return bpf_map__fd(load->skel->maps.pids);
	case SONDE_MAP_SCOPES:
		return bpf_map__fd(load->skel->maps.scopes);
	case SONDE_MAP_FINDINGS:
		return bpf_map__fd(load->skel->maps.findings);
	case SONDE_MAP_CALLERS:
		return bpf_map__fd(load->skel->maps.callers);
	case SONDE_MAP_STACKS:
		return bpf_map__fd(load->skel->maps.stacks);
	default:
		return -EINVAL;
	}
}

int sonde_load_add_pid(struct sonde_load *load, pid_t pid)
{
	u32 key = pid, value = 1;
	int ret = bpf_map_update_elem(bpf_map__fd(load->skel->maps.pids), &key, &value, BPF_ANY);

	return ret < 0 ? -errno : 0;
}

static void rescan(struct sonde_load *load)
{
	u64 now = sonde_clock_ns();

	if (!load->bins || (!load->exec_seen && now < load->rescan_ns))
		return;
	if (load->exec_seen)
		load->hurry_ns = now + EXEC_MS * 1000000ull;
	load->exec_seen = false;
	if (now >= load->hurry_ns)
		load->hurry_ns = 0;
	load->rescan_ns = now + (now < load->hurry_ns ? EXEC_STEP_MS : RESCAN_MS) * 1000000ull;
	sonde_bins_scan(load->bins);
}

int sonde_load_poll(struct sonde_load *load, int timeout_ms, sonde_event_fn fn, void *ctx)
{
	int ret;

	load->fn = fn;
	load->fn_ctx = ctx;
	if (load->bins && timeout_ms > RESCAN_MS)
		timeout_ms = RESCAN_MS;
	if (load->hurry_ns && timeout_ms > EXEC_STEP_MS)
		timeout_ms = EXEC_STEP_MS;
	ret = ring_buffer__poll(load->ring, timeout_ms);
	rescan(load);
	return ret;
}

int sonde_load_drain(struct sonde_load *load, sonde_event_fn fn, void *ctx)
{
	load->fn = fn;
	load->fn_ctx = ctx;
	return ring_buffer__consume(load->ring);
}
