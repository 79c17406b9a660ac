// SPDX-License-Identifier: GPL-2.0-only
/*
 * cgroup.c - control groups of both versions: where they are, and what they let their processes use.
 */
#include <stdlib.h>
#include <string.h>

#include "model/cgroup.h"

/* Whether @name is one of the names in @list, which commas separate and which ends before @end. */
static bool is_in_list(const char *list, const char *end, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at < end;) {
		const char *comma = memchr(at, ',', (size_t)(end - at)), *to = comma ? comma : end;

		if ((size_t)(to - at) == len && !memcmp(at, name, len))
			return true;
		at = to + 1;
	}
	return false;
}

static bool is_octal(const char *at)
{
	return at[0] >= '0' && at[0] <= '3' && at[1] >= '0' && at[1] <= '7' && at[2] >= '0' && at[2] <= '7';
}

/* Blanks and backslashes of names are written as \ooo. */
static bool take_name(char *to, size_t size, const char *from, const char *end)
{
	size_t nr = 0;

	while (from < end && nr + 1 < size) {
		if (*from == '\\' && end - from >= 4 && is_octal(from + 1)) {
			to[nr++] = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			to[nr++] = *from++;
		}
	}
	to[nr] = '\0';
	return from == end;
}

static const char *word_end(const char *at)
{
	return at + strcspn(at, " \n");
}

/* The word behind the one at @at; at the end of the line that end. */
static const char *next_word(const char *at)
{
	at = word_end(at);
	return *at == ' ' ? at + 1 : at;
}

#define ROOT_WORD 3 /* "36 35 0:31 ROOT POINT OPTIONS ... - TYPE SOURCE SUPER-OPTIONS" */

bool sonde_cgroup_mount(struct sonde_cgroup_mount *mount, const char *line)
{
	const char *root = line, *point, *type, *options;

	for (int i = 0; i < ROOT_WORD; i++)
		root = next_word(root);
	point = next_word(root);
	type = strstr(point, " - ");
	if (!type)
		return false;
	type += 3;
	options = next_word(next_word(type));
	if (!strncmp(type, "cgroup2 ", 8))
		mount->version = SONDE_CGROUP_V2;
	else if (!strncmp(type, "cgroup ", 7) && is_in_list(options, word_end(options), "cpu"))
		mount->version = SONDE_CGROUP_V1;
	else
		return false;
	return take_name(mount->root, sizeof(mount->root), root, word_end(root)) &&
	       take_name(mount->point, sizeof(mount->point), point, word_end(point));
}

/* Lines are "NUMBER:CONTROLLERS:PATH", of version 2 "0::PATH". */
const char *sonde_cgroup_path(const char *text, enum sonde_cgroup_version version, size_t *len)
{
	for (const char *line = text; *line; line += *line == '\n') {
		const char *end = line + strcspn(line, "\n"), *list = memchr(line, ':', (size_t)(end - line)), *path;

		path = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;
		if (path && (version == SONDE_CGROUP_V2 ? path == list + 1 && !strncmp(line, "0:", 2)
							: is_in_list(list + 1, path, "cpu"))) {
			*len = (size_t)(end - path - 1);
			return path + 1;
		}
		line = end;
	}
	return NULL;
}

const char *sonde_cgroup_below(const struct sonde_cgroup_mount *mount, const char *path, size_t *len)
{
	size_t above = strcmp(mount->root, "/") ? strlen(mount->root) : 0;

	if (*len < above || strncmp(path, mount->root, above) || (*len > above && path[above] != '/'))
		return NULL;
	if (*len >= 3 && !strncmp(path, "/..", 3)) /* outside of this namespace's groups */
		return NULL;
	*len -= above;
	path += above;
	if (*len == 1)
		*len = 0;
	return path;
}

static u32 limit(u64 quota, u64 period)
{
	if (!quota || !period || quota / period >= 1000000)
		return 0;
	quota = quota * 1000 / period;
	return quota ? (u32)quota : 1;
}

/* "QUOTA PERIOD" in microseconds, or "max PERIOD". */
u32 sonde_cgroup_max(const char *text)
{
	char *end;
	u64 quota = strtoull(text, &end, 10);

	return end == text ? 0 : limit(quota, strtoull(end, NULL, 10));
}

u32 sonde_cgroup_quota(const char *quota, const char *period)
{
	return quota[0] == '-' ? 0 : limit(strtoull(quota, NULL, 10), strtoull(period, NULL, 10));
}
