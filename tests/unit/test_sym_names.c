// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_sym_names.c - demangling, names of just-in-time compilers, perf maps, and which frames of recorded stacks are the
 * application's.
 */
#include <errno.h>
#include <stdio.h>

#include "sym/kind.h"
#include "sym/name.h"
#include "sym/perfmap.h"
#include "sym/stack.h"
#include "unit.h"

static void check_name(const char *symbol, const char *want, enum sonde_sym_lang want_lang)
{
	enum sonde_sym_lang lang = SONDE_LANG_C;
	char name[SYM_NAME_BYTES];

	size_t len = sym_name_plain(symbol, name, &lang);

	assert_int_equal(len, strlen(name));
	assert_string_equal(name, want);
	assert_int_equal(lang, want_lang);
}

/* As c++filt -p prints them (binutils 2.40), the hash of Rust's names apart. */
static void test_mangled(void **state)
{
	char longest[SYM_NAME_BYTES * 2];
	enum sonde_sym_lang lang = SONDE_LANG_GO;
	char name[SYM_NAME_BYTES];

	check_name("list_orders", "list_orders", SONDE_LANG_C);
	check_name("list_orders.constprop.0", "list_orders", SONDE_LANG_C);
	check_name("list_orders.part.0.isra.0.cold", "list_orders", SONDE_LANG_C);
	check_name("_ZN4shop6orders3allEi", "shop::orders::all", SONDE_LANG_CPP);
	check_name("_ZN4shop6orders3allEi.cold", "shop::orders::all", SONDE_LANG_CPP);
	check_name("_ZN4shop6handleERNS_6ordersEi", "shop::handle", SONDE_LANG_CPP);
	check_name(
		"_ZN4shop6orders4listINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEEEiRKT_",
		"shop::orders::list<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > >",
		SONDE_LANG_CPP);
	check_name("_ZN4shop6ordersD2Ev", "shop::orders::~orders", SONDE_LANG_CPP);
	check_name("_ZN4shop2db4Conn5query17h59807616e1fa2540E", "shop::db::Conn::query", SONDE_LANG_RUST);
	check_name("_ZN4shop2db4Conn5query17h59807616e1fa2540E.llvm.1234", "shop::db::Conn::query", SONDE_LANG_RUST);
	check_name("_RNvCs1234_7mycrate3foo", "mycrate::foo", SONDE_LANG_RUST);
	check_name("_ZN4shop", "_ZN4shop", SONDE_LANG_C); /* broken */
	check_name("_Z", "_Z", SONDE_LANG_C);
	check_name("_R", "_R", SONDE_LANG_C);
	check_name("", "", SONDE_LANG_C);

	/* Go's closures look like GCC's copies, but are not. */
	assert_int_equal(sym_name_plain("main.cold.part.1", name, &lang), 16);
	assert_string_equal(name, "main.cold.part.1");

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(sym_name_plain(longest, name, &lang), SYM_NAME_BYTES - 1);
}

/* Each type is a pair of the one before it: the last one's text would take 2^30 times the first one's. */
static void test_exploding(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char symbol[1024] = "_Z1fI4pairIiiE", name[SYM_NAME_BYTES];
	enum sonde_sym_lang lang = SONDE_LANG_C;

	for (int i = 1; i < 31; i++) {
		char next[32];

		snprintf(next, sizeof(next), "S0_IS%c_S%c_E", digits[i], digits[i]);
		strcat(symbol, next);
	}
	strcat(symbol, "EvT_");
	assert_int_equal(sym_name_plain(symbol, name, &lang), SYM_NAME_BYTES - 1);
	assert_non_null(strstr(name, "f<pair<int, int>, pair<pair<int, int>, pair<int, int> >, pair<pair<pair<int"));
	assert_int_equal(lang, SONDE_LANG_CPP);

	memset(symbol, 'P', sizeof(symbol));
	memcpy(symbol, "_Z1f", 4);
	strcpy(symbol + sizeof(symbol) - 2, "i");
	assert_true(sym_name_plain(symbol, name, &lang) < SYM_NAME_BYTES);
}

static void check_jit(const char *text, bool java, enum sonde_sym_lang lang, const char *function, const char *file,
		      u32 line)
{
	char scratch[SYM_NAME_BYTES];
	struct sym_jit_name name = sym_name_jit(text, java, scratch);

	assert_int_equal(name.lang, lang);
	assert_int_equal(name.function_len, strlen(function));
	assert_memory_equal(name.function, function, name.function_len);
	assert_int_equal(name.file_len, strlen(file));
	if (name.file_len)
		assert_memory_equal(name.file, file, name.file_len);
	assert_int_equal(name.line, line);
}

static void test_jit_names(void **state)
{
	check_jit("LazyCompile:*list_orders /app/shop.js:12:5", false, SONDE_LANG_JS, "list_orders", "/app/shop.js",
		  12);
	check_jit("JS:~list_orders file:///app/a b.mjs:12:5", false, SONDE_LANG_JS, "list_orders", "/app/a b.mjs", 12);
	check_jit("JS:^get total /app/shop.js:3:9", false, SONDE_LANG_JS, "get total", "/app/shop.js", 3);
	check_jit("JS:*' /app/shop.js:3:9", false, SONDE_LANG_JS, "(anonymous)", "/app/shop.js", 3);
	check_jit("JS:~processTicksAndRejections node:internal/process/task_queues:67:35", false, SONDE_LANG_JS,
		  "processTicksAndRejections", "node:internal/process/task_queues", 67);
	check_jit("Script:~ /app/shop.js:1:1", false, SONDE_LANG_JS, "(anonymous)", "/app/shop.js", 1);
	check_jit("JS:*compiled", false, SONDE_LANG_JS, "compiled", "", 0);
	check_jit("JS:", false, SONDE_LANG_JS, "(anonymous)", "", 0);
	check_jit("JS:~f /app/x.js:99999999999999999999:1", false, SONDE_LANG_JS, "f", "/app/x.js:99999999999999999999",
		  1);
	check_jit("Builtin:RecordWriteSaveFP", false, SONDE_LANG_JS, "Builtin:RecordWriteSaveFP", "", 0);
	check_jit("py::list_orders:/app/shop.py", false, SONDE_LANG_PYTHON, "list_orders", "/app/shop.py", 0);
	check_jit("py::Shop.<lambda>:/app/shop.py", false, SONDE_LANG_PYTHON, "Shop.<lambda>", "/app/shop.py", 0);
	check_jit("py::", false, SONDE_LANG_PYTHON, "", "", 0);
	check_jit("int org.postgresql.jdbc.PgStatement.getMaxFieldSize()", true, SONDE_LANG_JAVA,
		  "org.postgresql.jdbc.PgStatement.getMaxFieldSize", "", 0);
	check_jit("java.lang.String shop.Orders.list(int, java.lang.String)", true, SONDE_LANG_JAVA, "shop.Orders.list",
		  "", 0);
	check_jit("Lshop/Orders;::list", true, SONDE_LANG_JAVA, "shop.Orders.list", "", 0);
	check_jit("Interpreter", true, SONDE_LANG_JAVA, "[Interpreter]", "", 0);
	check_jit("StubRoutines (1)", true, SONDE_LANG_JAVA, "[StubRoutines (1)]", "", 0);
	check_jit("(", true, SONDE_LANG_JAVA, "[(]", "", 0);
	check_jit("something", false, SONDE_LANG_OTHER, "something", "", 0);
}

static void feed(struct sym_perfmap *map, const char *text)
{
	assert_int_equal(sym_perfmap_feed(map, text, strlen(text)), 0);
}

static void test_perfmap(void **state)
{
	struct sym_perfmap *map = sym_perfmap_new();
	char line[8192];

	assert_null(sym_perfmap_find(map, 0));
	feed(map, "1000 10 a\n0x2000 0x20 b c \r\n3000 10");
	assert_string_equal(sym_perfmap_find(map, 0x1000), "a");
	assert_string_equal(sym_perfmap_find(map, 0x100f), "a");
	assert_null(sym_perfmap_find(map, 0x1010));
	assert_null(sym_perfmap_find(map, 0xfff));
	assert_string_equal(sym_perfmap_find(map, 0x201f), "b c ");
	assert_null(sym_perfmap_find(map, 0x3000));
	feed(map, " late\n");
	assert_string_equal(sym_perfmap_find(map, 0x3000), "late");

	/* The last line tells, before, inside and around an older one. */
	feed(map, "1008 10 over\n2008 4 inner\n2ff0 100 around\n");
	assert_string_equal(sym_perfmap_find(map, 0x1007), "a");
	assert_string_equal(sym_perfmap_find(map, 0x1008), "over");
	assert_string_equal(sym_perfmap_find(map, 0x2008), "inner");
	assert_string_equal(sym_perfmap_find(map, 0x200c), "b c ");
	assert_string_equal(sym_perfmap_find(map, 0x3000), "around");

	/* None of these is a line of the format. */
	feed(map, "\n4000\n4000 10\n4000 10 \n4000 0 empty\nzz 10 x\n 4000 10 x\n4000\t10 x\n10000000000004000 10 x\n"
		  "fffffffffffffff0 20 wraps\n-1 10 x\n0x 10 x\n");
	assert_null(sym_perfmap_find(map, 0x4000));
	assert_null(sym_perfmap_find(map, ~0ULL));
	assert_int_equal(sym_perfmap_feed(map, "4000 10 a\0b\n", 12), 0);
	assert_null(sym_perfmap_find(map, 0x4000));

	memset(line, 'x', sizeof(line));
	memcpy(line, "4000 10 ", 8);
	assert_int_equal(sym_perfmap_feed(map, line, sizeof(line)), 0);
	feed(map, "\n5000 10 after\n");
	assert_null(sym_perfmap_find(map, 0x4000));
	assert_string_equal(sym_perfmap_find(map, 0x5000), "after");
	sym_perfmap_free(map);
	sym_perfmap_free(NULL);
}

static void test_perfmap_limit(void **state)
{
	struct sym_perfmap *map = sym_perfmap_new();
	int err = 0;
	u32 i;

	for (i = 0; !err && i < 2000000; i++) {
		char line[64];

		err = sym_perfmap_feed(map, line, snprintf(line, sizeof(line), "%x 1 f\n", i));
	}
	assert_int_equal(err, -ENOSPC);
	assert_non_null(sym_perfmap_find(map, 1000));
	sym_perfmap_free(map);
}

static void test_glob(void **state)
{
	char text[4096];

	assert_true(sym_glob("libpq.so*", "libpq.so.5.15"));
	assert_false(sym_glob("libpq.so*", "libpqxx.so"));
	assert_true(sym_glob("*/node_modules/pg/*", "/a/node_modules/x/node_modules/pg/lib/client.js"));
	assert_true(sym_glob("*", ""));
	assert_true(sym_glob("", ""));
	assert_false(sym_glob("", "x"));
	assert_false(sym_glob("?", ""));
	assert_true(sym_glob("libQt?Sql.so*", "libQt6Sql.so.6"));
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(sym_glob("*a*a*a*a*a*a*a*b", text));
}

/* A frame of a recorded stack: of a file, or with @jit as a perf map names it. */
struct recorded {
	enum sonde_sym_kind kind;
	enum sonde_sym_lang lang;
	const char *module, *function, *file;
	u32 line;
};

#define APP SONDE_SYM_APPLICATION
#define LIB SONDE_SYM_LIBRARY
#define DRV SONDE_SYM_DRIVER
#define RUN SONDE_SYM_RUNTIME
#define JIT(kind, lang, name)                                                                                          \
	{                                                                                                              \
		kind, SONDE_LANG_##lang, "[jit]", name, NULL, 0                                                        \
	}
#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LIBPQ "/usr/lib/x86_64-linux-gnu/libpq.so.5.15"

static void push(struct sonde_sym_stack *stack, const struct recorded *r)
{
	struct sonde_sym_frame *frame = sym_stack_push(stack);
	char scratch[SYM_NAME_BYTES];

	*frame = (struct sonde_sym_frame){ .lang = r->lang, .module = r->module, .addr = 1 };
	frame->function = r->function;
	frame->file = r->file;
	frame->line = r->line;
	if (!strcmp(r->module, "[jit]")) {
		struct sym_jit_name jit = sym_name_jit(r->function, r->lang == SONDE_LANG_JAVA, scratch);

		assert_int_equal(jit.lang, r->lang);
		frame->function = sym_stack_text(stack, jit.function, jit.function_len);
		frame->file = jit.file_len ? sym_stack_text(stack, jit.file, jit.file_len) : NULL;
		frame->line = jit.line;
	}
	if (frame->file)
		frame->base = strrchr(frame->file, '/') ? strrchr(frame->file, '/') + 1 : frame->file;
	frame->kind = sym_kind_of(frame);
	assert_int_equal(frame->kind, r->kind);
}

static void check_stack(const struct recorded *r, size_t nr, const char *const want[])
{
	struct sonde_sym_stack stack = { 0 };
	struct sonde_sym_site site;
	size_t wanted = 0;

	for (size_t i = 0; i < nr; i++)
		push(&stack, &r[i]);
	while (want[wanted])
		wanted++;
	assert_int_equal(sonde_sym_site(&stack, SONDE_SYM_SITE_MAX, &site), wanted);
	for (size_t i = 0; i < wanted; i++)
		assert_string_equal(site.frame[i], want[i]);
	sonde_sym_site_free(&site);
	sonde_sym_stack_free(&stack);
}

#define CHECK_STACK(recorded, ...)                                                                                     \
	check_stack(recorded, sizeof(recorded) / sizeof((recorded)[0]), (const char *const[]){ __VA_ARGS__ })

/* Recorded by frame pointers while the statement was being sent. */
static void test_recorded_go(void **state)
{
	static const struct recorded go[] = {
		{ RUN, SONDE_LANG_GO, "/app/shop", "runtime/internal/syscall.Syscall6",
		  "/usr/lib/go-1.19/src/runtime/internal/syscall/asm_linux_amd64.s", 36 },
		{ RUN, SONDE_LANG_GO, "/app/shop", "syscall.Syscall", "/usr/lib/go-1.19/src/syscall/syscall_linux.go",
		  81 },
		{ RUN, SONDE_LANG_GO, "/app/shop", "internal/poll.(*FD).Write",
		  "/usr/lib/go-1.19/src/internal/poll/fd_unix.go", 383 },
		{ DRV, SONDE_LANG_GO, "/app/shop", "net.(*netFD).Write", "/usr/lib/go-1.19/src/net/fd_posix.go", 96 },
		{ DRV, SONDE_LANG_GO, "/app/shop", "github.com/lib/pq.(*conn).send",
		  "/usr/share/gocode/src/github.com/lib/pq/conn.go", 955 },
		{ DRV, SONDE_LANG_GO, "/app/shop", "database/sql.ctxDriverQuery",
		  "/usr/lib/go-1.19/src/database/sql/ctxutil.go", 48 },
		{ DRV, SONDE_LANG_GO, "/app/shop", "database/sql.(*DB).queryDC.func1",
		  "/usr/lib/go-1.19/src/database/sql/sql.go", 1757 },
		{ DRV, SONDE_LANG_GO, "/app/shop", "database/sql.(*DB).QueryRow",
		  "/usr/lib/go-1.19/src/database/sql/sql.go", 1827 },
		{ LIB, SONDE_LANG_GO, "/app/shop", "gorm.io/gorm.(*DB).First", NULL, 0 },
		{ APP, SONDE_LANG_GO, "/app/shop", "main.(*shop).listOrders", "/src/main.go", 9 },
		{ APP, SONDE_LANG_GO, "/app/shop", "github.com/me/shop.handle", NULL, 0 },
		{ RUN, SONDE_LANG_GO, "/app/shop", "runtime.main", "/usr/lib/go-1.19/src/runtime/proc.go", 250 },
		{ RUN, SONDE_LANG_GO, "/app/shop", "runtime.goexit", "/usr/lib/go-1.19/src/runtime/asm_amd64.s", 1594 },
	};

	CHECK_STACK(go, "main.(*shop).listOrders main.go:9", "github.com/me/shop.handle (shop)", NULL);
}

static void test_recorded_interpreters(void **state)
{
	static const struct recorded python[] = {
		{ RUN, SONDE_LANG_C, LIBC, "__libc_send", NULL, 0 },
		{ DRV, SONDE_LANG_C, LIBPQ, NULL, NULL, 0 },
		{ DRV, SONDE_LANG_C, LIBPQ, "PQexec", NULL, 0 },
		{ DRV, SONDE_LANG_C, "/usr/lib/python3/dist-packages/psycopg2/_psycopg.cpython-311-x86_64-linux-gnu.so",
		  "_pq_execute_sync", NULL, 0 },
		{ RUN, SONDE_LANG_C, "/usr/bin/python3.11", "_PyEval_EvalFrameDefault", NULL, 0 },
	};
	static const struct recorded named[] = {
		JIT(DRV, PYTHON, "py::execute:/usr/lib/python3/dist-packages/psycopg2/extras.py"),
		JIT(LIB, PYTHON,
		    "py::execute_sql:/srv/venv/lib/python3.12/site-packages/django/db/models/sql/compiler.py"),
		JIT(APP, PYTHON, "py::list_orders:/srv/shop/views.py"),
		JIT(RUN, PYTHON, "py::run:/usr/lib/python3.12/threading.py"),
		JIT(RUN, PYTHON, "py::_call_with_frames_removed:<frozen importlib._bootstrap>"),
	};
	static const struct recorded php[] = {
		{ RUN, SONDE_LANG_C, LIBC, "__libc_send", NULL, 0 },
		{ DRV, SONDE_LANG_C, LIBPQ, "PQprepare", NULL, 0 },
		{ DRV, SONDE_LANG_C, "/usr/lib/php/20220829/pdo_pgsql.so", NULL, NULL, 0 },
		{ RUN, SONDE_LANG_C, "/usr/bin/php8.2", "execute_ex", NULL, 0 },
	};
	static const struct recorded java[] = {
		JIT(RUN, JAVA, "void sun.nio.ch.NioSocketImpl.write(byte[], int, int)"),
		JIT(RUN, JAVA, "Interpreter"),
		JIT(DRV, JAVA,
		    "void org.postgresql.core.v3.QueryExecutorImpl.sendOneQuery(org.postgresql.core.v3.SimpleQuery)"),
		JIT(DRV, JAVA, "java.sql.ResultSet org.postgresql.jdbc.PgStatement.executeQuery(java.lang.String)"),
		JIT(APP, JAVA, "int shop.Shop.listOrders(java.sql.Connection, int)"),
		JIT(RUN, JAVA, "StubRoutines (1)"),
		{ RUN, SONDE_LANG_CPP, "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so",
		  "JavaCalls::call_helper", NULL, 0 },
		{ RUN, SONDE_LANG_C, "/usr/lib/jvm/java-17-openjdk-amd64/lib/libjli.so", "JavaMain", NULL, 0 },
	};

	CHECK_STACK(python, NULL);
	CHECK_STACK(named, "list_orders views.py", NULL);
	CHECK_STACK(php, NULL);
	CHECK_STACK(java, "shop.Shop.listOrders", NULL);
}

static void test_recorded_node(void **state)
{
	static const struct recorded node[] = {
		{ RUN, SONDE_LANG_C, LIBC, "__GI___libc_write", NULL, 0 },
		{ RUN, SONDE_LANG_CPP, "/usr/bin/node", "node::StreamBase::Write", NULL, 0 },
		{ RUN, SONDE_LANG_C, "/usr/bin/node", "Builtins_CEntry_Return1_ArgvOnStack_BuiltinExit", NULL, 0 },
		JIT(RUN, JS, "JS:~handleWriteReq node:internal/stream_base_commons:46:24"),
		JIT(RUN, JS, "JS:~Socket._write node:net:969:35"),
		JIT(DRV, JS, "JS:~_send /srv/shop/node_modules/pg/lib/connection.js:171:8"),
		JIT(DRV, JS, "JS:*query /srv/shop/node_modules/pg/lib/client.js:668:8"),
		JIT(LIB, JS, "JS:*query /srv/shop/node_modules/sequelize/lib/sequelize.js:1:8"),
		JIT(APP, JS, "JS:~list_orders /srv/shop/shop.js:2:27"),
		JIT(APP, JS, "LazyCompile:*handle /srv/shop/shop.js:5:16"),
		{ RUN, SONDE_LANG_C, "/usr/bin/node", "Builtins_AsyncFunctionAwaitResolveClosure", NULL, 0 },
		JIT(RUN, JS, "JS:~processTicksAndRejections node:internal/process/task_queues:67:35"),
		{ RUN, SONDE_LANG_C, "/usr/bin/node", "uv__stream_io", NULL, 0 },
	};
	static const struct recorded library[] = {
		JIT(DRV, JS, "JS:*query /srv/shop/node_modules/pg/lib/client.js:668:8"),
		JIT(LIB, JS, "JS:*query /srv/shop/node_modules/sequelize/lib/sequelize.js:1:8"),
	};

	CHECK_STACK(node, "list_orders shop.js:2", "handle shop.js:5", NULL);
	CHECK_STACK(library, "query sequelize.js:1", NULL);
}

static void test_recorded_native(void **state)
{
	static const struct recorded rust[] = {
		{ RUN, SONDE_LANG_C, LIBC, "__libc_send", NULL, 0 },
		{ RUN, SONDE_LANG_RUST, "/app/m", "std::io::Write::write_all",
		  "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/io/mod.rs", 1877 },
		{ DRV, SONDE_LANG_RUST, "/app/m",
		  "<sqlx_core::query::Query<DB, A> as sqlx_core::executor::Execute<DB>>::sql", NULL, 0 },
		{ RUN, SONDE_LANG_RUST, "/app/m", "tokio::runtime::task::raw::poll",
		  "/root/.cargo/registry/src/x/tokio-1.0/src/a.rs", 1 },
		{ LIB, SONDE_LANG_RUST, "/app/m", "axum::serve", "/root/.cargo/registry/src/x/axum-0.7/src/a.rs", 1 },
		{ APP, SONDE_LANG_RUST, "/app/m", "shop::list_orders::{{closure}}", "src/main.rs", 8 },
		{ RUN, SONDE_LANG_RUST, "/app/m", "core::ops::function::FnOnce::call_once",
		  "/rustc/5/library/core/src/ops/function.rs", 250 },
		{ RUN, SONDE_LANG_RUST, "/app/m", "std::rt::lang_start_internal", "library/std/src/rt.rs", 171 },
	};
	static const struct recorded cpp[] = {
		{ DRV, SONDE_LANG_CPP, "/app/shop", "pqxx::connection::exec", NULL, 0 },
		{ APP, SONDE_LANG_CPP, "/app/shop", "shop::orders::all", "/src/c.cc", 8 },
		{ APP, SONDE_LANG_CPP, "/app/shop", "{lambda}", "/src/c.cc", 9 },
		{ RUN, SONDE_LANG_CPP, "/app/shop", "__invoke_impl<int>", "/usr/include/c++/12/bits/invoke.h", 61 },
		{ RUN, SONDE_LANG_CPP, "/app/shop", "std::function<(int)>::operator()", NULL, 0 },
		{ APP, SONDE_LANG_CPP, "/app/shop", "main", "/src/c.cc", 10 },
		{ RUN, SONDE_LANG_C, "/app/shop", "__libc_start_call_main", NULL, 0 },
		{ RUN, SONDE_LANG_C, "/app/shop", "_start", NULL, 0 },
	};
	static const struct recorded c[] = {
		{ RUN, SONDE_LANG_C, "[vdso]", "__vdso_gettimeofday", NULL, 0 },
		{ DRV, SONDE_LANG_C, "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6", "sqlite3_step", NULL, 0 },
		{ DRV, SONDE_LANG_C, "/app/shop", "sqlite3_step", NULL, 0 },
		{ DRV, SONDE_LANG_C, "/app/shop", "unixRead", "/src/sqlite3.c", 7 },
		{ APP, SONDE_LANG_C, "/app/shop", NULL, NULL, 0 },
		{ APP, SONDE_LANG_C, "/app/shop", "list_orders", NULL, 0 },
		{ LIB, SONDE_LANG_C, "/usr/lib/x86_64-linux-gnu/libglib-2.0.so.0", "g_main_loop_run", NULL, 0 },
	};

	CHECK_STACK(rust, "shop::list_orders::{{closure}} main.rs:8", NULL);
	CHECK_STACK(cpp, "shop::orders::all c.cc:8", "{lambda} c.cc:9", "main c.cc:10", NULL);
	CHECK_STACK(c, "list_orders (shop)", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mangled),	      cmocka_unit_test(test_exploding),
		cmocka_unit_test(test_jit_names),     cmocka_unit_test(test_perfmap),
		cmocka_unit_test(test_perfmap_limit), cmocka_unit_test(test_glob),
		cmocka_unit_test(test_recorded_go),   cmocka_unit_test(test_recorded_interpreters),
		cmocka_unit_test(test_recorded_node), cmocka_unit_test(test_recorded_native),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
