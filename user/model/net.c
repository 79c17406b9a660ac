// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.c - connections as a report shows them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compare.h"
#include "model/hist.h"
#include "model/net.h"
#include "sonde/syscall.h"

struct sonde_net *sonde_net_new(void)
{
	return calloc(1, sizeof(struct sonde_net));
}

void sonde_net_free(struct sonde_net *net)
{
	if (!net)
		return;
	for (size_t i = 0; i < net->nr; i++)
		free(net->row[i]);
	free(net->row);
	free(net);
}

struct sonde_net_row *sonde_net_row(struct sonde_net *net)
{
	size_t room = net->room ? net->room * 2 : 64;
	struct sonde_net_row *row, **more;

	if (net->nr == net->room) {
		more = realloc(net->row, room * sizeof(*more));
		if (!more)
			return NULL;
		net->row = more;
		net->room = room;
	}
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->process = row->name = "";
	row->nr_procs = row->nr_peers = 1;
	net->row[net->nr++] = row;
	return row;
}

struct sonde_net_row *sonde_net_find(const struct sonde_net *net, const struct sonde_net_key *key)
{
	for (size_t i = 0; i < net->nr; i++)
		if (!memcmp(&net->row[i]->key, key, sizeof(*key)))
			return net->row[i];
	return NULL;
}

void sonde_net_fail(struct sonde_net_row *row, u32 error, u64 count)
{
	struct sonde_net_reason *reason;
	u32 i = 0;

	while (i < row->nr_fails && row->fail[i].error != error)
		i++;
	if (i == SONDE_NET_FAILS) {
		reason = &row->fail[SONDE_NET_FAILS - 1];
		reason->error = SONDE_ERRNO_MAX;
		reason->count += count;
		return;
	}
	if (i == row->nr_fails)
		row->nr_fails++;
	row->fail[i].error = error;
	row->fail[i].count += count;
}

u64 sonde_net_failed(const struct sonde_net_row *row)
{
	u64 sum = 0;

	for (u32 i = 0; i < row->nr_fails; i++)
		sum += row->fail[i].count;
	return sum;
}

static void add_tcp(struct sonde_net_tcp *to, const struct sonde_net_tcp *more, const struct sonde_net_tcp *base)
{
	to->segs_out += more->segs_out - base->segs_out;
	to->retrans += more->retrans - base->retrans;
	to->bytes_retrans += more->bytes_retrans - base->bytes_retrans;
	to->bytes_acked += more->bytes_acked - base->bytes_acked;
	to->bytes_received += more->bytes_received - base->bytes_received;
	to->busy += more->busy - base->busy;
	to->rwnd += more->rwnd - base->rwnd;
	to->sndbuf += more->sndbuf - base->sndbuf;
}

void sonde_net_live(struct sonde_net_row *row, const struct sonde_net_conn *conn)
{
	bool tcp = conn->flags & SONDE_NET_TCP;

	if (!tcp)
		row->open++; /* no hook tells of a unix socket's end */
	if (conn->flags & SONDE_NET_ASKED)
		row->asked++;
	if (!tcp)
		return;
	add_tcp(&row->stat.tcp, &conn->now, &conn->base);
	if (!conn->srtt_us)
		return;
	row->srtt_us += conn->srtt_us;
	row->rttvar_us += conn->rttvar_us;
	row->nr_rtt++;
	row->stat.rttvar_us += conn->rttvar_us;
	sonde_hist_add(&row->stat.rtt, (u64)conn->srtt_us * 1000);
}

void sonde_net_settle(struct sonde_net_row *row, u64 now_ns)
{
	struct sonde_net_stat *stat = &row->stat;
	u64 level = stat->use < SONDE_NET_LEVELS ? stat->use : SONDE_NET_LEVELS - 1;

	if (row->peer.family != SONDE_AF_UNIX)
		row->open = stat->open < 1ULL << 62 ? stat->open : 0;
	if (stat->use_at_ns && stat->use_at_ns < now_ns && stat->use < 1ULL << 62) {
		stat->level_ns[level] += now_ns - stat->use_at_ns;
		if (stat->open && stat->use >= stat->open)
			stat->full_ns += now_ns - stat->use_at_ns;
		stat->use_at_ns = now_ns;
	}
	sonde_hist_tidy(&stat->begin);
	sonde_hist_tidy(&stat->first);
	sonde_hist_tidy(&stat->turn);
	sonde_hist_tidy(&stat->late);
	sonde_hist_tidy(&stat->rtt);
}

static int by_time(const void *pa, const void *pb)
{
	const struct sonde_net_row *a = *(struct sonde_net_row *const *)pa, *b = *(struct sonde_net_row *const *)pb;
	u64 of_a = a->stat.first.sum_ns + a->stat.begin.sum_ns, of_b = b->stat.first.sum_ns + b->stat.begin.sum_ns;
	int order = sonde_compare(of_b, of_a);

	if (!order)
		order = sonde_compare(b->stat.out + b->stat.in, a->stat.out + a->stat.in);
	return order ? order : memcmp(&a->key, &b->key, sizeof(a->key));
}

void sonde_net_sort(struct sonde_net *net)
{
	if (net->nr)
		qsort(net->row, net->nr, sizeof(*net->row), by_time);
}

static bool same_peer(const struct sonde_net_row *a, const struct sonde_net_row *b)
{
	return !memcmp(&a->peer, &b->peer, sizeof(a->peer));
}

static bool same(const struct sonde_net_row *a, const struct sonde_net_row *b, enum sonde_net_by by)
{
	if (a->key.role != b->key.role || strcmp(a->process, b->process))
		return false;
	if (by == SONDE_NET_BY_CONNECTION)
		return a->key.proc.tgid == b->key.proc.tgid && same_peer(a, b);
	return by == SONDE_NET_BY_PROCESS ? a->key.role != SONDE_NET_LISTENER || same_peer(a, b) : same_peer(a, b);
}

static void merge_stat(struct sonde_net_stat *to, const struct sonde_net_stat *more)
{
	static const struct sonde_net_tcp nothing;

	to->attempts += more->attempts;
	to->opens += more->opens;
	to->closes += more->closes;
	to->existed += more->existed;
	to->open_max += more->open_max; /* at most */
	to->full_ns += more->full_ns;
	to->requests += more->requests;
	to->sends += more->sends;
	to->receives += more->receives;
	to->out += more->out;
	to->in += more->in;
	to->full += more->full;
	to->full_wait_ns += more->full_wait_ns;
	to->reset_in += more->reset_in;
	to->reset_out += more->reset_out;
	to->aborted += more->aborted;
	to->rttvar_us += more->rttvar_us;
	to->accepts += more->accepts;
	if (more->backlog_max > to->backlog_max)
		to->backlog_max = more->backlog_max;
	if (more->backlog_limit > to->backlog_limit)
		to->backlog_limit = more->backlog_limit;
	if (more->drops > to->drops) /* of one socket that several processes accept from */
		to->drops = more->drops;
	add_tcp(&to->tcp, &more->tcp, &nothing);
	for (u32 i = 0; i < SONDE_NET_LEVELS; i++)
		to->level_ns[i] += more->level_ns[i];
	sonde_hist_merge(&to->begin, &more->begin);
	sonde_hist_merge(&to->first, &more->first);
	sonde_hist_merge(&to->turn, &more->turn);
	sonde_hist_merge(&to->late, &more->late);
	sonde_hist_merge(&to->rtt, &more->rtt);
}

static void merge(struct sonde_net_row *to, const struct sonde_net_row *more)
{
	to->nr_procs += to->key.proc.tgid != more->key.proc.tgid;
	to->nr_peers += !same_peer(to, more);
	to->open += more->open;
	to->asked += more->asked;
	to->srtt_us += more->srtt_us;
	to->rttvar_us += more->rttvar_us;
	to->nr_rtt += more->nr_rtt;
	for (u32 i = 0; i < more->nr_fails; i++)
		sonde_net_fail(to, more->fail[i].error, more->fail[i].count);
	merge_stat(&to->stat, &more->stat);
}

struct sonde_net *sonde_net_group(const struct sonde_net *net)
{
	struct sonde_net *group = sonde_net_new();
	struct sonde_net_row *row;

	if (!group)
		return NULL;
	group->by = net->by;
	group->has = net->has;
	group->totals = net->totals;
	group->jiffy_ns = net->jiffy_ns;
	for (size_t i = 0; i < net->nr; i++) {
		row = NULL;
		for (size_t j = 0; j < group->nr && !row; j++)
			if (same(group->row[j], net->row[i], net->by))
				row = group->row[j];
		if (row) {
			merge(row, net->row[i]);
			continue;
		}
		row = sonde_net_row(group);
		if (!row) {
			sonde_net_free(group);
			return NULL;
		}
		*row = *net->row[i];
	}
	sonde_net_sort(group);
	return group;
}

/* The level below which a share @q of the time was spent. */
static u32 level_at(const u64 level_ns[SONDE_NET_LEVELS], double total, double q)
{
	double below = 0;
	u32 level = 0;

	while (level < SONDE_NET_LEVELS - 1) {
		below += (double)level_ns[level];
		if (below >= q * total)
			break;
		level++;
	}
	return level;
}

void sonde_net_in_use(const struct sonde_net_row *row, u64 duration_ns, struct sonde_net_use *out)
{
	const u64 *level_ns = row->stat.level_ns;
	double total = 0, sum = 0;

	memset(out, 0, sizeof(*out));
	for (u32 i = 0; i < SONDE_NET_LEVELS; i++) {
		total += (double)level_ns[i];
		sum += (double)level_ns[i] * i;
		if (level_ns[i])
			out->max = i;
	}
	if (row->peer.family == SONDE_AF_UNIX || total <= 0) {
		/* Little's law: requests a second times the time each is under way. */
		out->mean = duration_ns ? (double)row->stat.first.sum_ns / (double)duration_ns : 0;
		out->max = 0;
		return;
	}
	out->known = true;
	out->mean = sum / total;
	out->p50 = level_at(level_ns, total, 0.5);
	out->p95 = level_at(level_ns, total, 0.95);
}
