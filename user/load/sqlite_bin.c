// SPDX-License-Identifier: GPL-2.0-only
/*
 * sqlite_bin.c - looks into a file for SQLite and decides where to probe it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load/sqlite_bin.h"
#include "sonde/sqlite.h"

#define ARG SONDE_SITE_ARG
#define MAX_CODE 16384 /* bytes of a function that are read */

struct function {
	const char *name;
	enum sqlite_hook hook;
	enum sonde_sqlite_kind kind;
	u32 args; /* that the program reads */
};

/* clang-format off */
static const struct function functions[] = {
	{ "sqlite3_step", HOOK_STEP, 0, ARG(0) }, /* first: no SQLite without it */
	{ "sqlite3_reset", HOOK_RESET, 0, ARG(0) },
	{ "sqlite3_finalize", HOOK_FINALIZE, 0, ARG(0) },
	{ "sqlite3_exec", HOOK_EXEC, 0, 0 },
	{ "sqlite3_open", HOOK_OPEN, 0, ARG(0) | ARG(1) },
	{ "sqlite3_open_v2", HOOK_OPEN, 0, ARG(0) | ARG(1) },
	{ "sqlite3_prepare", HOOK_PREPARE, SONDE_SQLITE_PREPARE, ARG(0) | ARG(1) | ARG(2) | ARG(3) },
	{ "sqlite3_prepare_v2", HOOK_PREPARE, SONDE_SQLITE_PREPARE, ARG(0) | ARG(1) | ARG(2) | ARG(3) },
	{ "sqlite3_prepare_v3", HOOK_PREPARE, SONDE_SQLITE_PREPARE_V3, ARG(0) | ARG(1) | ARG(2) | ARG(4) },
	{ "sqlite3_bind_null", HOOK_BIND, SONDE_SQLITE_BIND_NULL, ARG(0) | ARG(1) },
	{ "sqlite3_bind_double", HOOK_BIND, SONDE_SQLITE_BIND_NULL, ARG(0) | ARG(1) },
	{ "sqlite3_bind_value", HOOK_BIND, SONDE_SQLITE_BIND_NULL, ARG(0) | ARG(1) },
	{ "sqlite3_bind_zeroblob", HOOK_BIND, SONDE_SQLITE_BIND_INT, ARG(0) | ARG(1) | ARG(2) },
	{ "sqlite3_bind_zeroblob64", HOOK_BIND, SONDE_SQLITE_BIND_INT64, ARG(0) | ARG(1) | ARG(2) },
	{ "sqlite3_bind_int", HOOK_BIND, SONDE_SQLITE_BIND_INT, ARG(0) | ARG(1) | ARG(2) },
	{ "sqlite3_bind_int64", HOOK_BIND, SONDE_SQLITE_BIND_INT64, ARG(0) | ARG(1) | ARG(2) },
	{ "sqlite3_bind_text", HOOK_BIND, SONDE_SQLITE_BIND_BYTES, ARG(0) | ARG(1) | ARG(2) | ARG(3) },
	{ "sqlite3_bind_text64", HOOK_BIND, SONDE_SQLITE_BIND_BYTES, ARG(0) | ARG(1) | ARG(2) | ARG(3) },
	{ "sqlite3_bind_text16", HOOK_BIND, SONDE_SQLITE_BIND_BYTES, ARG(0) | ARG(1) | ARG(2) | ARG(3) },
	{ "sqlite3_bind_blob", HOOK_BIND, SONDE_SQLITE_BIND_BYTES, ARG(0) | ARG(1) | ARG(2) | ARG(3) },
	{ "sqlite3_bind_blob64", HOOK_BIND, SONDE_SQLITE_BIND_BYTES, ARG(0) | ARG(1) | ARG(2) | ARG(3) },
};
/* clang-format on */

#define NR_FUNCTIONS (sizeof(functions) / sizeof(*functions))

_Static_assert(NR_FUNCTIONS <= SONDE_SQLITE_MAX_SITES, "a site for each function");

/* Not probed: read to learn where a statement keeps its text and its connection, and this that it is in a transaction. */
enum { GET_TEXT = NR_FUNCTIONS, GET_DB, GET_TXN, NR_NAMES };

bool sqlite_hook_returns(enum sqlite_hook hook)
{
	return sqlite_hook_both(hook) || hook == HOOK_OPEN || hook == HOOK_PREPARE;
}

bool sqlite_hook_both(enum sqlite_hook hook)
{
	return hook == HOOK_STEP || hook == HOOK_EXEC || hook == HOOK_CALIBRATE;
}

static int getter(struct sonde_elf *elf, const struct sonde_elf_symbol *symbol)
{
	u8 code[256];
	ssize_t len;

	if (!symbol->addr)
		return -1;
	len = sonde_elf_code(elf, symbol, code, sizeof(code));
	len = len < 0 ? len : sonde_site_getter(code, len);
	return len < 0 ? -1 : len;
}

/* sqlite3_bind_int() that only passes on to sqlite3_bind_int64(), which is probed. */
static bool passes_on(struct sonde_elf *elf, const struct function *f, const struct sonde_elf_symbol *symbol,
		      const struct sonde_elf_symbol all[], const u8 *code, size_t len)
{
	s64 target;

	if (strcmp(f->name, "sqlite3_bind_int") || !sonde_site_jumps_to(code, len, &target))
		return false;
	for (size_t i = 0; i < NR_FUNCTIONS; i++)
		if (!strcmp(functions[i].name, "sqlite3_bind_int64") && all[i].addr == symbol->addr + target)
			return true;
	return sonde_elf_in_plt(elf, symbol->addr + target);
}

static void plan_function(struct sonde_elf *elf, size_t i, const struct sonde_elf_symbol all[], u8 *code,
			  struct sonde_sqlite_bin *bin, struct sqlite_plan *plan)
{
	const struct function *f = &functions[i];
	struct sonde_sqlite_site *s = &bin->site[bin->nr_sites];
	size_t *nr = &plan->nr[f->hook];
	ssize_t len;

	len = sonde_elf_code(elf, &all[i], code, MAX_CODE);
	if (len > 0 && passes_on(elf, f, &all[i], all, code, len))
		return;
	s->function = f->name;
	s->addr = all[i].addr;
	s->ret = sqlite_hook_returns(f->hook);
	if (len < 0)
		s->err = len;
	else
		s->err = s->ret ? sonde_site_return(code, len, f->args, &s->site)
				: sonde_site_entry(code, len, f->args, &s->site);
	if (!s->err) {
		plan->spot[f->hook][*nr].offset = all[i].offset + s->site.skip;
		plan->spot[f->hook][*nr].cookie = plan->cookie | (u64)f->kind << SONDE_SQLITE_COOKIE_KIND_SHIFT;
		plan->site[f->hook][*nr] = bin->nr_sites;
		(*nr)++;
	}
	bin->nr_sites++;
}

int sqlite_bin_examine(struct sonde_elf *elf, bool binds, struct sonde_sqlite_bin *bin, struct sqlite_plan *plan)
{
	struct sonde_elf_symbol symbol[NR_NAMES];
	const char *name[NR_NAMES];
	int txn_offset;
	u8 *code;

	for (size_t i = 0; i < NR_FUNCTIONS; i++)
		name[i] = functions[i].name;
	name[GET_TEXT] = "sqlite3_sql";
	name[GET_DB] = "sqlite3_db_handle";
	name[GET_TXN] = "sqlite3_get_autocommit";
	memset(plan, 0, sizeof(*plan));
	sonde_elf_symbols(elf, name, NR_NAMES, symbol);
	if (!symbol[0].addr)
		return 0;
	code = malloc(MAX_CODE);
	if (!code)
		return -ENOMEM;
	sonde_elf_build_id(elf, bin->build_id);
	bin->text_offset = getter(elf, &symbol[GET_TEXT]);
	bin->db_offset = getter(elf, &symbol[GET_DB]);
	txn_offset = getter(elf, &symbol[GET_TXN]);
	if (txn_offset >= 0)
		plan->cookie |= SONDE_SQLITE_COOKIE_TXN | (u64)txn_offset << SONDE_SQLITE_COOKIE_TXN_SHIFT;
	if (bin->text_offset >= 0)
		plan->cookie |= SONDE_SQLITE_COOKIE_TEXT | (u64)bin->text_offset;
	if (bin->db_offset >= 0)
		plan->cookie |= SONDE_SQLITE_COOKIE_DB | (u64)bin->db_offset << 16;
	for (size_t i = 0; i < NR_FUNCTIONS; i++) {
		if (!symbol[i].addr || (functions[i].hook == HOOK_BIND && !binds) ||
		    (functions[i].hook == HOOK_PREPARE && bin->text_offset >= 0))
			continue;
		plan_function(elf, i, symbol, code, bin, plan);
	}
	free(code);
	return 1;
}
