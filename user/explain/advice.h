/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * advice.h - what would make a plan faster, in plain words. Pure: nothing here asks a server.
 */
#ifndef SONDE_EXPLAIN_ADVICE_H
#define SONDE_EXPLAIN_ADVICE_H

#include <stdbool.h>

struct sonde_buf;
struct sonde_facts;
struct sonde_node;
struct sonde_plan;

/**
 * sonde_advice_give - add what stands out in a plan to plan->advice
 * @facts: what is known about its tables; may be empty, then only measured plans tell how selective a filter is
 *
 * No advice is given twice. Returns 0 or -ENOMEM.
 */
int sonde_advice_give(struct sonde_plan *plan, const struct sonde_node *root, const struct sonde_facts *facts,
		      bool mysql);

/**
 * sonde_advice_add - add a text and a statement (NULL: none) unless they are there
 *
 * Both buffers are consumed. Returns 0 or -ENOMEM.
 */
int sonde_advice_add(struct sonde_plan *plan, struct sonde_buf *text, struct sonde_buf *statement);

#endif /* SONDE_EXPLAIN_ADVICE_H */
