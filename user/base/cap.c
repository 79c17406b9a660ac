// SPDX-License-Identifier: GPL-2.0-only
/*
 * cap.c - the capabilities of this thread.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cap.h"

#define SYS_ADMIN 21

static const struct row {
	struct sonde_cap_info info;
	unsigned int number;
	bool implied; /* by CAP_SYS_ADMIN */
} rows[] = {
#define SONDE_CAP(symbol, number, implied, need, what, without)                                                        \
	{ { "CAP_" #symbol, what, without, SONDE_CAP_##need }, number, implied },
#include "base/cap.def"
#undef SONDE_CAP
};

/* The sets as the system calls have them: two words of 32 bits each. */
struct sets {
	struct __user_cap_data_struct word[2];
};

static int get(struct sets *sets)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &head, sets->word) ? -errno : 0;
}

static u64 effective(void)
{
	struct sets sets;

	return get(&sets) ? 0 : sets.word[0].effective | (u64)sets.word[1].effective << 32;
}

const struct sonde_cap_info *sonde_cap_info(enum sonde_cap cap)
{
	return &rows[cap].info;
}

bool sonde_cap_have(enum sonde_cap cap)
{
	u64 have = effective();

	return have >> rows[cap].number & 1 || (rows[cap].implied && have >> SYS_ADMIN & 1);
}

bool sonde_cap_in_namespace(void)
{
	unsigned int inside, outside, nr;
	FILE *f = fopen("/proc/self/uid_map", "re");
	bool all;

	if (!f)
		return false;
	/* The first namespace maps all numbers to themselves. */
	all = fscanf(f, "%u %u %u", &inside, &outside, &nr) == 3 && !inside && !outside && nr == UINT32_MAX;
	fclose(f);
	return !all;
}

int sonde_cap_keep(u32 set)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct sets sets;
	u64 keep = 0, have;
	int err = get(&sets);

	if (err)
		return err;
	have = sets.word[0].permitted | (u64)sets.word[1].permitted << 32;
	for (enum sonde_cap cap = 0; cap < SONDE_CAP_MAX; cap++) {
		if (!(set & SONDE_CAP_BIT(cap)))
			continue;
		keep |= 1ULL << rows[cap].number;
		if (rows[cap].implied && !(have >> rows[cap].number & 1))
			keep |= 1ULL << SYS_ADMIN;
	}
	for (int i = 0; i < 2; i++) {
		sets.word[i].permitted &= (u32)(keep >> 32 * i);
		sets.word[i].effective = sets.word[i].permitted;
		sets.word[i].inheritable = 0; /* and with it the ambient ones */
	}
	return syscall(SYS_capset, &head, sets.word) ? -errno : 0;
}

void sonde_cap_missing(u32 set, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (enum sonde_cap cap = 0; cap < SONDE_CAP_MAX && len < size; cap++)
		if (set & SONDE_CAP_BIT(cap) && !sonde_cap_have(cap))
			len += snprintf(out + len, size - len, "%s%s", len ? ", " : "", rows[cap].info.name);
}
