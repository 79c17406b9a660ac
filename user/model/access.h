/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * access.h - whether a statement reads or writes data, and whose.
 */
#ifndef SONDE_MODEL_ACCESS_H
#define SONDE_MODEL_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

enum sonde_access {
	SONDE_ACCESS_NONE, /* neither: not judged */
	SONDE_ACCESS_READ,
	SONDE_ACCESS_WRITE,
};

/**
 * sonde_access - what statement @text of protocol @proto does; @verb is an enum sonde_sql_verb (0: not SQL)
 * @text: NULL: not known; then SQL is told by its verb alone
 */
enum sonde_access sonde_access(u32 proto, u32 verb, const char *text);

/** sonde_access_many - what does the same for many keys: "MGET"; "" when there is nothing; for labels only */
const char *sonde_access_many(u32 proto, const char *text);

/** sonde_access_catalog - whether SQL @text asks the system's own tables */
bool sonde_access_catalog(u32 proto, const char *text);

/**
 * sonde_access_data - whether SQL @text asks for any data: no read without FROM, "select ?", "select nextval(?)"
 *
 * A function of the program's own may read some, but which one does is not told by its name.
 */
bool sonde_access_data(u32 proto, const char *text);

#endif /* SONDE_MODEL_ACCESS_H */
