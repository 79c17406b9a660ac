// SPDX-License-Identifier: GPL-2.0-only
/*
 * plan_mysql.c - reads EXPLAIN and ANALYZE FORMAT=JSON of MariaDB and MySQL.
 *
 * Their plans are objects whose keys say what is done: "filesort", "nested_loop", "table". MariaDB before 10.9 has
 * several "table" in one object where newer ones have an array; a JSON object keeps one value of each key, so the
 * later ones get names of their own before it is read.
 */
#include "explain/plan_json.h"

#include <stdio.h>

#include "base/buf.h"

static int read_members(const json_t *json, struct sonde_node *parent, unsigned int depth);

static const char *access_name(const char *access)
{
	static const char *const names[][2] = {
		{ "ALL", "Full scan" },
		{ "index", "Full index scan" },
		{ "range", "Index range scan" },
		{ "ref", "Index look-up" },
		{ "eq_ref", "Unique look-up" },
		{ "const", "Constant row" },
		{ "system", "Single row" },
		{ "ref_or_null", "Index look-up" },
		{ "fulltext", "Full-text look-up" },
		{ "index_merge", "Several indexes" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], access) == 0)
			return names[i][1];
	return access;
}

static int name_node(struct sonde_node *node, enum sonde_node_kind kind, const char *type)
{
	node->kind = kind;
	free(node->type);
	node->type = strdup(type);
	return node->type ? 0 : -ENOMEM;
}

static void read_table_numbers(struct sonde_node *node, const json_t *json)
{
	double filtered = sonde_plan_number(json, "r_filtered"), estimate = sonde_plan_number(json, "filtered");

	node->loops = sonde_plan_number(json, "r_loops");
	node->read_rows = sonde_plan_number(json, "r_rows");
	node->filtered_percent = estimate;
	node->rows = sonde_plan_number(json, "rows");
	if (node->rows < 0)
		node->rows = sonde_plan_number(json, "rows_examined_per_scan"); /* MySQL */
	if (node->read_rows >= 0)
		node->actual_rows = node->read_rows * (filtered >= 0 ? filtered / 100 : 1);
	node->cost = sonde_plan_number(json_object_get(json, "cost_info"), "prefix_cost");
}

static int read_table(const json_t *json, struct sonde_node *node, unsigned int depth)
{
	const char *access = json_string_value(json_object_get(json, "access_type"));
	const char *ref = json_string_value(json_array_get(json_object_get(json, "ref"), 0));
	int err = 0;

	if (!access) {
		const char *message = json_string_value(json_object_get(json, "message"));

		return name_node(node, SONDE_NODE_OTHER, message ? message : "No table");
	}
	err = name_node(node, strcmp(access, "ALL") ? SONDE_NODE_INDEX_SCAN : SONDE_NODE_FULL_SCAN,
			access_name(access));
	err = err ? err : sonde_plan_string(&node->alias, json, "table_name");
	err = err ? err : sonde_plan_string(&node->index, json, "key");
	err = err ? err : sonde_plan_string(&node->filter, json, "attached_condition");
	err = err ? err : sonde_plan_string(&node->index_cond, json, "index_condition");
	if (!err && ref && !(node->ref = strdup(ref)))
		err = -ENOMEM;
	if (!err && node->alias && node->alias[0] == '<')
		node->kind = SONDE_NODE_OTHER; /* the result of a subquery */
	read_table_numbers(node, json);
	return err ? err : read_members(json, node, depth + 1);
}

static int read_sort(const json_t *json, struct sonde_node *node, unsigned int depth)
{
	const char *keys = json_string_value(json_object_get(json, "sort_key"));
	int err = name_node(node, SONDE_NODE_SORT, "Filesort");

	node->loops = sonde_plan_number(json, "r_loops");
	node->actual_rows = sonde_plan_number(json, "r_output_rows");
	node->may_stop_early = sonde_plan_number(json, "r_limit") > 0;
	if (sonde_plan_number(json, "r_sort_passes") > 0)
		node->spill_disk_kb = 1;
	while (!err && keys && node->nr_sort_keys < SONDE_NODE_MAX_SORT_KEYS) {
		size_t depth_of_brackets = 0, len;

		for (len = 0; keys[len] && (depth_of_brackets || keys[len] != ','); len++)
			depth_of_brackets += (keys[len] == '(') - (keys[len] == ')' && depth_of_brackets);
		node->sort_keys[node->nr_sort_keys] = strndup(keys, len);
		if (!node->sort_keys[node->nr_sort_keys])
			return -ENOMEM;
		node->nr_sort_keys++;
		if (!keys[len])
			break;
		keys += len + 1;
		keys += strspn(keys, " ");
	}
	return err ? err : read_members(json, node, depth + 1);
}

static int read_list(const json_t *json, struct sonde_node *node, unsigned int depth)
{
	size_t i;
	int err = name_node(node, SONDE_NODE_NESTED_LOOP, "Nested loop");

	for (i = 0; !err && i < json_array_size(json); i++)
		err = read_members(json_array_get(json, i), node, depth + 1);
	return err;
}

/* MariaDB: the rows of the tables before are collected in a buffer, then the table is read once for all of them. */
static int read_buffered(const json_t *json, struct sonde_node *parent, unsigned int depth)
{
	size_t before = parent->nr_children;
	int err = read_members(json, parent, depth + 1);

	if (!err && parent->nr_children > before)
		err = sonde_plan_string(&parent->children[before]->join_cond, json, "attached_condition");
	return err;
}

/* A temporary table: MariaDB's object, or MySQL's mark on an operation. */
static int read_temporary(const json_t *json, struct sonde_node *node, unsigned int depth)
{
	int err = name_node(node, SONDE_NODE_TEMPORARY, "Temporary table");

	return err ? err : read_members(json, node, depth + 1);
}

/* A subquery, or a part of a union. */
static int read_block(const json_t *json, struct sonde_node *node, unsigned int depth)
{
	int err = name_node(node, SONDE_NODE_OTHER, "Select");

	return err ? err : read_members(json, node, depth + 1);
}

/* MySQL: grouping_operation, ordering_operation, ...: they say themselves whether they sort. */
static int read_operation(const json_t *json, struct sonde_node *parent, unsigned int depth)
{
	struct sonde_node *node = parent;
	int err;

	if (json_is_true(json_object_get(json, "using_temporary_table"))) {
		node = sonde_node_new(node);
		err = node ? name_node(node, SONDE_NODE_TEMPORARY, "Temporary table") : -ENOMEM;
		if (err)
			return err;
	}
	if (json_is_true(json_object_get(json, "using_filesort"))) {
		node = sonde_node_new(node);
		err = node ? name_node(node, SONDE_NODE_SORT, "Filesort") : -ENOMEM;
		if (err)
			return err;
	}
	return read_members(json, node, depth + 1);
}

typedef int reader(const json_t *json, struct sonde_node *node, unsigned int depth);

/* One member of an object: those that are nodes make a child of @parent, those that lead to some are followed. */
static int read_member(const char *key, const json_t *value, struct sonde_node *parent, unsigned int depth)
{
	size_t len = strlen(key), i;
	reader *read = NULL;
	struct sonde_node *child;

	if (json_is_array(value) && strcmp(key, "nested_loop")) {
		int err = 0;

		for (i = 0; !err && i < json_array_size(value); i++)
			if (json_is_object(json_array_get(value, i)))
				err = read_members(json_array_get(value, i), parent, depth + 1);
		return err;
	}
	if (strcmp(key, "table") == 0 || strncmp(key, "table ", 6) == 0)
		read = read_table;
	else if (strncmp(key, "filesort", 8) == 0)
		read = read_sort;
	else if (strncmp(key, "temporary_table", 15) == 0)
		read = read_temporary;
	else if (strcmp(key, "nested_loop") == 0)
		read = read_list;
	else if (strcmp(key, "query_block") == 0)
		read = read_block;
	else if (strncmp(key, "block-nl-join", 13) == 0)
		return read_buffered(value, parent, depth);
	else if (len > 10 && strcmp(key + len - 10, "_operation") == 0)
		return read_operation(value, parent, depth);
	if (!read)
		return json_is_object(value) ? read_members(value, parent, depth + 1) : 0;
	/* A loop over one table is none. */
	if (read == read_list && json_array_size(value) == 1)
		return read_members(json_array_get(value, 0), parent, depth + 1);
	child = sonde_node_new(parent);
	return child ? read(value, child, depth) : -ENOMEM;
}

static int read_members(const json_t *json, struct sonde_node *parent, unsigned int depth)
{
	void *at;

	if (depth > SONDE_PLAN_MAX_DEPTH)
		return -EPROTO;
	/* In order of the text: jansson keeps it. */
	for (at = json_object_iter((json_t *)json); at; at = json_object_iter_next((json_t *)json, at)) {
		int err = read_member(json_object_iter_key(at), json_object_iter_value(at), parent, depth);

		if (err)
			return err;
	}
	return 0;
}

/* Several tables in one object are a nested loop, too. */
static void count_tables(struct sonde_node *node)
{
	size_t i, nr = 0;

	for (i = 0; i < node->nr_children; i++) {
		nr += node->children[i]->alias != NULL;
		count_tables(node->children[i]);
	}
	if (nr > 1 && node->kind == SONDE_NODE_OTHER)
		node->kind = SONDE_NODE_NESTED_LOOP;
}

/* Numbers the keys that come again ("table" of old MariaDB): all of them get their position behind a blank. */
static void number_keys(struct sonde_buf *out, const char *text)
{
	static const char *const keys[] = { "\"table\": {", "\"block-nl-join\": {", "\"read_sorted_file\": {" };
	const char *s = text;
	size_t nr = 0;

	while (*s) {
		size_t i, len = 0;

		for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && !len; i++)
			if (strncmp(s, keys[i], strlen(keys[i])) == 0)
				len = strlen(keys[i]);
		if (!len) {
			/* Strings hold no such text: their quotes are escaped. */
			len = 1 + strcspn(s + 1, "\"");
			sonde_buf_add(out, s, len);
		} else {
			sonde_buf_add(out, s, len - 4);
			sonde_buf_printf(out, " %zu\": {", nr++);
		}
		s += len;
	}
}

/* One line of a plan with what its string holds escaped; other lines as they are. */
static void repair_line(struct sonde_buf *out, const char *line, size_t len)
{
	size_t begin = strspn(line, " "), end = len, i;
	const char *colon;

	if (end && line[end - 1] == ',')
		end--;
	colon = begin < len && line[begin] == '"' ? memmem(line, len, "\": \"", 4) : NULL;
	begin = colon ? (size_t)(colon + 4 - line) : len;
	if (begin >= end || line[end - 1] != '"') {
		sonde_buf_add(out, line, len);
		return;
	}
	sonde_buf_add(out, line, begin);
	for (i = begin; i < end - 1; i++) {
		if ((unsigned char)line[i] < ' ')
			sonde_buf_str(out, " ");
		else if (line[i] == '"' || line[i] == '\\')
			sonde_buf_printf(out, "\\%c", line[i]);
		else
			sonde_buf_add(out, line + i, 1);
	}
	sonde_buf_add(out, line + end - 1, len - end + 1);
}

/* MariaDB writes conditions into its plans without escaping them; each member has a line of its own. */
static json_t *load(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct sonde_buf repaired = { NULL };

	if (json)
		return json;
	while (*text) {
		size_t len = strcspn(text, "\n");

		repair_line(&repaired, text, len);
		sonde_buf_str(&repaired, "\n");
		text += len;
		text += *text == '\n';
	}
	if (!repaired.failed && repaired.s)
		json = json_loads(repaired.s, 0, NULL);
	sonde_buf_free(&repaired);
	return json;
}

int sonde_plan_read_mysql(struct sonde_node **out, const char *text)
{
	struct sonde_buf numbered = { NULL };
	struct sonde_node *node = sonde_node_new(NULL);
	json_t *json = NULL, *block;
	int err;

	*out = NULL;
	number_keys(&numbered, text);
	if (!numbered.failed && numbered.s)
		json = load(numbered.s);
	err = !node || numbered.failed ? -ENOMEM : 0;
	sonde_buf_free(&numbered);
	block = json_object_get(json, "query_block");
	if (!err && !json_is_object(block))
		err = -EPROTO;
	err = err ? err : name_node(node, SONDE_NODE_OTHER, "Select");
	err = err ? err : read_members(block, node, 0);
	if (!err) {
		node->cost = sonde_plan_number(json_object_get(block, "cost_info"), "query_cost");
		if (node->cost < 0)
			node->cost = sonde_plan_number(block, "cost");
		count_tables(node);
		*out = node;
	} else {
		sonde_node_free(node);
	}
	json_decref(json);
	return err;
}
