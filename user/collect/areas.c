// SPDX-License-Identifier: GPL-2.0-only
/*
 * areas.c - which mapping of a process an address lies in.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/areas.h"
#include "model/strings.h"

#define MAX_AREAS 262144

bool sonde_areas_line(const char *line, struct sonde_strings *strings, struct sonde_area *area)
{
	unsigned long long start, end;
	const char *name;
	int at = 0;

	if (sscanf(line, "%llx-%llx %*4s %*x %*x:%*x %*u%n", &start, &end, &at) != 2 || !at || start >= end)
		return false;
	name = line + at;
	name += strspn(name, " ");
	area->start = start;
	area->end = end;
	area->name = *name && *name != '\n' ? sonde_strings_add(strings, name, strcspn(name, "\n")) : "[anon]";
	return area->name != NULL;
}

void sonde_areas_read(struct sonde_areas *areas, pid_t pid, struct sonde_strings *strings)
{
	struct sonde_area area;
	char path[64], *line = NULL;
	size_t size = 0, nr = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (nr < MAX_AREAS && getline(&line, &size, file) > 0) {
		if (!sonde_areas_line(line, strings, &area))
			continue;
		if (nr == areas->room) {
			size_t room = areas->room ? areas->room * 2 : 64;
			struct sonde_area *more = realloc(areas->area, room * sizeof(*more));

			if (!more)
				break;
			areas->area = more;
			areas->room = room;
		}
		areas->area[nr++] = area;
	}
	if (nr) /* a process that ends has none any more */
		areas->nr = nr;
	free(line);
	fclose(file);
}

const char *sonde_areas_find(const struct sonde_areas *areas, u64 address)
{
	size_t low = 0, high = areas->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (areas->area[mid].end <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low < areas->nr && areas->area[low].start <= address ? areas->area[low].name : NULL;
}

void sonde_areas_free(struct sonde_areas *areas)
{
	free(areas->area);
	*areas = (struct sonde_areas){};
}

s64 sonde_areas_huge(pid_t pid)
{
	static const char key[] = "AnonHugePages:";
	char path[64], line[128];
	s64 bytes = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (bytes < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, sizeof(key) - 1))
			bytes = (s64)strtoull(line + sizeof(key) - 1, NULL, 10) * 1024;
	fclose(file);
	return bytes;
}
