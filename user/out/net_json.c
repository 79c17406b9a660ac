// SPDX-License-Identifier: GPL-2.0-only
/*
 * net_json.c - connections for machines.
 */
#include "base/buf.h"
#include "model/hist.h"
#include "model/net.h"
#include "model/snapshot.h"
#include "model/syscall_name.h"
#include "out/json.h"
#include "out/jsonw.h"
#include "out/net.h"
#include "out/out.h"

/* A summary where something was observed. */
static void summary(struct sonde_json *json, const char *key, const struct sonde_hist *hist)
{
	if (hist->min_ns)
		sonde_json_summary(json, key, hist);
}

static void fails(struct sonde_json *json, const struct sonde_net_row *row)
{
	sonde_json_open(json, "connect_failures", '{');
	for (u32 i = 0; i < row->nr_fails; i++) {
		const char *name = row->fail[i].error ? sonde_errno_name(row->fail[i].error) : "given_up";

		sonde_json_u64(json, name ? name : "other", row->fail[i].count);
	}
	sonde_json_close(json, '}');
}

static void who(struct sonde_json *json, const struct sonde_net_row *row)
{
	struct sonde_buf address = {}, other = {};

	sonde_json_cstr(json, "role", sonde_net_role(row));
	sonde_json_u64(json, "pid", row->key.proc.tgid);
	sonde_json_cstr(json, "process", row->process);
	sonde_json_cstr(json, "transport", row->peer.family == SONDE_AF_UNIX ? "unix" : "tcp");
	if (row->peer.family == SONDE_AF_UNIX) {
		sonde_json_cstr(json, "address", row->peer.path);
		if (row->peer.inode)
			sonde_json_u64(json, "inode", row->peer.inode);
	} else {
		sonde_net_address(&address, row);
		sonde_net_other(&other, row);
		sonde_json_str(json, "address", address.s ? address.s : "", address.len);
		if (other.len)
			sonde_json_str(json, row->key.role == SONDE_ROLE_CLIENT ? "local_address" : "client_address",
				       other.s, other.len);
	}
	if (row->name[0])
		sonde_json_cstr(json, "name", row->name);
	sonde_buf_free(&address);
	sonde_buf_free(&other);
}

static void listener(struct sonde_json *json, const struct sonde_net_row *row)
{
	sonde_json_u64(json, "accepts", row->stat.accepts);
	summary(json, "accept_wait_ns", &row->stat.begin);
	sonde_json_u64(json, "queue_max", row->stat.backlog_max);
	sonde_json_u64(json, "queue_limit", row->stat.backlog_limit);
	sonde_json_u64(json, "drops", row->stat.drops);
}

static void pool(struct sonde_json *json, const struct sonde_net_row *row, u32 has, u64 duration_ns)
{
	struct sonde_net_use use;

	sonde_net_in_use(row, duration_ns, &use);
	sonde_json_u64(json, "open", row->open);
	sonde_json_u64(json, "opened", row->stat.opens);
	sonde_json_u64(json, "existed", row->stat.existed);
	if (row->peer.family != SONDE_AF_UNIX) {
		sonde_json_u64(json, "closed", row->stat.closes);
		sonde_json_u64(json, "open_max", row->stat.open_max);
	}
	if (!(has & SONDE_NET_HAS_IO))
		return;
	if (row->peer.family != SONDE_AF_UNIX)
		sonde_json_u64(json, "all_in_use_ns", row->stat.full_ns);
	sonde_json_u64(json, "waiting", row->asked);
	sonde_json_open(json, "in_use", '{');
	sonde_json_double(json, "mean", use.mean);
	if (use.known) {
		sonde_json_u64(json, "p50", use.p50);
		sonde_json_u64(json, "p95", use.p95);
		sonde_json_u64(json, "max", use.max);
	}
	sonde_json_close(json, '}');
}

static void io(struct sonde_json *json, const struct sonde_net_row *row, u32 has, u64 duration_ns)
{
	const struct sonde_net_stat *stat = &row->stat;
	double seconds = duration_ns ? (double)duration_ns / 1e9 : 1;

	if (!(has & SONDE_NET_HAS_IO))
		return;
	sonde_json_u64(json, "requests", stat->requests);
	sonde_json_u64(json, "sends", stat->sends);
	sonde_json_u64(json, "receives", stat->receives);
	sonde_json_u64(json, "bytes_out", stat->out);
	sonde_json_u64(json, "bytes_in", stat->in);
	sonde_json_double(json, "bytes_out_rate", (double)stat->out / seconds);
	sonde_json_double(json, "bytes_in_rate", (double)stat->in / seconds);
	summary(json, "first_byte_ns", &stat->first);
	if (stat->first.min_ns)
		sonde_json_histogram(json, "first_byte_histogram", &stat->first);
	summary(json, "latency_ns", &stat->turn);
	if (has & SONDE_NET_HAS_READY)
		summary(json, "read_wait_ns", &stat->late);
	sonde_json_u64(json, "sends_refused", stat->full);
	sonde_json_u64(json, "sends_refused_ns", stat->full_wait_ns);
}

static void tcp(struct sonde_json *json, const struct sonde_net_row *row, u64 jiffy_ns)
{
	const struct sonde_net_stat *stat = &row->stat;
	u64 nr = sonde_hist_count(&stat->rtt);

	if (row->peer.family == SONDE_AF_UNIX)
		return;
	summary(json, "rtt_ns", &stat->rtt);
	if (nr)
		sonde_json_u64(json, "rtt_variation_ns", stat->rttvar_us * 1000 / nr);
	if (row->nr_rtt) {
		sonde_json_u64(json, "rtt_now_ns", row->srtt_us * 1000 / row->nr_rtt);
		sonde_json_u64(json, "rtt_variation_now_ns", row->rttvar_us * 1000 / row->nr_rtt);
	}
	sonde_json_u64(json, "segments_out", stat->tcp.segs_out);
	sonde_json_u64(json, "retransmits", stat->tcp.retrans);
	sonde_json_u64(json, "bytes_retransmitted", stat->tcp.bytes_retrans);
	sonde_json_u64(json, "bytes_acked", stat->tcp.bytes_acked);
	sonde_json_u64(json, "bytes_received", stat->tcp.bytes_received);
	sonde_json_u64(json, "busy_ns", stat->tcp.busy * jiffy_ns);
	sonde_json_u64(json, "receiver_limited_ns", stat->tcp.rwnd * jiffy_ns);
	sonde_json_u64(json, "send_buffer_limited_ns", stat->tcp.sndbuf * jiffy_ns);
	sonde_json_u64(json, "resets_received", stat->reset_in);
	sonde_json_u64(json, "resets_sent", stat->reset_out);
	sonde_json_u64(json, "aborted", stat->aborted);
}

static void one(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_net_row *row)
{
	const struct sonde_net *net = snapshot->net;

	sonde_json_open(json, NULL, '{');
	who(json, row);
	if (row->key.role == SONDE_NET_LISTENER) {
		listener(json, row);
	} else {
		if (row->key.role == SONDE_ROLE_CLIENT) {
			sonde_json_u64(json, "connects", row->stat.attempts);
			fails(json, row);
			summary(json, "connect_ns", &row->stat.begin);
		}
		pool(json, row, net->has, snapshot->duration_ns);
		io(json, row, net->has, snapshot->duration_ns);
		tcp(json, row, net->jiffy_ns);
	}
	sonde_json_close(json, '}');
}

void sonde_net_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts)
{
	const struct sonde_net *net = snapshot->net;
	size_t nr = opts->top && opts->top < net->nr ? opts->top : net->nr;
	struct sonde_buf unseen = {};

	sonde_json_open(json, "sockets", '[');
	for (size_t i = 0; i < nr; i++)
		one(json, snapshot, net->row[i]);
	sonde_json_close(json, ']');
	if (nr < net->nr)
		sonde_json_u64(json, "sockets_left_out", net->nr - nr);
	sonde_json_open(json, "machine", '{');
	sonde_json_u64(json, "resets_received", net->totals.reset_in);
	sonde_json_u64(json, "resets_sent", net->totals.reset_out);
	sonde_json_close(json, '}');
	sonde_net_unseen(&unseen, net->has);
	if (unseen.len)
		sonde_json_str(json, "not_seen", unseen.s, unseen.len);
	sonde_buf_free(&unseen);
}
