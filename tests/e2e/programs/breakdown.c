/* LIBS: -I/usr/include/postgresql -lpq -lpthread */
// SPDX-License-Identifier: GPL-2.0-only
/*
 * breakdown.c - an HTTP server with a thread for each connection whose requests do known things, timed by clocks of its own.
 *
 * usage: breakdown LOG CONNINFO HTTP-PORT RAW-PORT DIR
 *
 * Prints its port. The path of a request names what it does, in order: /cpu, /query/sleep, /lock/fsync, ... After each request a
 * line is appended to LOG: path, then "name wall cpu queued" for each thing done, for the request until its answer is sent ("all")
 * and until it has been ("answered"), in ns: by CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID and the second field of /proc/thread-self/schedstat.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SPAN_NS 30000000 /* of most things */
#define QUERIES 12

static const char *conninfo, *dir;
static int http_port, raw_port;
static FILE *log_file;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static sem_t take, taken;

/* What a thread that serves one connection has. */
struct worker {
	int fd, schedstat, there[2], back[2];
	PGconn *db;
};

struct stamp {
	uint64_t wall, cpu, queued;
};

static uint64_t ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct stamp now(const struct worker *w)
{
	struct stamp s = { ns(CLOCK_MONOTONIC), ns(CLOCK_THREAD_CPUTIME_ID), 0 };
	char text[128] = "";
	unsigned long ran, queued = 0;

	if (pread(w->schedstat, text, sizeof(text) - 1, 0) > 0 && sscanf(text, "%lu %lu", &ran, &queued) == 2)
		s.queued = queued;
	return s;
}

static void pause_ns(uint64_t span)
{
	struct timespec t = { (time_t)(span / 1000000000), (long)(span % 1000000000) };

	nanosleep(&t, NULL);
}

/* Holds the lock for a while whenever it is asked to. */
static void *holder(void *arg)
{
	while (!sem_wait(&take)) {
		pthread_mutex_lock(&held);
		sem_post(&taken);
		pause_ns(SPAN_NS);
		pthread_mutex_unlock(&held);
	}
	return arg;
}

/* Answers each byte that comes through a pipe after a while. */
static void *echoes(void *arg)
{
	const struct worker *w = arg;
	char c;

	while (read(w->there[0], &c, 1) == 1) {
		pause_ns(SPAN_NS);
		if (write(w->back[1], &c, 1) != 1)
			break;
	}
	return arg;
}

static int dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		exit(1);
	return fd;
}

/* Sends @ask to @port, and reads until the other side closes. */
static void ask(int port, const char *what)
{
	int fd = dial(port);
	char reply[4096];

	if (write(fd, what, strlen(what)) < 0)
		exit(1);
	while (read(fd, reply, sizeof(reply)) > 0)
		;
	close(fd);
}

static void query(struct worker *w, const char *sql)
{
	PGresult *result = PQexec(w->db, sql);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		exit(1);
	PQclear(result);
}

static void many(struct worker *w)
{
	char sql[64];

	for (int i = 0; i < QUERIES; i++) {
		snprintf(sql, sizeof(sql), "select %d from pg_sleep(0.003)", i);
		query(w, sql);
	}
}

static void burn(void)
{
	uint64_t end = ns(CLOCK_THREAD_CPUTIME_ID) + SPAN_NS;

	while (ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void sync_file(void)
{
	static char block[1 << 20];
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%lx", dir, (unsigned long)pthread_self());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < 8; i++)
		if (write(fd, block, sizeof(block)) < 0)
			exit(1);
	fsync(fd);
	close(fd);
}

static void lock(void)
{
	sem_post(&take);
	sem_wait(&taken);
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
}

static void through_pipe(struct worker *w)
{
	char c = 'x';

	if (write(w->there[1], &c, 1) != 1 || read(w->back[0], &c, 1) != 1)
		exit(1);
}

static void act(struct worker *w, const char *what)
{
	if (!strcmp(what, "cpu"))
		burn();
	else if (!strcmp(what, "query"))
		query(w, "select 1 from pg_sleep(0.03)");
	else if (!strcmp(what, "many"))
		many(w);
	else if (!strcmp(what, "http"))
		ask(http_port, "GET /price/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	else if (!strcmp(what, "raw"))
		ask(raw_port, "?");
	else if (!strcmp(what, "fsync"))
		sync_file();
	else if (!strcmp(what, "lock"))
		lock();
	else if (!strcmp(what, "sleep"))
		pause_ns(SPAN_NS);
	else if (!strcmp(what, "pipe"))
		through_pipe(w);
}

static int tell(char *to, size_t size, const char *what, const struct stamp *from, const struct stamp *until)
{
	return snprintf(to, size, " %s %llu %llu %llu", what, (unsigned long long)(until->wall - from->wall),
			(unsigned long long)(until->cpu - from->cpu), (unsigned long long)(until->queued - from->queued));
}

static void serve(struct worker *w, char *path)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct stamp begin = now(w), from, until;
	char line[2048], *save = NULL;
	int at = snprintf(line, sizeof(line), "%s", path);

	for (char *what = strtok_r(path, "/", &save); what; what = strtok_r(NULL, "/", &save)) {
		from = now(w);
		act(w, what);
		until = now(w);
		at += tell(line + at, sizeof(line) - (size_t)at, what, &from, &until);
	}
	until = now(w);
	at += tell(line + at, sizeof(line) - (size_t)at, "all", &begin, &until);
	if (write(w->fd, answer, sizeof(answer) - 1) < 0)
		return;
	until = now(w);
	tell(line + at, sizeof(line) - (size_t)at, "answered", &begin, &until);
	pthread_mutex_lock(&log_lock);
	fprintf(log_file, "%s\n", line);
	fflush(log_file);
	pthread_mutex_unlock(&log_lock);
}

static void *worker(void *arg)
{
	struct worker w = { .fd = (int)(intptr_t)arg, .schedstat = open("/proc/thread-self/schedstat", O_RDONLY) };
	char request[4096], path[512];
	pthread_t echo;
	size_t len = 0;
	ssize_t got;

	if (pipe(w.there) || pipe(w.back) || pthread_create(&echo, NULL, echoes, &w))
		exit(1);
	w.db = PQconnectdb(conninfo);
	if (PQstatus(w.db) != CONNECTION_OK)
		exit(1);
	while ((got = read(w.fd, request + len, sizeof(request) - 1 - len)) > 0) {
		len += (size_t)got;
		request[len] = '\0';
		if (!strstr(request, "\r\n\r\n"))
			continue;
		len = 0;
		if (sscanf(request, "GET %500s ", path) == 1)
			serve(&w, path);
	}
	PQfinish(w.db);
	close(w.there[1]);
	pthread_join(echo, NULL);
	close(w.there[0]);
	close(w.back[0]);
	close(w.back[1]);
	close(w.schedstat);
	close(w.fd);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), conn, one = 1;
	socklen_t len = sizeof(at);
	pthread_t thread;

	if (argc != 6)
		return 2;
	log_file = fopen(argv[1], "a");
	conninfo = argv[2];
	http_port = atoi(argv[3]);
	raw_port = atoi(argv[4]);
	dir = argv[5];
	sem_init(&take, 0, 0);
	sem_init(&taken, 0, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!log_file || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&at, &len) || pthread_create(&thread, NULL, holder, NULL))
		return 1;
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	while ((conn = accept(fd, NULL, NULL)) >= 0) {
		setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&thread, NULL, worker, (void *)(intptr_t)conn))
			return 1;
		pthread_detach(thread);
	}
	return 0;
}
