/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan_json.h - what the readers of both servers' plans take out of JSON.
 */
#ifndef SONDE_EXPLAIN_PLAN_JSON_H
#define SONDE_EXPLAIN_PLAN_JSON_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "explain/plan.h"

/* Nodes nested deeper than this are no plan that a person wrote the statement of. */
#define SONDE_PLAN_MAX_DEPTH 200

/* A number, also one that is written as a string; SONDE_NODE_UNKNOWN: none. */
static inline double sonde_plan_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_number(value))
		return json_number_value(value);
	if (json_is_string(value)) {
		const char *text = json_string_value(value);
		char *end;
		double number = strtod(text, &end);

		return end != text && number >= 0 ? number : SONDE_NODE_UNKNOWN;
	}
	return SONDE_NODE_UNKNOWN;
}

/* Copies a string into *@out; without one *@out stays. 0 or -ENOMEM. */
static inline int sonde_plan_string(char **out, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		return 0;
	free(*out);
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

#endif /* SONDE_EXPLAIN_PLAN_JSON_H */
