// SPDX-License-Identifier: GPL-2.0-only
/*
 * statements.c - the run of the subcommands that report statements with findings.
 */
#include "base/exit.h"
#include "base/log.h"
#include "cmd/statements.h"
#include "load/load.h"
#include "model/profile.h"
#include "model/waste.h"
#include "sonde/key.h"

/* The command line. */
static struct sonde_statements_config config = { .trace = SONDE_TRACE_DEFAULTS,
						 .findings = SONDE_FINDINGS_DEFAULTS,
						 .rows.role = SONDE_ROLE_CLIENT };

static void last(void *rows, struct sonde_snapshot *final)
{
	struct sonde_profile *waste;

	(void)rows;
	if (!sonde_profile_files_first(&config.files))
		return;
	waste = sonde_waste_profile(final);
	if (waste) {
		sonde_profile_files_write(&config.files, waste, final, "time of repeated statements", NULL);
	} else {
		sonde_error("out of memory: no stacks are written");
		config.files.failed = true;
	}
	sonde_profile_free(waste);
}

static int gate(const void *ctx, const struct sonde_snapshot *final)
{
	int code = sonde_findings_gate(ctx, final);

	return code == SONDE_EXIT_OK && config.files.failed ? SONDE_EXIT_FAILURE : code;
}

int sonde_statements_run(const struct sonde_opt_set *set, const char *command,
			 struct sonde_snapshot *(*snapshot)(void *rows), int argc, char **argv)
{
	struct sonde_trace_source source = {
		.command = command,
		.create = sonde_rows_create,
		.destroy = sonde_rows_destroy,
		.event = sonde_rows_event,
		.read = sonde_rows_read,
		.snapshot = snapshot,
		.configure = sonde_findings_configure,
		.tick = sonde_rows_tick,
		.last = last,
		.gate = gate,
		.ctx = &config.findings,
	};
	struct sonde_load_opts load = {};
	int program, code;

	code = sonde_opt_run(set, argc, argv, &config, &program);
	if (code < 0)
		code = sonde_findings_begin(&config.findings, command);
	if (code < 0) {
		sonde_rows_load(&config.rows, &load);
		sonde_findings_load(&config.findings, &load);
		source.file = sonde_profile_files_first(&config.files);
		code = sonde_trace_run(&config.trace, &source, &load, argv, program);
	}
	sonde_findings_end(&config.findings);
	sonde_opt_free(set, &config);
	return code;
}
