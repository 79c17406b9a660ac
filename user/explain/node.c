// SPDX-License-Identifier: GPL-2.0-only
/*
 * node.c - nodes of a plan, and the tree of them that people read.
 */
#include "explain/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"

struct sonde_node *sonde_node_new(struct sonde_node *parent)
{
	struct sonde_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->nr_processes = 1;
	node->rows = node->actual_rows = node->loops = node->read_rows = node->filtered_percent = SONDE_NODE_UNKNOWN;
	node->cost = node->sort_disk_kb = node->spill_disk_kb = SONDE_NODE_UNKNOWN;
	if (parent) {
		struct sonde_node **children = realloc(parent->children, (parent->nr_children + 1) * sizeof(*children));

		if (!children) {
			free(node);
			return NULL;
		}
		parent->children = children;
		parent->children[parent->nr_children++] = node;
	}
	return node;
}

void sonde_node_free(struct sonde_node *node)
{
	size_t i;

	if (!node)
		return;
	for (i = 0; i < node->nr_children; i++)
		sonde_node_free(node->children[i]);
	for (i = 0; i < node->nr_sort_keys; i++)
		free(node->sort_keys[i]);
	free(node->type);
	free(node->relation);
	free(node->alias);
	free(node->index);
	free(node->filter);
	free(node->index_cond);
	free(node->join_cond);
	free(node->ref);
	free(node->children);
	free(node);
}

/* Text of the server after @what. */
static void add(struct sonde_buf *out, const char *what, const char *text)
{
	if (!text)
		return;
	sonde_buf_str(out, what);
	sonde_utf8_clean(out, text, strlen(text));
}

static void add_count(struct sonde_buf *out, const char *separator, double count, const char *what)
{
	char text[SONDE_STR_SHORT + 8];

	if (count >= 0 && count < 1e18)
		sonde_buf_printf(out, "%s%s %s", separator, sonde_str_group(text, (u64)(count + 0.5)), what);
}

static void print_numbers(struct sonde_buf *out, const struct sonde_node *node)
{
	struct sonde_buf numbers = { NULL };

	add_count(&numbers, ", ", node->rows, node->rows == 1 ? "row expected" : "rows expected");
	if (node->loops == 0)
		sonde_buf_str(&numbers, ", never run");
	else
		add_count(&numbers, ", ", node->actual_rows, "found");
	if (node->loops > 1) /* rows are those of one run */
		add_count(&numbers, " in each of ", node->loops, "runs");
	if (node->cost >= 0)
		sonde_buf_printf(&numbers, ", cost %.0f", node->cost);
	if (numbers.len > 2)
		sonde_buf_printf(out, " (%s)", numbers.s + 2);
	out->failed = out->failed || numbers.failed;
	sonde_buf_free(&numbers);
}

static void print_at(struct sonde_buf *out, const struct sonde_node *node, size_t depth)
{
	size_t i;

	sonde_buf_fill(out, ' ', depth * 2);
	add(out, "", node->type ? node->type : "?");
	add(out, " on ", node->relation ? node->relation : node->alias);
	if (node->relation && node->alias && strcmp(node->relation, node->alias))
		add(out, " ", node->alias);
	add(out, " using ", node->index);
	for (i = 0; i < node->nr_sort_keys; i++)
		add(out, i ? ", " : " by ", node->sort_keys[i]);
	add(out, ", index condition ", node->index_cond);
	add(out, ", join condition ", node->join_cond);
	add(out, ", filter ", node->filter);
	if (node->sort_disk_kb > 0)
		sonde_buf_printf(out, ", on disk %.0f kB", node->sort_disk_kb);
	print_numbers(out, node);
	sonde_buf_str(out, "\n");
	for (i = 0; i < node->nr_children; i++)
		print_at(out, node->children[i], depth + 1);
}

void sonde_node_print(struct sonde_buf *out, const struct sonde_node *node)
{
	print_at(out, node, 0);
}
