/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * findings.h - collects rows of findings and callers, and call sites: the part of struct sonde_db that knows of them; only for
 *              user/collect. What others call stands in db.h.
 */
#ifndef SONDE_COLLECT_FINDINGS_H
#define SONDE_COLLECT_FINDINGS_H

#include "collect/db.h"
#include "sonde/event.h"

struct sonde_finds;
struct sonde_strings;

/** struct sonde_db_peer_names - what is known of a peer: "" when it is not */
struct sonde_db_peer_names {
	const char *server;
	const char *database;
};

/* What db.c knows. */
struct sonde_finds *sonde_db_finds(struct sonde_db *db);
struct sonde_strings *sonde_db_strings(struct sonde_db *db);
/** sonde_db_text - text of a statement or label (NULL: not known); *@partial: it is only a part, or only its name */
const char *sonde_db_text(const void *db, u64 id, bool *partial);
struct sonde_db_peer_names sonde_db_peer_names(const struct sonde_db *db, u64 peer);
const char *sonde_db_comm(const struct sonde_db *db, const struct sonde_proc *proc);

/* What findings.c does for db.c. */
struct sonde_finds *sonde_finds_new(void);
void sonde_finds_free(struct sonde_finds *finds);
/** sonde_finds_begin - forget the rows of the last reading, not the call sites */
void sonde_finds_begin(struct sonde_finds *finds);
/** sonde_finds_event - note the stack of a finding that has just shown up, to be read while its process lives */
int sonde_finds_event(struct sonde_finds *finds, const struct sonde_event_finding *event);
/** sonde_finds_each_key - call @fn for the peer and the process of each row; stops at the first error */
int sonde_finds_each_key(struct sonde_db *db, void *ctx,
			 int (*fn)(struct sonde_db *db, void *ctx, u64 peer, const struct sonde_proc *proc));
/** sonde_finds_judge - fill @snapshot's findings and callers. Returns 0 or -ENOMEM */
int sonde_finds_judge(struct sonde_db *db, struct sonde_snapshot *snapshot);

#endif /* SONDE_COLLECT_FINDINGS_H */
