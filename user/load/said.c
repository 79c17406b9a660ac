// SPDX-License-Identifier: GPL-2.0-only
/*
 * said.c - why the kernel refused something: what libbpf and the verifier said of it.
 */
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "load/said.h"

static char libbpf_said[256];
static char verifier_said[256];

static void keep_line(char *to, size_t size, const char *line)
{
	snprintf(to, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static void keep_verdict(char *log)
{
	static const char *const statistics[] = { "processed ", "verification time", "stack depth", "-- END",
						  "mark_precise" };
	char *line, *save = NULL;

	for (line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bool skip = false;

		for (size_t i = 0; i < sizeof(statistics) / sizeof(statistics[0]); i++)
			skip |= !strncmp(line, statistics[i], strlen(statistics[i]));
		if (!skip)
			keep_line(verifier_said, sizeof(verifier_said), line);
	}
}

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text, *log;

	if (level == LIBBPF_DEBUG && !sonde_log_is_verbose())
		return 0;
	if (vasprintf(&text, fmt, args) < 0)
		return 0;
	log = strstr(text, "-- BEGIN PROG LOAD LOG --\n");
	if (level == LIBBPF_WARN && !log && !libbpf_said[0])
		keep_line(libbpf_said, sizeof(libbpf_said), text);
	sonde_debug("%.*s", (int)strcspn(text, "\n"), text);
	if (log)
		keep_verdict(strchr(log, '\n') + 1);
	free(text);
	return 0;
}

void sonde_said_refused(const char *name, int err, char *log)
{
	if (!libbpf_said[0])
		snprintf(libbpf_said, sizeof(libbpf_said), "prog '%s': BPF program load failed: %s", name, strerror(err));
	if (log)
		keep_verdict(log);
}

void sonde_said_listen(void)
{
	libbpf_said[0] = verifier_said[0] = '\0';
	libbpf_set_print(libbpf_print);
}

const char *sonde_said_libbpf(void)
{
	return libbpf_said;
}

const char *sonde_said_verifier(void)
{
	return verifier_said;
}
