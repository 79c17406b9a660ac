// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_sym.c - stacks of a running program, compared with what the program itself and addr2line say of them.
 */
#include "sym_target.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>

static struct sonde_sym_stack stack; /* used by all, one after the other */

static void resolve(struct sonde_sym *sym, struct target *t)
{
	assert_int_equal(sonde_sym_resolve(sym, t->pid, t->ip, t->nr_ip, &stack), 0);
	assert_true(stack.nr >= t->nr_ip);
}

/* Every call that the program made is a frame, with its line; the frames behind are the C library's. */
static void check_calls(const struct target *t)
{
	assert_string_equal(target_last(stack.frame[0].function), "say");
	assert_true(stack.nr > t->nr_calls);
	for (size_t i = 0; i < t->nr_calls; i++) {
		const struct sonde_sym_frame *f = &stack.frame[i + 1];

		assert_string_equal(target_last(f->function), t->function[i]);
		assert_int_equal(f->line, t->line[i]);
		assert_string_equal(f->base, "sym_target.c");
		assert_int_equal(f->kind, SONDE_SYM_APPLICATION);
		assert_false(f->is_entry);
		assert_int_equal(f->inlined, !strcmp(t->function[i], "fetch") || !strcmp(t->function[i], "every") ||
						     !strcmp(t->function[i], "render"));
	}
	for (size_t i = t->nr_calls + 1; i < stack.nr; i++)
		assert_int_equal(stack.frame[i].kind, SONDE_SYM_RUNTIME);
}

static void check_site(const struct target *t)
{
	struct sonde_sym_site site;
	char want[128];

	assert_int_equal(sonde_sym_site(&stack, SONDE_SYM_SITE_MAX, &site), t->nr_calls + 1);
	for (size_t i = 0; i < t->nr_calls; i++) {
		snprintf(want, sizeof(want), "%s sym_target.c:%d", t->function[i], t->line[i]);
		assert_string_equal(target_last(site.frame[i + 1]), strstr(want, "c:") + 2);
		assert_non_null(strstr(site.frame[i + 1], want));
	}
	sonde_sym_site_free(&site);
	assert_int_equal(sonde_sym_site(&stack, 2, &site), 2);
	sonde_sym_site_free(&site);
}

/* addr2line -i: two lines for each function at the address, "FUNCTION" and "FILE:LINE". */
static void check_addr2line(const char *name)
{
	char command[PATH_MAX * 2], function[512], place[PATH_MAX];
	size_t i = 0, compared = 0;

	while (i < stack.nr && stack.frame[i].kind == SONDE_SYM_APPLICATION) {
		FILE *truth;

		snprintf(command, sizeof(command), "addr2line -i -f -C -e %s/%s 0x%llx", target_dir, name,
			 (unsigned long long)stack.frame[i].addr);
		truth = popen(command, "r");
		assert_non_null(truth);
		while (fgets(function, sizeof(function), truth) && fgets(place, sizeof(place), truth)) {
			const struct sonde_sym_frame *f = &stack.frame[i++];
			char *colon;

			function[strcspn(function, "(\n")] = '\0';
			place[strcspn(place, " \n")] = '\0';
			colon = strrchr(place, ':');
			assert_non_null(colon);
			*colon = '\0';
			assert_string_equal(target_last(f->function), target_last(function));
			assert_int_equal(f->line, strtol(colon + 1, NULL, 10));
			/* With LTO it does not know the file of some. */
			if (strcmp(target_last(strrchr(place, '/')), "/<artificial>"))
				assert_string_equal(f->file, place);
			compared++;
		}
		assert_int_equal(pclose(truth), 0);
	}
	assert_int_equal(compared, 7);
}

/* The way most programs are built, and others. */
static void test_builds(void **state)
{
	static const char *const compilers[] = {
		"gcc -O2",
		"gcc -O2 -no-pie",
		"gcc -O1 -static",
		"gcc -O2 -static-pie",
		"gcc -O2 -gdwarf-4",
		"gcc -O2 -gz=zlib",
		"gcc -O3 -gdwarf-3 -fdebug-types-section",
		"gcc -O2 -Wl,-z,noseparate-code",
		"gcc -O2 -flto",
		"clang -O2",
		"clang -O2 -gdwarf-5",
		"clang -x c++ -O2",
	};

	for (size_t i = 0; i < sizeof(compilers) / sizeof(compilers[0]); i++) {
		struct sonde_sym *sym = sonde_sym_new();
		char path[PATH_MAX];
		struct target t;

		print_message("%s\n", compilers[i]);
		assert_true(target_build("built", compilers[i]));
		snprintf(path, sizeof(path), "%s/built", target_dir);
		target_start(&t, path);
		resolve(sym, &t);
		check_calls(&t);
		check_site(&t);
		check_addr2line("built");
		if (strstr(compilers[i], "c++")) {
			assert_string_equal(stack.frame[3].function, "shop::list_orders");
			assert_int_equal(stack.frame[3].lang, SONDE_LANG_CPP);
		}
		target_stop(&t);
		sonde_sym_free(sym);
	}
}

/* Starts @name, resolves its stack and ends it. */
static void run(const char *name, struct target *t)
{
	struct sonde_sym *sym = sonde_sym_new();
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", target_dir, name);
	target_start(t, path);
	resolve(sym, t);
	target_stop(t);
	sonde_sym_free(sym);
}

static void check_unknown(const char *name)
{
	struct sonde_sym_site site;
	struct target t;

	run(name, &t);
	for (size_t i = 0; i < stack.nr; i++)
		assert_true(!stack.frame[i].function || stack.frame[i].kind == SONDE_SYM_RUNTIME);
	assert_int_equal(sonde_sym_site(&stack, 8, &site), 0);
	sonde_sym_site_free(&site);
}

#define SPLIT "objcopy --only-keep-debug app app.debug && strip app && objcopy --add-gnu-debuglink=app.debug app"

static void test_debuglink(void **state)
{
	struct target t;

	/* by the file's sum */
	assert_true(target_build("app", "gcc -O2 -Wl,--build-id=none"));
	assert_int_equal(target_shell(SPLIT), 0);
	run("app", &t);
	check_calls(&t);
	check_site(&t);
	assert_int_equal(target_shell("mkdir .debug && mv app.debug .debug"), 0);
	run("app", &t);
	check_calls(&t);
	assert_int_equal(target_shell("echo >>.debug/app.debug"), 0);
	check_unknown("app");

	/* by build id */
	assert_true(target_build("app", "gcc -O2"));
	assert_int_equal(target_shell(SPLIT), 0);
	run("app", &t);
	check_calls(&t);
	assert_true(target_build("other", "gcc -O1"));
	assert_int_equal(target_shell("objcopy --only-keep-debug other app.debug"), 0);
	check_unknown("app");
	assert_int_equal(target_shell("rm app.debug"), 0);
	check_unknown("app");
}

/* The functions that are not inlined, by the symbols alone; addr2line knows no more. */
static void check_symbols(const char *name)
{
	static const char *const want[] = { "say", "list_orders", "handle", "main" };
	struct sonde_sym_site site;
	struct target t;
	char text[64];

	run(name, &t);
	assert_int_equal(sonde_sym_site(&stack, 8, &site), 4);
	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%s (%s)", want[i], name);
		assert_string_equal(site.frame[i], text);
	}
	sonde_sym_site_free(&site);
}

static void test_symbols(void **state)
{
	assert_true(target_build("symtab", "gcc -O2"));
	assert_int_equal(target_shell("strip --strip-debug symtab"), 0);
	check_symbols("symtab");

	/* What remains in .dynsym: all but the static say(). */
	assert_true(target_build("dynsym", "gcc -O2 -rdynamic"));
	assert_int_equal(target_shell("strip dynsym"), 0);
	{
		struct sonde_sym_site site;
		struct target t;

		run("dynsym", &t);
		assert_int_equal(sonde_sym_site(&stack, 8, &site), 3);
		assert_string_equal(site.frame[0], "list_orders (dynsym)");
		sonde_sym_site_free(&site);
	}

	if (target_shell("command -v xz >/dev/null"))
		return;
	assert_true(target_build("mini", "gcc -O2"));
	assert_int_equal(target_shell("objcopy --strip-debug mini table && xz -f table && strip mini && "
				      "objcopy --add-section .gnu_debugdata=table.xz mini"),
			 0);
	check_symbols("mini");
}

/* The file that runs, not the one that has its name now. */
static void test_replaced(void **state)
{
	struct sonde_sym *sym = sonde_sym_new();
	char path[PATH_MAX];
	struct target t;

	if (geteuid()) {
		print_message("only root may open what was deleted\n");
		sonde_sym_free(sym);
		skip();
	}
	assert_true(target_build("gone", "gcc -O2"));
	snprintf(path, sizeof(path), "%s/gone", target_dir);
	target_start(&t, path);
	assert_int_equal(target_shell("rm gone && cp /bin/true gone"), 0);
	resolve(sym, &t);
	check_calls(&t);
	target_stop(&t);
	sonde_sym_free(sym);
}

/* A file that was written to in place, as a build may do between two runs. */
static void test_rewritten(void **state)
{
	struct sonde_sym *sym = sonde_sym_new();
	char path[PATH_MAX];
	struct target t;

	snprintf(path, sizeof(path), "%s/same", target_dir);
	for (int i = 0; i < 2; i++) {
		assert_true(target_build("new", i ? "clang -O2" : "gcc -O3 -static"));
		assert_int_equal(target_shell("cat new >same && chmod 755 same"), 0);
		target_start(&t, path);
		resolve(sym, &t);
		check_calls(&t);
		target_stop(&t);
	}
	sonde_sym_free(sym);
}

/* A process that ended meanwhile, known and unknown. */
static void test_ended(void **state)
{
	struct sonde_sym *sym = sonde_sym_new(), *late = sonde_sym_new();
	struct sonde_sym_site site;
	char path[PATH_MAX];
	struct target t;

	assert_true(target_build("short", "gcc -O2"));
	snprintf(path, sizeof(path), "%s/short", target_dir);
	target_start(&t, path);
	sonde_sym_note(sym, t.pid);
	sonde_sym_note_now(sym, t.pid);
	target_stop(&t);
	assert_int_equal(target_shell("rm short"), 0);
	resolve(sym, &t);
	check_calls(&t);

	resolve(late, &t);
	assert_int_equal(stack.nr, t.nr_ip);
	assert_int_equal(stack.frame[0].kind, SONDE_SYM_UNKNOWN);
	assert_int_equal(sonde_sym_site(&stack, 8, &site), 0);
	sonde_sym_note(late, t.pid);
	sonde_sym_free(sym);
	sonde_sym_free(late);
}

/* Another root directory: the program and its debug file are found there, and links do not lead out of it. */
static void check_container(unsigned long flags, bool (*enter)(const char *root))
{
	struct sonde_sym *sym = sonde_sym_new();
	char map[64], root[PATH_MAX];
	struct target t;

	snprintf(root, sizeof(root), "%s/root", target_dir);
	assert_true(target_build("app", "gcc -O2 -static -Wl,--build-id=none"));
	assert_int_equal(target_shell("rm -rf root && mkdir -p root/bin root/tmp root/usr/lib/debug/bin && " SPLIT
				      " && mv app root/bin && mv app.debug root/usr/lib/debug/bin"),
			 0);
	target_start_in(&t, "/bin/app", flags, enter, root);
	snprintf(map, sizeof(map), "root/tmp/perf-%d.map", flags ? 1 : t.pid); /* its number in its own namespace */
	assert_int_equal(target_shell("echo '1000 1000 outside' >outside && ln -s %s/outside %s", target_dir, map), 0);
	t.ip[t.nr_ip] = 0x1234;
	assert_int_equal(sonde_sym_resolve(sym, t.pid, t.ip, t.nr_ip + 1, &stack), 0);
	assert_null(stack.frame[stack.nr - 1].function);
	assert_string_equal(stack.frame[0].module, "/bin/app");
	stack.nr--;
	check_calls(&t);

	assert_int_equal(target_shell("rm %s && echo '1000 1000 py::list_orders:/app/shop.py' >%s", map, map), 0);
	assert_int_equal(sonde_sym_resolve(sym, t.pid, &t.ip[t.nr_ip], 1, &stack), 0);
	assert_string_equal(stack.frame[0].function, "list_orders");
	assert_string_equal(stack.frame[0].file, "/app/shop.py");
	target_stop(&t);
	sonde_sym_free(sym);
}

static bool enter_chroot(const char *root)
{
	return !chroot(root) && !chdir("/");
}

static bool enter_mounts(const char *root)
{
	return !unshare(CLONE_NEWNS) && !mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) &&
	       !mount(root, root, "", MS_BIND, NULL) && !chdir(root) && !syscall(SYS_pivot_root, ".", ".") &&
	       !umount2(".", MNT_DETACH) && !chdir("/");
}

/* valgrind has no pivot_root(2), and /proc tells of its mappings and root directory, not of what the program asked for. */
static void skip_under_valgrind(void)
{
	if (!unit_under_valgrind())
		return;
	print_message("valgrind has mappings and a root directory of its own\n");
	skip();
}

static void test_chroot(void **state)
{
	skip_under_valgrind();
	if (geteuid()) {
		print_message("only root may change the root directory\n");
		skip();
	}
	check_container(0, enter_chroot);
}

static void test_container(void **state)
{
	pid_t child;
	int status;

	skip_under_valgrind();
	child = geteuid() ? 0 : fork();
	if (!child && !geteuid())
		_exit(unshare(CLONE_NEWNS | CLONE_NEWPID) ? 1 : 0);
	if (!child || waitpid(child, &status, 0) != child || status) {
		print_message("no namespaces of its own here\n");
		skip();
	}
	check_container(CLONE_NEWPID, enter_mounts);
}

/* A perf map that grows, and one that is written anew. */
static void check_jit(void)
{
	u8 *code = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sonde_sym *sym = sonde_sym_new();
	u64 ip[] = { (u64)code + 0x10, (u64)code + 0x101 };
	struct sonde_sym_site site;
	char path[64];
	FILE *f;

	assert_true(code != MAP_FAILED);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	sonde_sym_note(sym, getpid());
	assert_int_equal(sonde_sym_resolve(sym, getpid(), ip, 2, &stack), 0);
	assert_int_equal(stack.nr, 2);
	assert_null(stack.frame[0].function);

	f = fopen(path, "w");
	fprintf(f, "%lx 40 LazyCompile:*query /app/node_modules/pg/lib/client.js:9:1\n%lx", (long)code, (long)code);
	fflush(f);
	assert_int_equal(sonde_sym_resolve(sym, getpid(), ip, 2, &stack), 0);
	assert_string_equal(stack.frame[0].function, "query");
	assert_int_equal(stack.frame[0].kind, SONDE_SYM_DRIVER);
	assert_null(stack.frame[1].function);

	/* The rest of the line; the return address is just behind the call, which is the last of the code. */
	fprintf(f, "00 0 x\n%lx 1 JS:~list_orders file:///app/shop.mjs:12:5\n", (long)code + 0x100);
	fflush(f);
	assert_int_equal(sonde_sym_resolve(sym, getpid(), ip, 2, &stack), 0);
	assert_int_equal(sonde_sym_site(&stack, 8, &site), 1);
	assert_string_equal(site.frame[0], "list_orders shop.mjs:12");
	assert_true(stack.frame[1].is_entry);
	sonde_sym_site_free(&site);
	fclose(f);

	f = fopen(path, "w");
	fprintf(f,
		"%lx 1000 "
		"py::other:/app/another/file/with/a/longer/name/so/that/the/map/is/not/shorter/than/before.py\n"
		"%lx 1000 py::moved:/app/m.py\n",
		(long)code - 0x2000, (long)code);
	fclose(f);
	assert_int_equal(sonde_sym_resolve(sym, getpid(), ip, 2, &stack), 0);
	assert_string_equal(stack.frame[0].function, "moved");
	assert_string_equal(stack.frame[1].function, "moved");
	unlink(path);
	munmap(code, 8192);
	sonde_sym_free(sym);
}

static void test_jit(void **state)
{
	skip_under_valgrind();
	check_jit();
}

/* Addresses that mean nothing. */
static void test_nonsense(void **state)
{
	struct sonde_sym *sym = sonde_sym_new();
	u64 ip[127] = { ~0ULL, 1, 0, 0xffffffffff600000ULL, 1ULL << 47 };

	assert_int_equal(sonde_sym_resolve(sym, getpid(), ip, 127, &stack), 0);
	assert_int_equal(stack.nr, 4);
	for (size_t i = 0; i < stack.nr; i++)
		assert_null(stack.frame[i].function);
	assert_int_equal(sonde_sym_resolve(sym, getpid(), ip, 0, &stack), 0);
	assert_int_equal(stack.nr, 0);
	assert_int_equal(sonde_sym_resolve(sym, -1, ip, 3, &stack), 0);
	assert_int_equal(sonde_sym_resolve(sym, 0, ip, 3, &stack), 0);
	sonde_sym_free(sym);
	sonde_sym_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builds),	  cmocka_unit_test(test_debuglink), cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_replaced),  cmocka_unit_test(test_rewritten), cmocka_unit_test(test_ended),
		cmocka_unit_test(test_container), cmocka_unit_test(test_chroot),    cmocka_unit_test(test_jit),
		cmocka_unit_test(test_nonsense),
	};
	int failed = cmocka_run_group_tests(tests, target_setup, target_teardown);

	sonde_sym_stack_free(&stack);
	return failed;
}
