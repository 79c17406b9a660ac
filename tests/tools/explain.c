// SPDX-License-Identifier: GPL-2.0-only
/*
 * explain.c - drives user/explain for the end-to-end tests.
 *
 * usage: explain [-a] [-t MILLISECONDS] DSN
 *
 * Reads a line for each statement, ["select ...", ["value", null, ...]], and answers each with a line
 * {"code": .., "error": .., ...} on one connection, which ends with the input. When it cannot connect it
 * answers once and ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "explain/explain.h"
#include "out/jsonw.h"

#define MAX_PARAMS 16

static void print_line(struct sonde_buf *buf)
{
	puts(buf->s);
	fflush(stdout);
	sonde_buf_free(buf);
}

static void print_text(struct sonde_json *json, const char *key, const char *text)
{
	if (text)
		sonde_json_cstr(json, key, text);
}

static void print_plan(int code, const struct sonde_plan *plan)
{
	struct sonde_buf buf = { NULL };
	struct sonde_json json = { .buf = &buf };
	size_t i;

	sonde_json_open(&json, NULL, '{');
	sonde_json_s64(&json, "code", code);
	sonde_json_cstr(&json, "error", plan->error);
	print_text(&json, "raw", plan->raw);
	print_text(&json, "tree", plan->tree);
	sonde_json_bool(&json, "analyzed", plan->analyzed);
	sonde_json_bool(&json, "generic", plan->generic);
	sonde_json_open(&json, "advice", '[');
	for (i = 0; i < plan->nr_advice; i++) {
		sonde_json_open(&json, NULL, '{');
		sonde_json_cstr(&json, "text", plan->advice[i].text);
		print_text(&json, "statement", plan->advice[i].statement);
		sonde_json_close(&json, '}');
	}
	sonde_json_close(&json, ']');
	sonde_json_close(&json, '}');
	print_line(&buf);
}

static void run_line(struct sonde_explain *explain, const char *line)
{
	json_t *request = json_loads(line, 0, NULL), *values = json_array_get(request, 1);
	const char *params[MAX_PARAMS];
	size_t nr = json_array_size(values), i;
	struct sonde_plan plan;
	int code;

	for (i = 0; i < nr && i < MAX_PARAMS; i++)
		params[i] = json_string_value(json_array_get(values, i));
	code = sonde_explain_run(explain, json_string_value(json_array_get(request, 0)), params, i, &plan);
	print_plan(code, &plan);
	sonde_plan_free(&plan);
	json_decref(request);
}

int main(int argc, char **argv)
{
	struct sonde_explain_opts opts = { .analyze = false };
	struct sonde_plan failed = { NULL };
	struct sonde_explain *explain;
	char *line = NULL;
	size_t size = 0;
	int opt, code;

	while ((opt = getopt(argc, argv, "at:")) != -1) {
		if (opt == 'a')
			opts.analyze = true;
		else if (opt == 't')
			opts.statement_timeout_ms = (unsigned int)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	code = sonde_explain_open(&explain, argv[optind], &opts, failed.error, sizeof(failed.error));
	if (code) {
		print_plan(code, &failed);
		return 1;
	}
	while (getline(&line, &size, stdin) > 0)
		run_line(explain, line);
	free(line);
	sonde_explain_close(explain);
	return 0;
}
