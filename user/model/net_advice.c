// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_advice.c - what stands out in the numbers of connections, in words.
 */
#include "base/buf.h"
#include "base/str.h"
#include "model/hist.h"
#include "model/net.h"
#include "model/syscall_name.h"

#define MIN_REQUESTS 20 /* below: no judgement of a pool */
#define MIN_POOL 4 /* connections that make one worth a thought */
#define MIN_SEGMENTS 100
#define LATE_NS 10000000ULL /* bytes that wait this long for the process wait for it, not for a processor */
#define LIMITED_NS 100000000ULL
#define ACCEPT_NS 10000000ULL

/** struct context - a line under way */
struct context {
	struct sonde_buf *buf;
	const struct sonde_net_row *row;
	const char *who;
	const char *remote;
	u64 duration_ns;
	u64 jiffy_ns;
	size_t lines;
};

static void begin(struct context *c)
{
	sonde_buf_printf(c->buf, "%s %s %s: ", c->who, c->row->key.role == SONDE_ROLE_CLIENT ? "to" : "at", c->remote);
	c->lines++;
}

static double share(u64 part, u64 whole)
{
	return whole ? (double)part / (double)whole : 0;
}

/* So many serve the 95th percentile with a quarter to spare. */
static u32 enough_for(u32 p95)
{
	return p95 + (p95 + 3) / 4 + 1;
}

static void pool(struct context *c)
{
	const struct sonde_net_row *row = c->row;
	u64 open = row->open > row->stat.open_max ? row->open : row->stat.open_max, requests = row->stat.requests;
	char a[SONDE_STR_SHORT], b[SONDE_STR_SHORT], d[SONDE_STR_SHORT];
	struct sonde_net_use use;
	double per_second;

	sonde_net_in_use(row, c->duration_ns, &use);
	if (row->key.role != SONDE_ROLE_CLIENT || row->nr_procs > 1 || row->nr_peers > 1 || requests < MIN_REQUESTS)
		return;
	if (row->stat.opens >= MIN_REQUESTS && requests < 2 * row->stat.opens) {
		begin(c);
		sonde_buf_printf(c->buf, "%s connections for %s requests; keep them open: each costs %s to make\n",
				 sonde_str_count(a, row->stat.opens), sonde_str_count(b, requests),
				 sonde_str_ns(d, sonde_hist_quantile(&row->stat.begin, 0.5)));
		return;
	}
	if (!use.known || use.p95 >= SONDE_NET_LEVELS - 1)
		return;
	per_second = (double)requests / ((double)c->duration_ns / 1e9);
	if (open >= MIN_POOL && open >= 2 * (u64)enough_for(use.p95)) {
		begin(c);
		sonde_buf_printf(c->buf, "open %llu, in use at p95 %u (%s on average): a pool of %u suffices\n",
				 (unsigned long long)open, use.p95, sonde_str_rate(a, use.mean), enough_for(use.p95));
	} else if (open >= 2 && share(row->stat.full_ns, c->duration_ns) > 0.2) {
		begin(c);
		sonde_buf_printf(
			c->buf,
			"all connections (%llu) were in use %.0f %% of the time: requests may have waited for one; "
			"%s requests/s of %s keep %s busy on average\n",
			(unsigned long long)open, 100 * share(row->stat.full_ns, c->duration_ns),
			sonde_str_rate(a, per_second),
			sonde_str_ns(b, row->stat.first.sum_ns / (sonde_hist_count(&row->stat.first) ?: 1)),
			sonde_str_rate(d, use.mean));
	}
}

static void fails(struct context *c)
{
	const struct sonde_net_row *row = c->row;
	u64 failed = sonde_net_failed(row);
	const char *name;

	if (!failed)
		return;
	begin(c);
	sonde_buf_printf(c->buf, "%llu of %llu connects failed:", (unsigned long long)failed,
			 (unsigned long long)row->stat.attempts);
	for (u32 i = 0; i < row->nr_fails; i++) {
		name = row->fail[i].error ? sonde_errno_name(row->fail[i].error) : "given up by the process";
		sonde_buf_printf(c->buf, "%s %s", i ? "," : "", name ? name : "other reasons");
		if (row->nr_fails > 1)
			sonde_buf_printf(c->buf, " %llu", (unsigned long long)row->fail[i].count);
	}
	sonde_buf_str(c->buf, "\n");
}

static void late(struct context *c)
{
	u64 p95 = sonde_hist_quantile(&c->row->stat.late, 0.95);
	char a[SONDE_STR_SHORT];

	if (p95 < LATE_NS)
		return;
	begin(c);
	sonde_buf_printf(
		c->buf,
		"bytes lay in the socket for %s (p95) until the process read them: it was late, not the network\n",
		sonde_str_ns(a, p95));
}

static void tcp(struct context *c)
{
	const struct sonde_net_tcp *tcp = &c->row->stat.tcp;
	char a[SONDE_STR_SHORT];

	if (tcp->segs_out >= MIN_SEGMENTS && share(tcp->retrans, tcp->segs_out) > 0.01) {
		begin(c);
		sonde_buf_printf(c->buf, "%.1f %% of the segments were sent again: packets are lost, or come late\n",
				 100 * share(tcp->retrans, tcp->segs_out));
	}
	if (tcp->rwnd * c->jiffy_ns >= LIMITED_NS) {
		begin(c);
		sonde_buf_printf(c->buf,
				 "the receiver's window held sending up for %s: the other end reads too slowly\n",
				 sonde_str_ns(a, tcp->rwnd * c->jiffy_ns));
	}
	if (tcp->sndbuf * c->jiffy_ns >= LIMITED_NS) {
		begin(c);
		sonde_buf_printf(c->buf, "the send buffer was too small for %s: raise SO_SNDBUF or net.ipv4.tcp_wmem\n",
				 sonde_str_ns(a, tcp->sndbuf * c->jiffy_ns));
	}
}

static void listener(struct context *c)
{
	const struct sonde_net_stat *stat = &c->row->stat;
	u64 p95 = sonde_hist_quantile(&stat->begin, 0.95);
	char a[SONDE_STR_SHORT];

	if (p95 >= ACCEPT_NS) {
		begin(c);
		sonde_buf_printf(c->buf,
				 "connections waited %s (p95) for accept(), at most %llu at a time, room is for %llu\n",
				 sonde_str_ns(a, p95), (unsigned long long)stat->backlog_max,
				 (unsigned long long)stat->backlog_limit);
	}
	if (stat->drops) {
		begin(c);
		sonde_buf_printf(
			c->buf,
			"the queue of accept() was full: the socket has dropped %llu connections since it listens\n",
			(unsigned long long)stat->drops);
	}
}

size_t sonde_net_advice(struct sonde_buf *buf, const struct sonde_net_row *row, const char *who, const char *remote,
			u64 duration_ns, u64 jiffy_ns)
{
	struct context c = {
		.buf = buf, .row = row, .who = who, .remote = remote, .duration_ns = duration_ns, .jiffy_ns = jiffy_ns
	};

	if (row->key.role == SONDE_NET_LISTENER) {
		listener(&c);
		return c.lines;
	}
	fails(&c);
	pool(&c);
	late(&c);
	tcp(&c);
	return c.lines;
}
