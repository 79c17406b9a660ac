/* LIBS: -lpthread */
// SPDX-License-Identifier: GPL-2.0-only
/*
 * lock_truth.c - a thread that sleeps while it holds a lock, and one that waits for it, and what both know of it.
 *
 * usage: lock_truth OUT KIND...	 kinds: mutex robust pi rwlock semaphore other
 *
 * For each kind a line "KIND PID TID HOLDER COUNT WALL" goes to the file OUT: who waits, who holds the lock, how often, and nanoseconds
 * by the clock in all. Ids are those of the machine if it runs in no container. The last kind is a lock of its own that has the
 * number 2 where it is waited for, as glibc's have, but the id of another process where those have their owner.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))
#define TIMES 15
#define HOLD_NS 20000000L

static const char *kind;
static pthread_mutex_t mutex;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphore, held, next;
static struct {
	_Atomic uint32_t word;
	uint32_t count;
	uint32_t owner;
} other;
static volatile int sink;
static _Atomic int holder_tid;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void other_lock(void)
{
	uint32_t free_word = 0;

	if (atomic_compare_exchange_strong(&other.word, &free_word, 1))
		return;
	while (atomic_exchange(&other.word, 2))
		syscall(SYS_futex, &other.word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

static void other_unlock(void)
{
	if (atomic_exchange(&other.word, 0) == 2)
		syscall(SYS_futex, &other.word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void take(void)
{
	if (!strcmp(kind, "rwlock"))
		pthread_rwlock_wrlock(&rwlock);
	else if (!strcmp(kind, "semaphore"))
		sem_wait(&semaphore);
	else if (!strcmp(kind, "other"))
		other_lock();
	else
		pthread_mutex_lock(&mutex);
}

static void give(void)
{
	if (!strcmp(kind, "rwlock"))
		pthread_rwlock_unlock(&rwlock);
	else if (!strcmp(kind, "semaphore"))
		sem_post(&semaphore);
	else if (!strcmp(kind, "other"))
		other_unlock();
	else
		pthread_mutex_unlock(&mutex);
}

NOINLINE void sleep_with_lock(void)
{
	struct timespec ts = { .tv_nsec = HOLD_NS };

	nanosleep(&ts, NULL);
	sink++;
}

static void *hold(void *arg)
{
	atomic_store(&holder_tid, (int)syscall(SYS_gettid));
	for (int i = 0; i < TIMES; i++) {
		take();
		sem_post(&held);
		sleep_with_lock();
		give();
		sem_wait(&next);
	}
	return arg;
}

NOINLINE void wait_for_lock(void)
{
	take();
	give();
	sink++;
}

static void prepare(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	if (!strcmp(kind, "pi"))
		pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (!strcmp(kind, "robust"))
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (pthread_mutex_init(&mutex, &attr) || sem_init(&held, 0, 0) || sem_init(&next, 0, 0) || sem_init(&semaphore, 0, 1))
		exit(2);
	other.owner = (uint32_t)getppid();
}

NOINLINE uint64_t do_kind(void)
{
	uint64_t begin, sum = 0;
	pthread_t thread;

	prepare();
	if (pthread_create(&thread, NULL, hold, NULL))
		exit(2);
	pthread_setname_np(thread, "keeper");
	for (int i = 0; i < TIMES; i++) {
		sem_wait(&held);
		begin = now_ns();
		wait_for_lock();
		sum += now_ns() - begin;
		sem_post(&next);
	}
	pthread_join(thread, NULL);
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t wall;
	FILE *out;

	if (argc < 3)
		return 2;
	out = fopen(argv[1], "we");
	if (!out)
		return 2;
	/* What unwinds its stacks is loaded meanwhile. */
	for (uint64_t until = now_ns() + 600000000; now_ns() < until;)
		sink++;
	for (int i = 2; i < argc; i++) {
		kind = argv[i];
		wall = do_kind();
		fprintf(out, "%s %d %d %d %d %llu\n", kind, getpid(), getpid(), atomic_load(&holder_tid), TIMES,
			(unsigned long long)wall);
	}
	return fclose(out) ? 2 : 0;
}
