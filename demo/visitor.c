// SPDX-License-Identifier: GPL-2.0-only
/*
 * visitor.c - asks the demo's shop for its pages: the newest orders mostly, the others now and then, on two connections.
 */
#include "visitor.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "http.h"

#define PAUSE_US 25000 /* thinking time, made short */
#define NR_VISITS 2 /* connections, kept alive, each used by a thread */

/* What the visitor does on one of its connections. */
struct visit {
	pthread_t thread;
	uint16_t port;
	int first, pages; /* every page with this number, and each NR_VISITS further on */
	int nr_products;
	int err;
};

static int fetch(int fd, const char *method, const char *path, int want)
{
	int status = http_fetch(fd, method, path);

	if (status == want)
		return 0;
	fprintf(stderr, "visitor: %s %s: %s (%d)\n", method, path, status < 0 ? strerror(-status) : "status", status);
	return 1;
}

static void *visit(void *arg)
{
	struct visit *v = arg;
	int fd = http_connect(v->port);
	char path[64];

	v->err = fd < 0;
	for (int nr = v->first; nr < v->pages && !v->err; nr += NR_VISITS) {
		v->err = fetch(fd, "GET", "/orders", 200);
		if (nr % 5 == 4)
			v->err |= fetch(fd, "POST", "/orders", 201);
		if (nr % 4 == 3) {
			snprintf(path, sizeof(path), "/products/%d", nr * 7 % v->nr_products + 1);
			v->err |= fetch(fd, "GET", path, 200);
		}
		if (nr % 40 == 20)
			v->err |= fetch(fd, "GET", "/report", 200);
		usleep(PAUSE_US);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

_Noreturn void visitor_run(uint16_t port, int pages, int nr_products)
{
	struct visit visits[NR_VISITS];
	int err = 0;

	prctl(PR_SET_NAME, "visitor");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (int i = 0; i < NR_VISITS; i++) {
		visits[i] = (struct visit){ .port = port, .first = i, .pages = pages, .nr_products = nr_products };
		if (pthread_create(&visits[i].thread, NULL, visit, &visits[i]))
			_exit(1);
	}
	for (int i = 0; i < NR_VISITS; i++) {
		pthread_join(visits[i].thread, NULL);
		err |= visits[i].err;
	}
	_exit(err);
}
