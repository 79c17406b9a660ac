// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel.c - names of kernel functions by address.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sym/kernel.h"

#define MAX_SYMBOLS 4000000
#define MAX_DISTANCE (1u << 20) /* behind the last symbol of a module begins another one's memory */

struct symbol {
	u64 addr;
	u32 name, module; /* offsets into the text */
};

struct sonde_kernel_syms {
	struct symbol *list;
	size_t nr, cap;
	char *text;
	size_t len, room;
};

static bool keep(struct sonde_kernel_syms *syms, const char *s, u32 *at)
{
	size_t len = strlen(s) + 1;

	if (syms->len + len > syms->room) {
		size_t room = syms->room ? syms->room * 2 : 1 << 20;
		char *text = realloc(syms->text, room);

		if (!text)
			return false;
		syms->text = text;
		syms->room = room;
	}
	*at = (u32)syms->len;
	memcpy(syms->text + syms->len, s, len);
	syms->len += len;
	return true;
}

/* "ffffffff81000000 T _stext" or "... t name\t[module]" */
static bool add_line(struct sonde_kernel_syms *syms, char *line, char *module, u32 *module_at)
{
	unsigned long long addr;
	char type, name[512], in[64] = "";
	struct symbol *symbol;

	if (sscanf(line, "%llx %c %511s [%63[^]]", &addr, &type, name, in) < 3 || !addr || !strchr("tTwW", type))
		return true;
	if (syms->nr == syms->cap) {
		size_t cap = syms->cap ? syms->cap * 2 : 1 << 16;
		struct symbol *list = realloc(syms->list, cap * sizeof(*list));

		if (!list)
			return false;
		syms->list = list;
		syms->cap = cap;
	}
	if (strcmp(in, module)) {
		if (!keep(syms, in, module_at))
			return false;
		memcpy(module, in, sizeof(in));
	}
	symbol = &syms->list[syms->nr];
	symbol->addr = addr;
	symbol->module = *module_at;
	if (!keep(syms, name, &symbol->name))
		return false;
	syms->nr++;
	return true;
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

struct sonde_kernel_syms *sonde_kernel_syms_new(void)
{
	struct sonde_kernel_syms *syms = calloc(1, sizeof(*syms));
	FILE *file = fopen("/proc/kallsyms", "re");
	char *line = NULL, module[64] = "";
	u32 module_at = 0;
	size_t size = 0;
	bool good;

	good = syms && file && keep(syms, "", &module_at);
	while (good && syms->nr < MAX_SYMBOLS && getline(&line, &size, file) > 0)
		good = add_line(syms, line, module, &module_at);
	free(line);
	if (file)
		fclose(file);
	if (!good || !syms->nr) {
		sonde_kernel_syms_free(syms);
		return NULL;
	}
	qsort(syms->list, syms->nr, sizeof(*syms->list), by_addr);
	return syms;
}

void sonde_kernel_syms_free(struct sonde_kernel_syms *syms)
{
	if (!syms)
		return;
	free(syms->list);
	free(syms->text);
	free(syms);
}

const char *sonde_kernel_syms_find(const struct sonde_kernel_syms *syms, u64 addr, const char **module)
{
	size_t low = 0, high = syms->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (syms->list[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || addr - syms->list[low - 1].addr > MAX_DISTANCE)
		return NULL;
	*module = syms->text + syms->list[low - 1].module;
	return syms->text + syms->list[low - 1].name;
}
