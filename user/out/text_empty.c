// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_empty.c - the report for people when there is nothing to report: what to check.
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "model/snapshot.h"
#include "out/out.h"
#include "out/text.h"

/* What was noticed and could not be read. */
static void unreadable(struct sonde_buf *buf, const struct sonde_snapshot *snapshot, const char *what)
{
	const u64 *counter = snapshot->counter;
	char n[SONDE_STR_SHORT + 8];

	if (counter[SONDE_CNT_UNREADABLE_TLS])
		sonde_buf_printf(buf, "  - %s connections use TLS, and sonde could not read them.\n",
				 sonde_str_group(n, counter[SONDE_CNT_UNREADABLE_TLS]));
	if (counter[SONDE_CNT_UNREADABLE_HTTP2])
		sonde_buf_printf(buf, "  - %s connections speak HTTP/2, which is not read.\n",
				 sonde_str_group(n, counter[SONDE_CNT_UNREADABLE_HTTP2]));
	if (counter[SONDE_CNT_UNREADABLE_MULTIPLEXED])
		sonde_buf_printf(buf, "  - %s FastCGI connections carry several requests at once, which is not read.\n",
				 sonde_str_group(n, counter[SONDE_CNT_UNREADABLE_MULTIPLEXED]));
	if (counter[SONDE_CNT_UNPARSED_IO_URING])
		sonde_buf_printf(buf, "  - %s socket operations went through io_uring, where %s are not visible.\n",
				 sonde_str_group(n, counter[SONDE_CNT_UNPARSED_IO_URING]), what);
	if (counter[SONDE_CNT_UNPARSED_COMPAT])
		sonde_buf_str(buf, "  - The process is a 32-bit program; those are not read.\n");
}

/* What was recognised and did not complete. */
static void incomplete(struct sonde_buf *buf, const struct sonde_snapshot *snapshot, const char *what,
		       const char *connection)
{
	const u64 *counter = snapshot->counter;
	char n[SONDE_STR_SHORT + 8];

	if (counter[SONDE_CNT_SEEN])
		sonde_buf_printf(buf,
				 "  - %s %s were sent, and their answers have not come (or were lost, see below).\n",
				 sonde_str_group(n, counter[SONDE_CNT_SEEN]), what);
	else if (counter[SONDE_CNT_CONNS])
		sonde_buf_printf(buf, "  - %s connections were recognised, and were idle: is there any load?\n",
				 sonde_str_group(n, counter[SONDE_CNT_CONNS]));
	else
		sonde_buf_printf(buf,
				 "  - No %s connection was recognised: is the process connected, is there any load?\n",
				 connection);
}

static void systems(struct sonde_buf *buf)
{
	const char *before = "";

	sonde_buf_str(buf, "  - This version understands ");
	for (u32 i = 0; i < SONDE_PROTO_MAX; i++) {
		if (!sonde_proto_system(i)[0] || sonde_proto_view(i) != SONDE_VIEW_DB)
			continue;
		sonde_buf_printf(buf, "%s%s", before, sonde_proto_name(i));
		before = ", ";
	}
	sonde_buf_str(buf, ".\n");
}

static void advice(struct sonde_buf *buf, const struct sonde_snapshot *snapshot, bool http)
{
	const char *what = http ? "requests" : "statements";

	unreadable(buf, snapshot, what);
	incomplete(buf, snapshot, what, http ? "HTTP" : "database");
	sonde_buf_printf(buf,
			 "  - Do -p, -c and --cgroup name the process that sends the %s%s? Workers have pids of"
			 " their own.\n",
			 what, http ? ", or answers them" : "");
	if (http) {
		sonde_buf_str(buf, "  - With --role only one end of each connection is reported.\n");
		sonde_buf_str(buf, "  - HTTP/1.0 and HTTP/1.1 are understood, on any port.\n");
		return;
	}
	sonde_buf_str(buf, "  - Only clients are reported unless --role server or --role any is given.\n");
	systems(buf);
}

void sonde_text_empty(struct sonde_buf *buf, const struct sonde_out_opts *opts, const struct sonde_snapshot *snapshot)
{
	bool http = snapshot->view == SONDE_VIEW_HTTP;
	struct sonde_buf lines = {};
	char t[SONDE_STR_SHORT];

	if (!snapshot->final && snapshot->duration_ns < 3000000000ULL) {
		sonde_buf_printf(buf, "Waiting for %s.\n", http ? "requests" : "statements");
		return;
	}
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_buf_printf(buf, "No %s completed in %s.", http ? "request" : "statement",
			 sonde_str_ns(t, snapshot->duration_ns));
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, " What to check:\n");
	advice(&lines, snapshot, http);
	for (char *at = lines.s, *end; at && (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		sonde_text_wrap(buf, opts, at, 4, 0);
	}
	buf->failed |= lines.failed;
	sonde_buf_free(&lines);
}
