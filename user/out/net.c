// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.c - connections for people: by remote end, listeners below, then what stands out.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/hist.h"
#include "model/net.h"
#include "model/snapshot.h"
#include "out/file_text.h"
#include "out/grid.h"
#include "out/net.h"
#include "out/out.h"
#include "out/text.h"
#include "out/view.h"

#define MAX_ADVICE 12 /* lines */
#define NAME_COLUMNS 40 /* of a remote end's name: its address is to be seen, too */

static const struct sonde_grid_column columns[] = {
	{ .title = "open" },
	{ .title = "in use", .drop = 9 },
	{ .title = "new", .drop = 10 },
	{ .title = "connect", .drop = 11 },
	{ .title = "req/s", .drop = 3 },
	{ .title = "p50" },
	{ .title = "p95", .drop = 2 },
	{ .title = "max", .drop = 12 },
	{ .title = "read p95", .drop = 5 },
	{ .title = "rtt", .drop = 6 },
	{ .title = "again", .drop = 7, .style = SONDE_STYLE_BAD },
	{ .title = "out/s", .drop = 8 },
	{ .title = "in/s", .drop = 8 },
	{ .title = "failed", .style = SONDE_STYLE_BAD },
	{ .title = "resets", .drop = 4, .style = SONDE_STYLE_BAD },
	{ .title = "as", .left = true, .drop = 1 },
	{ .title = "who", .left = true, .style = SONDE_STYLE_BOLD },
	{ .title = "remote", .left = true, .tail = true },
	{ .title = NULL },
};

static const struct sonde_grid_column listener_columns[] = {
	{ .title = "accepted" },
	{ .title = "acc/s", .drop = 4 },
	{ .title = "wait p50", .drop = 3 },
	{ .title = "p95" },
	{ .title = "max" },
	{ .title = "queue", .drop = 1 },
	{ .title = "dropped", .drop = 2, .style = SONDE_STYLE_BAD },
	{ .title = "who", .left = true, .style = SONDE_STYLE_BOLD },
	{ .title = "address", .left = true, .tail = true },
	{ .title = NULL },
};

void sonde_net_address(struct sonde_buf *buf, const struct sonde_net_row *row)
{
	const struct sonde_net_peer *peer = &row->peer;

	if (peer->family == SONDE_AF_UNIX) {
		sonde_buf_str(buf, peer->path[0] ? "unix:" : "a pair of unix sockets");
		sonde_buf_str(buf, peer->path);
		if (peer->inode)
			sonde_buf_printf(buf, " #%llu", (unsigned long long)peer->inode);
	} else if (peer->family) {
		sonde_address_text(buf, peer->family, peer->addr, peer->port);
	}
}

void sonde_net_other(struct sonde_buf *buf, const struct sonde_net_row *row)
{
	static const u8 nobody[16];
	const struct sonde_net_peer *peer = &row->peer;

	if (peer->family && peer->family != SONDE_AF_UNIX && memcmp(peer->other, nobody, sizeof(nobody)))
		sonde_address_text(buf, peer->family, peer->other, peer->other_port);
}

const char *sonde_net_role(const struct sonde_net_row *row)
{
	return row->key.role == SONDE_NET_LISTENER  ? "listener"
	       : row->key.role == SONDE_ROLE_SERVER ? "server"
						    : "client";
}

void sonde_net_unseen(struct sonde_buf *buf, unsigned int has)
{
	static const struct {
		unsigned int bit;
		const char *what;
	} parts[] = {
		{ SONDE_NET_HAS_IO, "requests, answers and bytes (tracepoints sock_send_length, sock_recv_length)" },
		{ SONDE_NET_HAS_READY, "how long bytes wait to be read (tracepoint sk_data_ready)" },
		{ SONDE_NET_HAS_CALLS,
		  "waits for accept() and connects of unix sockets (tracepoints of system calls)" },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!(has & parts[i].bit))
			sonde_buf_printf(buf, "%s%s", buf->len ? ", " : "", parts[i].what);
}

static double seconds(u64 ns)
{
	return ns ? (double)ns / 1e9 : 1;
}

static void count_cell(struct sonde_grid *grid, u64 count)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", count ? sonde_str_count(t, count) : "");
}

static void rate_cell(struct sonde_grid *grid, u64 count, u64 ns)
{
	char t[SONDE_STR_SHORT];

	sonde_grid_cell(grid, "%s", count ? sonde_str_rate(t, (double)count / seconds(ns)) : "");
}

/* Nothing where nothing was observed. */
static void quantile_cell(struct sonde_grid *grid, const struct sonde_hist *hist, double q)
{
	char t[SONDE_STR_SHORT];
	u64 ns = q < 1 ? sonde_hist_quantile(hist, q) : hist->max_ns;

	sonde_grid_cell(grid, "%s", hist->min_ns ? sonde_str_ns(t, ns) : "");
}

static void use_cell(struct sonde_grid *grid, const struct sonde_net_row *row, u32 has, u64 duration_ns)
{
	struct sonde_net_use use;
	char t[SONDE_STR_SHORT];

	sonde_net_in_use(row, duration_ns, &use);
	if (!(has & SONDE_NET_HAS_IO))
		sonde_grid_cell(grid, "%s", "");
	else if (use.known)
		sonde_grid_cell(grid, "%u%s", use.p95, use.p95 == SONDE_NET_LEVELS - 1 ? "+" : "");
	else
		sonde_grid_cell(grid, "%s", use.mean > 0 ? sonde_str_rate(t, use.mean) : "");
}

/* "db.internal (10.0.0.5:5432)" */
static void named(struct sonde_buf *buf, const struct sonde_net_row *row,
		  void (*address)(struct sonde_buf *buf, const struct sonde_net_row *row))
{
	if (!row->name[0]) {
		address(buf, row);
		return;
	}
	sonde_utf8_fit(buf, row->name, strlen(row->name), NAME_COLUMNS);
	sonde_buf_str(buf, " (");
	address(buf, row);
	sonde_buf_str(buf, ")");
}

static void names(struct sonde_buf *who, struct sonde_buf *remote, const struct sonde_net_row *row)
{
	if (row->nr_procs > 1)
		sonde_buf_printf(who, "%s, %u processes", row->process, row->nr_procs);
	else
		sonde_buf_printf(who, "%s[%u]", row->process, row->key.proc.tgid);
	if (row->nr_peers > 1) {
		sonde_buf_printf(remote, "%u remote ends", row->nr_peers);
	} else if (row->key.role == SONDE_ROLE_CLIENT) {
		named(remote, row, sonde_net_address);
		if (row->peer.other_port)
			sonde_buf_printf(remote, " from port %u", row->peer.other_port);
	} else {
		sonde_net_address(remote, row);
		if (row->key.role == SONDE_ROLE_SERVER && row->peer.family != SONDE_AF_UNIX) {
			sonde_buf_str(remote, " from ");
			named(remote, row, sonde_net_other);
		}
	}
}

static void name_cells(struct sonde_grid *grid, const struct sonde_net_row *row)
{
	struct sonde_buf who = {}, remote = {};

	names(&who, &remote, row);
	sonde_grid_cell(grid, "%s", who.s ? who.s : "");
	sonde_grid_cell(grid, "%s", remote.s ? remote.s : "");
	grid->failed |= who.failed || remote.failed;
	sonde_buf_free(&who);
	sonde_buf_free(&remote);
}

static void again_cell(struct sonde_grid *grid, const struct sonde_net_tcp *tcp)
{
	if (tcp->retrans && tcp->segs_out)
		sonde_grid_cell(grid, "%.1f%%", 100.0 * (double)tcp->retrans / (double)tcp->segs_out);
	else
		count_cell(grid, tcp->retrans);
}

static void add_row(struct sonde_grid *grid, const struct sonde_snapshot *snapshot, const struct sonde_net_row *row)
{
	const struct sonde_net_stat *stat = &row->stat;
	u64 ns = snapshot->duration_ns;

	sonde_grid_cell(grid, "%llu", (unsigned long long)row->open);
	use_cell(grid, row, snapshot->net->has, ns);
	count_cell(grid, stat->opens);
	quantile_cell(grid, &stat->begin, 0.95);
	rate_cell(grid, stat->requests, ns);
	quantile_cell(grid, &stat->first, 0.5);
	quantile_cell(grid, &stat->first, 0.95);
	quantile_cell(grid, &stat->first, 1);
	quantile_cell(grid, &stat->late, 0.95);
	quantile_cell(grid, &stat->rtt, 0.5);
	again_cell(grid, &stat->tcp);
	rate_cell(grid, stat->out, ns);
	rate_cell(grid, stat->in, ns);
	count_cell(grid, sonde_net_failed(row));
	count_cell(grid, stat->reset_in + stat->reset_out);
	sonde_grid_cell(grid, "%s", sonde_net_role(row));
	name_cells(grid, row);
}

static void add_listener(struct sonde_grid *grid, const struct sonde_snapshot *snapshot,
			 const struct sonde_net_row *row)
{
	const struct sonde_net_stat *stat = &row->stat;

	sonde_grid_cell(grid, "%llu", (unsigned long long)stat->accepts);
	rate_cell(grid, stat->accepts, snapshot->duration_ns);
	quantile_cell(grid, &stat->begin, 0.5);
	quantile_cell(grid, &stat->begin, 0.95);
	quantile_cell(grid, &stat->begin, 1);
	sonde_grid_cell(grid, "%llu of %llu", (unsigned long long)stat->backlog_max,
			(unsigned long long)stat->backlog_limit);
	count_cell(grid, stat->drops);
	name_cells(grid, row);
}

static void headline(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	u64 attempts = 0, failed = 0, accepts = 0, requests = 0, open = 0;
	char n[SONDE_STR_SHORT + 8], t[SONDE_STR_SHORT];
	struct sonde_buf line = {};

	for (size_t i = 0; i < snapshot->net->nr; i++) {
		const struct sonde_net_row *row = snapshot->net->row[i];

		attempts += row->stat.attempts;
		failed += sonde_net_failed(row);
		accepts += row->stat.accepts;
		requests += row->stat.requests;
		open += row->open;
	}
	sonde_buf_str(&line, "sonde net: ");
	sonde_str_many(&line, attempts, "connect");
	if (failed)
		sonde_buf_printf(&line, ", %s failed", sonde_str_group(n, failed));
	sonde_buf_printf(&line, ", %s accepted", sonde_str_group(n, accepts));
	if (snapshot->net->has & SONDE_NET_HAS_IO) {
		sonde_buf_str(&line, ", ");
		sonde_str_many(&line, requests, "request");
	}
	sonde_buf_printf(&line, " in %s", sonde_str_ns(t, snapshot->duration_ns));
	sonde_buf_printf(&line, ", %s open", sonde_str_group(n, open));
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_utf8_fit(buf, line.s ? line.s : "", line.len, opts->width);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	sonde_buf_free(&line);
}

/* What stands out, the most time first. */
static void advice(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot,
		   const struct sonde_net *rows)
{
	struct sonde_buf lines = {}, one = {};
	size_t nr = 0;

	for (size_t i = 0; i < rows->nr && nr < MAX_ADVICE; i++) {
		struct sonde_buf who = {}, remote = {};

		names(&who, &remote, rows->row[i]);
		nr += sonde_net_advice(&lines, rows->row[i], who.s ? who.s : "", remote.s ? remote.s : "",
				       snapshot->duration_ns, rows->jiffy_ns);
		sonde_buf_free(&who);
		sonde_buf_free(&remote);
	}
	if (nr)
		sonde_buf_str(buf, "\nwhat stands out:\n");
	for (const char *s = lines.s, *end; nr && s && *s; s = end + 1) {
		end = strchr(s, '\n');
		if (!end)
			break;
		sonde_buf_cut(&one, 0);
		sonde_buf_str(&one, "  ");
		sonde_buf_add(&one, s, (size_t)(end - s));
		if (one.s)
			sonde_text_wrap(buf, opts, one.s, 4, 0);
	}
	buf->failed |= lines.failed || one.failed;
	sonde_buf_free(&lines);
	sonde_buf_free(&one);
}

static void notes(struct sonde_buf *buf, const struct sonde_net *net)
{
	struct sonde_buf unseen = {};
	u64 existed = 0;

	for (size_t i = 0; i < net->nr; i++)
		existed += net->row[i]->stat.existed;
	if (existed) {
		sonde_str_many(buf, existed, "connection");
		sonde_buf_printf(buf, " %s open before: what was done until the next send or receive is not counted\n",
				 existed == 1 ? "was" : "were");
	}
	sonde_net_unseen(&unseen, net->has);
	if (unseen.len)
		sonde_buf_printf(buf, "not told by this kernel: %s\n", unseen.s);
	sonde_buf_free(&unseen);
}

static void text(const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	struct sonde_net *rows = sonde_net_group(snapshot->net);
	struct sonde_grid grid = { .columns = columns }, listeners = { .columns = listener_columns };
	size_t most, nr = 0, nr_listeners = 0, left_out = 0;

	if (!rows) {
		buf->failed = true;
		return;
	}
	most = opts->top ? opts->top : rows->nr;
	if (opts->height && most > (opts->height > 20 ? opts->height - 16 : 4))
		most = opts->height > 20 ? opts->height - 16 : 4;
	headline(buf, opts, snapshot);
	sonde_buf_str(buf, "\n");
	for (size_t i = 0; i < rows->nr; i++) {
		if (rows->row[i]->key.role == SONDE_NET_LISTENER && nr_listeners < most) {
			add_listener(&listeners, snapshot, rows->row[i]);
			nr_listeners++;
		} else if (rows->row[i]->key.role != SONDE_NET_LISTENER && nr < most) {
			add_row(&grid, snapshot, rows->row[i]);
			nr++;
		} else {
			left_out++;
		}
	}
	if (nr)
		sonde_grid_print(&grid, opts, buf);
	else if (!nr_listeners)
		sonde_buf_str(buf,
			      "No connection was made or used: do -p, -c and --cgroup name a process that has one?\n");
	if (nr_listeners) {
		sonde_buf_str(buf, nr ? "\nlisteners:\n" : "listeners:\n");
		sonde_grid_print(&listeners, opts, buf);
	}
	if (left_out)
		sonde_text_more(buf, left_out, rows->nr);
	advice(buf, opts, snapshot, rows);
	sonde_buf_str(buf, "\n");
	notes(buf, snapshot->net);
	sonde_text_coverage(buf, opts, snapshot);
	sonde_net_free(rows);
}

const struct sonde_out_view sonde_view_net = {
	.what = "events",
	.text = text,
	.json = sonde_net_json,
};
