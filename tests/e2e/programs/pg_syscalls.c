/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pg_syscalls.c - a PostgreSQL client that sends and receives with every system call there is for it.
 *
 * usage: pg_syscalls unix PATH | tcp PORT | tcp6 PORT
 *
 * Over one connection, for each way to send and each way to receive: NR_TIMES simple queries whose text names
 * both. Prints each text once. Exit code 0 if every query was answered by three rows.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define NR_TIMES 3
#define MESSAGE_BYTES 512

struct message {
	unsigned char b[MESSAGE_BYTES];
	size_t len;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put32(unsigned char *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
}

/* Cut into three at places that suit nobody: within the header, and within the text. */
static unsigned int pieces(const struct message *m, struct iovec iov[3])
{
	iov[0] = (struct iovec){ (void *)m->b, 3 };
	iov[1] = (struct iovec){ (void *)(m->b + 3), 20 };
	iov[2] = (struct iovec){ (void *)(m->b + 23), m->len - 23 };
	return 3;
}

static ssize_t by_write(int fd, const struct message *m)
{
	return write(fd, m->b, m->len);
}

static ssize_t by_writev(int fd, const struct message *m)
{
	struct iovec iov[3];

	return writev(fd, iov, pieces(m, iov));
}

static ssize_t by_sendto(int fd, const struct message *m)
{
	return sendto(fd, m->b, m->len, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t by_sendmsg(int fd, const struct message *m)
{
	struct iovec iov[3];
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = pieces(m, iov) };

	return sendmsg(fd, &hdr, MSG_NOSIGNAL);
}

/* The query split over three messages of the call, the middle one of two pieces. */
static ssize_t by_sendmmsg(int fd, const struct message *m)
{
	struct iovec iov[4] = {
		{ (void *)m->b, 5 },
		{ (void *)(m->b + 5), 1 },
		{ (void *)(m->b + 6), 10 },
		{ (void *)(m->b + 16), m->len - 16 },
	};
	struct mmsghdr msgs[3] = {
		{ .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = iov + 1, .msg_iovlen = 2 } },
		{ .msg_hdr = { .msg_iov = iov + 3, .msg_iovlen = 1 } },
	};

	if (sendmmsg(fd, msgs, 3, MSG_NOSIGNAL) != 3)
		return -1;
	return msgs[0].msg_len + msgs[1].msg_len + msgs[2].msg_len;
}

static ssize_t by_read(int fd, unsigned char *b, size_t len)
{
	return read(fd, b, len);
}

static ssize_t by_readv(int fd, unsigned char *b, size_t len)
{
	struct iovec iov[3] = { { b, 2 }, { b + 2, 11 }, { b + 13, len - 13 } };

	return readv(fd, iov, 3);
}

static ssize_t by_recvfrom(int fd, unsigned char *b, size_t len)
{
	return recvfrom(fd, b, len, 0, NULL, NULL);
}

static ssize_t by_recvmsg(int fd, unsigned char *b, size_t len)
{
	struct iovec iov[2] = { { b, 7 }, { b + 7, len - 7 } };
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 2 };

	return recvmsg(fd, &hdr, 0);
}

/* Looks first, twice, as programs do that choose a protocol. */
static ssize_t by_peek(int fd, unsigned char *b, size_t len)
{
	struct iovec iov = { b, len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (recv(fd, b, 1, MSG_PEEK) != 1 || recvmsg(fd, &hdr, MSG_PEEK) <= 0)
		return -1;
	return recv(fd, b, len, 0);
}

/* In small steps: every message is split. */
static ssize_t by_steps(int fd, unsigned char *b, size_t len)
{
	return recv(fd, b, len < 3 ? len : 3, 0);
}

static const struct {
	const char *name;
	ssize_t (*send)(int fd, const struct message *m);
} senders[] = {
	{ "write", by_write },	   { "writev", by_writev },	{ "sendto", by_sendto },
	{ "sendmsg", by_sendmsg }, { "sendmmsg", by_sendmmsg },
};

static const struct {
	const char *name;
	ssize_t (*recv)(int fd, unsigned char *b, size_t len);
} receivers[] = {
	{ "read", by_read },	   { "readv", by_readv }, { "recvfrom", by_recvfrom },
	{ "recvmsg", by_recvmsg }, { "peek", by_peek },	  { "steps", by_steps },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* Reads to the end of the answer; returns the number of rows, or -1. */
static int answer(int fd, ssize_t (*receive)(int fd, unsigned char *b, size_t len))
{
	static unsigned char b[65536];
	size_t len = 0, at = 0;
	int rows = 0;

	while (true) {
		uint32_t size;
		ssize_t n;

		while (len - at >= 5) {
			memcpy(&size, b + at + 1, 4);
			size = ntohl(size) + 1;
			if (len - at < size)
				break;
			if (b[at] == 'E')
				return -1;
			rows += b[at] == 'D';
			if (b[at] == 'Z')
				return rows;
			at += size;
		}
		n = receive(fd, b + len, sizeof(b) - len);
		if (n <= 0)
			die("receive");
		len += (size_t)n;
	}
}

static int dial(const char *family, const char *where)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	const void *addr = &un;
	socklen_t len = sizeof(un);
	int fd;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", where);
	in.sin_port = in6.sin6_port = htons((uint16_t)strtoul(where, NULL, 10));
	if (!strcmp(family, "tcp")) {
		addr = &in;
		len = sizeof(in);
	} else if (!strcmp(family, "tcp6")) {
		addr = &in6;
		len = sizeof(in6);
	}
	fd = socket(((const struct sockaddr *)addr)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, addr, len))
		die(where);
	return fd;
}

static void start(int fd)
{
	static const char params[] = "user\0postgres\0database\0bench\0";
	struct message m = { .len = 8 + sizeof(params) };

	put32(m.b, (uint32_t)m.len);
	put32(m.b + 4, 3 << 16);
	memcpy(m.b + 8, params, sizeof(params));
	if (by_write(fd, &m) != (ssize_t)m.len || answer(fd, by_read) < 0)
		die("startup");
}

int main(int argc, char **argv)
{
	struct message m;
	int fd;

	if (argc != 3)
		return 2;
	fd = dial(argv[1], argv[2]);
	start(fd);
	for (size_t i = 0; i < NR(senders) * NR(receivers); i++) {
		size_t s = i / NR(receivers), r = i % NR(receivers);
		char *text = (char *)m.b + 5;

		snprintf(text, MESSAGE_BYTES - 5, "select x from generate_series(1, 3) as %s_%s_%s(x)", argv[1],
			 senders[s].name, receivers[r].name);
		m.b[0] = 'Q';
		m.len = 5 + strlen(text) + 1;
		put32(m.b + 1, (uint32_t)(m.len - 1));
		puts(text);
		for (int n = 0; n < NR_TIMES; n++) {
			if (senders[s].send(fd, &m) != (ssize_t)m.len)
				die(senders[s].name);
			if (answer(fd, receivers[r].recv) != 3)
				return 1;
		}
	}
	close(fd);
	return 0;
}
