/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tables.h - the tables that user stacks are unwound with in the kernel, for sources that take stacks. Only for user/load.
 */
#ifndef SONDE_LOAD_TABLES_H
#define SONDE_LOAD_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "load/load.h"

struct sonde_event;
struct sonde_load_ctx;
struct sonde_tables;

/** sonde_tables_prepare - before loading: create the maps, with room for @nr_rows rows (0: as many as they hold at most), and keep them up to date */
void sonde_tables_prepare(struct sonde_bpf *skel, u32 nr_rows);

/** sonde_tables_new - after loading; they are empty. NULL: no memory, or the maps cannot be mapped */
struct sonde_tables *sonde_tables_new(struct sonde_bpf *skel);

/** sonde_tables_fill - after attaching: with the processes that @opts names; @all: with all if it names none */
void sonde_tables_fill(struct sonde_tables *tables, const struct sonde_load_opts *opts, bool all);

/** sonde_tables_event - take an event of the ring; true: it was for nobody else */
bool sonde_tables_event(struct sonde_tables *tables, const struct sonde_event *event, size_t size);

/** sonde_tables_hurry - a program has been executed just now: look what it has mapped since */
void sonde_tables_hurry(struct sonde_tables *tables);

/**
 * sonde_tables_work - to be called between polls: for a while after an exec (@exec_seen) what the program maps is looked at again and
 * again, as its libraries come one after the other. Returns whether it is such a while
 */
bool sonde_tables_work(struct sonde_tables *tables, bool exec_seen);

/** sonde_tables_wait_ms - how long the next poll may wait, at most @timeout_ms: stacks are taken out of their map in rounds */
int sonde_tables_wait_ms(const struct sonde_tables *tables, int timeout_ms);

/** sonde_tables_round - begin the next round of stacks: sonde_load_source.round of the sources that take them */
u32 sonde_tables_round(struct sonde_load_ctx *ctx);

/** sonde_tables_free - (NULL is fine) */
void sonde_tables_free(struct sonde_tables *tables);

#endif /* SONDE_LOAD_TABLES_H */
