// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloc_bin.c - finds the functions of an allocator in a file, and where each is cheap to probe.
 *
 * An allocator is whatever has malloc and free, by these names or by those that its library gives them inside of programs. All
 * of them are looked for everywhere: what stands before another one calls it, and the outermost call is the one that counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/log.h"
#include "load/alloc_bin.h"
#include "load/elf.h"
#include "load/site.h"
#include "sonde/alloc.h"
#include "sonde/config.h"
#include "sonde.skel.h"

#define ARG SONDE_SITE_ARG
#define MAX_CODE 16384 /* bytes of a function that are read */

struct function {
	const char *name;
	enum sonde_alloc_call call;
	u32 args; /* that the program reads */
};

/* clang-format off */
#define FAMILY(p)									\
	{ p "malloc", SONDE_ALLOC_CALL_SIZE, ARG(0) },					\
	{ p "free", SONDE_ALLOC_CALL_FREE, ARG(0) },					\
	{ p "calloc", SONDE_ALLOC_CALL_ARRAY, ARG(0) | ARG(1) },			\
	{ p "realloc", SONDE_ALLOC_CALL_REALLOC, ARG(0) | ARG(1) },			\
	{ p "reallocarray", SONDE_ALLOC_CALL_REARRAY, ARG(0) | ARG(1) | ARG(2) },	\
	{ p "aligned_alloc", SONDE_ALLOC_CALL_ALIGNED, ARG(1) },			\
	{ p "memalign", SONDE_ALLOC_CALL_ALIGNED, ARG(1) },				\
	{ p "posix_memalign", SONDE_ALLOC_CALL_POSIX, ARG(0) | ARG(2) },		\
	{ p "valloc", SONDE_ALLOC_CALL_SIZE, ARG(0) },					\
	{ p "pvalloc", SONDE_ALLOC_CALL_SIZE, ARG(0) },					\
	{ p "cfree", SONDE_ALLOC_CALL_FREE, ARG(0) },					\
	{ p "free_sized", SONDE_ALLOC_CALL_FREE, ARG(0) },				\
	{ p "free_aligned_sized", SONDE_ALLOC_CALL_FREE, ARG(0) }

/* jemalloc's own. */
#define EXTENDED(p)									\
	{ p "mallocx", SONDE_ALLOC_CALL_SIZE, ARG(0) },					\
	{ p "rallocx", SONDE_ALLOC_CALL_REALLOC, ARG(0) | ARG(1) },			\
	{ p "dallocx", SONDE_ALLOC_CALL_FREE, ARG(0) },					\
	{ p "sdallocx", SONDE_ALLOC_CALL_FREE, ARG(0) }

/* Each family begins with malloc and free. */
static const struct function functions[] = {
	FAMILY(""), EXTENDED(""),
	FAMILY("je_"), EXTENDED("je_"),
	FAMILY("_rjem_"), EXTENDED("_rjem_"),
	FAMILY("mi_"),
	{ "mi_zalloc", SONDE_ALLOC_CALL_SIZE, ARG(0) },
	{ "mi_malloc_aligned", SONDE_ALLOC_CALL_SIZE, ARG(0) },
	{ "mi_zalloc_aligned", SONDE_ALLOC_CALL_SIZE, ARG(0) },
	{ "mi_realloc_aligned", SONDE_ALLOC_CALL_REALLOC, ARG(0) | ARG(1) },
};

/* C++'s new and delete: of libraries that do not go through malloc for them. */
static const struct function operators[] = {
	{ "_Znwm", SONDE_ALLOC_CALL_NEW, ARG(0) },
	{ "_Znam", SONDE_ALLOC_CALL_NEW, ARG(0) },
	{ "_ZnwmSt11align_val_t", SONDE_ALLOC_CALL_NEW, ARG(0) },
	{ "_ZnamSt11align_val_t", SONDE_ALLOC_CALL_NEW, ARG(0) },
	{ "_ZnwmRKSt9nothrow_t", SONDE_ALLOC_CALL_SIZE, ARG(0) },
	{ "_ZnamRKSt9nothrow_t", SONDE_ALLOC_CALL_SIZE, ARG(0) },
	{ "_ZnwmSt11align_val_tRKSt9nothrow_t", SONDE_ALLOC_CALL_SIZE, ARG(0) },
	{ "_ZnamSt11align_val_tRKSt9nothrow_t", SONDE_ALLOC_CALL_SIZE, ARG(0) },
	{ "_ZdlPv", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdaPv", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdlPvm", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdaPvm", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdlPvRKSt9nothrow_t", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdaPvRKSt9nothrow_t", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdlPvSt11align_val_t", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdaPvSt11align_val_t", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdlPvmSt11align_val_t", SONDE_ALLOC_CALL_FREE, ARG(0) },
	{ "_ZdaPvmSt11align_val_t", SONDE_ALLOC_CALL_FREE, ARG(0) },
};
/* clang-format on */

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* Families by the index of their malloc. */
static const size_t families[] = { 0, 17, 34, 51 };

/* Libraries whose operator new is a function of its own have one of these. */
static const char *const own_new[] = { "mallocx", "tc_malloc", "mi_malloc" };

/* ---- programs ---- */

/* Without links that are limited to a process all processes would pay: then perf events, which can be. */
static int call_type(void)
{
	const struct sonde_uprobe_caps *caps = sonde_uprobe_caps();

	if (!caps->multi || !caps->process)
		return SONDE_UPROBE_PERF;
	return caps->session ? SONDE_UPROBE_SESSION : SONDE_UPROBE_MULTI;
}

static int entry_type(void)
{
	return call_type() == SONDE_UPROBE_PERF ? SONDE_UPROBE_PERF : SONDE_UPROBE_MULTI;
}

static void use(struct bpf_program *prog, int type)
{
	bpf_program__set_autoload(prog, true);
	if (type != SONDE_UPROBE_PERF)
		bpf_program__set_expected_attach_type(prog, (enum bpf_attach_type)type);
}

void alloc_bin_prepare(struct sonde_bpf *skel)
{
	int type = call_type();

	if (type == SONDE_UPROBE_SESSION) {
		use(skel->progs.ax_both, type);
	} else {
		use(skel->progs.ax_begin, type);
		use(skel->progs.ax_return, type);
	}
	use(skel->progs.ax_free, entry_type());
	bpf_program__set_autoload(skel->progs.ax_exec, true);
}

const char *alloc_bin_how(void)
{
	switch (call_type()) {
	case SONDE_UPROBE_SESSION:
		return "session";
	case SONDE_UPROBE_MULTI:
		return "multi";
	default:
		return "perf event";
	}
}

/* ---- functions ---- */

/* What only passes its call on to a function of the library is seen there. */
static bool passes_on(const struct function *f, const u8 *code, size_t len)
{
	s64 target;

	return f->call == SONDE_ALLOC_CALL_FREE && sonde_site_jumps_to(code, len, &target);
}

static bool is_there(const struct sonde_uprobe_spot *spot, size_t nr, u64 offset)
{
	for (size_t i = 0; i < nr; i++)
		if (spot[i].offset == offset)
			return true;
	return false;
}

static void plan(struct alloc_bin *b, struct sonde_elf *elf, const struct function *f, const struct sonde_elf_symbol *symbol,
		 u8 *code)
{
	bool frees = f->call == SONDE_ALLOC_CALL_FREE;
	struct sonde_uprobe_spot *spot = frees ? b->free : b->call;
	size_t *nr = frees ? &b->nr_frees : &b->nr_calls, room = frees ? ALLOC_BIN_FREES : ALLOC_BIN_CALLS;
	ssize_t len = sonde_elf_code(elf, symbol, code, MAX_CODE);
	struct sonde_site site;
	int err;

	if (len <= 0 || *nr == room || passes_on(f, code, (size_t)len))
		return;
	err = frees ? sonde_site_entry(code, (size_t)len, f->args, &site)
		    : sonde_site_return(code, (size_t)len, f->args, &site);
	if (err) {
		sonde_warn("%s of %s cannot be probed: %s", f->name, b->path, strerror(-err));
		return;
	}
	/* Functions may have several names. */
	if (is_there(spot, *nr, symbol->offset + site.skip))
		return;
	sonde_debug("%s of %s: +%u, %s (%s)", f->name, b->path, site.skip, sonde_site_cost_name(site.cost), site.insn);
	spot[(*nr)++] = (struct sonde_uprobe_spot){
		.offset = symbol->offset + site.skip,
		.cookie = (u64)f->call | (site.cost == SONDE_SITE_STEPPED ? SONDE_ALLOC_STEPPED : 0),
	};
}

/* Few files have any, and some have millions of symbols. */
static bool has_family(struct sonde_elf *elf)
{
	struct sonde_elf_symbol symbol[2 * NR(families)];
	const char *name[2 * NR(families)];

	for (size_t i = 0; i < 2 * NR(families); i++)
		name[i] = functions[families[i / 2] + i % 2].name;
	sonde_elf_symbols(elf, name, NR(name), symbol);
	for (size_t i = 0; i < NR(families); i++)
		if (symbol[2 * i].addr && symbol[2 * i + 1].addr)
			return true;
	return false;
}

static void plan_functions(struct alloc_bin *b, struct sonde_elf *elf, u8 *code)
{
	struct sonde_elf_symbol symbol[NR(functions)];
	const char *name[NR(functions)];

	if (!has_family(elf))
		return;
	for (size_t i = 0; i < NR(functions); i++)
		name[i] = functions[i].name;
	sonde_elf_symbols(elf, name, NR(functions), symbol);
	for (size_t i = 0; i < NR(functions); i++)
		if (symbol[i].addr)
			plan(b, elf, &functions[i], &symbol[i], code);
}

/* new[] that only jumps to new is seen there. */
static bool is_alias(struct sonde_elf *elf, const struct sonde_elf_symbol symbol[], size_t i)
{
	u8 code[16];
	ssize_t len = sonde_elf_code(elf, &symbol[i], code, sizeof(code));
	s64 target;

	if (len <= 0 || !sonde_site_jumps_to(code, (size_t)len, &target))
		return false;
	for (size_t k = 0; k < NR(operators); k++)
		if (k != i && symbol[k].addr && symbol[k].addr == symbol[i].addr + (u64)target)
			return true;
	return false;
}

/* Throwing takes a session: it can let a call pass unwatched. */
static void plan_operators(struct alloc_bin *b, struct sonde_elf *elf, u8 *code)
{
	struct sonde_elf_symbol symbol[NR(operators)], own[NR(own_new)];
	const char *name[NR(operators)];

	if (!sonde_elf_symbols(elf, own_new, NR(own_new), own))
		return;
	for (size_t i = 0; i < NR(operators); i++)
		name[i] = operators[i].name;
	sonde_elf_symbols(elf, name, NR(operators), symbol);
	for (size_t i = 0; i < NR(operators); i++) {
		if (!symbol[i].addr || is_alias(elf, symbol, i))
			continue;
		if (operators[i].call == SONDE_ALLOC_CALL_NEW && call_type() != SONDE_UPROBE_SESSION)
			b->news = true;
		else
			plan(b, elf, &operators[i], &symbol[i], code);
	}
}

struct alloc_bin *alloc_bin_find(struct sonde_elf *elf, int fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct alloc_bin *b;
	u8 *code;

	/* Our own library passes every call on. */
	if (!strncmp(slash ? slash + 1 : path, "libsonde-alloc", 14))
		return NULL;
	b = calloc(1, sizeof(*b));
	code = malloc(MAX_CODE);
	if (!b || !code)
		goto err_free;
	b->fd = -1;
	b->path = strdup(path);
	if (!b->path)
		goto err_free;
	plan_functions(b, elf, code);
	if (!b->nr_calls || !b->nr_frees)
		goto err_free;
	plan_operators(b, elf, code);
	b->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (b->fd < 0)
		goto err_free;
	free(code);
	return b;

err_free:
	free(code);
	alloc_bin_free(b);
	return NULL;
}

void alloc_bin_free(struct alloc_bin *b)
{
	if (!b)
		return;
	if (b->fd >= 0)
		close(b->fd);
	free(b->path);
	free(b);
}

/* Frees first, then returns: what is seen to begin is seen to end. */
int alloc_bin_attach(struct sonde_bpf *skel, const struct alloc_bin *b, pid_t pid, struct sonde_uprobe **probes)
{
	struct sonde_uprobe *fresh = NULL;
	int type = call_type(), err = 0;

	if (b->nr_frees)
		err = sonde_uprobe_attach(&fresh, skel->progs.ax_free, entry_type(), b->fd, b->free, b->nr_frees, false,
					  pid);
	if (!err && type == SONDE_UPROBE_SESSION)
		err = sonde_uprobe_attach(&fresh, skel->progs.ax_both, type, b->fd, b->call, b->nr_calls, false, pid);
	if (!err && type != SONDE_UPROBE_SESSION)
		err = sonde_uprobe_attach(&fresh, skel->progs.ax_return, type, b->fd, b->call, b->nr_calls, true, pid);
	if (!err && type != SONDE_UPROBE_SESSION)
		err = sonde_uprobe_attach(&fresh, skel->progs.ax_begin, type, b->fd, b->call, b->nr_calls, false, pid);
	if (err)
		sonde_uprobe_free(fresh);
	else
		sonde_uprobe_move(probes, &fresh);
	return err;
}
