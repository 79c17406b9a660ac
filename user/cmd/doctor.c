// SPDX-License-Identifier: GPL-2.0-only
/*
 * doctor.c - `sonde doctor`: what this kernel and these privileges offer, what is used, what is lost and what to do.
 */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cap.h"
#include "base/exit.h"
#include "base/opt.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/doctor_process.h"
#include "cmd/program.h"
#include "load/capture.h"
#include "load/load.h"
#include "load/probe.h"
#include "load/uprobe.h"

struct config {
	struct sonde_opt_pids pids;
	int format;
	bool quick;
};

static const struct sonde_opt_choice formats[] = { { "text", SONDE_DOCTOR_TEXT }, { "json", SONDE_DOCTOR_JSON }, {} };

static const struct sonde_opt opts[] = {
	{ .name = "pid",
	  .letter = 'p',
	  .type = SONDE_OPT_PIDS,
	  .metavar = "PID,..",
	  .help = "show what can be seen of these processes instead",
	  .offset = SONDE_OPT_AT(struct config, pids, struct sonde_opt_pids) },
	{ .name = "format",
	  .letter = 'o',
	  .type = SONDE_OPT_CHOICE,
	  .choices = formats,
	  .help = "how to print it (default: text; json needs --pid)",
	  .offset = SONDE_OPT_AT(struct config, format, int) },
	{ .name = "quick",
	  .letter = 'q',
	  .type = SONDE_OPT_FLAG,
	  .help = "do not load the real programs to see whether the kernel accepts them",
	  .offset = SONDE_OPT_AT(struct config, quick, bool) },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde doctor",
	.usage = "[OPTIONS]",
	.about =
		"Show what the kernel offers, what sonde uses of it, what is lost without the rest and what to do. "
		"Ends with 4 when nothing can be traced, with 3 when only the privilege is missing. With --pid: what "
		"can be "
		"seen of a process, its libraries, where they are probed and what that costs, and what cannot be read.",
	.opts = opts,
};

/* One back end for sockets: loaded and attached for this process only, which is never traced, then removed. */
static int try_capture(enum sonde_capture capture)
{
	struct sonde_load_error err = {};
	pid_t self = getpid();
	struct sonde_load_opts load_opts = { .capture = capture, .pids = &self, .nr_pids = 1 };
	const char *name = sonde_capture_name(capture);
	struct sonde_load *load;

	if (sonde_load_new(&load, &load_opts, &err)) {
		printf("  NO    programs for --capture %s\n          %s\n", name, err.text);
		return err.exit_code;
	}
	sonde_load_free(load);
	printf("  ok    programs for --capture %s load and attach\n", name);
	return SONDE_EXIT_OK;
}

static void print_feature(enum sonde_feature feature)
{
	const struct sonde_feature_info *info = sonde_feature_info(feature);

	if (feature != SONDE_FEATURE_PRIVILEGE && !info->open && !sonde_probe_have(SONDE_FEATURE_PRIVILEGE)) {
		printf("  ?     %s: cannot be told without the privilege\n", info->name);
		return;
	}
	if (sonde_probe_have(feature)) {
		printf("  ok    %s\n", info->name);
		return;
	}
	printf("  %s  %s\n", info->need == SONDE_NEED_ALWAYS ? "NO  " : "none", info->name);
	printf("          without it: %s\n          what to do: %s\n", info->without, info->advice);
}

/* What is missing, and what for; one line where nothing is. */
static void print_capabilities(const char *release)
{
	unsigned int major = 0, minor = 0;
	bool any = false, locked;

	(void)sscanf(release, "%u.%u", &major, &minor);
	locked = major < 5 || (major == 5 && minor < 11); /* maps are locked memory */

	printf("\nCapabilities\n");
	for (enum sonde_cap cap = 0; cap < SONDE_CAP_MAX; cap++) {
		const struct sonde_cap_info *info = sonde_cap_info(cap);

		if (sonde_cap_have(cap) || (cap == SONDE_CAP_SYS_RESOURCE && !locked) ||
		    (cap == SONDE_CAP_SYS_ADMIN && (sonde_uprobe_caps()->multi || sonde_uprobe_event_allowed())))
			continue;
		any = true;
		printf("  %s  %s: to %s\n          without it: %s\n", info->need == SONDE_CAP_ALWAYS ? "NO  " : "none",
		       info->name, info->what, info->without);
	}
	if (!any)
		printf("  ok    all that sonde can use\n");
	if (sonde_cap_in_namespace())
		printf("  NO    in a user namespace (rootless container): they do not count for the kernel\n");
}

/* Those that are read from sockets. */
static const char wire_protocols[] = ""
#define SONDE_PROTO(id, symbol, system, name, view, dialect)
#define SONDE_PROTO_WIRE(id, symbol, system, name, view, dialect, prefix) name ", "
#define SONDE_PROTO_ALIAS(id, symbol, system, name, view, dialect, prefix) name ", "
#include "sonde/proto.def"
	;

static const char *uprobes(void)
{
	if (!sonde_probe_have(SONDE_FEATURE_UPROBE))
		return "not read: no uprobes";
	if (sonde_probe_have(SONDE_FEATURE_UPROBE_SESSION))
		return "uprobe sessions";
	return sonde_probe_have(SONDE_FEATURE_UPROBE_MULTI) ? "uprobe multi links" : "uprobes, one by one";
}

/* Each way to see socket data: the programs of those that the kernel allows are loaded. The worst exit code. */
static int try_captures(void)
{
	int worst = SONDE_EXIT_OK, ret;

	printf("\nPrograms\n");
	for (int i = SONDE_CAPTURE_AUTO + 1; i <= SONDE_CAPTURE_SYSCALL; i++) {
		ret = sonde_capture_why_not(i) ? SONDE_EXIT_OK : try_capture(i);
		if (ret > worst)
			worst = ret;
	}
	return worst;
}

/* The way that --capture auto takes, and why none of those before it. */
static void print_capture(enum sonde_capture used)
{
	int more = 0;

	printf("  sockets: --capture %s: %s\n", sonde_capture_name(used), sonde_capture_hooks(used));
	for (int i = SONDE_CAPTURE_AUTO + 1; i < (int)used; i++)
		printf("           not %s: %s\n", sonde_capture_name(i), sonde_capture_why_not(i));
	for (int i = (int)used + 1; i <= SONDE_CAPTURE_SYSCALL; i++)
		if (!sonde_capture_why_not(i))
			printf("%s%s", more++ ? ", " : "           possible too: ", sonde_capture_name(i));
	printf("%s           for %.*s\n", more ? "\n" : "", (int)sizeof(wire_protocols) - 3, wire_protocols);
}

/* What the answers come to: the exit code, and a line that says it. */
static int verdict(bool quick)
{
	struct sonde_load_error err = {};
	enum sonde_capture capture;
	int worst = SONDE_EXIT_OK;

	if (sonde_probe_base(&err) || sonde_capture_choose(SONDE_CAPTURE_AUTO, &capture, &err)) {
		printf("\nNothing can be traced: %s\n", err.text);
		return err.exit_code;
	}
	if (!quick)
		worst = try_captures();
	printf("\nUsed\n");
	print_capture(capture);
	printf("  SQLite:  %s\n", uprobes());
	printf("  TLS:     %s\n", uprobes());
	return worst;
}

static int processes(const struct config *config)
{
	struct sonde_watch watch;
	int err = sonde_watch_open(&watch, config->pids.pid, config->pids.nr);

	sonde_watch_close(&watch);
	return err ? SONDE_EXIT_FAILURE : sonde_doctor_processes(config->pids.pid, config->pids.nr, config->format);
}

int sonde_cmd_doctor(int argc, char **argv)
{
	struct config config = {};
	struct utsname un;
	int program, ret;

	ret = sonde_opt_run(&set, argc, argv, &config, &program);
	if (ret >= 0)
		return ret;
	if (config.pids.nr || config.format != SONDE_DOCTOR_TEXT) {
		ret = SONDE_EXIT_USAGE;
		if (config.pids.nr)
			ret = processes(&config);
		else
			sonde_error("--format json needs --pid");
		sonde_opt_free(&set, &config);
		return ret;
	}
	uname(&un);
	printf("sonde " SONDE_VERSION " on %s %s %s\n\nKernel\n", un.sysname, un.release, un.machine);
	for (int i = 0; i < SONDE_FEATURE_MAX; i++)
		print_feature(i);
	print_capabilities(un.release);
	ret = verdict(config.quick);
	sonde_opt_free(&set, &config);
	return ret;
}
