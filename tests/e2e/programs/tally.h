/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tally.h - what a program that is traced says of its own allocations, by the function that made them.
 *
 * tally_print() writes a line for each: "NAME BYTES OBJECTS LIVE_BYTES LIVE_OBJECTS". Not for several threads at once.
 */
#ifndef SONDE_TEST_TALLY_H
#define SONDE_TEST_TALLY_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct tally {
	const char *name;
	int64_t bytes, objects, live_bytes, live_objects;
};

static struct tally tallies[32];
static int nr_tallies;

static struct tally *tally(const char *name)
{
	for (int i = 0; i < nr_tallies; i++)
		if (!strcmp(tallies[i].name, name))
			return &tallies[i];
	tallies[nr_tallies].name = name;
	return &tallies[nr_tallies++];
}

/* What was allocated by the calling function. */
static void add(const char *name, int64_t objects, int64_t bytes, int64_t live_objects, int64_t live_bytes)
{
	struct tally *t = tally(name);

	t->objects += objects;
	t->bytes += bytes;
	t->live_objects += live_objects;
	t->live_bytes += live_bytes;
}

/* Functions that have allocated nothing are left out. */
static void tally_print(void)
{
	for (int i = 0; i < nr_tallies; i++)
		if (tallies[i].objects)
			printf("%s %lld %lld %lld %lld\n", tallies[i].name, (long long)tallies[i].bytes,
			       (long long)tallies[i].objects, (long long)tallies[i].live_bytes,
			       (long long)tallies[i].live_objects);
	fflush(stdout);
}

#endif /* SONDE_TEST_TALLY_H */
