// SPDX-License-Identifier: GPL-2.0-only
/*
 * statements.c - the source of statements and requests: socket data, and libraries whose calls are probed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cap.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "load/bins.h"
#include "load/callsite.h"
#include "load/capture.h"
#include "load/probe.h"
#include "load/settle.h"
#include "load/source.h"
#include "load/sqlite.h"
#include "load/tables.h"
#include "load/tls.h"
#include "load/uprobe.h"
#include "sonde/config.h"
#include "sonde/scope.h"
#include "sonde.skel.h"

#define DEFAULT_QUERIES 4096
#define SITE_ROWS (1u << 20) /* of tables for unwinding, where no stacks are taken but those of call sites */
#define RESCAN_MS 500 /* how often new processes and mappings are looked for */
#define EXEC_MS 400 /* how long after a traced process ran a new program its libraries are waited for, and ... */
#define EXEC_STEP_MS 20 /* ... how often they are looked for meanwhile */

struct statements {
	struct sonde_bins *bins;
	struct sonde_sqlite *sqlite;
	struct sonde_tls *tls;
	struct sonde_tables *tables; /* for call sites (NULL: frame pointers have to do) */
	u64 abandoned; /* taken before @sqlite and @tls go */
	struct bpf_link *link[SONDE_CAPTURE_LINKS]; /* those that the skeleton does not know */
	u64 open; /* statements outstanding at the end, if @settled */
	int iter; /* counts them, -errno: there is none */
	bool settled;
	bool sites; /* programs take whole stacks for call sites */
	u64 rescan_ns; /* when the next look for new processes is due */
	u64 hurry_ns; /* until then looks follow each other quickly */
};

/* Protocols of the command's view are looked for, in the roles it wants; inbound requests where statements belong to them. */
static void set_roles(struct sonde_config *conf, const struct sonde_load_opts *opts)
{
	u8 any = SONDE_ROLE_CLIENT | SONDE_ROLE_SERVER;
	u8 roles = opts->roles ? opts->roles : opts->view == SONDE_VIEW_HTTP ? any : SONDE_ROLE_CLIENT;

#define SONDE_PROTO(id, symbol, system, name, of_view, dialect)                                                        \
	conf->roles[id] = opts->view == SONDE_VIEW_##of_view			      ? roles                          \
			  : SONDE_VIEW_##of_view == SONDE_VIEW_HTTP && (opts->findings || opts->memory)                \
				  ? SONDE_ROLE_SERVER                                                                  \
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

/*
 * Where the time of inbound requests goes: programs at the scheduler, and databases watched for it. Or what they allocate: that tell
 * other sources.
 */
static void set_breakdown(struct sonde_bpf *skel, struct sonde_config *conf, const struct sonde_load_opts *opts)
{
	struct bpf_map *maps[] = { skel->maps.bd_threads,   skel->maps.bd_zero,	 skel->maps.bd_open,
				   skel->maps.bd_zero_open, skel->maps.bd_runs,	 skel->maps.bd_speaks,
				   skel->maps.bd_rows,	    skel->maps.bd_deps,	 skel->maps.bd_zero_row };
	struct sonde_breakdown_config *bd = (struct sonde_breakdown_config *)&skel->rodata->bd_conf;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		bpf_map__set_autocreate(maps[i], opts->breakdown || opts->memory);
	bpf_map__set_autocreate(skel->maps.bd_socks, opts->breakdown);
	bpf_map__set_autocreate(skel->maps.bd_ports, opts->breakdown);
	bpf_map__set_autocreate(skel->maps.bd_parks, opts->breakdown);
	bpf_map__set_autocreate(skel->maps.bd_sites, opts->memory);
	bd->on = opts->breakdown || opts->memory;
	bd->memory = opts->memory;
	bpf_program__set_autoload(skel->progs.bd_exit, bd->on);
	if (!opts->breakdown)
		return;
#define SONDE_PROTO(id, symbol, system, name, of_view, dialect)                                                        \
	conf->roles[id] =                                                                                              \
		SONDE_VIEW_##of_view == SONDE_VIEW_HTTP ? SONDE_ROLE_CLIENT | SONDE_ROLE_SERVER : SONDE_ROLE_CLIENT;
#include "sonde/proto.def"
	if (opts->waits)
		memcpy((void *)&skel->rodata->wait_conf, opts->waits, sizeof(skel->rodata->wait_conf));
	bpf_program__set_autoload(skel->progs.bd_switch, true);
	bpf_program__set_autoload(skel->progs.bd_wakeup, true);
	bpf_program__set_autoload(skel->progs.bd_connect, true);
	bpf_program__set_autoload(skel->progs.bd_ready, sonde_probe_have(SONDE_FEATURE_READY_TRACEPOINT));
}

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	const struct sonde_load_opts *opts = ctx->opts;
	struct sonde_sqlite_opts sqlite = { .binds = opts->findings };
	struct sonde_bpf *skel = ctx->skel;
	struct sonde_config *conf = (struct sonde_config *)&skel->rodata->conf;
	struct sonde_tls_opts tls = {};
	u32 rows = DEFAULT_QUERIES;
	int ret = sonde_capture_choose(opts->capture, &ctx->capture, err);

	if (ret)
		return ret;
	if (opts->breakdown && !sonde_probe_have(SONDE_FEATURE_SWITCH_STATE))
		return sonde_load_fail(
			err, SONDE_EXIT_KERNEL, -EOPNOTSUPP,
			"--breakdown needs Linux 5.18 or later: this kernel's tracepoint sched_switch does not "
			"tell whether a thread waits");
	ctx->state = calloc(1, sizeof(struct statements));
	if (!ctx->state)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	((struct statements *)ctx->state)->iter = -1;
	set_roles(conf, opts);
	set_findings(skel, conf, opts);
	set_breakdown(skel, conf, opts);
	conf->slow_events = opts->slow_events;
	conf->examples = opts->slow_events && opts->examples;
	if (!conf->examples) {
		bpf_map__set_max_entries(skel->maps.slow_examples, 1);
		bpf_map__set_max_entries(skel->maps.slow_texts, 1);
	}
	sonde_capture_prepare(skel, ctx->capture);
	if (opts->max_queries && !opts->memory) /* else they are call sites */
		rows = opts->max_queries;
	bpf_map__set_max_entries(skel->maps.queries, rows);
	if (rows > bpf_map__max_entries(skel->maps.texts)) /* a row's text is told once, if it can be remembered */
		bpf_map__set_max_entries(skel->maps.texts, rows);
	ret = opts->view == SONDE_VIEW_DB ? sonde_sqlite_prepare(skel, &sqlite) : 0;
	if (ret)
		return sonde_load_fail(err, SONDE_EXIT_KERNEL, ret, "cannot prepare the SQLite probes: %s",
				       strerror(-ret));
	sonde_tls_prepare(skel, &tls);
	((struct statements *)ctx->state)->sites = opts->findings && sonde_callsite_prepare(skel, ctx->capture);
	if (((struct statements *)ctx->state)->sites)
		sonde_tables_prepare(skel, SITE_ROWS);
	return 0;
}

static int loaded(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct statements *st = ctx->state;
	int ret = st->sites ? sonde_callsite_connect(ctx->skel) : 0;

	if (!ret)
		ret = sonde_capture_attach(ctx->skel, ctx->capture, st->link);
	if (!ret && st->sites) {
		st->tables = sonde_tables_new(ctx->skel);
		if (!st->tables)
			return sonde_load_fail(err, SONDE_EXIT_FAILURE, -ENOMEM, "out of memory");
	}
	return ret ? sonde_load_fail(err, SONDE_EXIT_KERNEL, ret, "cannot attach: %s; see `sonde doctor`",
				     strerror(-ret))
		   : 0;
}

static void detach_capture(struct statements *st)
{
	for (size_t i = 0; i < SONDE_CAPTURE_LINKS; i++) {
		bpf_link__destroy(st->link[i]);
		st->link[i] = NULL;
	}
}

/* Probes for libraries: what goes wrong here is said, and the rest is traced. */
static void attach_libraries(struct sonde_load_ctx *ctx)
{
	const struct sonde_load_opts *opts = ctx->opts;
	struct statements *st = ctx->state;
	bool filtered = opts->nr_pids || opts->follow_children;
	struct sonde_bins_opts bins = {
		.pids = opts->pids,
		.nr_pids = opts->nr_pids,
		.filter_map = filtered ? bpf_map__fd(ctx->skel->maps.pids) : -1,
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
	st->iter = sonde_settle_prepare(ctx->skel);
	st->bins = sonde_bins_new(&bins);
	if (!st->bins) {
		sonde_warn("libraries are not traced: out of memory");
		return;
	}
	err = opts->view == SONDE_VIEW_DB ? sonde_sqlite_attach(&st->sqlite, ctx->skel, &sqlite, st->bins) : 0;
	if (err)
		sonde_warn("SQLite is not traced: %s", strerror(-err));
	err = sonde_tls_attach(&st->tls, ctx->skel, &tls, st->bins);
	if (err)
		sonde_warn("TLS is not traced: %s",
			   err == -EOPNOTSUPP ? "the kernel has no uprobe cookies (Linux 5.15 has)" : strerror(-err));
	sonde_bins_ahead(st->bins);
	err = sonde_bins_scan(st->bins);
	if (err)
		sonde_warn("libraries of running processes are not traced: %s", strerror(-err));
	if (sonde_bins_refused(st->bins) && !sonde_cap_have(SONDE_CAP_SYS_PTRACE))
		sonde_warn("no CAP_SYS_PTRACE: %zu processes may not be looked at: SQLite and TLS are traced only in "
			   "the system's libraries there, "
			   "sources are not named; see Capabilities in `sonde doctor`",
			   sonde_bins_refused(st->bins));
}

static void attach(struct sonde_load_ctx *ctx)
{
	struct statements *st = ctx->state;

	if (st->tables)
		sonde_tables_fill(st->tables, ctx->opts, false);
	attach_libraries(ctx);
}

static void free_libraries(struct statements *st)
{
	sonde_sqlite_free(st->sqlite);
	st->sqlite = NULL;
	sonde_tls_free(st->tls);
	st->tls = NULL;
	sonde_bins_free(st->bins);
	st->bins = NULL;
}

static u64 abandoned(const struct sonde_load_ctx *ctx)
{
	const struct statements *st = ctx->state;
	u64 n = st->abandoned;

	if (st->sqlite)
		n += sonde_sqlite_abandoned(st->sqlite);
	if (st->tls)
		n += sonde_tls_abandoned(st->tls);
	return n;
}

static void stop(struct sonde_load_ctx *ctx)
{
	struct statements *st = ctx->state;

	detach_capture(st);
	if (st->bins)
		sonde_bins_settle(st->bins);
	st->abandoned = abandoned(ctx);
	st->settled = sonde_settle_open(ctx->skel, st->iter, &st->open);
	free_libraries(st);
}

static bool open_statements(const struct sonde_load_ctx *ctx, u64 *open)
{
	const struct statements *st = ctx->state;

	*open = st->open;
	return st->settled;
}

static bool looks(const struct sonde_load_ctx *ctx)
{
	const struct statements *st = ctx->state;

	return st->bins || st->tables;
}

static void free_state(struct sonde_load_ctx *ctx)
{
	struct statements *st = ctx->state;

	if (!st)
		return;
	detach_capture(st);
	free_libraries(st);
	sonde_tables_free(st->tables);
	if (st->iter >= 0)
		close(st->iter);
	free(st);
}

/* What the first of two programs on one hook misses the second does. Without whole stacks a statement is counted all the same. */
static bool misses(const struct sonde_load_ctx *ctx, const struct bpf_program *prog)
{
	return !sonde_capture_first(ctx->skel, prog) && strncmp(bpf_program__name(prog), "uw_", 3) != 0;
}

static bool event(struct sonde_load_ctx *ctx, const struct sonde_event *event, size_t size)
{
	struct statements *st = ctx->state;

	return st->tables && sonde_tables_event(st->tables, event, size);
}

static void rescan(struct sonde_load_ctx *ctx, bool exec_seen)
{
	struct statements *st = ctx->state;
	u64 now = sonde_clock_ns();

	if (!st->bins || (!exec_seen && now < st->rescan_ns))
		return;
	if (exec_seen)
		st->hurry_ns = now + EXEC_MS * 1000000ull;
	if (now >= st->hurry_ns)
		st->hurry_ns = 0;
	st->rescan_ns = now + (now < st->hurry_ns ? EXEC_STEP_MS : RESCAN_MS) * 1000000ull;
	sonde_bins_scan(st->bins);
	if (st->tables && st->hurry_ns)
		sonde_tables_hurry(st->tables);
}

static int wait_ms(const struct sonde_load_ctx *ctx, int timeout_ms)
{
	const struct statements *st = ctx->state;

	if (st->bins && timeout_ms > RESCAN_MS)
		timeout_ms = RESCAN_MS;
	if (st->hurry_ns && timeout_ms > EXEC_STEP_MS)
		timeout_ms = EXEC_STEP_MS;
	return timeout_ms;
}

const struct sonde_load_source sonde_load_statements = {
	.name = "statements",
	.configure = configure,
	.loaded = loaded,
	.attach = attach,
	.event = event,
	.wait_ms = wait_ms,
	.work = rescan,
	.misses = misses,
	.looks = looks,
	.open = open_statements,
	.abandoned = abandoned,
	.stop = stop,
	.free = free_state,
};
