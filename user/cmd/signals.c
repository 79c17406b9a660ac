// SPDX-License-Identifier: GPL-2.0-only
/*
 * signals.c - signals become flags that the run loop looks at.
 */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/exit.h"
#include "cmd/signals.h"
#include "out/live.h"

static volatile sig_atomic_t stop_signal, stop_by_process, resized, suspend;

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGWINCH };
#define NR_CAUGHT (sizeof(caught) / sizeof(caught[0]))
static struct sigaction before[NR_CAUGHT];

static void on_stop(int sig, siginfo_t *info, void *context)
{
	if (stop_signal) {
		/* The second one: whoever sends it does not want to wait. */
		sonde_live_stop();
		_exit(SONDE_EXIT_FAILURE);
	}
	stop_by_process = info->si_code <= 0;
	stop_signal = sig;
}

/* SIGCHLD and SIGWINCH need to do no more than to interrupt the wait. */
static void on_other(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	if (sig == SIGTSTP)
		suspend = 1;
}

void sonde_signals_catch(void)
{
	struct sigaction stop = { .sa_sigaction = on_stop, .sa_flags = SA_SIGINFO };
	struct sigaction other = { .sa_handler = on_other };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < NR_CAUGHT; i++) {
		switch (caught[i]) {
		case SIGHUP:
			sigaction(SIGHUP, NULL, &before[i]);
			if (before[i].sa_handler != SIG_IGN) /* nohup */
				sigaction(SIGHUP, &stop, &before[i]);
			break;
		case SIGPIPE:
			sigaction(SIGPIPE, &ignore, &before[i]);
			break;
		case SIGCHLD:
		case SIGWINCH:
			sigaction(caught[i], &other, &before[i]);
			break;
		default:
			/* Even where a shell had it ignored, for a job in the background: kill -INT asks for the report. */
			sigaction(caught[i], &stop, &before[i]);
		}
	}
}

void sonde_signals_restore(void)
{
	for (size_t i = 0; i < NR_CAUGHT; i++)
		sigaction(caught[i], &before[i], NULL);
}

int sonde_signals_stop(void)
{
	return stop_signal;
}

bool sonde_signals_by_process(void)
{
	return stop_by_process;
}

bool sonde_signals_resized(void)
{
	bool was = resized;

	resized = 0;
	return was;
}

bool sonde_signals_suspend(void)
{
	bool was = suspend;

	suspend = 0;
	return was;
}

void sonde_signals_hold_suspend(void)
{
	struct sigaction other = { .sa_handler = on_other };

	sigaction(SIGTSTP, &other, NULL);
}
