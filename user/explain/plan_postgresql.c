// SPDX-License-Identifier: GPL-2.0-only
/*
 * plan_postgresql.c - reads EXPLAIN (FORMAT JSON) of PostgreSQL.
 */
#include "explain/plan_json.h"

/* What a node hands to those below it. */
struct above {
	double nr_processes;
	bool may_stop_early;
};

static enum sonde_node_kind kind_of(const char *type)
{
	static const struct {
		const char *type;
		enum sonde_node_kind kind;
	} kinds[] = {
		{ "Seq Scan", SONDE_NODE_FULL_SCAN },
		{ "Index Scan", SONDE_NODE_INDEX_SCAN },
		{ "Index Only Scan", SONDE_NODE_INDEX_SCAN },
		{ "Bitmap Heap Scan", SONDE_NODE_INDEX_SCAN },
		{ "Nested Loop", SONDE_NODE_NESTED_LOOP },
		{ "Hash Join", SONDE_NODE_JOIN },
		{ "Merge Join", SONDE_NODE_JOIN },
		{ "Sort", SONDE_NODE_SORT },
		{ "Incremental Sort", SONDE_NODE_SORT },
		{ "Limit", SONDE_NODE_LIMIT },
		{ "Materialize", SONDE_NODE_PASS },
		{ "Memoize", SONDE_NODE_PASS },
		{ "Hash", SONDE_NODE_PASS },
		{ "Gather", SONDE_NODE_PASS },
		{ "Gather Merge", SONDE_NODE_PASS },
		{ "Append", SONDE_NODE_PASS },
		{ "Merge Append", SONDE_NODE_PASS },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(type, kinds[i].type) == 0)
			return kinds[i].kind;
	return SONDE_NODE_OTHER;
}

static int read_strings(struct sonde_node *node, const json_t *json)
{
	const json_t *keys = json_object_get(json, "Sort Key");
	size_t i;
	int err = sonde_plan_string(&node->type, json, "Node Type");

	err = err ? err : sonde_plan_string(&node->relation, json, "Relation Name");
	err = err ? err : sonde_plan_string(&node->alias, json, "Alias");
	err = err ? err : sonde_plan_string(&node->index, json, "Index Name");
	err = err ? err : sonde_plan_string(&node->filter, json, "Filter");
	err = err ? err : sonde_plan_string(&node->index_cond, json, "Recheck Cond");
	err = err ? err : sonde_plan_string(&node->index_cond, json, "Index Cond");
	err = err ? err : sonde_plan_string(&node->join_cond, json, "Join Filter");
	err = err ? err : sonde_plan_string(&node->join_cond, json, "Merge Cond");
	err = err ? err : sonde_plan_string(&node->join_cond, json, "Hash Cond");
	for (i = 0; !err && i < json_array_size(keys) && i < SONDE_NODE_MAX_SORT_KEYS; i++) {
		const char *key = json_string_value(json_array_get(keys, i));

		if (!key)
			break;
		node->sort_keys[i] = strdup(key);
		if (!node->sort_keys[i])
			return -ENOMEM;
		node->nr_sort_keys++;
	}
	return err;
}

static void read_numbers(struct sonde_node *node, const json_t *json)
{
	const char *space = json_string_value(json_object_get(json, "Sort Space Type"));
	double removed = sonde_plan_number(json, "Rows Removed by Filter");

	node->rows = sonde_plan_number(json, "Plan Rows");
	node->actual_rows = sonde_plan_number(json, "Actual Rows");
	node->loops = sonde_plan_number(json, "Actual Loops");
	node->cost = sonde_plan_number(json, "Total Cost");
	if (node->actual_rows >= 0 && node->kind == SONDE_NODE_FULL_SCAN)
		node->read_rows = node->actual_rows + (removed > 0 ? removed : 0);
	if (space)
		node->sort_disk_kb = strcmp(space, "Disk") ? 0 : sonde_plan_number(json, "Sort Space Used");
	node->spill_disk_kb = sonde_plan_number(json, "Disk Usage");
	if (sonde_plan_number(json, "Hash Batches") > 1 && node->spill_disk_kb < 0)
		node->spill_disk_kb = sonde_plan_number(json, "Peak Memory Usage");
}

/* Rows of a node below a Gather are those of one process; as the planner does, a leader helps few workers. */
static double processes_of(const json_t *json, double now)
{
	double workers = sonde_plan_number(json, "Workers Planned"), leader;

	if (workers <= 0)
		return now;
	leader = 1.0 - 0.3 * workers;
	return workers + (leader > 0 ? leader : 0);
}

static int read_node(const json_t *json, struct sonde_node *node, struct above above, unsigned int depth)
{
	const char *type = json_string_value(json_object_get(json, "Node Type"));
	const char *join = json_string_value(json_object_get(json, "Join Type"));
	const json_t *plans = json_object_get(json, "Plans");
	bool half_join = (join && (strcmp(join, "Semi") == 0 || strcmp(join, "Anti") == 0)) ||
			 json_is_true(json_object_get(json, "Inner Unique"));
	size_t i;
	int err;

	if (!type || depth > SONDE_PLAN_MAX_DEPTH)
		return -EPROTO;
	node->kind = kind_of(type);
	node->nr_processes = json_is_true(json_object_get(json, "Parallel Aware")) ? above.nr_processes : 1;
	node->may_stop_early = above.may_stop_early;
	err = read_strings(node, json);
	if (err)
		return err;
	read_numbers(node, json);
	above.nr_processes = processes_of(json, above.nr_processes);
	/* A sort and a hash take all rows, whatever is asked of them. */
	if (node->kind == SONDE_NODE_SORT || strcmp(type, "Hash") == 0 || strcmp(type, "Aggregate") == 0)
		above.may_stop_early = false;
	else if (node->kind == SONDE_NODE_LIMIT || strcmp(type, "Merge Join") == 0)
		above.may_stop_early = true;
	for (i = 0; i < json_array_size(plans); i++) {
		struct sonde_node *child = sonde_node_new(node);
		struct above below = above;

		if (!child)
			return -ENOMEM;
		if (i && node->kind == SONDE_NODE_NESTED_LOOP && half_join)
			below.may_stop_early = true;
		err = read_node(json_array_get(plans, i), child, below, depth + 1);
		if (err)
			return err;
	}
	return 0;
}

int sonde_plan_read_postgresql(struct sonde_node **out, const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	const json_t *plan = json_object_get(json_array_get(json, 0), "Plan");
	struct sonde_node *node = sonde_node_new(NULL);
	int err = node ? read_node(plan, node, (struct above){ .nr_processes = 1 }, 0) : -ENOMEM;

	json_decref(json);
	if (err) {
		sonde_node_free(node);
		node = NULL;
	}
	*out = node;
	return err;
}
