// SPDX-License-Identifier: GPL-2.0-only
/*
 * callsite.c - the programs that take whole stacks for call sites of findings.
 *
 * A program can end with another one of its own type, attached in the same way, only: so there is one for each kind of hook.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "load/callsite.h"
#include "load/uprobe.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define NR_SITES 8

/** struct site - @prog is to stand at @index of @map; @type: SONDE_UPROBE_* that it is loaded with, 0: nothing special */
struct site {
	struct bpf_program *prog;
	struct bpf_map *map;
	u32 index;
	int type;
	bool needed;
};

static size_t list_sites(struct sonde_bpf *skel, enum sonde_capture capture, struct site out[NR_SITES])
{
	const struct sonde_uprobe_caps *caps = sonde_uprobe_caps();
	int probe = caps->multi ? SONDE_UPROBE_MULTI : SONDE_UPROBE_PERF;
	struct bpf_map *both = skel->maps.site_both;
	bool tables = false;

#if defined(__x86_64__)
	tables = true;
#endif
	const struct site site[] = {
		{ skel->progs.uw_site, skel->maps.sk_work, 1, 0, capture == SONDE_CAPTURE_TRACEPOINT },
		{ skel->progs.uw_site_exit, skel->maps.exit_site, 0, 0, capture == SONDE_CAPTURE_SYSCALL },
		{ skel->progs.uw_site_func, skel->maps.site_func, 0, 0, tables && capture == SONDE_CAPTURE_KPROBE },
		{ skel->progs.uw_site_probe, skel->maps.site_probe, 0, probe, tables },
		{ skel->progs.uw_site_both, both, 0, SONDE_UPROBE_SESSION, tables && caps->session },
#define SONDE_SOCKET_SEND(name, function)                                                                              \
	{ skel->progs.uw_##name, skel->maps.fx_site_##name, 0, 0, tables && capture == SONDE_CAPTURE_FENTRY },
#define SONDE_SOCKET_RECV(name, function) SONDE_SOCKET_SEND(name, function)
#define SONDE_SOCKET_SEND_AS(name, function, other)
#define SONDE_SOCKET_RECV_AS(name, function, other)
#include "sonde/socket_func.def"
	};

	_Static_assert(sizeof(site) == NR_SITES * sizeof(site[0]), "room for all");
	memcpy(out, site, sizeof(site));
	return NR_SITES;
}

bool sonde_callsite_prepare(struct sonde_bpf *skel, enum sonde_capture capture)
{
	struct site site[NR_SITES];
	bool any = false;
	size_t nr;

	nr = list_sites(skel, capture, site);
	for (size_t i = 0; i < nr; i++) {
		bpf_program__set_autoload(site[i].prog, site[i].needed);
		bpf_program__set_autoattach(site[i].prog, false);
		if (site[i].needed && site[i].type)
			bpf_program__set_expected_attach_type(site[i].prog, site[i].type);
		any |= site[i].needed;
	}
	return any;
}

int sonde_callsite_connect(struct sonde_bpf *skel)
{
	struct site site[NR_SITES];
	size_t nr = list_sites(skel, SONDE_CAPTURE_AUTO, site);

	for (size_t i = 0; i < nr; i++) {
		int fd = bpf_program__fd(site[i].prog);

		if (bpf_program__autoload(site[i].prog) &&
		    bpf_map_update_elem(bpf_map__fd(site[i].map), &site[i].index, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}
