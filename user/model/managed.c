// SPDX-License-Identifier: GPL-2.0-only
/*
 * managed.c - which runtime manages a process's heap.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "model/managed.h"
#include "model/profile.h"

static const struct sonde_managed runtimes[] = {
#define SONDE_MANAGED(files, name, hidden) { files, name, hidden },
#include "managed.def"
#undef SONDE_MANAGED
};

/* "python3.11" begins with python, and so does "python", but "phpunit" and "node-helper" are something else. */
static bool begins(const char *name, const char *with, size_t len)
{
	return !strncmp(name, with, len) && !(name[len] >= 'a' && name[len] <= 'z') && name[len] != '-';
}

static const struct sonde_managed *runtime_of(const char *module)
{
	const char *slash = strrchr(module, '/'), *name = slash ? slash + 1 : module;

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++) {
		for (const char *file = runtimes[i].files; *file;) {
			size_t len = strcspn(file, "|");

			if (begins(name, file, len))
				return &runtimes[i];
			file += len + (file[len] == '|');
		}
	}
	return NULL;
}

const struct sonde_managed *sonde_managed_of(const struct sonde_profile *profile, u32 pid)
{
	static const struct sonde_managed python = { "", "CPython",
						     "" }; /* whose lines are seen, and with them what it allocates */
	const struct sonde_managed *found = NULL;

	for (size_t i = 0; i < profile->nr_stacks; i++) {
		const struct sonde_stack *stack = &profile->stack[i];

		if (stack->pid != pid)
			continue;
		for (u32 k = 0; k < stack->nr; k++) {
			const char *module = profile->frame[stack->frame[k]].module;

			if (!strcmp(module, SONDE_PROFILE_PYTHON))
				return &python;
			if (!found)
				found = runtime_of(module);
		}
	}
	return found;
}
