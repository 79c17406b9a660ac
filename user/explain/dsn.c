// SPDX-License-Identifier: GPL-2.0-only
/*
 * dsn.c - where a MariaDB or MySQL server is.
 */
#include "explain/dsn.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %41; an empty part is not given. */
static int decode(char **out, const char *from, const char *to, const char **why)
{
	char *s;

	if (from == to)
		return 0;
	free(*out);
	s = *out = malloc((size_t)(to - from) + 1);
	if (!s)
		return -ENOMEM;
	for (; from < to; from++) {
		if (*from != '%') {
			*s++ = *from;
			continue;
		}
		if (to - from < 3 || hex_digit(from[1]) < 0 || hex_digit(from[2]) < 0 ||
		    (from[1] == '0' && from[2] == '0')) {
			*s = '\0';
			*why = "a % in it is followed by no two hexadecimal digits";
			return -EINVAL;
		}
		*s++ = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
		from += 2;
	}
	*s = '\0';
	return 0;
}

static int parse_user(struct sonde_dsn *dsn, const char *from, const char *to, const char **why)
{
	const char *colon = memchr(from, ':', (size_t)(to - from));
	int err = decode(&dsn->user, from, colon ? colon : to, why);

	return err || !colon ? err : decode(&dsn->password, colon + 1, to, why);
}

static int parse_host(struct sonde_dsn *dsn, const char *from, const char *to, const char **why)
{
	const char *end, *colon;
	u64 port;
	int err;

	if (from < to && *from == '[') { /* IPv6 */
		end = memchr(from, ']', (size_t)(to - from));
		if (!end) {
			*why = "the ] of its host is missing";
			return -EINVAL;
		}
		err = decode(&dsn->host, from + 1, end, why);
		end++;
		colon = end;
	} else {
		colon = memchr(from, ':', (size_t)(to - from));
		end = colon ? colon : to;
		err = decode(&dsn->host, from, end, why);
	}
	if (err || end == to)
		return err;
	if (*colon != ':' || !sonde_str_u64(colon + 1, (size_t)(to - colon - 1), &port) || !port || port > 65535) {
		*why = "its port is no number from 1 to 65535";
		return -EINVAL;
	}
	dsn->port = (unsigned int)port;
	return 0;
}

/* Behind the question mark. */
static int parse_options(struct sonde_dsn *dsn, const char *s, const char **why)
{
	while (*s) {
		size_t len = strcspn(s, "&");
		int err;

		if (strncmp(s, "socket=", 7)) {
			*why = "behind its ? only socket=PATH is known";
			return -EINVAL;
		}
		err = decode(&dsn->socket, s + 7, s + len, why);
		if (err)
			return err;
		s += len;
		s += *s == '&';
	}
	return 0;
}

int sonde_dsn_parse(struct sonde_dsn *dsn, const char *text, const char **why)
{
	const char *s = strstr(text, "://"), *end, *at, *options;
	int err = 0;

	*dsn = (struct sonde_dsn){ NULL };
	*why = "it does not begin with mysql://";
	if (!s)
		return -EINVAL;
	s += 3;
	options = s + strcspn(s, "?");
	end = s + strcspn(s, "/?");
	/* The last @ of it: a password may hold one. */
	at = memrchr(s, '@', (size_t)(end - s));
	if (at) {
		err = parse_user(dsn, s, at, why);
		s = at + 1;
	}
	err = err ? err : parse_host(dsn, s, end, why);
	if (!err && *end == '/')
		err = decode(&dsn->database, end + 1, options, why);
	if (!err && *options)
		err = parse_options(dsn, options + 1, why);
	return err;
}

void sonde_dsn_free(struct sonde_dsn *dsn)
{
	if (dsn->password)
		explicit_bzero(dsn->password, strlen(dsn->password));
	free(dsn->user);
	free(dsn->password);
	free(dsn->host);
	free(dsn->database);
	free(dsn->socket);
	*dsn = (struct sonde_dsn){ NULL };
}
