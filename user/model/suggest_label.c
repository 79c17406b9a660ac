// SPDX-License-Identifier: GPL-2.0-only
/*
 * suggest_label.c - commands of databases without SQL in a loop: what takes many at once.
 */
#include <string.h>

#include "model/access.h"
#include "model/suggest_parts.h"
#include "sonde/key.h"

/* The first field that a filter compares with a value: "order_id" of "find items {deleted: {$ne: ?}, order_id: ?}". */
static struct sonde_span filter_field(const char *label)
{
	const char *name = strchr(label, '{'), *end;
	int depth;

	while (name && name[strspn(name + 1, " ") + 1]) {
		name += 1 + strspn(name + 1, " ");
		end = name + strcspn(name, ":{}[],");
		if (*end != ':')
			break;
		if (!strncmp(end, ": ?", 3))
			return (struct sonde_span){ name, (size_t)(end - name) };
		for (depth = 0; *end && (depth || *end != ','); end++)
			depth += (*end == '{' || *end == '[') - (*end == '}' || *end == ']');
		name = *end ? end : NULL;
	}
	return (struct sonde_span){};
}

static struct sonde_span word(const char *label, unsigned int number)
{
	while (number--) {
		label += strcspn(label, " ");
		label += strspn(label, " ");
	}
	return (struct sonde_span){ label, strcspn(label, " ") };
}

static void mongodb(const struct sonde_finding *finding, const char *query, const char *many, struct sonde_buf *out)
{
	struct sonde_span command = word(query, 0), collection = word(query, 1), field = filter_field(query);

	if (strcmp(many, "$in")) {
		sonde_buf_printf(out, "one call for many documents: %s", *many ? many : "bulkWrite");
		if (finding->kind == SONDE_FINDING_WRITE_LOOP && field.len)
			sonde_buf_printf(out, ", or one %.*s {%.*s: {$in: [...]}} if all get the same",
					 (int)command.len, command.s, (int)field.len, field.s);
		return;
	}
	if (field.len)
		sonde_buf_printf(out, "one call: %.*s %.*s {%.*s: {$in: [...]}}", (int)command.len, command.s,
				 (int)collection.len, collection.s, (int)field.len, field.s);
	else
		sonde_buf_printf(out, "one call with {$in: [...]} for all values");
	sonde_buf_printf(out, ", or $lookup of %.*s in an aggregate", (int)collection.len, collection.s);
}

void sonde_suggest_label(const struct sonde_finding *finding, struct sonde_buf *out)
{
	const char *query = finding->query ? finding->query : "", *many = sonde_access_many(finding->proto, query);
	struct sonde_span key = word(query, 1);

	if (finding->proto == SONDE_PROTO_MONGODB) {
		mongodb(finding, query, many, out);
		return;
	}
	if (*many && !strchr(many, ' ') && key.len)
		sonde_buf_printf(out, "one %s %.*s ... for all keys, or ", many, (int)key.len, key.s);
	else if (*many)
		sonde_buf_printf(out, "%s, or ", many);
	if (finding->proto == SONDE_PROTO_MEMCACHED)
		sonde_buf_str(out, "the commands in one go without waiting for each");
	else
		sonde_buf_str(out, "a pipeline: send the commands in one go, then read the replies");
}
