/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * waste.h - the time that repeated statements take, as stacks: endpoint, functions down to the driver, statement.
 */
#ifndef SONDE_MODEL_WASTE_H
#define SONDE_MODEL_WASTE_H

struct sonde_profile;
struct sonde_snapshot;

/**
 * sonde_waste_profile - a stack for each of @snapshot's findings that repeats: N+1, redundant queries, loops of writes
 *
 * It weighs what the repeats took (nanoseconds) and counts them: what would be saved if a scope executed it once. Outermost stands the
 * scope where it has a name of its own, innermost kind and text of the statement; between them all functions of the call site that
 * most repeats come from, "[call site not known]" where there is none. Statements that are slow or large by themselves repeat nothing.
 *
 * To be freed; NULL: no memory.
 */
struct sonde_profile *sonde_waste_profile(const struct sonde_snapshot *snapshot);

#endif /* SONDE_MODEL_WASTE_H */
