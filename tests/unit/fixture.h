/* SPDX-License-Identifier: GPL-2.0-only */
/* fixture.h - a collector filled by hand, as the kernel side would. */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include "unit.h"

#include "collect/db.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "sonde/event.h"

static inline __attribute__((unused)) int fixture_text(struct sonde_db *db, u64 id, u32 flags, const char *text,
						       size_t len)
{
	static struct sonde_event_text event;

	memset(&event, 0, sizeof(event));
	event.head.type = SONDE_EVENT_TEXT;
	event.head.size = (u32)(SONDE_EVENT_TEXT_HEAD + len);
	event.id = id;
	event.proto = SONDE_PROTO_POSTGRESQL;
	event.flags = flags;
	event.len = (u32)len;
	memcpy(event.text, text, len);
	return sonde_db_event(db, &event, SONDE_EVENT_TEXT_HEAD + len);
}

static inline __attribute__((unused)) void fixture_peer(struct sonde_db *db, u64 id, const char *database)
{
	struct sonde_peer peer = { .family = SONDE_AF_INET, .port = 5432, .addr = { 10, 0, 0, 7 } };

	strcpy(peer.database, database);
	strcpy(peer.user, "app");
	assert_int_equal(sonde_db_peer(db, id, &peer), 0);
}

static inline __attribute__((unused)) void fixture_proc(struct sonde_db *db, u32 tgid, const char *comm)
{
	struct sonde_proc proc = { .tgid = tgid, .start = 3 };
	struct sonde_proc_info info = { .cgroup = 77 };

	/* No NUL behind a full name, as a torn copy could have it. */
	for (size_t i = 0; i < sizeof(info.comm) && comm[i]; i++)
		info.comm[i] = comm[i];
	assert_int_equal(sonde_db_proc(db, &proc, &info), 0);
}

/* @calls executions of statement @id, the n-th taking @ns * n. */
static inline __attribute__((unused)) void fixture_row(struct sonde_db *db, u64 id, u64 peer, u32 tgid, u32 calls,
						       u64 ns, u32 errors)
{
	struct sonde_query_key key = {
		.id = id, .peer = peer, .proto = SONDE_PROTO_POSTGRESQL, .role = SONDE_ROLE_CLIENT
	};
	struct sonde_query_stat stat = { .count = calls,
					 .errors = errors,
					 .rows = 3 * calls,
					 .sent_bytes = 10 * calls,
					 .recv_bytes = 100 * calls,
					 .first_seen_ns = 1000,
					 .last_seen_ns = 5000 };

	key.proc.tgid = tgid;
	key.proc.start = 3;
	for (u32 i = 1; i <= calls; i++) {
		sonde_hist_add(&stat.done, ns * i);
		sonde_hist_add(&stat.first, ns * i / 2);
	}
	if (errors) {
		stat.error_class[SONDE_ERR_CONSTRAINT] = errors;
		stat.sqlstate = '2' | '3' << 8 | '5' << 16 | (u64)'0' << 24 | (u64)'5' << 32;
	}
	assert_int_equal(sonde_db_row(db, &key, &stat), 0);
}

#endif /* TESTS_UNIT_FIXTURE_H */
