/* LIBS: -lpthread */
// SPDX-License-Identifier: GPL-2.0-only
/*
 * offcpu_truth.c - waits for known things at known places for known times, and says what the kernel's own accounts have of it.
 *
 * usage: offcpu_truth OUT PART...	  parts: sleep lock pipe socket child disk fault spin share
 *
 * For each part a line "PART COUNT WALL ON_CPU RUN_DELAY VOLUNTARY INVOLUNTARY" of the main thread goes to the file OUT: times in
 * nanoseconds, by the clock, the thread's processor clock, /proc/thread-self/schedstat and /proc/thread-self/status. In the end
 * "process PID ON_CPU RUN_DELAY VOLUNTARY INVOLUNTARY". What was blocked is WALL - ON_CPU - RUN_DELAY.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))
#define TIMES 20
#define STEP_NS 20000000L
#define SYNCS 60
#define SPIN_NS 600000000ULL
#define BLOCK 65536
#define QUICK_NS 500000
#define FAULT_BYTES (32UL << 20)

struct account {
	uint64_t wall, on, delay, voluntary, involuntary;
};

static char *base; /* OUT: files are made beside it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t held, next;
static volatile uint64_t sink;

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* One look at all accounts; returns how long it took. */
static uint64_t look(struct account *a)
{
	uint64_t begin = clock_of(CLOCK_MONOTONIC);
	unsigned long long on, delay, n;
	char line[256];
	FILE *file;

	file = fopen("/proc/thread-self/schedstat", "re");
	if (!file || fscanf(file, "%llu %llu %llu", &on, &delay, &n) != 3)
		exit(2);
	fclose(file);
	file = fopen("/proc/thread-self/status", "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
			a->voluntary = n;
		if (sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) == 1)
			a->involuntary = n;
	}
	if (file)
		fclose(file);
	a->delay = delay;
	a->on = clock_of(CLOCK_THREAD_CPUTIME_ID);
	a->wall = clock_of(CLOCK_MONOTONIC);
	return a->wall - begin;
}

/* At one moment, as it were: without another thread on the processor meanwhile. */
static void read_account(struct account *a)
{
	for (int i = 0; i < 100 && look(a) > QUICK_NS; i++)
		;
}

static void pause_ns(long ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

/* ---- the parts; each returns how many waits it meant ---- */

NOINLINE int sleep_here(void)
{
	for (int i = 0; i < TIMES; i++)
		pause_ns(STEP_NS);
	return TIMES;
}

NOINLINE void hold_the_lock(void)
{
	pthread_mutex_lock(&lock);
	sem_post(&held);
	for (uint64_t until = clock_of(CLOCK_MONOTONIC) + STEP_NS; clock_of(CLOCK_MONOTONIC) < until;)
		sink++;
	pthread_mutex_unlock(&lock);
	sink++;
}

static void *holder(void *arg)
{
	(void)arg;
	for (int i = 0; i < TIMES; i++) {
		hold_the_lock();
		sem_wait(&next);
	}
	return NULL;
}

NOINLINE void wait_for_lock(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	sink++;
}

NOINLINE int lock_here(void)
{
	pthread_t thread;

	if (sem_init(&held, 0, 0) || sem_init(&next, 0, 0) || pthread_create(&thread, NULL, holder, NULL))
		exit(2);
	pthread_setname_np(thread, "holder");
	for (int i = 0; i < TIMES; i++) {
		sem_wait(&held);
		wait_for_lock();
		sem_post(&next);
	}
	pthread_join(thread, NULL);
	return TIMES;
}

/* The other end: a byte each step. */
static pid_t feed(int fd, int other)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	close(other);
	for (int i = 0; i < TIMES; i++) {
		pause_ns(STEP_NS);
		if (write(fd, "x", 1) != 1)
			break;
	}
	_exit(0);
}

NOINLINE int read_pipe_here(int fd)
{
	char c;
	int n = 0;

	while (read(fd, &c, 1) == 1)
		n++;
	return n;
}

static int pipe_part(void)
{
	int fd[2], n;
	pid_t pid;

	if (pipe(fd))
		exit(2);
	pid = feed(fd[1], fd[0]);
	close(fd[1]);
	n = read_pipe_here(fd[0]);
	close(fd[0]);
	waitpid(pid, NULL, 0);
	return n;
}

NOINLINE int receive_here(int fd)
{
	char c;
	int n = 0;

	while (recv(fd, &c, 1, 0) == 1)
		n++;
	return n;
}

static int socket_part(void)
{
	int fd[2], n;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		exit(2);
	pid = feed(fd[1], fd[0]);
	close(fd[1]);
	n = receive_here(fd[0]);
	close(fd[0]);
	waitpid(pid, NULL, 0);
	return n;
}

NOINLINE int wait_for_child_here(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause_ns(15 * STEP_NS);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return 1;
}

NOINLINE void sync_here(int fd)
{
	if (fsync(fd))
		exit(2);
}

static int open_beside(const char *suffix)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s.%s", base, suffix);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		exit(2);
	return fd;
}

static int disk_part(void)
{
	static char block[BLOCK];
	int fd = open_beside("synced");

	for (int i = 0; i < SYNCS; i++) {
		if (pwrite(fd, block, sizeof(block), (off_t)i * BLOCK) != BLOCK)
			exit(2);
		sync_here(fd);
	}
	close(fd);
	return SYNCS;
}

NOINLINE int touch_here(const volatile char *at)
{
	int n = 0;

	for (size_t i = 0; i < FAULT_BYTES; i += 4096, n++)
		sink += (uint64_t)at[i];
	return n;
}

static int fault_part(void)
{
	static char block[BLOCK];
	int fd = open_beside("mapped"), n;
	char *at;

	memset(block, 1, sizeof(block));
	for (size_t i = 0; i < FAULT_BYTES / BLOCK; i++)
		if (write(fd, block, sizeof(block)) != BLOCK)
			exit(2);
	if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		exit(2);
	at = mmap(NULL, FAULT_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || madvise(at, FAULT_BYTES, MADV_RANDOM))
		exit(2);
	n = touch_here(at);
	munmap(at, FAULT_BYTES);
	close(fd);
	return n;
}

NOINLINE int spin_here(void)
{
	for (uint64_t until = clock_of(CLOCK_THREAD_CPUTIME_ID) + SPIN_NS; clock_of(CLOCK_THREAD_CPUTIME_ID) < until;)
		sink++;
	return 0;
}

/* With a child on the same processor: half of the time is in the run queue. */
static int share_part(void)
{
	cpu_set_t all, one;
	pid_t pid;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	pid = fork();
	spin_here();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	sched_setaffinity(0, sizeof(all), &all);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} parts[] = {
	{ "sleep", sleep_here },  { "lock", lock_here },	  { "pipe", pipe_part },
	{ "socket", socket_part }, { "child", wait_for_child_here }, { "disk", disk_part },
	{ "fault", fault_part },  { "spin", spin_here },	  { "share", share_part },
};

static void do_part(FILE *out, const char *name)
{
	struct account before = {}, after = {};
	int n = -1;

	read_account(&before);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(parts[i].name, name))
			n = parts[i].run();
	read_account(&after);
	if (n < 0)
		exit(2);
	fprintf(out, "%s %d %llu %llu %llu %llu %llu\n", name, n, (unsigned long long)(after.wall - before.wall),
		(unsigned long long)(after.on - before.on), (unsigned long long)(after.delay - before.delay),
		(unsigned long long)(after.voluntary - before.voluntary),
		(unsigned long long)(after.involuntary - before.involuntary));
}

int main(int argc, char **argv)
{
	struct account sum = {};
	FILE *out;

	if (argc < 3)
		return 2;
	base = argv[1];
	out = fopen(base, "we");
	if (!out)
		return 2;
	for (int i = 2; i < argc; i++)
		do_part(out, argv[i]);
	read_account(&sum);
	fprintf(out, "process %d %llu %llu %llu %llu\n", getpid(), (unsigned long long)sum.on, (unsigned long long)sum.delay,
		(unsigned long long)sum.voluntary, (unsigned long long)sum.involuntary);
	return fclose(out) ? 2 : 0;
}
