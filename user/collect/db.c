// SPDX-License-Identifier: GPL-2.0-only
/*
 * db.c - collects statements: the pure half.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "collect/db.h"
#include "collect/findings.h"
#include "model/hist.h"
#include "model/name.h"
#include "model/slow.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "sonde/event.h"

/* A statement's text, made ready to print once. The strings belong to the pool. */
struct text {
	const char *text;
	size_t len;
	const char *name;
	bool named;
	bool partial;
};

struct peer {
	const char *server;
	const char *database;
	const char *user;
};

struct proc {
	const char *comm;
	u64 cgroup;
};

/* One row of the current reading. */
struct row {
	struct sonde_query_key key;
	struct sonde_query_stat stat;
};

/* A statement known by its name only whose text has shown up: rows of @peer and @proc belong to @id. */
struct alias {
	u64 named;
	u64 id;
	u64 peer;
	struct sonde_proc proc;
	bool differs; /* connections gave the name to different statements: nothing can be said */
};

struct sonde_db {
	struct sonde_strings *strings;
	struct sonde_table texts; /* statement id -> struct text */
	struct sonde_table peers; /* peer id -> struct peer */
	struct sonde_table procs; /* tgid and start -> struct proc */
	struct sonde_table counts; /* hash of a row's key -> u64, its calls at the previous snapshot */
	struct row **rows;
	size_t nr_rows;
	size_t room;
	struct alias *aliases;
	size_t nr_aliases;
	struct sonde_finds *finds;
	u64 counter[SONDE_CNT_MAX];
	u64 bad_events;
};

struct sonde_db *sonde_db_new(void)
{
	struct sonde_db *db = calloc(1, sizeof(*db));

	if (!db)
		return NULL;
	db->strings = sonde_strings_new();
	db->finds = sonde_finds_new();
	if (db->strings && db->finds)
		return db;
	sonde_db_free(db);
	return NULL;
}

void sonde_db_free(struct sonde_db *db)
{
	if (!db)
		return;
	sonde_table_free(&db->texts, free);
	sonde_table_free(&db->peers, free);
	sonde_table_free(&db->procs, free);
	sonde_table_free(&db->counts, free);
	for (size_t i = 0; i < db->room; i++)
		free(db->rows[i]);
	free(db->rows);
	free(db->aliases);
	sonde_finds_free(db->finds);
	sonde_strings_put(db->strings);
	free(db);
}

u64 sonde_db_bad_events(const struct sonde_db *db)
{
	return db->bad_events;
}

static int put(struct sonde_table *table, u64 key, void *value)
{
	void *old = sonde_table_get(table, key);
	int err = sonde_table_put(table, key, value);

	free(err ? value : old);
	return err;
}

static int take_text(struct sonde_db *db, const struct sonde_event_text *event)
{
	bool named = event->flags & SONDE_TEXT_NAME, label = sonde_proto_view(event->proto) == SONDE_VIEW_HTTP;
	struct text *known = sonde_table_get(&db->texts, event->id), *text;
	char buf[SONDE_TEXT_BYTES + 8], name[SONDE_NAME_MAX];
	const char *s = event->text;
	size_t len = event->len;

	if (known && known->named <= named)
		return 0; /* sent again; a real text replaces a name */
	if (named) {
		memcpy(buf, "stmt ", 5);
		memcpy(buf + 5, event->text, len);
		s = buf;
		len += 5;
	}
	text = calloc(1, sizeof(*text));
	if (!text)
		return -ENOMEM;
	text->text = sonde_strings_add(db->strings, s, len);
	text->len = len;
	text->named = named;
	text->partial = event->flags & SONDE_TEXT_PARTIAL;
	text->name = text->text;
	if (!named && !label)
		text->name = sonde_strings_add(db->strings, name,
					       sonde_proto_sql(event->proto) ? sonde_name(s, len, name)
									     : sonde_name_label(s, len, name));
	if (!text->text || !text->name) {
		free(text);
		return -ENOMEM;
	}
	return put(&db->texts, event->id, text);
}

static struct alias *find_alias(struct sonde_db *db, u64 named, u64 peer, const struct sonde_proc *proc)
{
	for (size_t i = 0; i < db->nr_aliases; i++) {
		struct alias *a = &db->aliases[i];

		if (a->named == named && a->peer == peer && !memcmp(&a->proc, proc, sizeof(*proc)))
			return a;
	}
	return NULL;
}

static int take_alias(struct sonde_db *db, const struct sonde_event_alias *event)
{
	const struct sonde_proc proc = { .tgid = event->tgid, .start = event->start };
	struct alias *known = find_alias(db, event->named, event->peer, &proc), *more;

	if (known) {
		known->differs |= known->id != event->id;
		return 0;
	}
	more = realloc(db->aliases, (db->nr_aliases + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	db->aliases = more;
	more[db->nr_aliases++] =
		(struct alias){ .named = event->named, .id = event->id, .peer = event->peer, .proc = proc };
	return 0;
}

int sonde_db_event(struct sonde_db *db, const void *event, size_t size)
{
	struct sonde_event head;
	struct sonde_event_text text;
	struct sonde_event_alias alias;
	struct sonde_event_finding finding;

	if (size < sizeof(head))
		goto bad;
	memcpy(&head, event, sizeof(head));
	switch (head.type) {
	case SONDE_EVENT_TEXT:
		if (size < SONDE_EVENT_TEXT_HEAD)
			goto bad;
		memcpy(&text, event, size < sizeof(text) ? size : sizeof(text));
		if (text.len > SONDE_TEXT_BYTES || text.len > size - SONDE_EVENT_TEXT_HEAD)
			goto bad;
		return take_text(db, &text);
	case SONDE_EVENT_ALIAS:
		if (size < sizeof(alias))
			goto bad;
		memcpy(&alias, event, sizeof(alias));
		return take_alias(db, &alias);
	case SONDE_EVENT_FINDING:
		if (size < sizeof(finding))
			goto bad;
		memcpy(&finding, event, sizeof(finding));
		return sonde_finds_event(db->finds, &finding);
	case SONDE_EVENT_EXEC:
	case SONDE_EVENT_EXIT:
		return 0; /* the loader's */
	case SONDE_EVENT_SLOW:
		return 0; /* the slow log's */
	}
bad:
	db->bad_events++;
	return -EINVAL;
}

void sonde_db_begin(struct sonde_db *db)
{
	db->nr_rows = 0;
	sonde_finds_begin(db->finds);
}

static void merge_row(struct row *row, const struct sonde_query_stat *more)
{
	struct sonde_query_stat *to = &row->stat;

	to->count += more->count;
	to->errors += more->errors;
	to->rows += more->rows;
	to->sent_bytes += more->sent_bytes;
	to->recv_bytes += more->recv_bytes;
	if (more->first_seen_ns < to->first_seen_ns)
		to->first_seen_ns = more->first_seen_ns;
	if (more->last_seen_ns > to->last_seen_ns) {
		to->last_seen_ns = more->last_seen_ns;
		to->sqlstate = more->sqlstate ? more->sqlstate : to->sqlstate;
	}
	for (size_t i = 0; i < SONDE_ERR_CLASSES; i++)
		to->error_class[i] += more->error_class[i];
	sonde_hist_merge(&to->done, &more->done);
	sonde_hist_merge(&to->first, &more->first);
}

/* With aliases two rows may turn out to be one: adds @stat to the row that has @key already. */
static bool merge_same(struct sonde_db *db, const struct sonde_query_key *key, const struct sonde_query_stat *stat)
{
	for (size_t i = 0; i < db->nr_rows; i++) {
		if (memcmp(&db->rows[i]->key, key, sizeof(*key)))
			continue;
		merge_row(db->rows[i], stat);
		return true;
	}
	return false;
}

int sonde_db_row(struct sonde_db *db, const struct sonde_query_key *as_read, const struct sonde_query_stat *stat)
{
	struct sonde_query_key renamed = *as_read, *key = &renamed;
	struct alias *alias = NULL;
	struct row **more;
	size_t room;

	if (!stat->count)
		return 0; /* just made, its first statement is being added */
	if (key->flags & SONDE_KEY_NAMED)
		alias = find_alias(db, key->id, key->peer, &key->proc);
	if (alias && !alias->differs) {
		key->id = alias->id;
		key->flags &= ~SONDE_KEY_NAMED;
	}
	if (db->nr_aliases && merge_same(db, key, stat))
		return 0;
	if (db->nr_rows == db->room) {
		room = db->room ? db->room * 2 : 32;
		more = realloc(db->rows, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + db->room, 0, (room - db->room) * sizeof(*more));
		db->rows = more;
		db->room = room;
	}
	if (!db->rows[db->nr_rows]) {
		db->rows[db->nr_rows] = malloc(sizeof(struct row));
		if (!db->rows[db->nr_rows])
			return -ENOMEM;
	}
	db->rows[db->nr_rows]->key = *key;
	db->rows[db->nr_rows]->stat = *stat;
	db->nr_rows++;
	return 0;
}

/* "127.0.0.1:5432", "[::1]:5432", a path. */
static void server_name(const struct sonde_peer *peer, char *out, size_t size)
{
	static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	char addr[INET6_ADDRSTRLEN] = "?";

	switch (peer->family) {
	case SONDE_AF_INET:
		inet_ntop(AF_INET, peer->addr, addr, sizeof(addr));
		snprintf(out, size, "%s:%u", addr, peer->port);
		break;
	case SONDE_AF_INET6:
		if (!memcmp(peer->addr, mapped, sizeof(mapped))) {
			inet_ntop(AF_INET, peer->addr + sizeof(mapped), addr, sizeof(addr));
			snprintf(out, size, "%s:%u", addr, peer->port);
			break;
		}
		inet_ntop(AF_INET6, peer->addr, addr, sizeof(addr));
		snprintf(out, size, "[%s]:%u", addr, peer->port);
		break;
	default:
		snprintf(out, size, "%.*s", (int)sizeof(peer->path), peer->path);
	}
}

int sonde_db_peer(struct sonde_db *db, u64 id, const struct sonde_peer *peer)
{
	struct peer *made = calloc(1, sizeof(*made));
	char server[160];

	if (!made)
		return -ENOMEM;
	server_name(peer, server, sizeof(server));
	made->server = sonde_strings_add(db->strings, server, strlen(server));
	made->database =
		sonde_strings_add(db->strings, peer->database, strnlen(peer->database, sizeof(peer->database)));
	made->user = sonde_strings_add(db->strings, peer->user, strnlen(peer->user, sizeof(peer->user)));
	if (!made->server || !made->database || !made->user) {
		free(made);
		return -ENOMEM;
	}
	return put(&db->peers, id, made);
}

static u64 proc_key(const struct sonde_proc *proc)
{
	return (u64)proc->start << 32 | proc->tgid;
}

int sonde_db_proc(struct sonde_db *db, const struct sonde_proc *proc, const struct sonde_proc_info *info)
{
	struct proc *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->comm = sonde_strings_add(db->strings, info->comm, strnlen(info->comm, sizeof(info->comm)));
	made->cgroup = info->cgroup;
	if (!made->comm) {
		free(made);
		return -ENOMEM;
	}
	return put(&db->procs, proc_key(proc), made);
}

u64 sonde_db_calls(const struct sonde_db *db, enum sonde_view view)
{
	u64 calls = 0;

	for (size_t i = 0; i < db->nr_rows; i++)
		if (sonde_proto_view(db->rows[i]->key.proto) == view)
			calls += db->rows[i]->stat.count;
	return calls;
}

void sonde_db_counter_add(struct sonde_db *db, u32 counter, u64 n)
{
	if (counter < SONDE_CNT_MAX)
		db->counter[counter] += n;
}

void sonde_db_counters(struct sonde_db *db, const u64 counter[SONDE_CNT_MAX])
{
	memcpy(db->counter, counter, sizeof(db->counter));
}

void sonde_db_settle(struct sonde_db *db, u64 open)
{
	u64 accounted = db->counter[SONDE_CNT_ATTRIBUTED] + open;

	for (u32 i = 0; i < SONDE_CNT_MAX; i++)
		if (sonde_counter_info[i].kind == SONDE_COUNTER_LOST)
			accounted += db->counter[i];
	if (db->counter[SONDE_CNT_SEEN] > accounted)
		db->counter[SONDE_CNT_LOST_CLOSED] += db->counter[SONDE_CNT_SEEN] - accounted;
}

struct sonde_finds *sonde_db_finds(struct sonde_db *db)
{
	return db->finds;
}

struct sonde_strings *sonde_db_strings(struct sonde_db *db)
{
	return db->strings;
}

const char *sonde_db_text(const void *ctx, u64 id, bool *partial)
{
	const struct sonde_db *db = ctx;
	const struct text *text = sonde_table_get(&db->texts, id);

	*partial = text && (text->partial || text->named);
	return text ? text->text : NULL;
}

struct sonde_db_peer_names sonde_db_peer_names(const struct sonde_db *db, u64 id)
{
	const struct peer *peer = sonde_table_get(&db->peers, id);

	return (struct sonde_db_peer_names){ peer ? peer->server : "", peer ? peer->database : "" };
}

const char *sonde_db_comm(const struct sonde_db *db, const struct sonde_proc *id)
{
	const struct proc *proc = sonde_table_get(&db->procs, proc_key(id));

	return proc ? proc->comm : "";
}

/* What is asked for when something is missing. */
struct ask {
	void *ctx;
	int (*peer)(struct sonde_db *db, void *ctx, u64 id);
	int (*proc)(struct sonde_db *db, void *ctx, const struct sonde_proc *proc);
};

static int ask(struct sonde_db *db, void *ctx, u64 peer, const struct sonde_proc *proc)
{
	const struct ask *ask = ctx;
	int err = 0;

	if (ask->peer && !sonde_table_get(&db->peers, peer))
		err = ask->peer(db, ask->ctx, peer);
	if (!err && ask->proc && !sonde_table_get(&db->procs, proc_key(proc)))
		err = ask->proc(db, ask->ctx, proc);
	return err;
}

int sonde_db_missing_of(struct sonde_db *db, const struct sonde_query_key *key, void *ctx,
			int (*peer)(struct sonde_db *db, void *ctx, u64 id),
			int (*proc)(struct sonde_db *db, void *ctx, const struct sonde_proc *proc))
{
	struct ask asked = { ctx, peer, proc };

	return ask(db, &asked, key->peer, &key->proc);
}

int sonde_db_missing(struct sonde_db *db, void *ctx, int (*peer)(struct sonde_db *db, void *ctx, u64 id),
		     int (*proc)(struct sonde_db *db, void *ctx, const struct sonde_proc *proc))
{
	struct ask asked = { ctx, peer, proc };
	int err = 0;

	for (size_t i = 0; i < db->nr_rows && !err; i++)
		err = ask(db, &asked, db->rows[i]->key.peer, &db->rows[i]->key.proc);
	return err ? err : sonde_finds_each_key(db, &asked, ask);
}

static u64 row_hash(const struct sonde_query_key *key)
{
	u64 hash = SONDE_FNV_BASIS, word;

	for (size_t i = 0; i < sizeof(*key); i += sizeof(word)) {
		memcpy(&word, (const char *)key + i, sizeof(word));
		hash = sonde_mix64(hash ^ word);
	}
	return hash;
}

/* Calls of the row since the previous snapshot. Two rows of one hash would only blur each other's current rate. */
static int recent_calls(struct sonde_db *db, const struct row *row, u64 *recent)
{
	u64 hash = row_hash(&row->key), *before = sonde_table_get(&db->counts, hash);

	if (!before) {
		before = calloc(1, sizeof(*before));
		if (!before)
			return -ENOMEM;
		if (sonde_table_put(&db->counts, hash, before)) {
			free(before);
			return -ENOMEM;
		}
	}
	*recent = row->stat.count > *before ? row->stat.count - *before : 0;
	*before = row->stat.count;
	return 0;
}

static int unknown_text(struct sonde_db *db, struct sonde_query *query)
{
	char name[32];
	int len = snprintf(name, sizeof(name), "id %016llx", (unsigned long long)query->id);

	query->name = sonde_strings_add(db->strings, name, (size_t)len);
	return query->name ? 0 : -ENOMEM;
}

static int fill_query(struct sonde_db *db, struct sonde_query *query, const struct row *row)
{
	const struct sonde_query_key *key = &row->key;
	const struct sonde_query_stat *stat = &row->stat;
	const struct text *text = sonde_table_get(&db->texts, key->id);
	const struct peer *peer = sonde_table_get(&db->peers, key->peer);
	const struct proc *proc = sonde_table_get(&db->procs, proc_key(&key->proc));

	query->id = key->id;
	query->pid = key->proc.tgid;
	query->proto = key->proto;
	query->role = key->role;
	query->count = stat->count;
	query->errors = stat->errors;
	query->rows = stat->rows;
	query->sent_bytes = stat->sent_bytes;
	query->recv_bytes = stat->recv_bytes;
	query->first_seen_ns = stat->first_seen_ns;
	query->last_seen_ns = stat->last_seen_ns;
	for (size_t i = 0; i < 5; i++)
		query->sqlstate[i] = (char)(stat->sqlstate >> 8 * i);
	query->code = (u32)(stat->sqlstate >> 40);
	memcpy(query->error_class, stat->error_class, sizeof(query->error_class));
	query->done = stat->done;
	query->first = stat->first;
	sonde_hist_tidy(&query->done);
	sonde_hist_tidy(&query->first);
	query->named = key->flags & SONDE_KEY_NAMED;
	query->waits = key->flags & SONDE_KEY_BLOCKING;
	if (peer) {
		query->server = peer->server;
		query->database = peer->database;
		query->user = peer->user;
	}
	if (proc) {
		query->process = proc->comm;
		query->cgroup = proc->cgroup;
	}
	if (!text)
		return unknown_text(db, query);
	query->text = text->text;
	query->text_len = text->len;
	query->name = text->name;
	query->partial = text->partial;
	query->named = text->named;
	return 0;
}

const char *sonde_db_label(const struct sonde_db *db, u64 id)
{
	const struct text *text = sonde_table_get(&db->texts, id);

	return text ? text->text : NULL;
}

int sonde_db_describe(struct sonde_db *db, const struct sonde_query_key *key, struct sonde_slow *slow)
{
	struct sonde_query query = { .process = "", .server = "", .database = "", .user = "" };
	struct row row = { .key = *key };
	struct alias *alias = key->flags & SONDE_KEY_NAMED ? find_alias(db, key->id, key->peer, &key->proc) : NULL;
	int err;

	if (alias && !alias->differs)
		row.key.id = alias->id;
	err = fill_query(db, &query, &row);
	slow->id = query.id;
	slow->text = query.text;
	slow->text_len = query.text_len;
	slow->name = query.name;
	slow->named = query.named;
	slow->process = query.process;
	slow->server = query.server;
	slow->database = query.database;
	slow->user = query.user;
	slow->pid = query.pid;
	slow->proto = query.proto;
	slow->role = query.role;
	return err;
}

struct sonde_snapshot *sonde_db_snapshot(struct sonde_db *db)
{
	struct sonde_snapshot *snapshot = sonde_snapshot_new(db->strings);
	struct sonde_query *query;

	if (!snapshot)
		return NULL;
	memcpy(snapshot->counter, db->counter, sizeof(snapshot->counter));
	for (size_t i = 0; i < db->nr_rows; i++) {
		query = sonde_proto_view(db->rows[i]->key.proto) == SONDE_VIEW_HTTP ? sonde_snapshot_endpoint(snapshot)
										    : sonde_snapshot_query(snapshot);
		if (!query || fill_query(db, query, db->rows[i]) || recent_calls(db, db->rows[i], &query->recent)) {
			sonde_snapshot_free(snapshot);
			return NULL;
		}
	}
	sonde_snapshot_sort(snapshot);
	if (sonde_finds_judge(db, snapshot)) {
		sonde_snapshot_free(snapshot);
		return NULL;
	}
	return snapshot;
}
