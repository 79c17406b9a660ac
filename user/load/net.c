// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.c - the source of connections: tracepoints of sockets and of TCP, of the system calls that make and accept connections, and an
 *	   iterator over the connections that are open. What this kernel does not have is left out, and told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/exit.h"
#include "base/log.h"
#include "load/probe.h"
#include "load/source.h"
#include "sonde/config.h"
#include "sonde/net.h"
#include "sonde.skel.h"

#define DEFAULT_ROWS 4096

static int configure(struct sonde_load_ctx *ctx, struct sonde_load_error *err)
{
	struct sonde_bpf *skel = ctx->skel;
	u32 rows = ctx->opts->max_queries ? ctx->opts->max_queries : DEFAULT_ROWS;
	bool calls = sonde_probe_have(SONDE_FEATURE_CALL_TRACEPOINTS),
	     io = sonde_probe_have(SONDE_FEATURE_SOCK_TRACEPOINTS);
	bool ready = sonde_probe_have(SONDE_FEATURE_READY_TRACEPOINT);
	struct sonde_net_config *conf = (struct sonde_net_config *)&skel->rodata->net_conf;

	if (!ctx->opts->net)
		return sonde_load_fail(err, SONDE_EXIT_FAILURE, -EINVAL, "nothing is asked for");
	*conf = *ctx->opts->net;
	conf->has = SONDE_NET_HAS_ITER | (io ? SONDE_NET_HAS_IO : 0) | (ready ? SONDE_NET_HAS_READY : 0) |
		    (calls ? SONDE_NET_HAS_CALLS : 0);
	bpf_program__set_autoload(skel->progs.net_state, true);
	bpf_program__set_autoload(skel->progs.net_reset_in, true);
	bpf_program__set_autoload(skel->progs.net_reset_out, true);
	bpf_program__set_autoload(skel->progs.net_send, io);
	bpf_program__set_autoload(skel->progs.net_recv, io);
	bpf_program__set_autoload(skel->progs.net_ready, ready);
	bpf_program__set_autoload(skel->progs.net_iter, true);
	bpf_program__set_autoattach(skel->progs.net_iter, false);
	bpf_program__set_autoload(skel->progs.net_connect, calls);
	bpf_program__set_autoload(skel->progs.net_connect_end, calls);
	bpf_program__set_autoload(skel->progs.net_accept, calls);
	bpf_program__set_autoload(skel->progs.net_accept4, calls);
	bpf_map__set_max_entries(skel->maps.net_rows, rows);
	bpf_map__set_max_entries(skel->maps.net_peers, rows);
	return 0;
}

/* The iterator outlives the detaching: what is open at the end is read after it. */
static void attach(struct sonde_load_ctx *ctx)
{
	ctx->state = bpf_program__attach_iter(ctx->skel->progs.net_iter, NULL);
	if (!ctx->state)
		sonde_warn("connections that are open are not looked at: %s", strerror(errno));
}

static int iterate(const struct sonde_load_ctx *ctx)
{
	int fd;

	ctx->skel->bss->net_walk++;
	fd = ctx->state ? bpf_iter_create(bpf_link__fd(ctx->state)) : -EOPNOTSUPP;

	return fd < 0 ? -errno : fd;
}

/* For what they call remote ends. */
static bool looks(const struct sonde_load_ctx *ctx)
{
	(void)ctx;
	return true;
}

static u32 has(const struct sonde_load_ctx *ctx)
{
	return ctx->skel->rodata->net_conf.has;
}

static void free_state(struct sonde_load_ctx *ctx)
{
	if (ctx->state)
		bpf_link__destroy(ctx->state);
}

const struct sonde_load_source sonde_load_net = {
	.name = "connections",
	.maps = "net_",
	.configure = configure,
	.attach = attach,
	.iterate = iterate,
	.has = has,
	.looks = looks,
	.free = free_state,
};
