/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * list.h - an array that grows by one.
 */
#ifndef SONDE_BASE_LIST_H
#define SONDE_BASE_LIST_H

#include <stdlib.h>
#include <string.h>

/**
 * sonde_list_append - a zeroed element of @bytes behind the @nr of *@list, which moves if there is no *@room for it
 *
 * The caller counts it. Its memory is that of the list, to be freed with it. NULL: no memory, all is as before.
 */
static inline void *sonde_list_append(void **list, size_t nr, size_t *room, size_t bytes)
{
	size_t more = *room ? *room * 2 : 16;
	void *bigger;

	if (nr == *room) {
		bigger = realloc(*list, more * bytes);
		if (!bigger)
			return NULL;
		*list = bigger;
		*room = more;
	}
	return memset((char *)*list + nr * bytes, 0, bytes);
}

#endif /* SONDE_BASE_LIST_H */
