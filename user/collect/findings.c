// SPDX-License-Identifier: GPL-2.0-only
/*
 * findings.c - collects rows of findings and callers, and call sites: the pure half.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "collect/findings.h"
#include "model/finding.h"
#include "model/judge.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "sonde/scope_fold.h"

#define MAX_WANTED 256u /* stacks of findings that have just shown up */
#define DEFAULT_MIN_REPEAT 5u

/* Call site of a stack in a process: frames, the application's first; none when there is no such. */
struct site {
	const char **frame;
	size_t nr;
	u32 *stack; /* all functions, innermost first: frames of sonde_finds.frames */
	size_t nr_stack;
};

struct sonde_finds {
	struct sonde_finding_row *rows;
	size_t nr_rows, room;
	struct sonde_table index; /* hash of a row's key -> its number + 1 */
	struct sonde_caller_row *callers;
	size_t nr_callers, caller_room;
	struct sonde_table sites; /* stack_key() -> struct site */
	struct sonde_profile *frames; /* of these; no stack is in it */
	u64 wanted[MAX_WANTED]; /* stack_key() */
	size_t nr_wanted;
	sonde_db_site_fn site;
	void *site_ctx;
	void (*site_drop)(void *ctx);
	bool on;
	u32 min_repeat;
	const struct sonde_ignore *ignore;
};

static void free_site(void *value)
{
	struct site *site = value;

	free(site->frame);
	free(site->stack);
	free(site);
}

struct sonde_finds *sonde_finds_new(void)
{
	struct sonde_finds *finds = calloc(1, sizeof(*finds));

	if (!finds)
		return NULL;
	finds->min_repeat = DEFAULT_MIN_REPEAT;
	finds->frames = sonde_profile_new("waste", "nanoseconds");
	if (finds->frames)
		return finds;
	free(finds);
	return NULL;
}

void sonde_finds_free(struct sonde_finds *finds)
{
	if (!finds)
		return;
	if (finds->site_drop)
		finds->site_drop(finds->site_ctx);
	sonde_table_free(&finds->index, NULL);
	sonde_table_free(&finds->sites, free_site);
	sonde_profile_free(finds->frames);
	free(finds->rows);
	free(finds->callers);
	free(finds);
}

void sonde_finds_begin(struct sonde_finds *finds)
{
	finds->nr_rows = finds->nr_callers = 0;
	sonde_table_free(&finds->index, NULL);
	finds->index = (struct sonde_table){};
}

void sonde_db_judge(struct sonde_db *db, u32 min_repeat, const struct sonde_ignore *ignore)
{
	struct sonde_finds *finds = sonde_db_finds(db);

	finds->on = true;
	finds->min_repeat = min_repeat;
	finds->ignore = ignore;
}

void sonde_db_sites(struct sonde_db *db, sonde_db_site_fn fn, void *ctx, void (*drop)(void *ctx))
{
	struct sonde_finds *finds = sonde_db_finds(db);

	finds->site = fn;
	finds->site_ctx = ctx;
	finds->site_drop = drop;
}

void *sonde_db_sites_ctx(struct sonde_db *db)
{
	return sonde_db_finds(db)->site_ctx;
}

/* The same addresses mean different things in different programs. */
static u64 stack_key(u32 id, u32 pid)
{
	return (u64)pid << 32 | id;
}

static int want(struct sonde_finds *finds, s32 id, u32 pid)
{
	u64 key = stack_key((u32)id, pid);

	if (id < 0 || !finds->site || sonde_table_get(&finds->sites, key) || finds->nr_wanted == MAX_WANTED)
		return 0;
	for (size_t i = 0; i < finds->nr_wanted; i++)
		if (finds->wanted[i] == key)
			return 0;
	finds->wanted[finds->nr_wanted++] = key;
	return 0;
}

int sonde_finds_event(struct sonde_finds *finds, const struct sonde_event_finding *event)
{
	return want(finds, event->stack, event->key.proc.tgid);
}

int sonde_db_stack(struct sonde_db *db, u32 id, u32 pid, const u64 *ips, size_t nr)
{
	struct sonde_finds *finds = sonde_db_finds(db);
	struct sonde_db_site of = { .frames = finds->frames };
	struct site *site;
	int err = -ENOMEM;

	if (sonde_table_get(&finds->sites, stack_key(id, pid)))
		return 0;
	site = calloc(1, sizeof(*site));
	if (!site)
		return -ENOMEM;
	if (finds->site && nr)
		finds->site(finds->site_ctx, pid, ips, nr, &of);
	site->frame = calloc(of.nr + 1, sizeof(*site->frame));
	site->stack = calloc(of.nr_stack + 1, sizeof(*site->stack));
	if (!site->frame || !site->stack)
		goto err_free;
	for (; site->nr < of.nr; site->nr++) {
		const char *frame = of.frame[site->nr];

		site->frame[site->nr] = sonde_strings_add(sonde_db_strings(db), frame, strlen(frame));
		if (!site->frame[site->nr])
			goto err_free;
	}
	if (of.nr_stack)
		memcpy(site->stack, of.stack, of.nr_stack * sizeof(*site->stack));
	site->nr_stack = of.nr_stack;
	err = sonde_table_put(&finds->sites, stack_key(id, pid), site);
	if (!err)
		return 0;
err_free:
	free_site(site);
	return err;
}

int sonde_db_stacks_wanted(struct sonde_db *db, void *ctx,
			   int (*stack)(struct sonde_db *db, void *ctx, u32 id, u32 pid))
{
	struct sonde_finds *finds = sonde_db_finds(db);
	int err = 0;

	while (finds->nr_wanted && !err) {
		u64 key = finds->wanted[--finds->nr_wanted];

		err = stack(db, ctx, (u32)key, (u32)(key >> 32));
	}
	return err;
}

static u64 key_hash(const struct sonde_finding_key *key)
{
	u64 hash = SONDE_FNV_BASIS, word;

	for (size_t i = 0; i < sizeof(*key); i += sizeof(word)) {
		memcpy(&word, (const char *)key + i, sizeof(word));
		hash = sonde_mix64(hash ^ word);
	}
	return hash;
}

int sonde_db_finding(struct sonde_db *db, const struct sonde_finding_key *key, const struct sonde_finding_stat *stat)
{
	struct sonde_finds *finds = sonde_db_finds(db);
	u64 hash = key_hash(key);
	size_t number = (size_t)(uintptr_t)sonde_table_get(&finds->index, hash), room;
	struct sonde_finding_row *more;

	if (!stat->scopes)
		return 0; /* just made, its first scope is being added */
	want(finds, stat->stack, key->proc.tgid);
	if (number && !memcmp(&finds->rows[number - 1].key, key, sizeof(*key))) {
		sonde_finding_merge_stat(&finds->rows[number - 1].stat, stat);
		return 0;
	}
	if (finds->nr_rows == finds->room) {
		room = finds->room ? finds->room * 2 : 32;
		more = realloc(finds->rows, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		finds->rows = more;
		finds->room = room;
	}
	finds->rows[finds->nr_rows++] = (struct sonde_finding_row){ .key = *key, .stat = *stat };
	return number ? 0 : sonde_table_put(&finds->index, hash, (void *)(uintptr_t)finds->nr_rows);
}

int sonde_db_scope(struct sonde_db *db, const struct sonde_scope *scope, u64 now_ns)
{
	struct sonde_finding_key key;
	struct sonde_finding_stat one;
	int err = 0;

	/* Of one that has ended the kernel has told; whether an event loop's is sure shows at its end. */
	if (!(scope->flags & SONDE_SCOPE_OPEN) || scope->flags & SONDE_SCOPE_INVALID ||
	    scope->kind == SONDE_SCOPE_ASYNC)
		return 0;
	for (u32 slot = 0; slot < SONDE_SCOPE_SLOTS && !err; slot++) {
		if (!(scope->hot >> slot & 1) || scope->slot[slot].epoch != scope->epoch)
			continue;
		sonde_scope_fold_slot(scope, slot, now_ns, &key, &one);
		err = sonde_db_finding(db, &key, &one);
	}
	return err;
}

int sonde_db_caller(struct sonde_db *db, const struct sonde_caller_key *key, const struct sonde_caller_stat *stat)
{
	struct sonde_finds *finds = sonde_db_finds(db);
	size_t room = finds->caller_room ? finds->caller_room * 2 : 64;
	struct sonde_caller_row *more;

	if (!stat->scopes)
		return 0;
	if (finds->nr_callers == finds->caller_room) {
		more = realloc(finds->callers, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		finds->callers = more;
		finds->caller_room = room;
	}
	finds->callers[finds->nr_callers++] = (struct sonde_caller_row){ .key = *key, .stat = *stat };
	return 0;
}

int sonde_finds_each_key(struct sonde_db *db, void *ctx,
			 int (*fn)(struct sonde_db *db, void *ctx, u64 peer, const struct sonde_proc *proc))
{
	struct sonde_finds *finds = sonde_db_finds(db);
	int err = 0;

	for (size_t i = 0; i < finds->nr_rows && !err; i++)
		err = fn(db, ctx, finds->rows[i].key.peer, &finds->rows[i].key.proc);
	return err;
}

int sonde_finds_judge(struct sonde_db *db, struct sonde_snapshot *snapshot)
{
	struct sonde_finds *finds = sonde_db_finds(db);
	struct sonde_judge judge = {
		.rows = finds->rows,
		.nr_rows = finds->nr_rows,
		.callers = finds->callers,
		.nr_callers = finds->nr_callers,
		.text = sonde_db_text,
		.ctx = db,
		.min_repeat = finds->min_repeat,
		.ignore = finds->ignore,
	};
	int err;

	for (size_t i = 0; i < finds->nr_rows; i++) {
		struct sonde_finding_row *row = &finds->rows[i];
		struct sonde_db_peer_names peer = sonde_db_peer_names(db, row->key.peer);
		const struct site *site = NULL;

		if (row->stat.stack >= 0)
			site = sonde_table_get(&finds->sites, stack_key((u32)row->stat.stack, row->key.proc.tgid));
		row->process = sonde_db_comm(db, &row->key.proc);
		row->server = peer.server;
		row->database = peer.database;
		row->site = site ? site->frame : NULL;
		row->nr_site = site ? site->nr : 0;
		row->stack = site ? site->stack : NULL;
		row->nr_stack = site ? site->nr_stack : 0;
	}
	for (size_t i = 0; i < finds->nr_callers; i++)
		finds->callers[i].process = sonde_db_comm(db, &finds->callers[i].key.proc);
	err = sonde_judge(snapshot, &judge);
	snapshot->judged = finds->on;
	snapshot->frames = finds->frames;
	return err;
}
