/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * judge_parts.h - what the parts of model/judge*.c share; only for them.
 */
#ifndef SONDE_MODEL_JUDGE_PARTS_H
#define SONDE_MODEL_JUDGE_PARTS_H

#include "model/finding.h"
#include "model/judge.h"
#include "model/snapshot.h"

/**
 * struct sonde_requests - requests that a process has finished
 * @scopes, @sum_ns: by enum sonde_scope_kind: their number, their time
 * @doubtful: too many could not be told apart: what was told of the others may be wrong, too
 */
struct sonde_requests {
	struct sonde_proc proc;
	const char *process;
	u64 scopes[SONDE_SCOPE_KINDS];
	u64 sum_ns[SONDE_SCOPE_KINDS];
	bool doubtful;
};

struct sonde_requests_list {
	struct sonde_requests *process;
	size_t nr;
};

/** sonde_requests_list - add up the requests of each process. Returns 0 or -ENOMEM; free(@list->process) */
int sonde_requests_list(const struct sonde_judge *judge, struct sonde_requests_list *list);

/** sonde_requests_doubtful - whether order tells nothing reliable about the requests of @proc */
bool sonde_requests_doubtful(const struct sonde_requests_list *list, const struct sonde_proc *proc);

/** sonde_requests_of - finished requests of kind @scope and name @name (a text's id) of all processes named @process */
u64 sonde_requests_of(const struct sonde_judge *judge, u32 scope, u64 name, const char *process);

/** sonde_judge_process - findings from statistics over the doubtful processes. Returns 0 or -ENOMEM */
int sonde_judge_process(struct sonde_snapshot *snapshot, const struct sonde_judge *judge,
			const struct sonde_requests_list *list);

/** sonde_judge_callers - the snapshot's callers. Returns 0 or -ENOMEM */
int sonde_judge_callers(struct sonde_snapshot *snapshot, const struct sonde_judge *judge,
			const struct sonde_requests_list *list);

/** sonde_judge_relate - parents, pairs and blocks among the findings of @snapshot, and their order. Returns 0 or -ENOMEM */
int sonde_judge_relate(struct sonde_snapshot *snapshot);

/** sonde_judge_id - the id of a finding, the same on every machine; @kind may be SONDE_FINDING_KINDS: that of its group */
u64 sonde_judge_id(enum sonde_finding_kind kind, u32 scope, const char *scope_name, u64 query_id, const char *process);

/** sonde_judge_ignored - whether the user does not want to hear of it */
bool sonde_judge_ignored(const struct sonde_judge *judge, u64 id, u64 query_id, const char *query);

#endif /* SONDE_MODEL_JUDGE_PARTS_H */
