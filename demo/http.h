/* SPDX-License-Identifier: GPL-2.0-only */
/* http.h - the little of HTTP/1.1 that the demo's shop and its visitor need: a server with threads, and a client. */
#ifndef DEMO_HTTP_H
#define DEMO_HTTP_H

#include <stdint.h>
#include <stdio.h>

#define HTTP_REQUEST_BYTES 4096 /* longest request, body included */

/**
 * struct http_app - what the server serves
 * @open: called by the thread of a new connection, returns what @handle gets as @ctx; @close: when the connection ends
 * @handle: writes the body of the answer to @page, returns the status
 */
struct http_app {
	void *(*open)(void);
	int (*handle)(void *ctx, const char *method, const char *path, FILE *page);
	void (*close)(void *ctx);
};

/** http_listen - listen on a free port of the loopback interface, told in @port. A file descriptor, or -errno. */
int http_listen(uint16_t *port);

/**
 * http_serve - accept connections, each with a thread of its own, until shutdown(2) of @fd and the end of all of them
 *
 * Connections are kept alive. Returns 0 or -errno.
 */
int http_serve(int fd, const struct http_app *app);

/** http_connect - connect to @port of the loopback interface. A file descriptor, or -errno. */
int http_connect(uint16_t port);

/** http_fetch - send a request on a connection and read all of the answer. Its status, or -errno. */
int http_fetch(int fd, const char *method, const char *path);

#endif /* DEMO_HTTP_H */
