// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_sym_go.c - functions of stripped Go programs, compared with what Go's own nm says of the same one with symbols;
 * and programs whose bytes were changed.
 */
#include "sym_target.h"

#include <gelf.h>
#include <sys/mman.h>

#include "sym/gotab.h"
#include "sym/module.h"

static const char program[] = "package main\n"
			      "import \\\"os\\\"\n"
			      "type shop struct{ n int }\n"
			      "//go:noinline\n"
			      "func (s *shop) listOrders() int { return s.n + len(os.Args) }\n"
			      "func main() { func() { os.Exit((&shop{}).listOrders()) }() }\n";

static Elf *open_elf(const char *name, int *fd)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", target_dir, name);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(*fd >= 0);
	elf_version(EV_CURRENT);
	return elf_begin(*fd, ELF_C_READ, NULL);
}

static void check_nm(const char *flags)
{
	char command[PATH_MAX + 64], line[1024], name[1024];
	size_t compared = 0, methods = 0;
	const char *got;
	struct sym_gotab *table;
	unsigned long addr;
	FILE *nm;
	Elf *elf;
	int fd;

	assert_int_equal(
		target_shell("go build %s -o go.full go.go && go build %s -ldflags=-s -o go.bare go.go", flags, flags),
		0);
	elf = open_elf("go.bare", &fd);
	assert_true(sym_gotab_is_go(elf));
	table = sym_gotab_new(elf);
	assert_non_null(table);
	snprintf(command, sizeof(command), "go tool nm -type %s/go.full", target_dir);
	nm = popen(command, "r");
	while (fgets(line, sizeof(line), nm)) {
		char type;

		if (sscanf(line, "%lx %c %1000[^\n]", &addr, &type, name) != 3 || (type != 'T' && type != 't'))
			continue;
		if (!strcmp(name, "runtime.text") || !strcmp(name, "runtime.etext"))
			continue; /* where the functions begin and end */
		/* What nm adds to functions in assembler, and what the table leaves out of types. */
		if (strlen(name) > 5 && !strcmp(name + strlen(name) - 5, ".abi0"))
			name[strlen(name) - 5] = '\0';
		name[strcspn(name, "[")] = '\0';
		got = sym_gotab_find(table, addr);
		assert_non_null(got);
		assert_int_equal(strcspn(got, "["), strlen(name));
		assert_memory_equal(got, name, strlen(name));
		assert_ptr_equal(sym_gotab_find(table, addr + 1), got);
		compared++;
		methods += !strcmp(name, "main.(*shop).listOrders") || !strcmp(name, "main.main");
	}
	assert_int_equal(pclose(nm), 0);
	print_message("%zu functions agree\n", compared);
	assert_true(compared > 1000 && methods == 2);
	assert_null(sym_gotab_find(table, 0));
	assert_null(sym_gotab_find(table, ~0ULL));
	sym_gotab_free(table);
	elf_end(elf);
	close(fd);
}

/* One address as `go tool addr2line` sees it: the function all others are inlined into, the innermost place. */
static bool check_place(struct sym_module *module, FILE *truth, u64 addr)
{
	struct sym_place place[SYM_PLACES_MAX];
	char function[1024], at[PATH_MAX], *colon;
	size_t nr = sym_module_find(module, addr, place);

	assert_non_null(fgets(function, sizeof(function), truth));
	assert_non_null(fgets(at, sizeof(at), truth));
	function[strcspn(function, "\n")] = '\0';
	colon = strrchr(at, ':');
	assert_non_null(colon);
	*colon = '\0';
	if (strtol(colon + 1, NULL, 10) < 0)
		return false; /* between functions */
	assert_non_null(place[nr - 1].function);
	assert_int_equal(strcspn(place[nr - 1].function, "["), strcspn(function, "["));
	assert_memory_equal(place[nr - 1].function, function, strcspn(function, "["));
	assert_int_equal(place[nr - 1].lang, SONDE_LANG_GO);
	assert_int_equal(place[0].line, strtol(colon + 1, NULL, 10));
	assert_string_equal(place[0].file, at);
	return true;
}

/* Places all over Go's runtime. */
static void check_lines(void)
{
	char command[2 * PATH_MAX], path[PATH_MAX];
	struct sym_module *module;
	u64 begin = 0, end = 0;
	FILE *truth;
	size_t nr, compared = 0;
	u64 addr;
	Elf *elf;
	int fd;

	elf = open_elf("go.full", &fd);
	elf_getphdrnum(elf, &nr);
	for (size_t i = 0; i < nr; i++) {
		GElf_Phdr seg;

		if (!gelf_getphdr(elf, i, &seg) || seg.p_type != PT_LOAD || !(seg.p_flags & PF_X))
			continue;
		begin = seg.p_vaddr + 0x1000; /* behind the headers */
		end = seg.p_vaddr + seg.p_filesz - 0x1000;
	}
	elf_end(elf);
	module = sym_module_new(fd);
	assert_true(sym_module_addr(module, 0x1000, 0, "/go.full", &addr));
	snprintf(path, sizeof(path), "%s/addresses", target_dir);
	truth = fopen(path, "w");
	for (addr = begin; addr < end; addr += 977)
		fprintf(truth, "0x%llx\n", (unsigned long long)addr);
	fclose(truth);
	snprintf(command, sizeof(command), "go tool addr2line %s/go.full <%s", target_dir, path);
	truth = popen(command, "r");
	for (addr = begin; addr < end; addr += 977)
		compared += check_place(module, truth, addr);
	pclose(truth);
	print_message("%zu places agree\n", compared);
	assert_true(compared > 200);
	sym_module_free(module);
}

static void test_go(void **state)
{
	if (target_shell("command -v go >/dev/null")) {
		print_message("needs go\n");
		skip();
	}
	assert_int_equal(target_shell("printf \"%s\" >go.go", program), 0);
	setenv("GO111MODULE", "off", 1);
	check_nm("");
	check_lines();
	check_nm("-buildmode=pie");
}

/* What is found anywhere in a file that was changed in @nr places; only its not crashing or hanging counts. */
static void look(const u8 *bytes, size_t len)
{
	struct sym_place place[SYM_PLACES_MAX];
	struct sym_module *module;
	size_t letters = 0;
	u64 addr;
	int fd = memfd_create("changed", MFD_CLOEXEC);

	assert_int_equal(write(fd, bytes, len), len);
	module = sym_module_new(fd);
	for (u64 offset = 0; offset < len; offset += 61) {
		if (!sym_module_addr(module, offset, 0, "/nowhere", &addr))
			continue;
		for (size_t i = sym_module_find(module, addr, place); i > 0; i--) {
			letters += place[i - 1].function ? strlen(place[i - 1].function) : 0;
			letters += place[i - 1].file ? strlen(place[i - 1].file) : 0;
		}
	}
	assert_true(letters < 100000000);
	sym_module_free(module);
}

static void check_changed(const char *name, size_t rounds)
{
	u64 random = 1;
	u8 *whole, *changed;
	char path[PATH_MAX];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", target_dir, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	whole = malloc(len);
	changed = malloc(len);
	assert_int_equal(fread(whole, 1, len, f), len);
	fclose(f);
	for (size_t i = 0; i < rounds; i++) {
		memcpy(changed, whole, len);
		for (size_t k = unit_random(&random) % 40; k > 0; k--) {
			u64 at = unit_random(&random) % len;

			/* Half of them in the headers, at the beginning and at the end. */
			if (unit_random(&random) % 2)
				at = at % 2 ? at % 1024 : len - 1 - at % 2816;
			changed[at] = unit_random(&random) % 3 ? unit_random(&random) : 0xff;
		}
		look(changed, unit_random(&random) % 8 ? len : unit_random(&random) % len);
	}
	free(whole);
	free(changed);
}

static void test_changed(void **state)
{
	alarm(120); /* a hang ends the test */
	assert_true(target_build("plain", "gcc -O2"));
	check_changed("plain", 300);
	assert_true(target_build("packed", "gcc -O2 -gz"));
	check_changed("packed", 100);
	if (!target_shell("test -e go.bare"))
		check_changed("go.bare", 15);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_go), cmocka_unit_test(test_changed) };

	return cmocka_run_group_tests(tests, target_setup, target_teardown);
}
