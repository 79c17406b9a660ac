// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_new.cc - alloc_exact.c in C++: new, delete, and new that throws. Built by its test.
 */
#include <cstdio>
#include <cstring>
#include <new>
#include <unistd.h>

#define KEEP __attribute__((noinline, noipa))

struct node {
	char bytes[72];
};

static node *kept[500];

KEEP static void truth_new()
{
	for (node *&n : kept) {
		n = new node;
		*static_cast<volatile char *>(n->bytes) = 1;
	}
}

KEEP static void truth_array()
{
	for (int i = 0; i < 500; i++) {
		char *volatile p = new char[333];

		*p = 1;
		delete[] p;
	}
}

static void gone()
{
	for (node *n : kept)
		delete n;
}

static void throws()
{
	volatile size_t huge = size_t(1) << 62;

	try {
		char *volatile p = new char[huge];

		*p = 1;
	} catch (const std::bad_alloc &) {
		puts("caught");
	}
}

int main()
{
	char line[64];
	size_t len = 0;

	setvbuf(stdout, nullptr, _IONBF, 0);
	puts("ready");
	while (len < sizeof(line) && read(STDIN_FILENO, line + len, 1) == 1) {
		if (line[len++] != '\n')
			continue;
		line[len - 1] = '\0';
		len = 0;
		if (!strcmp(line, "new"))
			truth_new();
		if (!strcmp(line, "array"))
			truth_array();
		if (!strcmp(line, "gone"))
			gone();
		if (!strcmp(line, "throws"))
			throws();
		puts("done");
	}
	return 0;
}
