// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_elf.c - files in which functions to probe are looked for: OpenSSL, GnuTLS, Go, SQLite, garbage collectors in hostile ELF files.
 *
 * fuzz_elf [ITERATIONS [SEED]], or fuzz_elf FILE...; with libFuzzer the input is the file.
 */
#include "elf_mutate.h"
#include "load/gc_bin.h"
#include "load/sqlite_bin.h"
#include "load/tls_bin.h"

static void broken(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

/* What is probed is a place in a file that can be. */
static void check_tls(const struct sonde_tls_bin *bin, size_t size)
{
	if (bin->nr_sites > SONDE_TLS_MAX_SITES || !memchr(bin->reason, 0, sizeof(bin->reason)) ||
	    !memchr(bin->version, 0, sizeof(bin->version)) || !memchr(bin->build_id, 0, sizeof(bin->build_id)))
		broken("sites or texts do not end");
	for (size_t i = 0; i < bin->nr_sites; i++)
		if (!bin->site[i].err && bin->site[i].offset >= size)
			broken("a probe outside of the file");
}

static void check_sqlite(struct sonde_elf *elf, size_t size)
{
	static struct sonde_sqlite_bin bin;
	static struct sqlite_plan plan;

	memset(&bin, 0, sizeof(bin));
	if (sqlite_bin_examine(elf, true, &bin, &plan) <= 0)
		return;
	if (bin.nr_sites > SONDE_SQLITE_MAX_SITES)
		broken("too many sites");
	for (size_t hook = 0; hook < NR_HOOKS; hook++)
		for (size_t i = 0; i < plan.nr[hook]; i++)
			if (plan.site[hook][i] >= bin.nr_sites || plan.spot[hook][i].offset >= size)
				broken("a probe outside of the file");
}

static int add_spec(void *ctx, const struct sonde_gc_spec *spec)
{
	if (spec->member > 4096)
		broken("a member outside of its structure");
	return ++*(int *)ctx & 127;
}

static void check_spots(const struct gc_spots *spots, size_t size)
{
	if (spots->nr > GC_BIN_SPOTS)
		broken("too many spots");
	for (size_t i = 0; i < spots->nr; i++)
		if (spots->spot[i].offset >= size)
			broken("a probe outside of the file");
}

static bool member(struct sonde_elf *elf, u64 *offset)
{
	return sonde_elf_member(elf, "tests/fuzz/elf_base.c", "counter", "live", offset);
}

static void check_gc(struct sonde_elf *elf, int fd, size_t size)
{
	static const char *const called[] = { "libpython3.so", "node", "server" };
	static struct gc_bin bin;
	int specs = 0;
	u64 offset;

	for (size_t i = 0; i < sizeof(called) / sizeof(called[0]); i++) {
		if (!gc_bin_find(elf, fd, called[i], add_spec, &specs, &bin))
			continue;
		check_spots(&bin.hit, size);
		check_spots(&bin.ret, size);
		check_spots(&bin.pool, size);
	}
	(void)member(elf, &offset);
}

static void check(int fd, size_t size)
{
	static struct sonde_tls_bin bin;
	struct sonde_elf *elf;

	if (sonde_elf_open(fd, &elf))
		return;
	memset(&bin, 0, sizeof(bin));
	if (tls_bin_go(elf, fd, &bin) > 0)
		check_tls(&bin, size);
	memset(&bin, 0, sizeof(bin));
	if (tls_bin_openssl(elf, &bin) > 0)
		check_tls(&bin, size);
	memset(&bin, 0, sizeof(bin));
	if (tls_bin_gnutls(elf, &bin) > 0)
		check_tls(&bin, size);
	check_sqlite(elf, size);
	check_gc(elf, fd, size);
	sonde_elf_has_symtab(elf);
	sonde_elf_has_note(elf, "Go", 4);
	sonde_elf_close(elf);
}

static __attribute__((unused)) void check_base(int fd, size_t size)
{
	static struct sonde_sqlite_bin lite;
	static struct sonde_tls_bin bin;
	static struct sqlite_plan plan;
	struct sonde_elf *elf;
	u64 offset = 0;

	if (sonde_elf_open(fd, &elf))
		broken("the unchanged file is not read");
	if (tls_bin_go(elf, fd, &bin) <= 0 || strcmp(bin.version, "go1.22.1"))
		broken("no Go in the unchanged file");
	memset(&bin, 0, sizeof(bin));
	if (tls_bin_openssl(elf, &bin) <= 0 || bin.err || !bin.build_id[0] || tls_bin_gnutls(elf, &bin) <= 0)
		broken("no TLS library in the unchanged file");
	if (sqlite_bin_examine(elf, true, &lite, &plan) <= 0 || lite.text_offset != 24 || lite.db_offset != 0 || lite.nr_sites < 4)
		broken("no SQLite in the unchanged file");
	if (!member(elf, &offset) || offset != sizeof(long))
		broken("no member in the unchanged file");
	sonde_elf_close(elf);
	check(fd, size);
}
