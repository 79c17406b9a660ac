// SPDX-License-Identifier: GPL-2.0-only
/*
 * serve.c - a small HTTP server with a thread for each connection, and the frame of a batch job. See serve.h.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

#define HEAD_BYTES 4096

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void say(struct request *request, const char *format, ...)
{
	va_list args;
	int len;

	if (request->size - request->len < 256) {
		request->size = 2 * request->size + 1024;
		request->body = realloc(request->body, request->size);
		if (!request->body)
			die("out of memory");
	}
	va_start(args, format);
	len = vsnprintf(request->body + request->len, request->size - request->len, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= request->size - request->len)
		die("a line is too long");
	request->len += len;
}

static const struct route *find_route(const char *path, size_t len)
{
	for (const struct route *route = shop_routes; route->path; route++)
		if (strlen(route->path) == len && !memcmp(route->path, path, len))
			return route;
	return NULL;
}

/* Length of the first two parts of a path. */
static size_t route_len(const char *path)
{
	const char *second = strchr(path + 1, '/');
	const char *third = second ? strchr(second + 1, '/') : NULL;

	return third ? (size_t)(third - path) : strlen(path);
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t sent = write(fd, data, len);

		if (sent <= 0)
			return; /* the client is gone: so it is for the next read */
		data += sent;
		len -= sent;
	}
}

static void answer(int fd, void *db, const char *path)
{
	const struct route *route = find_route(path, route_len(path));
	struct request request = { .db = db };
	char head[128];
	char *whole;
	int len;

	if (route) {
		if (path[route_len(path)])
			request.id = strtol(path + route_len(path) + 1, NULL, 10);
		route->answer(&request);
	}
	len = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
		       route ? "200 OK" : "404 Not Found", request.len);
	whole = malloc(len + request.len);
	if (!whole)
		die("out of memory");
	memcpy(whole, head, len);
	if (request.len)
		memcpy(whole + len, request.body, request.len);
	send_all(fd, whole, len + request.len);
	free(whole);
	free(request.body);
}

static void *serve_connection(void *arg)
{
	int fd = (int)(intptr_t)arg;
	void *db = shop_open();
	char head[HEAD_BYTES + 1];
	size_t len = 0;

	for (;;) {
		char path[256];
		char *end;
		ssize_t got = read(fd, head + len, HEAD_BYTES - len);

		if (got <= 0)
			break;
		len += got;
		head[len] = '\0';
		end = strstr(head, "\r\n\r\n");
		if (!end)
			continue;
		if (sscanf(head, "GET %255s ", path) != 1 || path[0] != '/')
			break;
		answer(fd, db, path);
		len -= end + 4 - head;
		memmove(head, end + 4, len);
	}
	close(fd);
	shop_close(db);
	return NULL;
}

static void serve(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, size) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&addr, &size))
		die("cannot listen");
	printf("%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	for (;;) {
		int conn = accept(fd, NULL, NULL), one = 1;
		pthread_t thread;

		if (conn < 0)
			continue;
		setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&thread, NULL, serve_connection, (void *)(intptr_t)conn))
			die("no thread");
		pthread_detach(thread);
	}
}

/* The endpoint of a slug, bad_list, for a job. */
static const struct route *route_of_slug(const char *slug)
{
	const struct route *route;
	char path[64];
	char *line;

	snprintf(path, sizeof(path), "/%s", slug);
	line = strchr(path, '_');
	if (line)
		*line = '/';
	route = find_route(path, strlen(path));
	if (!route)
		die("no endpoint %s", slug);
	return route;
}

static void do_job(const char *mode, long rounds)
{
	const char *list = getenv("JOB_SLUGS");
	void *db = shop_open();
	int tx = !strcmp(mode, "tx");

	for (long i = 0; list && i < rounds; i++) {
		char *slugs = strdup(list), *rest = slugs, *slug;

		while ((slug = strsep(&rest, " "))) {
			struct request request = { .id = i, .db = db };

			if (tx)
				shop_run(db, "begin");
			route_of_slug(slug)->answer(&request);
			if (tx)
				shop_run(db, "commit");
			free(request.body);
		}
		free(slugs);
	}
	shop_close(db);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "serve"))
		serve();
	else if (argc == 4 && !strcmp(argv[1], "job"))
		do_job(argv[2], strtol(argv[3], NULL, 10));
	else
		die("usage: %s serve | job MODE ROUNDS", argv[0]);
	return 0;
}
