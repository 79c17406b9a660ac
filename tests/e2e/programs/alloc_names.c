// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_names.c - tells `sonde alloc` of samples with lines of Python as the preloaded library does, of more lines than there is room for.
 *
 * usage: alloc_names NAMES
 *
 * A sample each for the first name and the last: of 1 MiB in first() and 2 MiB in last().
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../include/sonde/alloc_python.h"
#include "../../../shim/probe.h"

SHIM_SEMAPHORE(alloc_semaphore);
SHIM_SEMAPHORE(free_semaphore);
SHIM_SEMAPHORE(name_semaphore);
SHIM_SEMAPHORE(python_semaphore);

static __attribute__((noinline, used)) void fire_alloc(uint64_t ptr, uint64_t size, uint64_t weight)
{
	SHIM_ARG(0, ptr);
	SHIM_ARG(1, size);
	SHIM_ARG(2, weight);

	__asm__ volatile(SHIM_NOTE("otel_memory", "alloc", "alloc_semaphore", SHIM_ARGS3)
			 :
			 : "r"(shim_arg0), "r"(shim_arg1), "r"(shim_arg2)
			 : "memory");
}

static __attribute__((noinline, used)) void fire_free(uint64_t ptr)
{
	SHIM_ARG(0, ptr);

	__asm__ volatile(SHIM_NOTE("otel_memory", "free", "free_semaphore", SHIM_ARGS1) : : "r"(shim_arg0) : "memory");
}

static __attribute__((noinline)) void fire_name(uint64_t name, const struct sonde_alloc_name *text)
{
	SHIM_ARG(0, name);
	SHIM_ARG(1, (uintptr_t)text);

	__asm__ volatile(SHIM_NOTE("sonde_alloc", "name", "name_semaphore", SHIM_ARGS2)
			 :
			 : "r"(shim_arg0), "r"(shim_arg1)
			 : "memory");
}

static __attribute__((noinline)) void fire_python(const struct sonde_alloc_python *sample)
{
	SHIM_ARG(0, (uintptr_t)sample);

	__asm__ volatile(SHIM_NOTE("sonde_alloc", "python", "python_semaphore", SHIM_ARGS1) : : "r"(shim_arg0) : "memory");
}

static uint64_t tell(uint32_t number, const char *function)
{
	struct sonde_alloc_name text = { .file = "names.py", .line = number };
	uint64_t name = number | (uint64_t)SONDE_ALLOC_NAME << SONDE_ALLOC_NAME_SHIFT;

	snprintf(text.function, sizeof(text.function), "%s", function);
	fire_name(name, &text);
	return name;
}

static void sample(uint64_t name, uint64_t bytes)
{
	struct sonde_alloc_python python = { .head = { .ptr = name, .size = bytes, .weight = bytes, .nr = 1 } };

	python.frame[0] = name;
	fire_python(&python);
}

int main(int argc, char **argv)
{
	uint32_t nr = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;

	sample(tell(1, "first"), 1 << 20);
	sleep(3); /* the first is read meanwhile */
	for (uint32_t i = 2; i < nr; i++)
		tell(i, "other");
	sample(tell(nr, "last"), 2 << 20);
	return 0;
}
