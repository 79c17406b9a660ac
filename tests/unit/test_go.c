// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_go.c - crypto/tls in Go programs: tables of each layout made by hand, and programs that Go builds here, with and
 * without symbols, compared with what Go's own tools say of them.
 */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load/elf.h"
#include "load/go.h"

/* --- a program made by hand --- */

#define TEXT 0x1000 /* places in the file; addresses are BASE more */
#define DATA 0x2000
#define TABLE 0x3000
#define INFO 0x4000
#define HEADS 0x5000
#define END 0x6000
#define BASE 0x400000
#define START 0x50 /* of Go's text within .text, as other linkers make it */

struct made {
	u8 b[END];
};

enum { HEADER_START = 1, MODULE_START = 2, NO_SECTIONS = 4, OTHER_SECTION = 8 };

static void put(struct made *m, size_t at, u64 value, size_t size)
{
	memcpy(&m->b[at], &value, size);
}

/* cmp 0x10(%r14),%rsp; jbe; [push %rbp]; nops; ret; nops; ret */
static void put_function(struct made *m, size_t at, bool push)
{
#ifdef __aarch64__
	static const u32 code[16] = {
		0xf9400b90, 0xeb3063ff, 0x54000069, [3 ... 14] = 0xd503201f, [7] = 0xd65f03c0, [15] = 0xd65f03c0
	};

	memcpy(&m->b[at], code, sizeof(code));
#else
	memset(&m->b[at], 0x90, 64);
	memcpy(&m->b[at], "\x49\x3b\x66\x10\x76\x20", 6);
	if (push)
		m->b[at + 6] = 0x55;
	m->b[at + 28] = 0xc3;
	m->b[at + 63] = 0xc3;
#endif
}

static void put_table(struct made *m, u32 magic, int how)
{
	static const char *const name[] = { "go.buildid", "crypto/tls.(*Conn).Read.func1", "crypto/tls.(*Conn).Read",
					    "crypto/tls.(*Conn).Write", "main.main" };
	bool wide = magic == 0xfffffffa;
	size_t word = TABLE + (wide ? 24 : 32), functions = 512, names = 128, at = names, half = wide ? 8 : 4;

	put(m, TABLE, magic, 4);
#ifdef __aarch64__
	m->b[TABLE + 6] = 4;
#else
	m->b[TABLE + 6] = 1;
#endif
	m->b[TABLE + 7] = 8;
	put(m, TABLE + 8, 5, 8);
	put(m, TABLE + 16, 1, 8);
	if (!wide)
		put(m, TABLE + 24, how & HEADER_START ? BASE + TEXT + START : 0, 8);
	put(m, word, names, 8);
	put(m, word + 8, 500, 8); /* units, files, pc tables: of no interest */
	put(m, word + 16, 501, 8);
	put(m, word + 24, 502, 8);
	put(m, word + 32, functions, 8);
	for (size_t i = 0; i < 5; i++) {
		size_t entry = TABLE + functions + i * 2 * half, text = START + i * 64, description = 256 + i * 16;

		put(m, entry, wide ? BASE + TEXT + text : text - START, half);
		put(m, entry + half, description, half);
		put(m, TABLE + functions + description, wide ? BASE + TEXT + text : text - START, half);
		put(m, TABLE + functions + description + half, at - names, 4);
		strcpy((char *)&m->b[TABLE + at], name[i]);
		at += strlen(name[i]) + 1;
		put_function(m, TEXT + text, i == 3);
	}
	put(m, TABLE + functions + 5 * 2 * half, wide ? BASE + TEXT + START + 320 : 320, half);
	if (how & MODULE_START) {
		put(m, DATA + 80, BASE + TABLE, 8);
		put(m, DATA + 80 + 22 * 8, BASE + TEXT + START, 8);
	}
}

static void put_info(struct made *m, const char *version, bool inside)
{
	memcpy(&m->b[INFO], "\xff Go buildinf:", 14);
	m->b[INFO + 14] = 8;
	if (inside) {
		m->b[INFO + 15] = 2;
		m->b[INFO + 32] = strlen(version);
		memcpy(&m->b[INFO + 33], version, strlen(version));
		return;
	}
	put(m, INFO + 16, BASE + INFO + 128, 8);
	put(m, INFO + 128, BASE + INFO + 192, 8);
	put(m, INFO + 136, strlen(version), 8);
	memcpy(&m->b[INFO + 192], version, strlen(version));
}

static void put_heads(struct made *m, int how)
{
	static const char names[] = "\0.text\0.gopclntab\0.go.buildinfo\0.shstrtab\0.other";
	Elf64_Ehdr *e = (Elf64_Ehdr *)m->b;
	Elf64_Phdr *p = (Elf64_Phdr *)&m->b[sizeof(*e)];
	Elf64_Shdr *s = (Elf64_Shdr *)&m->b[HEADS];

	memcpy(e->e_ident, ELFMAG "\2\1\1", 7);
	e->e_type = ET_EXEC;
#ifdef __aarch64__
	e->e_machine = EM_AARCH64;
#else
	e->e_machine = EM_X86_64;
#endif
	e->e_version = 1;
	e->e_ehsize = sizeof(*e);
	e->e_phoff = sizeof(*e);
	e->e_phentsize = sizeof(*p);
	e->e_phnum = 3;
	p[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
			     .p_flags = PF_R | PF_X,
			     .p_offset = TEXT,
			     .p_vaddr = BASE + TEXT,
			     .p_filesz = 0x1000,
			     .p_memsz = 0x1000 };
	p[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
			     .p_flags = PF_R | PF_W,
			     .p_offset = DATA,
			     .p_vaddr = BASE + DATA,
			     .p_filesz = 0x3000,
			     .p_memsz = 0x3000 };
	p[2] = (Elf64_Phdr){ .p_type = PT_NOTE,
			     .p_flags = PF_R,
			     .p_offset = 0x200,
			     .p_vaddr = 0x200,
			     .p_filesz = 20,
			     .p_memsz = 20,
			     .p_align = 4 };
	memcpy(&m->b[0x200], "\4\0\0\0\4\0\0\0\4\0\0\0Go\0\0abcd", 20);
	if (how & NO_SECTIONS)
		return;
	e->e_shoff = HEADS;
	e->e_shentsize = sizeof(*s);
	e->e_shnum = 5;
	e->e_shstrndx = 4;
	s[1] = (Elf64_Shdr){ .sh_name = 1,
			     .sh_type = SHT_PROGBITS,
			     .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
			     .sh_addr = BASE + TEXT,
			     .sh_offset = TEXT,
			     .sh_size = 0x1000 };
	s[2] = (Elf64_Shdr){ .sh_name = how & OTHER_SECTION ? 42 : 7,
			     .sh_type = SHT_PROGBITS,
			     .sh_flags = SHF_ALLOC,
			     .sh_addr = BASE + TABLE,
			     .sh_offset = TABLE,
			     .sh_size = 0x1000 };
	s[3] = (Elf64_Shdr){ .sh_name = 18,
			     .sh_type = SHT_PROGBITS,
			     .sh_flags = SHF_ALLOC | SHF_WRITE,
			     .sh_addr = BASE + INFO,
			     .sh_offset = INFO,
			     .sh_size = 0x100 };
	s[4] = (Elf64_Shdr){
		.sh_name = 32, .sh_type = SHT_STRTAB, .sh_offset = HEADS + 0x400, .sh_size = sizeof(names)
	};
	memcpy(&m->b[HEADS + 0x400], names, sizeof(names));
}

static int examine_file(int fd, struct sonde_go *go)
{
	struct sonde_elf *elf;
	int ret = sonde_elf_open(fd, &elf);

	if (!ret) {
		ret = sonde_go_tls(elf, fd, go);
		sonde_elf_close(elf);
	}
	close(fd);
	return ret;
}

static int examine(const void *bytes, size_t len, struct sonde_go *go)
{
	int fd = memfd_create("go", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	return examine_file(fd, go);
}

static void make(struct made *m, u32 magic, const char *version, int how)
{
	memset(m, 0, sizeof(*m));
	put_table(m, magic, how);
	put_info(m, version, magic != 0xfffffffa);
	put_heads(m, how);
}

static void expect_made(const struct sonde_go *go, int ret)
{
	const struct sonde_go_probe *p = go->tls;

	assert_int_equal(ret, 1);
	assert_null(go->reason);
	assert_false(go->symbols);
	for (int i = 0; i < 2; i++) {
		u64 at = TEXT + START + (2 + i) * 64;

		assert_int_equal(p[i].entry, at);
		assert_int_equal(p[i].addr, BASE + at);
		assert_int_equal(p[i].size, 64);
		assert_int_equal(p[i].nr_ret, 2);
		assert_int_equal(p[i].ret[0], at + 28);
#ifdef __aarch64__
		assert_int_equal(p[i].ret[1], at + 60);
#else
		assert_int_equal(p[i].ret[1], at + 63);
		assert_int_equal(p[i].site.skip, i ? 6 : 4); /* push %rbp, jbe */
		assert_int_equal(p[i].site.cost, SONDE_SITE_EMULATED);
#endif
	}
	assert_int_equal(p[SONDE_GO_TLS_CLOSE].addr, 0);
}

static void test_layouts(void **state)
{
	static const struct {
		u32 magic;
		const char *version;
		u32 minor;
		int how;
	} made[] = {
		{ 0xfffffffa, "go1.17.13", 17, 0 },
		{ 0xfffffffa, "go1.17.13", 17, NO_SECTIONS },
		{ 0xfffffff0, "go1.19.8", 19, HEADER_START },
		{ 0xfffffff1, "go1.22.1 X:boringcrypto", 22, HEADER_START },
		{ 0xfffffff1, "go1.22.1", 22, HEADER_START | OTHER_SECTION },
		{ 0xfffffff1, "devel go1.24-b1234567 Mon Jan  1", 24, HEADER_START },
		{ 0xfffffff1, "go1.26.0", 26, MODULE_START }, /* the header does not say where the text begins */
		{ 0xfffffff1, "go1.26.0", 26, MODULE_START | OTHER_SECTION },
	};
	struct sonde_go go;
	struct made m;

	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
#ifdef __aarch64__
		if (made[i].minor < 18)
			continue;
#endif
		make(&m, made[i].magic, made[i].version, made[i].how);
		expect_made(&go, examine(&m, sizeof(m), &go));
		if (!(made[i].how & NO_SECTIONS)) {
			assert_string_equal(go.version, made[i].version);
			assert_int_equal(go.minor, made[i].minor);
		}
	}
}

/* A table of the first layout whose only function of interest, Read, is at address 0, where the segment of code begins. */
static void put_at_zero(struct made *m)
{
	Elf64_Phdr *code = (Elf64_Phdr *)&m->b[sizeof(Elf64_Ehdr)];
	size_t entries = TABLE + 512, write = TABLE + 128;

	code->p_offset = TEXT + START + 2 * 64;
	code->p_vaddr = 0;
	put(m, entries + 2 * 16, 0, 8);
	put(m, entries + 3 * 16, 64, 8);
	for (int i = 0; i < 3; i++)
		write += strlen((char *)&m->b[write]) + 1;
	memset(&m->b[write], 'x', strlen((char *)&m->b[write]));
}

static void test_why_not(void **state)
{
	struct sonde_go go;
	struct made m;

	make(&m, 0xfffffffa, "go1.16.15", 0);
	assert_int_equal(examine(&m, sizeof(m), &go), 0);
	assert_string_equal(go.version, "go1.16.15");
	assert_non_null(strstr(go.reason, "stack"));

	make(&m, 0xfffffff7, "go1.40", HEADER_START); /* a layout of the future */
	assert_int_equal(examine(&m, sizeof(m), &go), 0);
	assert_non_null(strstr(go.reason, "unknown"));

	make(&m, 0xfffffff1, "go1.26.0", 0); /* nowhere a beginning of the text that fits */
	assert_int_equal(examine(&m, sizeof(m), &go), 0);
	assert_non_null(go.reason);

	make(&m, 0xfffffff1, "go1.22.0", HEADER_START);
	memset(&m.b[TABLE + 128], 'x', 300); /* no such names */
	assert_int_equal(examine(&m, sizeof(m), &go), 0);
	assert_string_equal(go.reason, "it has no crypto/tls");

	make(&m, 0xfffffff1, "go1.22.0", HEADER_START);
	memset(&m.b[TEXT + START], 0x90, 320); /* not what Go's functions begin with */
	assert_int_equal(examine(&m, sizeof(m), &go), 0);
	assert_non_null(go.reason);

	make(&m, 0xfffffffa, "go1.17.13", 0);
	put_at_zero(&m);
	assert_int_equal(examine(&m, sizeof(m), &go), 0);
	assert_non_null(go.reason);

	make(&m, 0xfffffff1, "go1.22\033[31m", HEADER_START); /* nothing that a terminal would obey */
	assert_int_equal(examine(&m, sizeof(m), &go), 1);
	assert_string_equal(go.version, "");
}

static void test_not_go(void **state)
{
	struct sonde_go go;

	assert_int_equal(examine_file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), &go), -ENOEXEC);
	assert_int_equal(examine("#!/bin/sh\n", 10, &go), -ENOEXEC);
	assert_int_equal(examine("", 0, &go), -ENOEXEC);
	assert_string_equal(sonde_go_function_name(SONDE_GO_TLS_CLOSE), "crypto/tls.(*Conn).Close");
}

static void test_returns(void **state)
{
	/* mov $0xc3c3, %eax; ret; jmp; ret $8; int3 */
	static const u8 amd64[] = { 0xb8, 0xc3, 0xc3, 0, 0, 0xc3, 0xeb, 0xf8, 0xc2, 8, 0, 0xcc };
	static const u32 arm64[] = { 0xd503201f, 0xd65f03c0, 0xd61f0000, 0xd65f03c0, 0 };
	u32 ret[4];

	assert_int_equal(sonde_go_returns_amd64(amd64, sizeof(amd64), ret, 4), 2);
	assert_int_equal(ret[0], 5);
	assert_int_equal(ret[1], 8);
	assert_int_equal(sonde_go_returns_amd64(amd64, sizeof(amd64), ret, 1), -E2BIG);
	assert_int_equal(sonde_go_returns_amd64((const u8 *)"\x90\x06\xc3", 3, ret, 4),
			 -ENOEXEC); /* no instruction in 64 bits */
	assert_int_equal(sonde_go_returns_arm64((const u8 *)arm64, sizeof(arm64), ret, 4), 2);
	assert_int_equal(ret[0], 4);
	assert_int_equal(ret[1], 12);
	assert_int_equal(sonde_go_returns_arm64((const u8 *)arm64, sizeof(arm64), ret, 1), -E2BIG);
}

static void test_calls(void **state)
{
	/* call +0x100; call *%rax; mov $0xe8, %al; call -0x20 from the beginning; call +0x100 */
	static const u8 amd64[] = { 0xe8, 0xfb, 0,    0,    0,    0xff, 0xd0, 0xb0, 0xe8, 0xe8, 0xd2,
				    0xff, 0xff, 0xff, 0xe8, 0xed, 0,	0,    0,    0xc3 };
	/* nop; bl to 0x100; bl to -0x20; b to 0x100 */
	static const u32 arm64[] = { 0xd503201f, 0x9400003f, 0x97fffff6, 0x1400003d };
	u32 call[4];

	assert_int_equal(sonde_go_calls_amd64(amd64, sizeof(amd64), 0x100, call, 4), 2);
	assert_int_equal(call[0], 0);
	assert_int_equal(call[1], 14);
	assert_int_equal(sonde_go_calls_amd64(amd64, sizeof(amd64), -0x20, call, 4), 1);
	assert_int_equal(call[0], 9);
	assert_int_equal(sonde_go_calls_amd64(amd64, sizeof(amd64), 0x101, call, 4), 0);
	assert_int_equal(sonde_go_calls_amd64(amd64, sizeof(amd64), 0x100, call, 1), -E2BIG);
	assert_int_equal(sonde_go_calls_arm64((const u8 *)arm64, sizeof(arm64), 0x100, call, 4), 1);
	assert_int_equal(call[0], 4);
	assert_int_equal(sonde_go_calls_arm64((const u8 *)arm64, sizeof(arm64), -0x20, call, 4), 1);
	assert_int_equal(call[0], 8);
}

/* Whatever is changed: an answer, and every place it names is inside the file. */
static void test_hostile(void **state)
{
	static const u32 magic[] = { 0xfffffffa, 0xfffffff0, 0xfffffff1 };
	struct sonde_go go;
	struct made m;
	u64 seed = 7;

	for (int i = 0; i < 4000; i++) {
		make(&m, magic[i % 3], "go1.22.1",
		     i % 5 ? HEADER_START : MODULE_START | (i % 2 ? OTHER_SECTION : NO_SECTIONS));
		for (int k = 0; k < 1 + i % 6; k++) {
			static const u32 part[] = { 0, 0x40, TABLE, TABLE + 512, INFO, HEADS };
			u64 x = unit_random(&seed);

			m.b[part[x % 6] + (x >> 8) % 320] = x & 64 ? 0xff : x >> 56;
		}
		if (examine(&m, i % 7 ? sizeof(m) : unit_random(&seed) % sizeof(m), &go) != 1)
			continue;
		for (int f = 0; f < SONDE_GO_NR; f++)
			for (u32 r = 0; r < go.tls[f].nr_ret; r++)
				assert_true(go.tls[f].ret[r] < sizeof(m));
	}
}

/* --- programs that Go builds --- */

static char dir[200];

static const char source[] = "package main\n"
			     "import (\"crypto/tls\"; \"fmt\")\n"
			     "func main() {\n"
			     "	c, err := tls.Dial(\"tcp\", \"127.0.0.1:1\", nil)\n"
			     "	if err == nil { c.Write([]byte(\"x\")); c.Read(make([]byte, 9)); c.Close() }\n"
			     "	fmt.Println(err)\n"
			     "}\n";

static int run(const char *format, const char *a, const char *b)
{
	char command[1024], in[1536];

	snprintf(command, sizeof(command), format, a, b);
	snprintf(in, sizeof(in), "cd %s && GO111MODULE=off %s 2>&1", dir, command);
	return system(in);
}

static int build(const char *name, const char *options)
{
	return run("nice go build -o %s %s t.go >>log", name, options);
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char path[256];
	FILE *f;

	snprintf(dir, sizeof(dir), "%s/sonde-test-go-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/t.go", dir);
	f = fopen(path, "w");
	if (!f)
		return -1;
	fputs(source, f);
	return fclose(f);
}

static int teardown(void **state)
{
	return run("rm -rf %s%s", dir, "");
}

static int examine_built(const char *name, struct sonde_go *go)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return examine_file(fd, go);
}

/* Addresses as Go's tools print them, one a line; their number. */
static size_t addresses(const char *command, const char *name, const char *function, u64 addr[], size_t max)
{
	char line[512], full[512];
	size_t nr = 0;
	FILE *f;

	snprintf(full, sizeof(full), "cd %s && ", dir);
	snprintf(full + strlen(full), sizeof(full) - strlen(full), command, function, name);
	f = popen(full, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && nr < max)
		addr[nr++] = strtoull(line, NULL, 16);
	pclose(f);
	return nr;
}

static void compare_with_tools(const char *name, const struct sonde_go *go)
{
	static const char *const method[] = { "Read", "Write", "Close" };

	for (int i = 0; i < SONDE_GO_NR; i++) {
		const struct sonde_go_probe *p = &go->tls[i];
		u64 addr[64];
		size_t nr;

		nr = addresses("nm %2$s | awk '$3 == \"crypto/tls.(*Conn).%1$s\" {print $1}'", name, method[i], addr,
			       64);
		assert_int_equal(nr, 1);
		assert_int_equal(p->addr, addr[0]);
		nr = addresses("go tool objdump -s '^crypto/tls.\\(\\*Conn\\).%s$' %s | awk '$4 == \"RET\" {print $2}'",
			       name, method[i], addr, 64);
		assert_true(nr > 0);
		assert_int_equal(p->nr_ret, nr);
		for (size_t k = 0; k < nr; k++)
			assert_int_equal(p->ret[k] - p->entry, addr[k] - p->addr);
	}
}

/* With symbols as Go's tools say; without the same, of the same program. */
static void check_built(const char *options)
{
	struct sonde_go with, without;
	char version[128] = "";
	FILE *f;

	if (build("with", options)) {
		print_message("skipped: go cannot build here with '%s'\n", options);
		return;
	}
	assert_int_equal(run("objcopy --strip-all %s %s", "with", "without"), 0);
	assert_int_equal(examine_built("with", &with), 1);
	assert_int_equal(examine_built("without", &without), 1);
	assert_true(with.symbols);
	assert_false(without.symbols);
	f = popen("go env GOVERSION", "r");
	assert_non_null(f);
	assert_non_null(fgets(version, sizeof(version), f));
	pclose(f);
	version[strcspn(version, "\n")] = '\0';
	assert_string_equal(with.version, version);
	assert_string_equal(without.version, version);
	compare_with_tools("with", &with);
	for (int i = 0; i < SONDE_GO_NR; i++) {
		const struct sonde_go_probe *a = &with.tls[i], *b = &without.tls[i];

		assert_int_equal(a->addr, b->addr);
		assert_int_equal(a->entry, b->entry);
		assert_int_equal(a->site.skip, b->site.skip);
		assert_int_equal(a->nr_ret, b->nr_ret);
		assert_memory_equal(a->ret, b->ret, a->nr_ret * sizeof(*a->ret));
	}
}

static void test_go_builds(void **state)
{
	struct sonde_go go;

	if (run("go version >log%s%s", "", "")) {
		print_message("skipped: there is no go\n");
		skip();
	}
	setenv("CGO_ENABLED", "0", 1); /* much faster to build */
	check_built("");
	check_built("-buildmode=pie");
	setenv("CGO_ENABLED", "1", 1);
	check_built("-buildmode=pie -ldflags=-linkmode=external");
	setenv("CGO_ENABLED", "0", 1);
	assert_int_equal(build("small", "-ldflags='-s -w'"), 0);
	assert_int_equal(examine_built("small", &go), 1);
	assert_false(go.symbols);
	assert_true(go.tls[SONDE_GO_TLS_CLOSE].addr);
	assert_int_equal(build("small", "-buildmode=pie -ldflags='-s -w'"), 0);
	assert_int_equal(examine_built("small", &go), 1);
	assert_false(go.symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts), cmocka_unit_test(test_why_not), cmocka_unit_test(test_not_go),
		cmocka_unit_test(test_returns), cmocka_unit_test(test_calls), cmocka_unit_test(test_hostile), cmocka_unit_test(test_go_builds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
