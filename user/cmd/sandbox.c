// SPDX-License-Identifier: GPL-2.0-only
/*
 * sandbox.c - fewer capabilities and fewer system calls for the rest of a run.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/cap.h"
#include "base/file.h"
#include "base/log.h"
#include "cmd/sandbox.h"
#include "load/load.h"
#include "load/uprobe.h"

/* What looking at processes takes: new ones come, and map libraries, until the end. */
#define CAP_LOOK                                                                                                       \
	(SONDE_CAP_BIT(SONDE_CAP_SYS_PTRACE) | SONDE_CAP_BIT(SONDE_CAP_DAC_READ_SEARCH) |                              \
	 SONDE_CAP_BIT(SONDE_CAP_CHECKPOINT_RESTORE))

#define MAX_BYTES (4ULL << 30) /* of memory: compressed sections of hostile files may unpack to anything */

/* ---- capabilities ---- */

/* A question to be answered with other capabilities: by a thread, as each has its own. */
struct trial {
	u32 keep;
	bool (*ask)(const void *ctx);
	const void *ctx;
	bool yes;
};

static void *try_it(void *arg)
{
	struct trial *trial = arg;

	trial->yes = !sonde_cap_keep(trial->keep) && trial->ask(trial->ctx);
	return NULL;
}

/* Whether @ask says yes with no more than the capabilities in @keep. */
static bool suffices(u32 keep, bool (*ask)(const void *ctx), const void *ctx)
{
	struct trial trial = { .keep = keep, .ask = ask, .ctx = ctx };
	pthread_t thread;

	if (pthread_create(&thread, NULL, try_it, &trial))
		return false;
	pthread_join(thread, NULL);
	return trial.yes;
}

/* Before Linux 5.19 kernel.unprivileged_bpf_disabled forbade reading one's own maps, too; probes may take more. */
static bool tracing_works(const void *ctx)
{
	return sonde_load_works(ctx);
}

static bool events_work(const void *ctx)
{
	(void)ctx;
	return sonde_uprobe_event_allowed();
}

static bool file_fits(const void *ctx)
{
	return sonde_file_may_replace(ctx);
}

/* What it takes to replace the file of --output, as its directory is now. */
static u32 caps_for_file(const struct sonde_sandbox *sandbox, u32 keep)
{
	static const u32 more[] = { 0, SONDE_CAP_BIT(SONDE_CAP_DAC_OVERRIDE), SONDE_CAP_BIT(SONDE_CAP_FOWNER),
				    SONDE_CAP_BIT(SONDE_CAP_DAC_OVERRIDE) | SONDE_CAP_BIT(SONDE_CAP_FOWNER) };

	for (size_t i = 0; sandbox->file && i < sizeof(more) / sizeof(more[0]); i++)
		if (suffices(keep | more[i], file_fits, sandbox->file))
			return more[i];
	return 0; /* not even with both */
}

static u32 caps_for_end(const struct sonde_sandbox *sandbox)
{
	/* Keys and passwords of whoever started us. */
	u32 keep = sandbox->explain ? SONDE_CAP_BIT(SONDE_CAP_DAC_READ_SEARCH) : 0;

	return keep | caps_for_file(sandbox, keep);
}

static void keep_caps(u32 keep, const char *when)
{
	int err = sonde_cap_keep(keep);

	if (err)
		sonde_warn("the capabilities that %s needs no more are still there: %s", when, strerror(-err));
	for (enum sonde_cap cap = 0; cap < SONDE_CAP_MAX; cap++)
		if (sonde_cap_have(cap))
			sonde_debug("kept %s", sonde_cap_info(cap)->name);
}

/* ---- system calls ---- */

enum when { ALWAYS, FILE_OUT, EXPLAIN, TERMINAL, PERF };
#define WHEN_ALWAYS ALWAYS
#define WHEN_FILE FILE_OUT
#define WHEN_EXPLAIN EXPLAIN
#define WHEN_PERF PERF

static const struct {
	const char *name;
	enum when when;
} calls[] = {
#define SONDE_SYSCALL(name, when) { #name, WHEN_##when },
#include "cmd/syscall.def"
#undef SONDE_SYSCALL
};

/* The commands of bpf(2) that a run makes: nothing is loaded or created any more. */
static const u32 bpf_commands[] = {
	BPF_MAP_LOOKUP_ELEM,
	BPF_MAP_UPDATE_ELEM,
	BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY,
	BPF_MAP_LOOKUP_AND_DELETE_ELEM,
	BPF_MAP_LOOKUP_BATCH,
	BPF_MAP_DELETE_BATCH,
	BPF_OBJ_GET_INFO_BY_FD,
	BPF_LINK_CREATE,
	BPF_LINK_DETACH,
	BPF_ITER_CREATE,
};

/* isatty() and the size of the terminal, its modes where keys are read; a perf event gets its program and is switched on and off. */
static const struct {
	unsigned long request;
	enum when when;
} ioctls[] = {
	{ TCGETS, ALWAYS },
	{ TIOCGWINSZ, ALWAYS },
	{ TCSETS, TERMINAL },
	{ TCSETSW, TERMINAL },
	{ TCFLSH, TERMINAL },
	{ PERF_EVENT_IOC_SET_BPF, PERF },
	{ PERF_EVENT_IOC_ENABLE, PERF },
	{ PERF_EVENT_IOC_DISABLE, ALWAYS }, /* clocks are stopped */
};

struct filter {
	scmp_filter_ctx ctx;
	bool wanted[PERF + 1];
	bool standby;
	int err; /* the first one */
};

static void allow(struct filter *f, const char *name, unsigned int nr, const struct scmp_arg_cmp *arg)
{
	int number = seccomp_syscall_resolve_name(name), err;

	if (number < 0) /* none of this architecture */
		return;
	err = seccomp_rule_add_array(f->ctx, SCMP_ACT_ALLOW, number, nr, arg);
	if (err && !f->err)
		f->err = err;
}

static void allow_if(struct filter *f, const char *name, struct scmp_arg_cmp arg)
{
	allow(f, name, 1, &arg);
}

static void allow_with_arguments(struct filter *f)
{
	u32 writing = O_ACCMODE | O_CREAT | O_TRUNC;

	for (size_t i = 0; i < sizeof(bpf_commands) / sizeof(bpf_commands[0]); i++)
		allow_if(f, "bpf", SCMP_A0_32(SCMP_CMP_EQ, bpf_commands[i]));
	if (f->wanted[PERF]) /* libbpf tries out whether perf events take links */
		allow_if(f, "bpf", SCMP_A0_32(SCMP_CMP_EQ, BPF_PROG_LOAD));
	if (f->standby) /* where BPF_LINK_CREATE does not know of tracepoints (before Linux 5.18) */
		allow_if(f, "bpf", SCMP_A0_32(SCMP_CMP_EQ, BPF_RAW_TRACEPOINT_OPEN));
	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		if (f->wanted[ioctls[i].when])
			allow_if(f, "ioctl", SCMP_A1_32(SCMP_CMP_EQ, ioctls[i].request));
	/* Probes are detached by several threads; no other process is started. */
	allow_if(f, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (f->wanted[FILE_OUT])
		allow(f, "openat", 0, NULL);
	else
		allow_if(f, "openat", SCMP_A2_32(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
	/* A library of the database's may load another one. */
	if (f->wanted[EXPLAIN]) {
		allow(f, "mmap", 0, NULL);
		allow(f, "mprotect", 0, NULL);
	} else {
		allow_if(f, "mmap", SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		allow_if(f, "mprotect", SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
}

/* Fills the filter and puts it into force; 0 or -errno. */
static int filter_calls(struct filter *f)
{
	int err, clone3 = seccomp_syscall_resolve_name("clone3");

	f->ctx = seccomp_init(SCMP_ACT_TRAP);
	if (!f->ctx)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (f->wanted[calls[i].when])
			allow(f, calls[i].name, 0, NULL);
	allow_with_arguments(f);
	/* Its flags are behind a pointer; without it the C library takes clone(). */
	err = clone3 < 0 ? 0 : seccomp_rule_add(f->ctx, SCMP_ACT_ERRNO(ENOSYS), clone3, 0);
	if (!err)
		err = f->err;
	if (!err)
		err = seccomp_load(f->ctx);
	seccomp_release(f->ctx);
	return err;
}

/* A call that is not allowed: not made, fails with EPERM. In a signal handler. */
static void on_refused(int sig, siginfo_t *info, void *context)
{
	static volatile sig_atomic_t told[512];
	unsigned int nr = (unsigned int)info->si_syscall, slot = nr % 512;
	ucontext_t *uc = context;
	char text[96];
	int saved = errno;

#ifdef __aarch64__
	uc->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
	uc->uc_mcontext.gregs[REG_RAX] = -EPERM;
#endif
	if (!told[slot]) {
		int len = snprintf(text, sizeof(text), "sonde: warning: system call %u is not allowed in the sandbox\n",
				   nr);

		told[slot] = 1;
		(void)sonde_file_write_all(STDERR_FILENO, text, (size_t)len);
	}
	errno = saved;
}

void sonde_sandbox_enter(const struct sonde_sandbox *sandbox, const struct sonde_load *load)
{
	struct sigaction refused = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct filter filter = {
		.wanted = {
			[ALWAYS] = true,
			[FILE_OUT] = sandbox->file,
			[EXPLAIN] = sandbox->explain,
			[TERMINAL] = sandbox->terminal,
			[PERF] = !sonde_uprobe_caps()->multi || !sonde_uprobe_caps()->process,
		},
		.standby = sandbox->standby,
	};
	u32 keep = caps_for_end(sandbox);
	int err;

	if (sonde_load_looks(load))
		keep |= CAP_LOOK;
	if (!suffices(keep, tracing_works, load))
		keep |= SONDE_CAP_BIT(SONDE_CAP_BPF) | SONDE_CAP_BIT(SONDE_CAP_PERFMON);
	if (sonde_load_looks(load) && filter.wanted[PERF] && !suffices(keep, events_work, NULL))
		keep |= SONDE_CAP_BIT(SONDE_CAP_SYS_ADMIN);
	if (sandbox->program)
		keep |= SONDE_CAP_BIT(SONDE_CAP_KILL);
	keep_caps(keep, "tracing");
	sigaction(SIGSYS, &refused, NULL);
	err = filter_calls(&filter);
	if (err)
		sonde_warn("all system calls stay allowed: %s", strerror(-err));
	else
		sonde_debug("only the system calls of a tracing run are allowed now");
}

void sonde_sandbox_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) || limit.rlim_cur <= MAX_BYTES)
		return;
	limit.rlim_cur = MAX_BYTES;
	(void)setrlimit(RLIMIT_DATA, &limit);
}

void sonde_sandbox_traced(const struct sonde_sandbox *sandbox)
{
	keep_caps(caps_for_end(sandbox), "the report");
}
