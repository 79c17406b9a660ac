// SPDX-License-Identifier: GPL-2.0-only
/*
 * roundtrip.c - a client that does nothing but ask the same thing again and again over one connection.
 *
 * usage: roundtrip HOST PORT COUNT REQUEST      (REQUEST: \r and \n written as such)
 *
 * Every reply must be as long as the first one, whose length is found by waiting.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_REPLY_MS 200

static size_t unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '\\' && from[1]) {
			from++;
			*to++ = *from == 'r' ? '\r' : *from == 'n' ? '\n' : *from;
		} else {
			*to++ = *from;
		}
	}
	return to - text;
}

/* Reads @wanted bytes, or with 0 until nothing comes any more; their number. */
static size_t receive(int fd, size_t wanted)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	static char reply[1 << 16];
	size_t got = 0;

	while (wanted ? got < wanted : poll(&ready, 1, FIRST_REPLY_MS) > 0) {
		ssize_t n = read(fd, reply, sizeof(reply));

		if (n <= 0)
			exit(1);
		got += n;
	}
	return got;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	size_t len, reply = 0;
	int fd, one = 1;
	long count;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons(strtoul(argv[2], NULL, 10));
	count = strtol(argv[3], NULL, 10);
	len = unescape(argv[4]);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))) {
		perror("connect");
		return 1;
	}
	while (count--) {
		if (write(fd, argv[4], len) != (ssize_t)len)
			return 1;
		reply = receive(fd, reply);
		if (!reply)
			return 1;
	}
	return 0;
}
