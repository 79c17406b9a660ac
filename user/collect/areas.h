/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * areas.h - which mapping of a process an address lies in. Only for user/collect.
 */
#ifndef SONDE_COLLECT_AREAS_H
#define SONDE_COLLECT_AREAS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sonde/base.h"

struct sonde_strings;

/** struct sonde_area - memory from @start to before @end; @name: "[heap]", "[anon]", a file's path */
struct sonde_area {
	u64 start, end;
	const char *name;
};

/** struct sonde_areas - of a process, sorted as /proc has them; zeroed memory is none */
struct sonde_areas {
	struct sonde_area *area;
	size_t nr, room;
};

/** sonde_areas_line - a line of /proc/PID/maps; its name is @strings'. False: it is none, or no memory */
bool sonde_areas_line(const char *line, struct sonde_strings *strings, struct sonde_area *area);

/** sonde_areas_read - those of @pid as they are now; if it is gone they stay as they were */
void sonde_areas_read(struct sonde_areas *areas, pid_t pid, struct sonde_strings *strings);

/** sonde_areas_find - the name of the one at @address, NULL: there is none */
const char *sonde_areas_find(const struct sonde_areas *areas, u64 address);

void sonde_areas_free(struct sonde_areas *areas);

/** sonde_areas_huge - bytes of anonymous memory that process @pid has in huge pages; < 0: not known */
s64 sonde_areas_huge(pid_t pid);

#endif /* SONDE_COLLECT_AREAS_H */
