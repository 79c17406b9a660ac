// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow_calls.c - slow system calls that wait to be printed.
 */
#include <errno.h>
#include <stdlib.h>

#include "cmd/report.h"
#include "cmd/slow_calls.h"
#include "collect/syscall.h"
#include "out/syscall.h"

#define MAX_PENDING 4096 /* between two looks */

int sonde_slow_calls_init(struct sonde_slow_calls *calls)
{
	calls->call = calloc(MAX_PENDING, sizeof(*calls->call));
	return calls->call ? 0 : -ENOMEM;
}

void sonde_slow_calls_free(struct sonde_slow_calls *calls)
{
	free(calls->call);
	calls->call = NULL;
}

void sonde_slow_calls_event(struct sonde_slow_calls *calls, const void *event, size_t size)
{
	struct sonde_event_syscall call;

	if (!calls->call || !sonde_syscall_event(event, size, &call))
		return;
	if (calls->nr == MAX_PENDING) {
		calls->dropped++;
		return;
	}
	calls->call[calls->nr++] = call;
	calls->told++;
}

int sonde_slow_calls_print(struct sonde_slow_calls *calls, struct sonde_report *report, u64 mono_to_unix_ns,
			   const char *(*name)(const void *ctx, const struct sonde_event_syscall *call),
			   const void *ctx)
{
	int err = 0;

	for (size_t i = 0; i < calls->nr && !err; i++) {
		const struct sonde_event_syscall *call = &calls->call[i];
		const char *process = name ? name(ctx, call) : "";
		struct sonde_syscall_line line = {
			.process = process[0] ? process : call->comm,
			.mono_to_unix_ns = mono_to_unix_ns,
		};

		err = sonde_report_line(report, sonde_syscall_line, call, &line);
	}
	calls->nr = 0;
	return err;
}
