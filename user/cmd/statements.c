// SPDX-License-Identifier: GPL-2.0-only
/*
 * statements.c - the run of the subcommands that report statements with findings.
 */
#include "cmd/statements.h"
#include "load/load.h"
#include "sonde/key.h"

int sonde_statements_run(const struct sonde_opt_set *set, const char *command,
			 struct sonde_snapshot *(*snapshot)(void *rows), int argc, char **argv)
{
	struct sonde_statements_config config = { .trace = SONDE_TRACE_DEFAULTS,
						  .findings = SONDE_FINDINGS_DEFAULTS,
						  .rows.role = SONDE_ROLE_CLIENT };
	const struct sonde_trace_source source = {
		.command = command,
		.create = sonde_rows_create,
		.destroy = sonde_rows_destroy,
		.event = sonde_rows_event,
		.read = sonde_rows_read,
		.snapshot = snapshot,
		.configure = sonde_findings_configure,
		.tick = sonde_rows_tick,
		.gate = sonde_findings_gate,
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
		code = sonde_trace_run(&config.trace, &source, &load, argv, program);
	}
	sonde_findings_end(&config.findings);
	sonde_opt_free(set, &config);
	return code;
}
