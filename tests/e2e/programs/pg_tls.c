/* LIBS: -lgnutls -l:libssl.a -l:libcrypto.a -ldl -lpthread */
// SPDX-License-Identifier: GPL-2.0-only
/*
 * pg_tls.c - asks a PostgreSQL server the same under TLS, by every function that a TLS library has for it.
 *
 * usage: pg_tls HOW PORT USER DATABASE COUNT     HOW: read, ex, peek, memory, reuse, gnutls; or several,...
 *
 * OpenSSL is linked in, GnuTLS is a shared library. Prints the mean time of a query in nanoseconds. Each way in a process of
 * its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum how { READ, EX, PEEK, MEMORY, REUSE, GNUTLS };

static enum how how;
static int sock;
static SSL_CTX *context;
static SSL *ssl;
static BIO *in, *out; /* MEMORY */
static gnutls_session_t session;
static gnutls_certificate_credentials_t credentials;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* What OpenSSL has put into its buffer goes out; what has come in goes into the other. */
static void flush_out(void)
{
	char buf[65536];
	int n;

	while ((n = BIO_read(out, buf, sizeof(buf))) > 0)
		if (write(sock, buf, n) != n)
			fail("write");
}

static void fill_in(void)
{
	char buf[4096];
	ssize_t n = read(sock, buf, sizeof(buf));

	if (n <= 0)
		fail("read");
	BIO_write(in, buf, n);
}

static void begin_openssl(void)
{
	if (!context)
		context = SSL_CTX_new(TLS_client_method());
	if (!ssl)
		ssl = SSL_new(context);
	if (how == MEMORY) {
		in = BIO_new(BIO_s_mem());
		out = BIO_new(BIO_s_mem());
		SSL_set_bio(ssl, in, out);
		SSL_set_connect_state(ssl);
		while (SSL_do_handshake(ssl) != 1) {
			flush_out();
			fill_in();
		}
		flush_out();
		return;
	}
	SSL_set_fd(ssl, sock);
	if (SSL_connect(ssl) != 1)
		fail("SSL_connect");
}

static void begin_gnutls(void)
{
	int ret;

	gnutls_global_init();
	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_init(&session, GNUTLS_CLIENT);
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(session, sock);
	do
		ret = gnutls_handshake(session);
	while (ret < 0 && !gnutls_error_is_fatal(ret));
	if (ret < 0)
		fail(gnutls_strerror(ret));
}

static void put(const char *buf, size_t len)
{
	size_t done;

	switch (how) {
	case EX:
		if (SSL_write_ex(ssl, buf, len, &done) != 1 || done != len)
			fail("SSL_write_ex");
		break;
	case GNUTLS:
		if (gnutls_record_send(session, buf, len) != (ssize_t)len)
			fail("gnutls_record_send");
		break;
	default:
		if (SSL_write(ssl, buf, len) != (int)len)
			fail("SSL_write");
		if (how == MEMORY)
			flush_out();
	}
}

static size_t get(char *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	switch (how) {
	case EX:
		if (SSL_read_ex(ssl, buf, len, &done) != 1)
			fail("SSL_read_ex");
		return done;
	case GNUTLS:
		do
			n = gnutls_record_recv(session, buf, len);
		while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
		break;
	case MEMORY:
		while ((n = SSL_read(ssl, buf, len)) <= 0 && SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ)
			fill_in();
		break;
	case PEEK:
		SSL_peek(ssl, buf, len);
		/* fallthrough */
	default:
		n = SSL_read(ssl, buf, len);
	}
	if (n <= 0)
		fail("no reply");
	return n;
}

/* Reads to the end of a ReadyForQuery message. */
static void until_ready(void)
{
	static const char ready[] = { 'Z', 0, 0, 0, 5 };
	char buf[16384];
	size_t len = 0;

	do
		len += get(buf + len, sizeof(buf) - len);
	while (len < 6 || memcmp(buf + len - 6, ready, sizeof(ready)));
}

static void put_u32(char *to, unsigned int value)
{
	value = htonl(value);
	memcpy(to, &value, sizeof(value));
}

static void begin(int port, const char *user, const char *database)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	char buf[512], answer;
	int n;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		fail("connect");
	put_u32(buf, 8);
	put_u32(buf + 4, 80877103); /* SSLRequest */
	if (write(sock, buf, 8) != 8 || read(sock, &answer, 1) != 1 || answer != 'S')
		fail("no TLS");
	if (how == GNUTLS)
		begin_gnutls();
	else
		begin_openssl();
	put_u32(buf + 4, 196608);
	n = 8 + sprintf(buf + 8, "user%c%s%cdatabase%c%s%c", 0, user, 0, 0, database, 0) + 1;
	put_u32(buf, n);
	put(buf, n);
	until_ready();
}

static void ask(int count)
{
	char buf[512];
	int n;

	for (int i = 0; i < count; i++) {
		buf[0] = 'Q';
		n = 5 + sprintf(buf + 5, "select abs(%d)", i) + 1;
		put_u32(buf + 1, n - 1);
		put(buf, n);
		until_ready();
	}
}

static void run(int port, const char *user, const char *database, int count)
{
	struct timespec from, to;

	begin(port, user, database);
	clock_gettime(CLOCK_MONOTONIC, &from);
	ask(count);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (how == REUSE) { /* the same object for a second connection */
		close(sock);
		SSL_clear(ssl);
		begin(port, user, database);
		ask(count);
	}
	printf("%.0f\n", ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / count);
	fflush(stdout);
	if (how == GNUTLS)
		gnutls_deinit(session);
	else
		SSL_free(ssl);
	close(sock);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "read", "ex", "peek", "memory", "reuse", "gnutls" };
	int status;

	if (argc != 6)
		return 2;
	for (char *way = strtok(argv[1], ","); way; way = strtok(NULL, ",")) {
		for (how = READ; how < GNUTLS && strcmp(way, names[how]); how++)
			;
		if (strcmp(way, names[how]))
			return 2;
		if (!fork()) {
			run(atoi(argv[2]), argv[3], argv[4], atoi(argv[5]));
			_exit(0);
		}
		if (wait(&status) < 0 || status)
			return 1;
	}
	return 0;
}
