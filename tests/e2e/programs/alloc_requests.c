// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_requests.c - a server whose endpoints allocate and touch what they say, for tests of `sonde alloc --by endpoint`.
 *
 * usage: alloc_requests [loop]
 *
 * Prints its port, then "METHOD path function bytes objects touched" lines: what one request to each endpoint takes, and "ready". A thread
 * of its own answers each connection; one beside them allocates for nobody (truth_outside) as long as requests come. With `loop` one
 * thread reads a request from each of two connections before it answers both.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP __attribute__((noinline, noipa))

enum {
	LIST_NR = 400,
	LIST_SIZE = 1000,
	ADD_NR = 50,
	ADD_SIZE = 4096,
	REPORT_NR = 3,
	REPORT_SIZE = 700000,
	ITEM_NR = 20,
	ITEM_SIZE = 200,
	TOUCH_SIZE = 1 << 20,
	OUTSIDE_NR = 10,
	OUTSIDE_SIZE = 5000,
};

static sem_t outside;
static int moved_fd = -1;
static sem_t moved, moved_done;
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* Inlined into each caller: the call site is that. */
static inline __attribute__((always_inline)) void allocate(int nr, size_t size)
{
	char *all[LIST_NR];

	for (int i = 0; i < nr; i++) {
		all[i] = malloc(size);
		*(volatile char *)all[i] = 1;
	}
	for (int i = 0; i < nr; i++)
		free(all[i]);
}

KEEP static void truth_list(void)
{
	allocate(LIST_NR, LIST_SIZE);
}

KEEP static void truth_add(void)
{
	allocate(ADD_NR, ADD_SIZE);
}

KEEP static void truth_report(void)
{
	allocate(REPORT_NR, REPORT_SIZE);
}

KEEP static void truth_item(void)
{
	allocate(ITEM_NR, ITEM_SIZE);
}

KEEP static void truth_outside(void)
{
	allocate(OUTSIDE_NR, OUTSIDE_SIZE);
}

/* Fresh pages, small ones. */
KEEP static void truth_touch(void)
{
	char *p = mmap(NULL, TOUCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	madvise(p, TOUCH_SIZE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < TOUCH_SIZE; i += 4096)
		*(volatile char *)(p + i) = 1;
	munmap(p, TOUCH_SIZE);
}

static void send_answer(int fd)
{
	if (write(fd, answer, sizeof(answer) - 1) < 0)
		exit(1);
}

static void act(const char *method, const char *path)
{
	if (!strcmp(path, "/list"))
		(!strcmp(method, "POST") ? truth_add : truth_list)();
	else if (!strcmp(path, "/report"))
		truth_report();
	else if (!strncmp(path, "/items/", 7))
		truth_item();
	else if (!strcmp(path, "/both")) {
		truth_list();
		truth_report();
	} else if (!strcmp(path, "/touch"))
		truth_touch();
}

/* A whole request; false: there are no more. */
static bool receive(int fd, char method[8], char path[128])
{
	char request[4096];
	size_t len = 0;
	ssize_t got;

	while (true) {
		got = read(fd, request + len, sizeof(request) - 1 - len);
		if (got <= 0)
			return false;
		len += (size_t)got;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n"))
			return sscanf(request, "%7s %127s ", method, path) == 2;
	}
}

static void *worker(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char method[8], path[128];

	while (receive(fd, method, path)) {
		if (!strcmp(path, "/moved")) { /* another thread answers */
			truth_list();
			moved_fd = fd;
			sem_post(&moved);
			sem_wait(&moved_done);
		} else {
			act(method, path);
			send_answer(fd);
		}
		truth_item(); /* after the answer: no request's */
		sem_post(&outside);
		if (!strcmp(path, "/end"))
			exit(0);
	}
	close(fd);
	return NULL;
}

static void *beside(void *arg)
{
	while (!sem_wait(&outside))
		truth_outside();
	return arg;
}

static void *answers(void *arg)
{
	while (!sem_wait(&moved)) {
		send_answer(moved_fd);
		sem_post(&moved_done);
	}
	return arg;
}

/* Both are read before either is answered. */
static void serve_two(const int fd[2])
{
	char method[8], path[128];

	while (receive(fd[0], method, path) && receive(fd[1], method, path)) {
		truth_list();
		send_answer(fd[0]);
		send_answer(fd[1]);
	}
}

static int listen_anywhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&at, &len))
		exit(1);
	printf("%d\n", ntohs(at.sin_port));
	return fd;
}

static int take(int fd)
{
	int conn = accept(fd, NULL, NULL), one = 1;

	setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return conn;
}

static void tell(const char *endpoint, const char *function, int nr, int size, int touched)
{
	printf("%s %s %d %d %d\n", endpoint, function, nr * size, nr, touched);
}

int main(int argc, char **argv)
{
	int fd = listen_anywhere(), two[2];
	pthread_t thread;

	sem_init(&outside, 0, 0);
	sem_init(&moved, 0, 0);
	sem_init(&moved_done, 0, 0);
	tell("GET /list", "truth_list", LIST_NR, LIST_SIZE, 0);
	tell("POST /list", "truth_add", ADD_NR, ADD_SIZE, 0);
	tell("GET /report", "truth_report", REPORT_NR, REPORT_SIZE, 0);
	tell("GET /items/{id}", "truth_item", ITEM_NR, ITEM_SIZE, 0);
	tell("GET /touch", "truth_touch", 0, 0, TOUCH_SIZE);
	tell("GET /nothing", "none", 0, 0, 0);
	printf("ready\n");
	fflush(stdout);
	if (argc > 1 && !strcmp(argv[1], "loop")) {
		two[0] = take(fd);
		two[1] = take(fd);
		serve_two(two);
		return 0;
	}
	if (pthread_create(&thread, NULL, beside, NULL) || pthread_create(&thread, NULL, answers, NULL))
		return 1;
	while (true)
		if (pthread_create(&thread, NULL, worker, (void *)(intptr_t)take(fd)) || pthread_detach(thread))
			return 1;
}
