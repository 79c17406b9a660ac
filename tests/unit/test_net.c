// SPDX-License-Identifier: GPL-2.0-only
/* test_net.c - connections: what rows add up to, how many are in use, what stands out, printing. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "model/hist.h"
#include "model/net.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/out.h"
#include "sonde/syscall.h"

#define SECOND 1000000000ULL
#define JIFFY 4000000ULL

static struct sonde_net_row *row(struct sonde_net *net, u32 role, u32 pid, u16 port)
{
	struct sonde_net_row *to = sonde_net_row(net);

	assert_non_null(to);
	to->process = "app";
	to->key = (struct sonde_net_key){ .proc = { pid, 1 }, .peer = port, .role = role };
	to->peer = (struct sonde_net_peer){ .family = SONDE_AF_INET, .port = port, .addr = { 10, 0, 0, 1 } };
	return to;
}

/* A pool of @open connections, @busy of them in use for a second, none for nine. */
static struct sonde_net_row *pool(struct sonde_net *net, u32 pid, u64 open, u32 busy)
{
	struct sonde_net_row *to = row(net, SONDE_ROLE_CLIENT, pid, 5432);

	to->stat.opens = to->stat.attempts = to->stat.open = to->stat.open_max = to->open = open;
	to->stat.requests = 1000;
	to->stat.level_ns[busy] = SECOND;
	to->stat.level_ns[0] = 9 * SECOND;
	for (int i = 0; i < 1000; i++)
		sonde_hist_add(&to->stat.first, 2000000);
	return to;
}

static const char *advice(const struct sonde_net_row *of, struct sonde_buf *buf)
{
	sonde_buf_cut(buf, 0);
	(void)sonde_net_advice(buf, of, "app", "x", 10 * SECOND, JIFFY);
	return buf->s ? buf->s : "";
}

static void in_use(void **state)
{
	struct sonde_net *net = sonde_net_new();
	struct sonde_net_row *to = pool(net, 1, 50, 3);
	struct sonde_net_use use;

	sonde_net_in_use(to, 10 * SECOND, &use);
	assert_true(use.known);
	assert_int_equal(use.p50, 0);
	assert_int_equal(use.p95, 3);
	assert_int_equal(use.max, 3);
	assert_float_equal(use.mean, 0.3, 1e-9);
	to->peer.family = SONDE_AF_UNIX; /* 1000 requests of 2 ms in 10 s */
	sonde_net_in_use(to, 10 * SECOND, &use);
	assert_false(use.known);
	assert_float_equal(use.mean, 0.2, 1e-9);
	sonde_net_free(net);
	(void)state;
}

static void settles(void **state)
{
	struct sonde_net *net = sonde_net_new();
	struct sonde_net_row *to = pool(net, 1, 2, 1);

	to->stat.use = 2;
	to->stat.use_at_ns = 100 * SECOND;
	sonde_net_settle(to, 103 * SECOND);
	assert_int_equal(to->stat.level_ns[2], 3 * SECOND);
	assert_int_equal(to->stat.full_ns, 3 * SECOND);
	assert_int_equal(to->open, 2);
	sonde_net_settle(to, 103 * SECOND);
	assert_int_equal(to->stat.level_ns[2], 3 * SECOND);
	to->stat.use = SONDE_NET_LEVELS + 5;
	sonde_net_settle(to, 104 * SECOND);
	assert_int_equal(to->stat.level_ns[SONDE_NET_LEVELS - 1], SECOND);
	to->stat.use = (u64)-1; /* processors out of step */
	to->stat.open = (u64)-1;
	sonde_net_settle(to, 105 * SECOND);
	assert_int_equal(to->stat.level_ns[SONDE_NET_LEVELS - 1], SECOND);
	assert_int_equal(to->open, 0);
	sonde_net_free(net);
	(void)state;
}

static void live(void **state)
{
	struct sonde_net *net = sonde_net_new();
	struct sonde_net_row *to = row(net, SONDE_ROLE_CLIENT, 1, 80);
	struct sonde_net_conn conn = { .flags = SONDE_NET_TCP | SONDE_NET_ASKED, .srtt_us = 250, .rttvar_us = 20 };

	conn.base.bytes_acked = 1000;
	conn.now.bytes_acked = 1500;
	conn.base.rwnd = 7;
	conn.now.rwnd = 10;
	sonde_net_live(to, &conn);
	assert_int_equal(to->stat.tcp.bytes_acked, 500);
	assert_int_equal(to->stat.tcp.rwnd, 3);
	assert_int_equal(to->asked, 1);
	assert_int_equal(to->nr_rtt, 1);
	assert_int_equal(to->stat.rtt.max_ns, 250000);
	assert_int_equal(to->open, 0); /* hooks count those of TCP */
	conn.flags = 0;
	sonde_net_live(to, &conn);
	assert_int_equal(to->open, 1);
	assert_int_equal(to->stat.tcp.bytes_acked, 500);
	sonde_net_free(net);
	(void)state;
}

static void reasons(void **state)
{
	struct sonde_net *net = sonde_net_new();
	struct sonde_net_row *to = row(net, SONDE_ROLE_CLIENT, 1, 80);

	for (u32 i = 0; i < SONDE_NET_FAILS + 4; i++)
		sonde_net_fail(to, i, 2);
	assert_int_equal(to->nr_fails, SONDE_NET_FAILS);
	assert_int_equal(to->fail[SONDE_NET_FAILS - 1].error, SONDE_ERRNO_MAX);
	assert_int_equal(to->fail[SONDE_NET_FAILS - 1].count, 10);
	assert_int_equal(sonde_net_failed(to), 2 * (SONDE_NET_FAILS + 4));
	sonde_net_free(net);
	(void)state;
}

static void groups(void **state)
{
	struct sonde_net *net = sonde_net_new(), *group;

	(void)pool(net, 1, 5, 2);
	(void)pool(net, 2, 7, 2);
	sonde_net_fail(row(net, SONDE_ROLE_CLIENT, 2, 6379), ECONNREFUSED, 3);
	row(net, SONDE_NET_LISTENER, 2, 80)->stat.drops = 4;
	row(net, SONDE_NET_LISTENER, 3, 80)->stat.drops = 6;
	(void)row(net, SONDE_NET_LISTENER, 3, 81);
	sonde_net_sort(net);
	group = sonde_net_group(net);
	assert_int_equal(group->nr, 4);
	assert_int_equal(group->row[0]->open, 12);
	assert_int_equal(group->row[0]->nr_procs, 2);
	assert_int_equal(group->row[0]->stat.requests, 2000);
	assert_int_equal(group->row[0]->stat.level_ns[2], 2 * SECOND);
	for (size_t i = 0; i < group->nr; i++)
		if (group->row[i]->key.role == SONDE_NET_LISTENER && group->row[i]->peer.port == 80)
			assert_int_equal(group->row[i]->stat.drops, 6);
	sonde_net_free(group);
	net->by = SONDE_NET_BY_PROCESS; /* clients are one, listeners stay apart */
	group = sonde_net_group(net);
	assert_int_equal(group->nr, 3);
	assert_int_equal(group->row[0]->nr_peers, 2);
	assert_int_equal(sonde_net_failed(group->row[0]), 3);
	sonde_net_free(group);
	net->by = SONDE_NET_BY_CONNECTION;
	group = sonde_net_group(net);
	assert_int_equal(group->nr, 6);
	sonde_net_free(group);
	assert_ptr_equal(sonde_net_find(net, &net->row[3]->key), net->row[3]);
	sonde_net_free(net);
	(void)state;
}

static void pools(void **state)
{
	struct sonde_net *net = sonde_net_new();
	struct sonde_net_row *to = pool(net, 1, 50, 3);
	struct sonde_buf buf = {};

	assert_string_equal(advice(to, &buf),
			    "app to x: open 50, in use at p95 3 (0.30 on average): a pool of 5 suffices\n");
	to->nr_procs = 2; /* not one pool */
	assert_string_equal(advice(to, &buf), "");
	to = pool(net, 2, 5, 3); /* as large as it should be */
	assert_string_equal(advice(to, &buf), "");
	to = pool(net, 3, 3, 3);
	to->stat.full_ns = 4 * SECOND;
	assert_non_null(strstr(advice(to, &buf), "all connections (3) were in use 40 % of the time"));
	to = pool(net, 4, 900, 1);
	assert_non_null(strstr(advice(to, &buf), "900 connections for 1000 requests; keep them open"));
	sonde_buf_free(&buf);
	sonde_net_free(net);
	(void)state;
}

static void stands_out(void **state)
{
	struct sonde_net *net = sonde_net_new();
	struct sonde_net_row *to = row(net, SONDE_ROLE_CLIENT, 1, 80);
	struct sonde_buf buf = {};

	to->stat.tcp.segs_out = 1000;
	to->stat.tcp.retrans = 10; /* one per cent: not yet */
	sonde_hist_add(&to->stat.late, 9000000);
	assert_string_equal(advice(to, &buf), "");
	to->stat.tcp.retrans = 23;
	assert_string_equal(advice(to, &buf),
			    "app to x: 2.3 % of the segments were sent again: packets are lost, or come late\n");
	to->stat.tcp.rwnd = 500; /* jiffies */
	to->stat.tcp.sndbuf = 30;
	sonde_hist_add(&to->stat.late, 80000000);
	assert_non_null(strstr(advice(to, &buf), "bytes lay in the socket for "));
	assert_non_null(strstr(buf.s, "the receiver's window held sending up for 2.00s"));
	assert_non_null(strstr(buf.s, "the send buffer was too small for 120ms"));
	to->stat.attempts = 9;
	sonde_net_fail(to, ECONNREFUSED, 3);
	sonde_net_fail(to, 0, 1);
	assert_non_null(
		strstr(advice(to, &buf), "4 of 9 connects failed: ECONNREFUSED 3, given up by the process 1\n"));
	to = row(net, SONDE_NET_LISTENER, 1, 80);
	to->stat.backlog_max = 8;
	to->stat.backlog_limit = 128;
	to->stat.drops = 2;
	sonde_hist_add(&to->stat.begin, 50000000);
	assert_non_null(
		strstr(advice(to, &buf),
		       "app at x: connections waited 50.0ms (p95) for accept(), at most 8 at a time, room is for 128"));
	assert_non_null(strstr(buf.s, "has dropped 2 connections"));
	sonde_buf_free(&buf);
	sonde_net_free(net);
	(void)state;
}

static struct sonde_snapshot *filled(void)
{
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snap = sonde_snapshot_new(strings);
	struct sonde_net_row *to;

	sonde_strings_put(strings);
	snap->net = sonde_net_new();
	snap->view = SONDE_VIEW_NET;
	snap->capture = "";
	snap->duration_ns = 10 * SECOND;
	snap->final = true;
	snap->net->jiffy_ns = JIFFY;
	snap->net->has = SONDE_NET_HAS_IO;
	(void)pool(snap->net, 10, 50, 3);
	to = row(snap->net, SONDE_ROLE_SERVER, 10, 8080);
	to->peer.other[0] = 192;
	to->stat.existed = 2;
	to = row(snap->net, SONDE_NET_LISTENER, 10, 0);
	to->peer.family = SONDE_AF_UNIX;
	snprintf(to->peer.path, sizeof(to->peer.path), "%s", "/run/app\x1b.sock");
	to->stat.accepts = 7;
	sonde_net_sort(snap->net);
	return snap;
}

static void reports(void **state)
{
	struct sonde_snapshot *snap = filled();
	struct sonde_buf buf = {};

	for (unsigned int width = 40; width <= 200; width += 20) {
		sonde_buf_cut(&buf, 0);
		sonde_outs[SONDE_OUT_text]->render(snap, &(struct sonde_out_opts){ .command = "net", .width = width },
						   &buf);
		assert_non_null(strstr(buf.s, "app[10]"));
	}
	assert_non_null(
		strstr(buf.s, "sonde net: 50 connects, 7 accepted, 1,000 requests in 10.0s, 50 open"));
	assert_non_null(strstr(buf.s, "10.0.0.1:8080 from 192.0.0.0"));
	assert_non_null(strstr(buf.s, "a pool of 5 suffices"));
	assert_non_null(strstr(buf.s, "2 connections were open before"));
	assert_non_null(strstr(buf.s, "not told by this kernel: how long bytes wait to be read"));
	assert_null(strchr(buf.s, '\x1b'));
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snap, &(struct sonde_out_opts){ .command = "net", .top = 2 }, &buf);
	assert_non_null(strstr(buf.s,
			       "\"sockets\":[{\"role\":\"client\",\"pid\":10,\"process\":\"app\",\"transport\":\"tcp\","
			       "\"address\":\"10.0.0.1:5432\",\"connects\":50"));
	assert_non_null(strstr(buf.s, "\"in_use\":{\"mean\":0.3,\"p50\":0,\"p95\":3,\"max\":3}"));
	assert_null(strstr(buf.s, "read_wait_ns")); /* no such hook */
	assert_non_null(strstr(buf.s, "\"sockets_left_out\":1"));
	assert_non_null(strstr(buf.s, "\"not_seen\":\"how long"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_use),     cmocka_unit_test(settles), cmocka_unit_test(live),
		cmocka_unit_test(reasons),    cmocka_unit_test(groups),	 cmocka_unit_test(pools),
		cmocka_unit_test(stands_out), cmocka_unit_test(reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
