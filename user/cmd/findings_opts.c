// SPDX-License-Identifier: GPL-2.0-only
/*
 * findings_opts.c - what the subcommands share that look for findings.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"
#include "cmd/findings_opts.h"
#include "collect/db.h"
#include "load/load.h"
#include "model/finding.h"
#include "model/ignore.h"
#include "model/snapshot.h"

#define MAX_IGNORE_BYTES (4u << 20)
#define MAX_TOLD 10u /* findings that a failed gate names */
#define TOLD_COLUMNS 100u

static int read_file(const char *path, struct sonde_buf *out)
{
	char chunk[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || out->len > MAX_IGNORE_BYTES) {
			err = n < 0 ? -errno : -EFBIG;
			break;
		}
		sonde_buf_add(out, chunk, (size_t)n);
	}
	close(fd);
	return out->failed ? -ENOMEM : err;
}

static int read_ignore(struct sonde_findings_config *config)
{
	struct sonde_buf text = {};
	unsigned int line;
	const char *why = "";
	int err = read_file(config->ignore_file, &text);

	if (err) {
		sonde_error("cannot read %s: %s", config->ignore_file, strerror(-err));
		sonde_buf_free(&text);
		return SONDE_EXIT_FAILURE;
	}
	config->ignore = sonde_ignore_new(text.s ? text.s : "", text.len, &line, &why);
	sonde_buf_free(&text);
	if (config->ignore)
		return -1;
	if (!line) {
		sonde_error("out of memory");
		return SONDE_EXIT_FAILURE;
	}
	sonde_error("%s, line %u: %s", config->ignore_file, line, why);
	return SONDE_EXIT_USAGE;
}

static int parse_kinds(struct sonde_findings_config *config, const char *command)
{
	const char *list = config->fail_on, *names[SONDE_FINDING_KINDS], *near;
	unsigned int kinds = config->kinds ?: SONDE_FINDING_STATEMENTS, nr = 0, of[SONDE_FINDING_KINDS];
	struct sonde_buf all = {};

	for (unsigned int kind = 0; kind < SONDE_FINDING_KINDS; kind++) {
		if (!(kinds >> kind & 1))
			continue;
		of[nr] = kind;
		names[nr] = sonde_finding_kind_name(kind);
		sonde_buf_printf(&all, "%s%s", nr ? ", " : "", names[nr]);
		nr++;
	}
	while (true) {
		size_t len = strcspn(list, ",");
		unsigned int kind = 0;
		char word[32] = "";

		while (kind < nr && (strlen(names[kind]) != len || strncmp(names[kind], list, len)))
			kind++;
		if (kind == nr) {
			if (len < sizeof(word))
				memcpy(word, list, len);
			near = sonde_opt_nearest(word, names, nr);
			sonde_error("--fail-on: '%.*s' is none of %s%s%s%s\nTry 'sonde %s --help'.", (int)len, list,
				    all.s ? all.s : "", near ? ", did you mean '" : "", near ? near : "",
				    near ? "'?" : "", command);
			sonde_buf_free(&all);
			return SONDE_EXIT_USAGE;
		}
		config->fail_kinds |= 1u << of[kind];
		if (!list[len])
			break;
		list += len + 1;
	}
	sonde_buf_free(&all);
	return -1;
}

int sonde_findings_begin(struct sonde_findings_config *config, const char *command)
{
	int code = -1;

	if (config->off && config->fail_on) {
		sonde_error("--no-findings and --fail-on exclude each other\nTry 'sonde %s --help'.", command);
		return SONDE_EXIT_USAGE;
	}
	if (config->fail_on)
		code = parse_kinds(config, command);
	if (code < 0 && config->ignore_file)
		code = read_ignore(config);
	return code;
}

void sonde_findings_end(struct sonde_findings_config *config)
{
	sonde_ignore_free(config->ignore);
	config->ignore = NULL;
}

void sonde_findings_load(const struct sonde_findings_config *config, struct sonde_load_opts *opts)
{
	opts->findings = !config->off;
	if (config->off)
		return;
	opts->min_repeat = config->min_repeat;
	opts->slow_ns = config->slow_ns;
	opts->large_rows = config->large_rows;
	opts->large_bytes = config->large_rows ? SONDE_FINDINGS_LARGE_BYTES : 0;
}

void sonde_findings_configure(void *rows, const void *ctx)
{
	const struct sonde_findings_config *config = ctx;

	if (!config->off)
		sonde_db_judge(rows, config->min_repeat, config->ignore);
}

static void tell(const struct sonde_finding *finding)
{
	struct sonde_buf text = {};

	sonde_utf8_fit(&text, finding->scope_name, strlen(finding->scope_name), TOLD_COLUMNS / 3);
	sonde_buf_str(&text, ": ");
	if (finding->query[0])
		sonde_utf8_fit(&text, finding->query, strlen(finding->query), TOLD_COLUMNS);
	else
		sonde_buf_str(&text, "(its text was not seen)");
	sonde_error("  %016llx %s, %s", (unsigned long long)finding->id, sonde_finding_kind_name(finding->kind),
		    text.s ? text.s : "");
	sonde_buf_free(&text);
}

int sonde_findings_gate(const void *ctx, const struct sonde_snapshot *final)
{
	const struct sonde_findings_config *config = ctx;
	size_t failed = 0, told = 0;

	for (size_t i = 0; i < final->nr_findings; i++)
		failed += config->fail_kinds >> final->findings[i]->kind & 1;
	if (!failed)
		return SONDE_EXIT_OK;
	sonde_error("gate failed: %zu finding%s of --fail-on %s:", failed, failed == 1 ? "" : "s", config->fail_on);
	for (size_t i = 0; i < final->nr_findings && told < MAX_TOLD; i++) {
		if (!(config->fail_kinds >> final->findings[i]->kind & 1))
			continue;
		tell(final->findings[i]);
		told++;
	}
	if (failed > told)
		sonde_error("  and %zu more", failed - told);
	return SONDE_EXIT_GATE;
}
