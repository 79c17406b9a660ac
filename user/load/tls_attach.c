// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls_attach.c - programs for TLS libraries: which are loaded, how they are attached, what they cost.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sonde/config.h"
#include "sonde.skel.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/utf8.h"
#include "load/tls_attach.h"
#include "sonde/tls_probe.h"

static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

/*
 * Does the verifier take a call of a subprogram with preemption off? Loads that one program and no map it does not need: that is its
 * own, and those of the object's variables, without which libbpf calls the loading failed.
 */
static bool can_switch_preemption_off(void)
{
	libbpf_print_fn_t print = libbpf_set_print(say_nothing);
	struct sonde_bpf *skel = sonde_bpf__open();
	struct bpf_program *prog;
	struct bpf_map *map;
	bool can;

	if (skel) {
		bpf_object__for_each_program(prog, skel->obj)
			bpf_program__set_autoload(prog, prog == skel->progs.tls_try);
		bpf_object__for_each_map(map, skel->obj)
			bpf_map__set_autocreate(map, map == skel->maps.tls_busy || bpf_map__is_internal(map));
	}
	can = skel && !sonde_bpf__load(skel);
	sonde_bpf__destroy(skel);
	libbpf_set_print(print);
	return can;
}

static bool kernel_before(unsigned int major, unsigned int minor)
{
	unsigned int a = 0, b = 0;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &a, &b) != 2)
		return false;
	return a < major || (a == major && b < minor);
}

/* The environment variable SONDE_TLS_GUARD=mark has older kernels' way taken, for tests. */
static u32 choose_guard(void)
{
	static u32 chosen = SONDE_TLS_OFF;
	const char *only = getenv("SONDE_TLS_GUARD");

	if (chosen != SONDE_TLS_OFF)
		return chosen;
	if (only && !strcmp(only, "mark"))
		chosen = SONDE_TLS_BUSY_MARK;
	else if (can_switch_preemption_off())
		chosen = SONDE_TLS_PREEMPT_OFF;
	else
		chosen = kernel_before(6, 0) ? SONDE_TLS_NO_GUARD : SONDE_TLS_BUSY_MARK;
	sonde_debug("TLS: uprobe programs are kept apart by %s",
		    chosen == SONDE_TLS_PREEMPT_OFF ? "switching preemption off"
		    : chosen == SONDE_TLS_BUSY_MARK ? "a mark on the scratch memory"
						    : "the kernel");
	return chosen;
}

static int attach_type(void)
{
	if (!sonde_uprobe_caps()->multi)
		return SONDE_UPROBE_PERF;
	return sonde_uprobe_caps()->session ? SONDE_UPROBE_SESSION : SONDE_UPROBE_MULTI;
}

/* Of programs on one end only. */
static int entry_type(void)
{
	return sonde_uprobe_caps()->multi ? SONDE_UPROBE_MULTI : SONDE_UPROBE_PERF;
}

static void use(struct bpf_program *prog, int type)
{
	bpf_program__set_autoload(prog, true);
	if (type != SONDE_UPROBE_PERF)
		bpf_program__set_expected_attach_type(prog, type);
}

/* Which goroutine runs, and whose request net/http's client sends, is asked where the time of requests goes, not where what they allocate is. */
static bool wants_requests(const struct sonde_bpf *skel)
{
	return skel->rodata->bd_conf.on && !skel->rodata->bd_conf.memory;
}

int sonde_tls_prepare(struct sonde_bpf *skel, const struct sonde_tls_opts *opts)
{
	struct bpf_program *all[] = { skel->progs.tls_both,	skel->progs.tls_begin,	skel->progs.tls_return,
				      skel->progs.tls_free,	skel->progs.tls_try,	skel->progs.tls_go_begin,
				      skel->progs.tls_go_close, skel->progs.bd_go_trip, skel->progs.bd_go_sends,
				      skel->progs.bd_go_runs,	skel->progs.bd_go_stops };
	int type = attach_type();

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		bpf_program__set_autoload(all[i], false);
	if (!opts || !sonde_uprobe_caps()->cookies) {
		bpf_map__set_max_entries(skel->maps.tls_threads, 1);
		bpf_map__set_max_entries(skel->maps.tls_conns, 1);
		bpf_map__set_max_entries(skel->maps.tls_go, 1);
		return 0;
	}
	skel->rodata->tls_guard = choose_guard();
	if (type == SONDE_UPROBE_SESSION) {
		use(skel->progs.tls_both, type);
	} else {
		use(skel->progs.tls_begin, type);
		use(skel->progs.tls_return, type);
	}
	use(skel->progs.tls_free, entry_type());
	use(skel->progs.tls_go_begin, entry_type());
	use(skel->progs.tls_go_close, entry_type());
	if (wants_requests(skel)) {
		use(skel->progs.bd_go_trip, entry_type());
		use(skel->progs.bd_go_sends, entry_type());
		use(skel->progs.bd_go_runs, entry_type());
		use(skel->progs.bd_go_stops, entry_type());
	}
	return 0;
}

/* What is of interest only to who asks what a request does. */
static bool is_of_requests(const struct sonde_tls_site *s)
{
	return s->call >= SONDE_TLS_GO_TRIP && s->call <= SONDE_TLS_GO_STOPS;
}

/* What the program on execute() needs to know of the binary: in its map, by the number in its cookie; nothing if there is no room. */
static u64 tell_parks(struct sonde_bpf *skel, const struct tls_binary *b)
{
	int map = bpf_map__fd(skel->maps.bd_parks);

	if (!b->pub.parks.fn[SONDE_GO_FN_GOPARK].bytes || bpf_map_update_elem(map, &b->number, &b->pub.parks, BPF_ANY))
		return 0;
	return (u64)b->number << SONDE_TLS_GO_PROGRAM;
}

static int attach_of_requests(struct sonde_bpf *skel, struct tls_binary *b, struct sonde_uprobe_spot spot, pid_t pid)
{
	struct bpf_program *const progs[] = { skel->progs.bd_go_trip, skel->progs.bd_go_sends, skel->progs.bd_go_runs,
					      skel->progs.bd_go_stops };
	struct bpf_program *prog = progs[spot.cookie - SONDE_TLS_GO_TRIP];

	if (!wants_requests(skel))
		return 0;
	if (spot.cookie == SONDE_TLS_GO_RUNS)
		spot.cookie |= tell_parks(skel, b);
	return sonde_uprobe_attach(&b->probes, prog, entry_type(), b->fd, &spot, 1, false, pid);
}

static int attach_go(struct sonde_bpf *skel, struct tls_binary *b, const struct sonde_tls_site *s, pid_t pid)
{
	const struct sonde_uprobe_spot spot = { .offset = s->offset, .cookie = s->call };
	struct sonde_uprobe_spot ret[SONDE_TLS_MAX_RETURNS];
	int type = attach_type(), err;

	if (is_of_requests(s))
		return attach_of_requests(skel, b, spot, pid);
	if (!s->call)
		return sonde_uprobe_attach(&b->probes, skel->progs.tls_go_close, entry_type(), b->fd, &spot, 1, false,
					   pid);
	for (u32 i = 0; i < s->nr_returns; i++)
		ret[i] = (struct sonde_uprobe_spot){ .offset = s->ret[i], .cookie = s->call | SONDE_TLS_GO_RETURN };
	/* Not as a return probe: a session's program declines it. */
	err = sonde_uprobe_attach(&b->probes,
				  type == SONDE_UPROBE_SESSION ? skel->progs.tls_both : skel->progs.tls_return, type,
				  b->fd, ret, s->nr_returns, false, pid);
	if (!err)
		err = sonde_uprobe_attach(&b->probes, skel->progs.tls_go_begin, entry_type(), b->fd, &spot, 1, false,
					  pid);
	return err;
}

/* The return comes first: a call that is seen to begin is seen to end. */
static int attach_site(struct sonde_bpf *skel, struct tls_binary *b, const struct sonde_tls_site *s, pid_t pid)
{
	const struct sonde_uprobe_spot spot = { .offset = s->offset, .cookie = s->call };
	int type = attach_type(), err;

	if (b->pub.library == SONDE_TLS_GO)
		return attach_go(skel, b, s, pid);
	if (!s->call)
		return sonde_uprobe_attach(&b->probes, skel->progs.tls_free, entry_type(), b->fd, &spot, 1, false, pid);
	if (type == SONDE_UPROBE_SESSION)
		return sonde_uprobe_attach(&b->probes, skel->progs.tls_both, type, b->fd, &spot, 1, false, pid);
	err = sonde_uprobe_attach(&b->probes, skel->progs.tls_return, type, b->fd, &spot, 1, true, pid);
	if (!err)
		err = sonde_uprobe_attach(&b->probes, skel->progs.tls_begin, type, b->fd, &spot, 1, false, pid);
	return err;
}

int tls_binary_attach(struct sonde_bpf *skel, struct tls_binary *b, pid_t pid)
{
	int worst = 0;

	for (size_t i = 0; i < b->pub.nr_sites; i++) {
		struct sonde_tls_site *s = &b->pub.site[i];
		int err;

		if (s->err)
			continue;
		err = attach_site(skel, b, s, pid);
		if (err == -ESRCH)
			return err;
		s->err = err;
		if (err && s->call && !is_of_requests(s))
			worst = err;
	}
	return worst;
}

void tls_binary_runs(struct sonde_bpf *skel, const struct tls_binary *b, pid_t pid)
{
	int map = bpf_map__fd(skel->maps.bd_runs);
	const struct dirent *entry;
	char path[32];
	DIR *dir;

	if (!wants_requests(skel) || !b->pub.parks.fn[SONDE_GO_FN_GOPARK].bytes)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		u64 tid = strtoull(entry->d_name, NULL, 10), none = 0;

		if (tid && !bpf_map_update_elem(map, &tid, &none, BPF_NOEXIST))
			skel->bss->bd_goes = 1;
	}
	if (dir)
		closedir(dir);
}

static const char *how(void)
{
	switch (attach_type()) {
	case SONDE_UPROBE_SESSION:
		return "session";
	case SONDE_UPROBE_MULTI:
		return "multi";
	default:
		return "perf event";
	}
}

static const char *library_name(enum sonde_tls_library library)
{
	switch (library) {
	case SONDE_TLS_OPENSSL:
		return "OpenSSL";
	case SONDE_TLS_GNUTLS:
		return "GnuTLS";
	case SONDE_TLS_GO:
		return "Go crypto/tls";
	}
	return "";
}

static void describe_site(struct sonde_buf *out, const struct sonde_tls_site *s)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s", s->function, s->inner ? " > " : "", s->inner ? s->inner : "");
	if (s->err)
		sonde_buf_printf(out, "  %-40s not probed: %s\n", name, strerror(-s->err));
	else if (is_of_requests(s))
		sonde_buf_printf(out, "  %-40s +%-3u %-14s %5u ns, for sonde http --breakdown  (%s)\n", name,
				 s->site.skip, sonde_site_cost_name(s->site.cost),
				 sonde_site_cost_ns(s->site.cost, false), s->site.insn);
	else if (s->nr_returns)
		sonde_buf_printf(out, "  %-40s +%-3u %-14s %5u ns with one of %u returns  (%s)\n", name, s->site.skip,
				 sonde_site_cost_name(s->site.cost),
				 sonde_site_cost_ns(s->site.cost, false) +
					 sonde_site_cost_ns(SONDE_SITE_STEPPED, false),
				 s->nr_returns, s->site.insn);
	else
		sonde_buf_printf(out, "  %-40s +%-3u %-14s %5u ns%s  (%s)\n", name, s->site.skip,
				 sonde_site_cost_name(s->site.cost), sonde_site_cost_ns(s->site.cost, s->call != 0),
				 s->call ? " with return" : "", s->site.insn);
}

void sonde_tls_describe_bin(const struct sonde_tls_bin *b, struct sonde_buf *out)
{
	if (b->path) {
		sonde_utf8_clean(out, b->path, strlen(b->path));
		sonde_buf_printf(out, ": ");
	}
	sonde_buf_printf(out, "%s", library_name(b->library));
	if (*b->version)
		sonde_buf_printf(out, " %s", b->version);
	if (*b->build_id)
		sonde_buf_printf(out, ", build-id %s", b->build_id);
	sonde_buf_printf(out, ", %s%s%s\n",
			 b->err			      ? "not readable"
			 : b->library == SONDE_TLS_GO ? "by goroutine"
						      : how(),
			 *b->reason ? ": " : "", b->reason);
	for (size_t k = 0; k < b->nr_sites; k++)
		describe_site(out, &b->site[k]);
}

void sonde_tls_describe(const struct sonde_tls *tls, struct sonde_buf *out)
{
	const struct sonde_tls_bin *b;

	for (size_t i = 0; (b = sonde_tls_bin(tls, i)); i++)
		sonde_tls_describe_bin(b, out);
}
