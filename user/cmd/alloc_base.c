// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_base.c - an earlier run of `sonde alloc`: its recording, or its JSON report.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/log.h"
#include "cmd/alloc_base.h"
#include "model/alloc_diff.h"
#include "model/snapshot.h"
#include "record/alloc.h"
#include "record/record.h"

static double number(const json_t *row, const char *key)
{
	double value = json_number_value(json_object_get(row, key));

	return value >= 0 && value < 1e30 ? value : 0;
}

static const char *word(const json_t *row, const char *key)
{
	const char *value = json_string_value(json_object_get(row, key));

	return value ? value : "";
}

static int add_row(struct sonde_alloc_diff *diff, const json_t *row)
{
	double alloc_error = number(row, "alloc_bytes_error"), live_error = number(row, "live_bytes_error"),
	       line = number(row, "line");
	struct sonde_alloc_change site = { .process = word(row, "process"),
					   .function = word(row, "function"),
					   .file = word(row, "file"),
					   .line = line < UINT32_MAX ? (u32)line : 0 };
	struct sonde_alloc_sum sum = { .alloc_bytes = number(row, "alloc_bytes"),
				       .alloc_square = alloc_error * alloc_error,
				       .live_bytes = number(row, "live_bytes"),
				       .live_square = live_error * live_error };

	return sonde_alloc_diff_add(diff, SONDE_RUN_BEFORE, &site, &sum);
}

static int add_grown(struct sonde_alloc_diff *diff, const json_t *row)
{
	double line = number(row, "line");
	struct sonde_alloc_change site = { .process = word(row, "process"),
					   .function = word(row, "function"),
					   .file = word(row, "file"),
					   .line = line < UINT32_MAX ? (u32)line : 0 };
	struct sonde_alloc_sum sum = sonde_alloc_diff_sum(number(row, "grown_bytes"), number(row, "samples"));

	return sonde_alloc_diff_add(diff, SONDE_RUN_BEFORE, &site, &sum);
}

static int read_recording(const char *file, struct sonde_alloc_diff **diff)
{
	struct sonde_recorded recorded;
	struct sonde_buf why = {};
	int err = sonde_record_alloc_read(file, &recorded, &why);

	if (err) {
		sonde_error("--baseline: cannot read %s: %s", file, why.s ? why.s : strerror(-err));
		sonde_buf_free(&why);
		return SONDE_EXIT_FAILURE;
	}
	sonde_buf_free(&why);
	*diff = sonde_alloc_diff_new();
	err = *diff ? 0 : -ENOMEM;
	if (!err && recorded.growth) {
		(*diff)->grown = true;
		err = sonde_alloc_diff_grown(*diff, SONDE_RUN_BEFORE, recorded.growth, recorded.profile,
					     recorded.snapshot->duration_ns);
	} else if (!err) {
		err = sonde_alloc_diff_take(*diff, SONDE_RUN_BEFORE, recorded.snapshot->alloc, recorded.profile,
					    recorded.snapshot->duration_ns);
	}
	sonde_recorded_free(&recorded);
	if (err)
		sonde_error("out of memory");
	return err ? SONDE_EXIT_FAILURE : -1;
}

int sonde_alloc_base_read(const char *file, struct sonde_alloc_diff **diff)
{
	const json_t *rows, *window;
	json_t *doc;
	json_error_t why;
	int code = SONDE_EXIT_FAILURE;
	bool grown;

	if (sonde_record_is(file))
		return read_recording(file, diff);
	doc = json_load_file(file, 0, &why);
	if (!doc) {
		sonde_error("--baseline: cannot read %s: %s", file, why.text);
		return SONDE_EXIT_FAILURE;
	}
	rows = json_object_get(doc, "growth");
	grown = rows != NULL;
	if (!grown)
		rows = json_object_get(doc, "allocations");
	window = json_object_get(doc, "window");
	if (strcmp(word(doc, "schema"), "sonde/1") != 0 || !json_is_array(rows) || number(window, "duration_ns") <= 0) {
		sonde_error("--baseline: %s is no report of `sonde alloc -o json`", file);
		goto out;
	}
	*diff = sonde_alloc_diff_new();
	if (!*diff) {
		sonde_error("out of memory");
		goto out;
	}
	(*diff)->grown = grown;
	(*diff)->seconds[SONDE_RUN_BEFORE] = number(window, "duration_ns") / 1e9;
	for (size_t i = 0; i < json_array_size(rows); i++)
		if ((grown ? add_grown : add_row)(*diff, json_array_get(rows, i))) {
			sonde_error("out of memory");
			goto out;
		}
	code = -1;
out:
	json_decref(doc);
	return code;
}
