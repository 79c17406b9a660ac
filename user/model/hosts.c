// SPDX-License-Identifier: GPL-2.0-only
/*
 * hosts.c - names of addresses.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "model/hosts.h"
#include "model/strings.h"
#include "sonde/key.h"

#define MAX_NAME_BYTES 255 /* of a name in the DNS */

struct host {
	u8 addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	size_t line;
	const char *name;
};

struct sonde_hosts {
	struct host *host;
	size_t nr, room;
	struct sonde_strings *strings;
};

/* This machine, or container: everybody knows them. */
static const u8 loopback[2][16] = { { [15] = 1 }, { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 } };
static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

static int by_addr(const void *pa, const void *pb)
{
	const struct host *a = pa, *b = pb;
	int order = memcmp(a->addr, b->addr, sizeof(a->addr));

	return order ? order : (a->line > b->line) - (a->line < b->line);
}

/* The word at @at, before @end; *@len is set. Returns where it begins. */
static const char *word_at(const char *at, const char *end, size_t *len)
{
	const char *from;

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	from = at;
	while (at < end && *at != ' ' && *at != '\t' && *at != '\r')
		at++;
	*len = (size_t)(at - from);
	return from;
}

static bool parse_addr(const char *word, size_t len, u8 addr[16])
{
	char text[INET6_ADDRSTRLEN + 1];
	const char *zone = memchr(word, '%', len);

	if (zone)
		len = (size_t)(zone - word);
	if (!len || len >= sizeof(text) || memchr(word, '\0', len))
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	if (inet_pton(AF_INET6, text, addr) == 1)
		return true;
	memcpy(addr, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, addr + sizeof(mapped)) == 1;
}

static bool tells(const char *name, size_t len)
{
	static const char *const nothing[] = { "localhost", "ip6-localhost", "ip6-loopback", "localhost.localdomain" };

	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
		if (strlen(nothing[i]) == len && !memcmp(nothing[i], name, len))
			return false;
	return len && len <= MAX_NAME_BYTES && !memchr(name, '\0', len);
}

/* Takes a line; false: no memory. */
static bool take(struct sonde_hosts *hosts, const char *line, const char *end, size_t nr)
{
	size_t room = hosts->room ? hosts->room * 2 : 32, len;
	const char *comment = memchr(line, '#', (size_t)(end - line)), *word;
	struct host host = { .line = nr }, *more;

	if (comment)
		end = comment;
	word = word_at(line, end, &len);
	if (!parse_addr(word, len, host.addr) || !memcmp(host.addr, loopback[0], sizeof(host.addr)) ||
	    !memcmp(host.addr, loopback[1], sizeof(host.addr)))
		return true;
	word = word_at(word + len, end, &len);
	if (!tells(word, len))
		return true;
	host.name = sonde_strings_add(hosts->strings, word, len);
	if (!host.name)
		return false;
	if (hosts->nr == hosts->room) {
		more = realloc(hosts->host, room * sizeof(*more));
		if (!more)
			return false;
		hosts->host = more;
		hosts->room = room;
	}
	hosts->host[hosts->nr++] = host;
	return true;
}

struct sonde_hosts *sonde_hosts_parse(const char *text, size_t len)
{
	struct sonde_hosts *hosts = calloc(1, sizeof(*hosts));
	const char *at = text, *end = text + len, *line_end;
	bool ok;

	if (!hosts)
		return NULL;
	hosts->strings = sonde_strings_new();
	ok = hosts->strings;
	for (size_t nr = 0; ok && at < end; nr++, at = line_end + 1) {
		line_end = memchr(at, '\n', (size_t)(end - at));
		if (!line_end)
			line_end = end;
		ok = take(hosts, at, line_end, nr);
	}
	if (!ok) {
		sonde_hosts_free(hosts);
		return NULL;
	}
	if (hosts->nr)
		qsort(hosts->host, hosts->nr, sizeof(*hosts->host), by_addr);
	return hosts;
}

void sonde_hosts_free(struct sonde_hosts *hosts)
{
	if (!hosts)
		return;
	free(hosts->host);
	sonde_strings_put(hosts->strings);
	free(hosts);
}

const char *sonde_hosts_find(const struct sonde_hosts *hosts, u32 family, const u8 addr[16])
{
	size_t low = 0, high = hosts ? hosts->nr : 0;
	u8 wanted[16];

	if (family == SONDE_AF_INET) {
		memcpy(wanted, mapped, sizeof(mapped));
		memcpy(wanted + sizeof(mapped), addr, 4);
	} else if (family == SONDE_AF_INET6) {
		memcpy(wanted, addr, sizeof(wanted));
	} else {
		return "";
	}
	/* The first of equal ones. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(hosts->host[middle].addr, wanted, sizeof(wanted)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!hosts || low == hosts->nr || memcmp(hosts->host[low].addr, wanted, sizeof(wanted)) != 0)
		return "";
	return hosts->host[low].name;
}
