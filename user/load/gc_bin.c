// SPDX-License-Identifier: GPL-2.0-only
/*
 * gc_bin.c - where a runtime's garbage collector can be probed in a file: its own probes first, else functions by name.
 *
 * What is needed of each runtime, and where that stands in its source, is said in sonde/gc.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load/elf.h"
#include "load/gc_bin.h"
#include "load/go.h"
#include "load/site.h"
#include "load/usdt.h"

#define MAX_CODE 4096 /* bytes of a function that are read */
#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* What looks at a file. */
struct look {
	struct sonde_elf *elf;
	int fd;
	int (*add)(void *ctx, const struct sonde_gc_spec *spec);
	void *ctx;
	struct gc_bin *bin;
};

static bool add_spot(struct gc_spots *spots, u64 offset, u64 semaphore, enum sonde_gc_at at, int index)
{
	if (index < 0 || spots->nr == GC_BIN_SPOTS)
		return false;
	spots->spot[spots->nr++] = (struct sonde_uprobe_spot){
		.offset = offset,
		.semaphore = semaphore,
		.cookie = (u64)index << 8 | at,
	};
	return true;
}

/* ---- probes that the runtime has ---- */

/* All places of one probe; returns how many can be probed. */
static size_t usdt(struct look *l, struct gc_spots *spots, const char *provider, const char *name, u32 nr_args, enum sonde_gc_at at)
{
	struct sonde_usdt *place = calloc(SONDE_USDT_MAX, sizeof(*place));
	size_t nr = place ? sonde_usdt_find(l->elf, l->fd, provider, name, place) : 0, taken = 0;

	for (size_t i = 0; i < nr; i++) {
		struct sonde_gc_spec spec = { .args = place[i].spec };

		if (place[i].nr_args >= nr_args)
			taken += add_spot(spots, place[i].offset, place[i].semaphore, at, l->add(l->ctx, &spec));
	}
	free(place);
	return taken;
}

static bool python_probes(struct look *l)
{
	return usdt(l, &l->bin->hit, "python", "gc__start", 1, SONDE_GC_AT_PYTHON_START) &&
	       usdt(l, &l->bin->hit, "python", "gc__done", 1, SONDE_GC_AT_PYTHON_DONE);
}

static bool java_probes(struct look *l)
{
	if (!usdt(l, &l->bin->hit, "hotspot", "gc__begin", 1, SONDE_GC_AT_JAVA_BEGIN) ||
	    !usdt(l, &l->bin->hit, "hotspot", "gc__end", 0, SONDE_GC_AT_JAVA_END))
		return false;
	(void)usdt(l, &l->bin->pool, "hotspot", "mem__pool__gc__begin", 8, SONDE_GC_AT_JAVA_POOL_BEGIN);
	(void)usdt(l, &l->bin->pool, "hotspot", "mem__pool__gc__end", 8, SONDE_GC_AT_JAVA_POOL_END);
	return true;
}

/* ---- functions ---- */

/* The entry of a function, and (@ret not SONDE_GC_ATS) its return; false: it cannot be probed. */
static bool function(struct look *l, const struct sonde_elf_symbol *symbol, u32 args, enum sonde_gc_at entry, enum sonde_gc_at ret)
{
	static const struct sonde_gc_spec nothing;
	struct sonde_site at, back;
	u8 code[MAX_CODE];
	ssize_t len;
	int index;

	if (!symbol->addr)
		return false;
	len = sonde_elf_code(l->elf, symbol, code, sizeof(code));
	if (len <= 0 || (entry != SONDE_GC_ATS && sonde_site_entry(code, (size_t)len, args, &at)) ||
	    (ret != SONDE_GC_ATS && sonde_site_return(code, (size_t)len, 0, &back)))
		return false;
	index = l->add(l->ctx, &nothing);
	if (entry != SONDE_GC_ATS && !add_spot(&l->bin->hit, symbol->offset + at.skip, 0, entry, index))
		return false;
	return ret == SONDE_GC_ATS || add_spot(&l->bin->ret, symbol->offset + back.skip, 0, ret, index);
}

static bool python_functions(struct look *l)
{
	static const char *const names[] = { "gc_collect_main", "gc_collect_main.constprop.0" };
	struct sonde_elf_symbol symbol[NR(names)];

	sonde_elf_symbols(l->elf, names, NR(names), symbol);
	for (size_t i = 0; i < NR(names); i++)
		if (function(l, &symbol[i], SONDE_SITE_ARG(1), SONDE_GC_AT_PYTHON_ENTRY, SONDE_GC_AT_PYTHON_RETURN))
			return true;
	return false;
}

/* Versions differ in the last arguments of PerformGarbageCollection(). */
static bool v8_functions(struct look *l)
{
	static const char *const names[] = {
		"_ZN2v88internal4Heap14CollectGarbageENS0_15AllocationSpaceENS0_23GarbageCollectionReasonENS_15GCCallbackFlagsE",
		"_ZN2v88internal4Heap13SizeOfObjectsEv",
		"_ZN2v88internal4Heap24PerformGarbageCollectionENS0_16GarbageCollectorENS0_23GarbageCollectionReasonEPKc",
		"_ZN2v88internal4Heap24PerformGarbageCollectionENS0_16GarbageCollectorENS0_23GarbageCollectionReasonEPKcNS_15GCCallbackFlagsE",
		"_ZN2v88internal4Heap24PerformGarbageCollectionENS0_16GarbageCollectorENS_15GCCallbackFlagsE",
	};
	struct sonde_elf_symbol symbol[NR(names)];
	bool performs = false;

	sonde_elf_symbols(l->elf, names, NR(names), symbol);
	for (size_t i = 2; i < NR(names) && !performs; i++)
		performs = function(l, &symbol[i], SONDE_SITE_ARG(1), SONDE_GC_AT_V8_PERFORM, SONDE_GC_ATS);
	if (!performs || !function(l, &symbol[0], 0, SONDE_GC_AT_V8_ENTRY, SONDE_GC_AT_V8_RETURN))
		return false;
	(void)function(l, &symbol[1], 0, SONDE_GC_ATS, SONDE_GC_AT_V8_SIZE);
	return true;
}

enum { STOP, START, CYCLE, LIVE, WAKE, GO_FUNCTIONS };

static const char *const go_functions[GO_FUNCTIONS] = {
	[STOP] = "runtime.stopTheWorldWithSema",
	[START] = "runtime.startTheWorldWithSema",
	[CYCLE] = "runtime.(*gcControllerState).startCycle",
	[LIVE] = "runtime.(*gcControllerState).resetLive",
	[WAKE] = "runtime.wakep",
};

/*
 * Where the world goes on: startTheWorldWithSema() takes that time, and then wakes another thread, behind which it may have to wait
 * itself. So that call is probed; where it is not found, the returns.
 */
static bool go_start(struct look *l, const struct sonde_go_probe *start, const struct sonde_go_probe *wake, int index)
{
	struct sonde_elf_symbol symbol = { .addr = start->addr, .offset = start->entry, .size = start->size };
	u64 ret[SONDE_GO_MAX_RETURNS];
	u32 call[SONDE_GO_MAX_RETURNS];
	u8 code[MAX_CODE];
	bool all = true;
	int nr = 0;

	if (wake->addr && start->size <= sizeof(code) && sonde_elf_code(l->elf, &symbol, code, sizeof(code)) == (ssize_t)start->size)
		nr = sonde_go_calls(code, start->size, (s64)(wake->addr - start->addr), call, SONDE_GO_MAX_RETURNS);
	for (int i = 0; i < nr; i++)
		ret[i] = start->entry + call[i];
	if (nr <= 0) {
		nr = (int)start->nr_ret;
		memcpy(ret, start->ret, sizeof(ret));
	}
	for (int i = 0; i < nr; i++)
		all &= add_spot(&l->bin->hit, ret[i], 0, SONDE_GC_AT_GO_START, index);
	return all;
}

/* 1: it can be probed; -ENOEXEC: it is no Go program. Returns are never probed as such: Go's stacks move, return addresses with them. */
static int go_runtime(struct look *l)
{
	struct sonde_go_probe probe[GO_FUNCTIONS];
	struct sonde_gc_spec spec = {};
	struct sonde_go go;
	int ret = sonde_go_find(l->elf, l->fd, go_functions, GO_FUNCTIONS, &go, probe), index;
	u64 member;

	if (ret <= 0)
		return ret;
	if (!probe[STOP].addr || !probe[START].addr || !probe[CYCLE].addr || !probe[LIVE].addr)
		return 0;
	if (sonde_elf_member(l->elf, "runtime", "runtime.gcControllerState", "heapLive", &member) && member < 4096)
		spec.member = member + 1;
	index = l->add(l->ctx, &spec);
	l->bin->how = go.symbols ? "symbols" : "function table";
	return add_spot(&l->bin->hit, probe[STOP].entry + probe[STOP].site.skip, 0, SONDE_GC_AT_GO_STOP, index) &&
	       add_spot(&l->bin->hit, probe[CYCLE].entry + probe[CYCLE].site.skip, 0, SONDE_GC_AT_GO_CYCLE, index) &&
	       add_spot(&l->bin->hit, probe[LIVE].entry + probe[LIVE].site.skip, 0, SONDE_GC_AT_GO_LIVE, index) &&
	       go_start(l, &probe[START], &probe[WAKE], index);
}

/* ---- what it is ---- */

/* "python3.11" begins with python, "libnode.so.108" with libnode.so; what a longer name begins with (noded, node_exporter) is something else. */
static bool is_called(const char *path, const char *with)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strlen(with);

	return !strncmp(name, with, len) && !(name[len] >= 'a' && name[len] <= 'z') && name[len] != '-' && name[len] != '_';
}

static bool found(struct look *l, enum sonde_gc_runtime runtime, const char *how, bool seen)
{
	l->bin->runtime = runtime;
	l->bin->sight = seen ? SONDE_GC_SEEN : SONDE_GC_NO_PROBES;
	l->bin->how = seen ? how : "";
	if (!seen)
		l->bin->hit.nr = l->bin->ret.nr = l->bin->pool.nr = 0;
	return true;
}

bool gc_bin_find(struct sonde_elf *elf, int fd, const char *path, int (*add)(void *ctx, const struct sonde_gc_spec *spec), void *ctx,
		 struct gc_bin *bin)
{
	struct look l = { .elf = elf, .fd = fd, .add = add, .ctx = ctx, .bin = bin };
	bool python = is_called(path, "python") || is_called(path, "libpython"), java = is_called(path, "libjvm.so");
	struct sonde_elf_range notes;
	int go;

	memset(bin, 0, sizeof(*bin));
	bin->how = "";
	/* The interpreter may be linked into another program. */
	if (sonde_elf_section(elf, ".note.stapsdt", &notes)) {
		if (python_probes(&l))
			return found(&l, SONDE_GC_PYTHON, "USDT", true);
		if (java_probes(&l))
			return found(&l, SONDE_GC_JAVA, "USDT", true);
	}
	bin->hit.nr = bin->pool.nr = 0;
	if (python)
		return found(&l, SONDE_GC_PYTHON, "symbols", python_functions(&l));
	if (java)
		return found(&l, SONDE_GC_JAVA, "", false);
	if (is_called(path, "node") || is_called(path, "nodejs") || is_called(path, "libnode.so") || is_called(path, "electron"))
		return found(&l, SONDE_GC_V8, "symbols", v8_functions(&l));
	go = go_runtime(&l);
	return go >= 0 && found(&l, SONDE_GC_GO, bin->how, go > 0);
}
