// SPDX-License-Identifier: GPL-2.0-only
/*
 * parallel.c - loads large programs at probes in threads of their own.
 *
 * libbpf asks before it loads a program: what it is about to give to the kernel is copied and left to a thread, and libbpf is given two
 * instructions in its place. When all is loaded the descriptor that libbpf has for those comes to mean the real program.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/parallel.h"
#include "load/said.h"

#define LARGE 4096 /* instructions: what has fewer is verified sooner than a thread pays */
#define STACK_BYTES (256u << 10)
#define LOG_BYTES (1u << 20)

/* A program that a thread loads, and what it is made of: libbpf's copies may go. */
struct job {
	struct job *next;
	struct bpf_program *prog;
	struct bpf_insn *insns;
	size_t nr;
	void *func_info, *line_info;
	struct bpf_prog_load_opts opts;
	pthread_t thread;
	int fd; /* or -errno */
};

static struct job *jobs;

static void free_job(struct job *job)
{
	if (!job)
		return;
	free(job->insns);
	free(job->func_info);
	free(job->line_info);
	free(job);
}

static int load(const struct job *job, struct bpf_prog_load_opts *opts)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, bpf_program__name(job->prog), "GPL", job->insns, job->nr, opts);

	return fd < 0 ? -errno : fd;
}

static void *run(void *arg)
{
	struct job *job = arg;

	job->fd = load(job, &job->opts);
	return NULL;
}

static void *copy(const void *from, size_t bytes)
{
	void *to = malloc(bytes ? bytes : 1);

	if (to && bytes)
		memcpy(to, from, bytes);
	return to;
}

static struct job *make_job(struct bpf_program *prog, const struct bpf_prog_load_opts *opts)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->prog = prog;
	job->nr = bpf_program__insn_cnt(prog);
	job->insns = copy(bpf_program__insns(prog), job->nr * sizeof(*job->insns));
	job->opts = *opts;
	job->func_info = copy(opts->func_info, (size_t)opts->func_info_cnt * opts->func_info_rec_size);
	job->line_info = copy(opts->line_info, (size_t)opts->line_info_cnt * opts->line_info_rec_size);
	if (!job->insns || !job->func_info || !job->line_info) {
		free_job(job);
		return NULL;
	}
	job->opts.func_info = job->func_info;
	job->opts.line_info = job->line_info;
	return job;
}

/* Signals are for the main thread: one would have the verifier stop and begin again. */
static int start(struct job *job)
{
	pthread_attr_t attr;
	sigset_t all, was;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	err = pthread_create(&job->thread, &attr, run, job);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

/* libbpf is about to load @prog. Always 0: what is not taken over here it loads. */
static int before_load(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	struct bpf_insn none[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct job *job;

	if (bpf_program__insn_cnt(prog) < LARGE || opts->log_level || opts->log_buf)
		return 0;
	job = make_job(prog, opts);
	if (!job)
		return 0;
	if (start(job)) {
		free_job(job);
		return 0;
	}
	job->next = jobs;
	jobs = job;
	/* It can only fail for want of memory: then both load it, and the descriptor of one goes. */
	if (!bpf_program__set_insns(prog, none, sizeof(none) / sizeof(none[0]))) {
		opts->func_info_cnt = 0;
		opts->line_info_cnt = 0;
	}
	return 0;
}

void sonde_parallel_begin(void)
{
	static const char *const sections[] = { "uprobe", "uretprobe" };
	static const struct libbpf_prog_handler_opts handler = { .sz = sizeof(handler), .prog_prepare_load_fn = before_load };
	static bool known;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]) && !known; i++)
		(void)libbpf_register_prog_handler(sections[i], BPF_PROG_TYPE_KPROBE, 0, &handler);
	known = true;
}

/* Once more, to hear why. */
static void say_why(struct job *job)
{
	char *log = calloc(1, LOG_BYTES);
	int fd;

	if (log) {
		job->opts.log_buf = log;
		job->opts.log_size = LOG_BYTES;
		job->opts.log_level = 1;
		fd = load(job, &job->opts);
		if (fd >= 0)
			close(fd);
	}
	sonde_said_refused(bpf_program__name(job->prog), -job->fd, log);
	free(log);
}

static int finish(struct job *job, bool keep)
{
	pthread_join(job->thread, NULL);
	if (job->fd < 0) {
		if (keep)
			say_why(job);
		return job->fd;
	}
	if (keep && dup3(job->fd, bpf_program__fd(job->prog), O_CLOEXEC) < 0)
		keep = false;
	close(job->fd);
	return keep ? 0 : -EBADF;
}

int sonde_parallel_end(bool keep)
{
	int ret = 0;

	while (jobs) {
		struct job *job = jobs;
		int err = finish(job, keep);

		jobs = job->next;
		free_job(job);
		if (keep && err && !ret)
			ret = err;
	}
	return ret;
}
