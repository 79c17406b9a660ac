// SPDX-License-Identifier: GPL-2.0-only
/*
 * http.c - a minimal HTTP/1.1 server and client: a thread for each connection, keep-alive, bodies by length.
 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64 /* at the same time or one after the other: a demo has few */
#define BACKLOG 16

struct connection {
	int fd;
	const struct http_app *app;
	pthread_t thread;
};

/* Received bytes that are not used up yet, always with a NUL behind. */
struct buffer {
	size_t len;
	char bytes[HTTP_REQUEST_BYTES + 1];
};

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

int http_listen(uint16_t *port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&address, &len)) {
		err = -errno;
		close(fd);
		return err;
	}
	*port = ntohs(address.sin_port);
	return fd;
}

/* Answers are sent in two pieces at most: the last one shall not wait for an acknowledgement. */
static void no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int http_connect(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		close(fd);
		return err;
	}
	no_delay(fd);
	return fd;
}

static int send_all(int fd, const char *bytes, size_t len, int flags)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, flags | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= n;
	}
	return 0;
}

/* Appends what comes next. 0, or -errno: -ECONNRESET at the end of the connection, -EMSGSIZE if the buffer is full. */
static int receive(int fd, struct buffer *b)
{
	ssize_t n;

	if (b->len >= HTTP_REQUEST_BYTES)
		return -EMSGSIZE;
	do {
		n = recv(fd, b->bytes + b->len, HTTP_REQUEST_BYTES - b->len, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ECONNRESET;
	b->len += n;
	b->bytes[b->len] = 0;
	return 0;
}

static void use_up(struct buffer *b, size_t len)
{
	b->len -= len;
	memmove(b->bytes, b->bytes + len, b->len + 1);
}

/* Receives up to the end of the header. Its length, and that of the body in @body; or -errno. */
static int receive_header(int fd, struct buffer *b, size_t *body)
{
	const char *end, *field;
	int err;

	while (!(end = strstr(b->bytes, "\r\n\r\n"))) {
		err = receive(fd, b);
		if (err)
			return err;
	}
	*body = 0;
	for (field = b->bytes; field < end; field = strstr(field, "\r\n") + 2)
		if (!strncasecmp(field, "content-length:", 15))
			*body = strtoul(field + 15, NULL, 10);
	return end + 4 - b->bytes;
}

static const char *reason(int status)
{
	return status == 200 ? "OK" : status == 201 ? "Created" : status == 404 ? "Not Found" : "Error";
}

static int answer(int fd, int status, const char *page, size_t len)
{
	char header[128];
	int n = snprintf(header, sizeof(header),
			 "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", status,
			 reason(status), len);

	return send_all(fd, header, n, len ? MSG_MORE : 0) ?: send_all(fd, page, len, 0);
}

/* One request from its first byte to the last of its answer. 0 or -errno. */
static int serve_request(struct connection *c, struct buffer *b, void *ctx)
{
	char method[16], path[256], *page = NULL;
	int header, status, err;
	size_t body, len = 0;
	FILE *out;

	header = receive_header(c->fd, b, &body);
	if (header < 0)
		return header;
	if (body > HTTP_REQUEST_BYTES - (size_t)header)
		return -EMSGSIZE;
	while (b->len < header + body) {
		err = receive(c->fd, b);
		if (err)
			return err;
	}
	if (sscanf(b->bytes, "%15s %255s HTTP/1.1", method, path) != 2)
		return -EBADMSG;
	use_up(b, header + body);
	out = open_memstream(&page, &len);
	if (!out)
		return -ENOMEM;
	status = c->app->handle(ctx, method, path, out);
	err = fclose(out) ? -ENOMEM : answer(c->fd, status, page, len);
	free(page);
	return err;
}

static void *serve_connection(void *arg)
{
	struct connection *c = arg;
	struct buffer b = {};
	void *ctx = c->app->open();

	no_delay(c->fd);
	while (!serve_request(c, &b, ctx))
		;
	c->app->close(ctx);
	close(c->fd);
	return NULL;
}

int http_serve(int fd, const struct http_app *app)
{
	struct connection all[MAX_CONNECTIONS];
	int nr = 0, err = 0;

	while (nr < MAX_CONNECTIONS) {
		struct connection *c = &all[nr];

		c->app = app;
		c->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (c->fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (c->fd < 0)
			break; /* shut down */
		err = -pthread_create(&c->thread, NULL, serve_connection, c);
		if (err) {
			close(c->fd);
			break;
		}
		nr++;
	}
	while (nr)
		pthread_join(all[--nr].thread, NULL);
	return err;
}

int http_fetch(int fd, const char *method, const char *path)
{
	struct buffer b = {};
	int header, status, err;
	char request[512];
	size_t body;

	header = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n", method,
			  path);
	err = send_all(fd, request, header, 0);
	if (err)
		return err;
	header = receive_header(fd, &b, &body);
	if (header < 0)
		return header;
	if (sscanf(b.bytes, "HTTP/1.1 %d", &status) != 1)
		return -EBADMSG;
	for (body += header; body > b.len; err = receive(fd, &b)) {
		if (err)
			return err;
		body -= b.len; /* read and forgotten */
		use_up(&b, b.len);
	}
	return status;
}
