// SPDX-License-Identifier: GPL-2.0-only
/* test_top.c - sonde top: texts of /proc, rows of two readings, keys, the screen in every size. */
#include "unit.h"

#include <stdio.h>

#include "model/finding.h"
#include "model/hist.h"
#include "model/machine.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "model/syscall.h"
#include "top/screen.h"

#define SECOND 1000000000ULL

/* ---- texts of /proc ---- */

static void proc_stat(void **state)
{
	struct sonde_machine_proc proc = { .pid = 7 };

	assert_true(sonde_machine_proc_stat(&proc, "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 1507 9 4"));
	assert_string_equal(proc.comm, "a) b");
	assert_int_equal(proc.ticks, 300);
	assert_int_equal(proc.threads, 3);
	assert_int_equal(proc.start, 1507);
	assert_false(proc.kernel);
	assert_true(sonde_machine_proc_stat(&proc, "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 1 0 0 20 0 1 0 3 0 0"));
	assert_true(proc.kernel);
	assert_true(sonde_machine_proc_stat(&proc, "9 (a name that is far too long) S"));
	assert_int_equal(strlen(proc.comm), SONDE_COMM_BYTES - 1);
	assert_false(sonde_machine_proc_stat(&proc, ""));
	assert_false(sonde_machine_proc_stat(&proc, ") ("));
	assert_int_equal(sonde_machine_schedstat("8993636 30361865 5\n"), 30361865);
	assert_int_equal(sonde_machine_schedstat(""), 0);
	(void)state;
}

static void proc_machine(void **state)
{
	struct sonde_machine machine = {};

	sonde_machine_cpus(&machine, "cpu  100 1 20 1000 50 3 4 2 9 0\ncpu0 1 2 3\ncpu1 4 5 6\nintr 7\n");
	assert_int_equal(machine.nr_cpus, 2);
	assert_int_equal(machine.busy_ticks, 130);
	assert_int_equal(machine.all_ticks, 1180);
	sonde_machine_net(&machine, "Inter-|   Receive |  Transmit\n face |bytes packets|bytes packets\n"
				    "    lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0\n"
				    "  eth0: 100 1 0 0 0 0 0 0 30 1 0 0 0 0 0 0\n"
				    "  eth1:7 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n");
	assert_int_equal(machine.received_bytes, 107);
	assert_int_equal(machine.sent_bytes, 35);
	sonde_machine_net(&machine, "");
	sonde_machine_cpus(&machine, "");
	assert_int_equal(machine.nr_cpus, 0);
	(void)state;
}

/* ---- readings made by hand ---- */

static struct sonde_query *statement(struct sonde_snapshot *snap, u64 id, const char *process, u32 pid, const char *text, u64 count, u64 ns)
{
	bool http = text[0] == 'G';
	struct sonde_query *query = http ? sonde_snapshot_endpoint(snap) : sonde_snapshot_query(snap);

	query->id = id;
	query->proto = http ? SONDE_PROTO_HTTP : SONDE_PROTO_POSTGRESQL;
	query->role = http ? SONDE_ROLE_SERVER : SONDE_ROLE_CLIENT;
	query->text = text;
	query->text_len = strlen(text);
	query->name = http ? text : "SELECT short";
	query->process = process;
	query->pid = pid;
	query->nr_procs = 1;
	query->database = "shop";
	query->server = "127.0.0.1:5432";
	query->count = count;
	query->sent_bytes = count * 100;
	query->recv_bytes = count * 1000;
	for (u64 i = 0; i < count; i++)
		sonde_hist_add(&query->done, ns);
	return query;
}

static struct sonde_snapshot *snapshot(u64 seconds)
{
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snap = sonde_snapshot_new(strings);

	sonde_strings_put(strings);
	snap->duration_ns = seconds * SECOND;
	snap->capture = "";
	strcpy(snap->host.name, "box");
	return snap;
}

static struct sonde_machine *machine(u64 ticks, u64 wait_ns)
{
	struct sonde_machine *made = calloc(1, sizeof(*made));
	struct sonde_machine_proc *proc;

	made->nr_cpus = 4;
	made->ticks_per_s = 100;
	made->busy_ticks = ticks * 2;
	for (u32 pid = 10; pid < 14; pid++) {
		proc = sonde_machine_add(made);
		*proc = (struct sonde_machine_proc){ .pid = pid, .threads = 1, .start = 5, .ticks = ticks, .wait_ns = wait_ns };
		strcpy(proc->comm, pid == 13 ? "idle" : "comm");
		if (pid == 13)
			proc->ticks = proc->wait_ns = 0;
	}
	sonde_machine_sort(made);
	return made;
}

/* Three processes: two workers of one name, and one that is no client. */
static struct sonde_top_reading reading(u64 seconds, u64 turns)
{
	struct sonde_top_reading made = { .at_ns = 1000 + seconds * SECOND, .rows = snapshot(seconds) };
	struct sonde_finding *finding;
	struct sonde_syscall *call;

	statement(made.rows, 1, "web", 10, "select name from customers where id = ?", 100 * turns, 1000000)->errors = 10 * turns;
	statement(made.rows, 1, "web", 11, "select name from customers where id = ?", 50 * turns, 1000000);
	statement(made.rows, 2, "web", 10, "select \033[31mred\033]0;title\a from t", turns, 200000000);
	statement(made.rows, 3, "web", 10, "GET /orders", 10 * turns, 5000000)->error_class[SONDE_HTTP_5XX] = (u32)turns;
	finding = sonde_snapshot_finding(made.rows);
	finding->id = 5;
	finding->process = "web";
	finding->pid = 10;
	finding->nr_procs = 1;
	finding->scope_name = "GET /orders";
	finding->scope = SONDE_SCOPE_REQUEST;
	finding->query_id = 1;
	finding->query = "select name from customers where id = ?";
	finding->scopes = 10;
	finding->calls = 100;
	finding->calls_min = finding->calls_median = finding->calls_max = 10;
	finding->waste_ns = 90000000;
	finding->suggestion = "one query for all";
	finding->site = calloc(2, sizeof(*finding->site));
	finding->site[0] = "list_orders shop.c:142";
	finding->site[1] = "handle http.c:88";
	finding->nr_site = 2;
	made.machine = machine(100 * turns, turns * SECOND / 2);
	made.calls = snapshot(seconds);
	made.calls->syscalls = sonde_syscalls_new();
	call = sonde_syscalls_row(made.calls->syscalls);
	call->name = "read";
	call->on = "socket";
	call->process = "web";
	call->pid = 10;
	call->count = 20 * turns;
	for (u64 i = 0; i < call->count; i++)
		sonde_hist_add(&call->hist, 1000);
	return made;
}

struct world {
	struct sonde_top_reading first, before, now;
	struct sonde_top_state state;
	struct sonde_top_view view;
	struct sonde_top_screen screen;
	char text[64 * 1024];
};

static void look(struct world *world)
{
	sonde_top_view_free(&world->view);
	assert_int_equal(sonde_top_look(&world->view, &world->state, &world->first, &world->before, &world->now), 0);
}

static int begin(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->first = reading(0, 0);
	world->before = reading(10, 1);
	world->now = reading(12, 3);
	sonde_top_begin(&world->state);
	look(world);
	*state = world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;
	struct sonde_top_reading *all[] = { &world->first, &world->before, &world->now };

	sonde_top_view_free(&world->view);
	sonde_top_screen_free(&world->screen);
	for (size_t i = 0; i < 3; i++)
		sonde_top_reading_free(all[i]);
	free(world);
	return 0;
}

/* The screen as text; each line must be as wide as it says, and hold nothing that acts on a terminal. */
static const char *draw(struct world *world)
{
	size_t len = 0;

	look(world);
	sonde_top_screen_free(&world->screen);
	assert_int_equal(sonde_top_draw(&world->screen, &world->state, &world->view), 0);
	assert_true(world->screen.nr <= world->state.height);
	for (size_t i = 0; i < world->screen.nr; i++) {
		const struct sonde_top_line *line = &world->screen.line[i];

		assert_true(line->columns <= world->state.width);
		assert_true(line->nr <= SONDE_TOP_MARKS);
		for (size_t at = 0; at < line->text.len; at++)
			assert_true((unsigned char)line->text.s[at] >= ' ' && line->text.s[at] != 0x7f);
		if (!world->state.utf8)
			assert_int_equal(line->columns, line->text.len);
		len += (size_t)snprintf(world->text + len, sizeof(world->text) - len, "%s\n", line->text.s ? line->text.s : "");
	}
	return world->text;
}

static bool press(struct world *world, const char *keys)
{
	bool on = true;

	for (; *keys && on; keys++) {
		on = sonde_top_press(&world->state, &world->view, (u8)*keys);
		look(world);
	}
	return on;
}

static void key(struct world *world, u32 code)
{
	assert_true(sonde_top_press(&world->state, &world->view, code));
	look(world);
}

/* ---- rows ---- */

static void rates(void **state)
{
	struct world *world = *state;
	const struct sonde_top_row *row = world->view.list[SONDE_TOP_QUERIES].row;

	assert_int_equal(world->view.sums.window_ns, 2 * SECOND);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].nr, 2);
	/* By time: two of 200 ms, then 300 of 1 ms by both workers. */
	assert_int_equal(row[0].calls, 2);
	assert_int_equal(row[0].time_ns, 400000000);
	assert_int_equal(row[1].calls, 300);
	assert_int_equal(row[1].errors, 20);
	assert_int_equal(row[1].nr_procs, 2);
	assert_int_equal(row[1].time_ns, 300000000);
	assert_true(row[1].p99_ns > 900000 && row[1].p99_ns < 1100000);
	assert_int_equal(world->view.sums.calls, 302);
	assert_int_equal(world->view.sums.requests, 20);
	assert_int_equal(world->view.sums.failed, 2);
	assert_int_equal(world->view.sums.cpu_ns, 4 * SECOND);
	assert_int_equal(world->view.sums.wait_ns, 3 * SECOND);
	row = world->view.list[SONDE_TOP_SYSCALLS].row;
	assert_int_equal(row->calls, 40);
	assert_int_equal(row->time_ns, 40000);
	world->now.calls->syscalls->row[0]->waits = true;
	look(world);
	assert_int_equal(world->view.list[SONDE_TOP_SYSCALLS].row->time_ns, 0);
	/* Not counted before: no rate, but a total. */
	sonde_snapshot_free(world->before.calls);
	world->before.calls = NULL;
	look(world);
	assert_int_equal(world->view.list[SONDE_TOP_SYSCALLS].nr, 0);
	world->state.totals = true;
	look(world);
	assert_int_equal(world->view.list[SONDE_TOP_SYSCALLS].row->calls, 60);
	world->state.totals = false;
	look(world);
	row = world->view.list[SONDE_TOP_ENDPOINTS].row;
	assert_int_equal(row->calls, 20);
	assert_int_equal(row->errors, 2);
}

static void processes(void **state)
{
	struct world *world = *state;
	const struct sonde_top_list *list = &world->view.list[SONDE_TOP_PROCESSES];

	/* The one that did nothing is not there; the one without statements goes by its own name. */
	assert_int_equal(list->nr, 2);
	assert_string_equal(list->row[0].process, "web");
	assert_int_equal(list->row[0].nr_procs, 2);
	assert_int_equal(list->row[0].time_ns, 700000000);
	assert_int_equal(list->row[0].calls, 302);
	assert_int_equal(list->row[0].requests, 20);
	assert_int_equal(list->row[0].cpu_ns, 4 * SECOND);
	assert_int_equal(list->row[0].wait_ns, 2 * SECOND);
	assert_string_equal(list->row[1].process, "comm");
	assert_int_equal(list->row[1].cpu_ns, 2 * SECOND);
	world->state.narrow = true;
	look(world);
	assert_int_equal(list->nr, 1);
	assert_int_equal(list->row[0].cpu_ns, 4 * SECOND);
	assert_int_equal(world->view.sums.wait_ns, 3 * SECOND);
	world->state.narrow = false;
	press(world, "g");
	assert_int_equal(world->view.list[SONDE_TOP_PROCESSES].nr, 3);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].nr, 3);
	assert_int_equal(world->view.list[SONDE_TOP_PROCESSES].row[0].nr_procs, 1);
}

static void totals(void **state)
{
	struct world *world = *state;

	press(world, "t");
	assert_int_equal(world->view.sums.window_ns, 12 * SECOND);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].row[1].calls, 450);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].row[0].time_ns, 600000000);
	assert_int_equal(world->view.list[SONDE_TOP_PROCESSES].row[0].cpu_ns, 6 * SECOND);
	assert_non_null(strstr(draw(world), "totals of 12.0s"));
	assert_non_null(strstr(world->text, "DB TIME"));
}

/* A process whose number is used again is not the one before. */
static void reused_pid(void **state)
{
	struct world *world = *state;

	world->now.machine->procs[2].start = 6;
	look(world);
	assert_int_equal(world->view.list[SONDE_TOP_PROCESSES].row[1].cpu_ns, 3 * SECOND);
}

/* ---- keys ---- */

static void sorting(void **state)
{
	struct world *world = *state;

	press(world, "2s"); /* by calls */
	assert_int_equal(world->state.sort[SONDE_TOP_QUERIES], SONDE_TOP_CALLS);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].row[0].calls, 300);
	press(world, "r");
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].row[0].calls, 2);
	press(world, "SS"); /* before the first: the last one */
	assert_int_equal(world->state.sort[SONDE_TOP_QUERIES], SONDE_TOP_WHAT);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].row[0].calls, 2);
	for (size_t page = 0; page < SONDE_TOP_PAGES; page++) {
		world->state.page = (enum sonde_top_page)page;
		for (size_t i = 0; i < 2 * SONDE_TOP_COLUMNS_MAX; i++) {
			press(world, "s");
			draw(world);
		}
	}
}

static void filtering(void **state)
{
	struct world *world = *state;

	press(world, "/CUSTx");
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].nr, 0);
	assert_non_null(strstr(draw(world), "filter: CUSTx_"));
	key(world, SONDE_TOP_KEY_BACKSPACE);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].nr, 1);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].hidden, 1);
	key(world, SONDE_TOP_KEY_ENTER);
	assert_non_null(strstr(draw(world), "filter \"CUST\""));
	assert_true(press(world, "/q")); /* no end: a letter of the filter */
	key(world, SONDE_TOP_KEY_ESCAPE);
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].nr, 2);
	press(world, "/");
	for (int i = 0; i < 200; i++)
		key(world, 0x20ac);
	key(world, 7);
	key(world, SONDE_TOP_KEY_UP);
	draw(world);
	assert_true(strlen(world->state.filter) < SONDE_TOP_FILTER);
	assert_int_equal(strlen(world->state.filter) % 3, 0);
	key(world, SONDE_TOP_KEY_BACKSPACE);
	assert_int_equal(strlen(world->state.filter) % 3, 0);
	key(world, 'U' - '@');
	assert_string_equal(world->state.filter, "");
}

static void drilling(void **state)
{
	struct world *world = *state;

	world->state.width = 100;
	world->state.height = 60;
	key(world, SONDE_TOP_KEY_ENTER); /* of the process */
	assert_non_null(strstr(draw(world), "in web"));
	assert_int_equal(world->state.page, SONDE_TOP_QUERIES);
	key(world, SONDE_TOP_KEY_DOWN);
	key(world, SONDE_TOP_KEY_ENTER); /* of the statement */
	assert_non_null(strstr(draw(world), "QUERY 0000000000000001"));
	assert_non_null(strstr(world->text, "  select name from customers where id = ?"));
	assert_non_null(strstr(world->text, "PostgreSQL shop at 127.0.0.1:5432"));
	assert_non_null(strstr(world->text, "CALL SITE"));
	assert_non_null(strstr(world->text, "  list_orders shop.c:142"));
	assert_non_null(strstr(world->text, "  <- handle http.c:88"));
	assert_non_null(strstr(world->text, "one query for all"));
	for (int i = 0; i < 100; i++)
		key(world, SONDE_TOP_KEY_PAGE_DOWN);
	draw(world);
	assert_true(world->state.scroll < 100);
	key(world, SONDE_TOP_KEY_ESCAPE);
	assert_int_equal(world->state.focus, SONDE_TOP_LISTS);
	key(world, SONDE_TOP_KEY_ESCAPE);
	assert_int_equal(world->state.inside, 0);
	press(world, "3");
	key(world, SONDE_TOP_KEY_ENTER);
	assert_non_null(strstr(draw(world), "ENDPOINT 0000000000000003"));
	key(world, SONDE_TOP_KEY_LEFT);
	press(world, "4");
	key(world, SONDE_TOP_KEY_ENTER);
	assert_non_null(strstr(draw(world), "CALL SITE"));
	/* What it is about may be gone with the next reading. */
	world->state.detail = 77;
	assert_non_null(strstr(draw(world), "it is gone"));
}

/* Another process's rows are not shown inside of one. */
static void inside(void **state)
{
	struct world *world = *state;

	key(world, SONDE_TOP_KEY_DOWN);
	key(world, SONDE_TOP_KEY_ENTER);
	assert_string_equal(world->state.inside_name, "comm");
	assert_int_equal(world->view.list[SONDE_TOP_QUERIES].nr, 0);
	assert_int_equal(world->view.list[SONDE_TOP_FINDINGS].nr, 0);
	assert_int_equal(world->view.list[SONDE_TOP_PROCESSES].nr, 2);
}

static void moving(void **state)
{
	struct world *world = *state;

	key(world, SONDE_TOP_KEY_UP);
	assert_int_equal(world->state.at[SONDE_TOP_PROCESSES], 0);
	key(world, SONDE_TOP_KEY_END);
	assert_int_equal(world->state.at[SONDE_TOP_PROCESSES], 1);
	/* The cursor stays on its row when the order changes. */
	press(world, "r");
	assert_int_equal(world->state.at[SONDE_TOP_PROCESSES], 0);
	for (int i = 0; i < 7; i++)
		key(world, SONDE_TOP_KEY_TAB);
	for (int i = 0; i < 7; i++)
		key(world, SONDE_TOP_KEY_BACK_TAB);
	assert_int_equal(world->state.page, SONDE_TOP_PROCESSES);
	press(world, "5");
	assert_int_equal(world->state.page, SONDE_TOP_SYSCALLS);
	assert_non_null(strstr(draw(world), "read (socket)"));
	key(world, SONDE_TOP_KEY_ESCAPE);
	assert_false(world->state.zoom);
	assert_int_equal(world->state.page, SONDE_TOP_PROCESSES);
	assert_false(press(world, "q"));
}

/* ---- screens ---- */

static void screens(void **state)
{
	static const char *const keys[] = { "", "?", "?2", "3", "4", "5", "0t", "tg", "/x" };
	static const u32 opened[] = { SONDE_TOP_KEY_ENTER, SONDE_TOP_KEY_ESCAPE };
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		press(world, keys[i]);
		for (size_t o = 0; o < 2 && !world->state.edit; o++) {
			key(world, opened[o]);
			for (unsigned int width = 0; width < 220; width += width < 12 ? 1 : 13) {
				for (unsigned int height = 0; height < 60; height += height < 10 ? 1 : 7) {
					world->state.width = width;
					world->state.height = height;
					world->state.utf8 = width & 1;
					draw(world);
				}
			}
		}
	}
}

static void overview(void **state)
{
	struct world *world = *state;
	const char *text = draw(world);

	assert_non_null(strstr(text, "sonde top"));
	assert_non_null(strstr(text, "rates of the last 2.00s"));
	assert_non_null(strstr(text, "db 151/s 0.3 busy 10.0/s failed  http 10.0/s 1.0/s 5xx  cpu 2.0 of 4"));
	assert_non_null(strstr(text, "\n> web x2"));
	assert_non_null(strstr(text, " 35.0"));
	assert_non_null(strstr(text, "SELECT short"));
	assert_non_null(strstr(text, "N+1"));
	assert_non_null(strstr(text, "q quit  ? help"));
	assert_int_equal(world->screen.nr, 24);
	world->state.width = 20;
	world->state.height = 5;
	text = draw(world);
	assert_non_null(strstr(text, "\n> web x2"));
	assert_null(strstr(text, "busy"));
	/* Nothing that a program or a statement says acts on the terminal, and nothing is lost before it. */
	world->state.width = 200;
	world->state.height = 50;
	assert_non_null(strstr(draw(world), "select ?[31mred?]0;title? from t"));
	world->state.utf8 = true;
	assert_non_null(strstr(draw(world), "select \xef\xbf\xbd[31mred"));
}

static void nothing(void **state)
{
	struct sonde_top_reading now = { .at_ns = 5, .rows = snapshot(0) };
	struct sonde_top_state top;
	struct sonde_top_view view;
	struct sonde_top_screen screen;

	sonde_top_begin(&top);
	assert_int_equal(sonde_top_look(&view, &top, &now, NULL, &now), 0);
	assert_int_equal(sonde_top_draw(&screen, &top, &view), 0);
	assert_int_equal(screen.nr, 24);
	sonde_top_screen_free(&screen);
	sonde_top_press(&top, &view, SONDE_TOP_KEY_ENTER);
	sonde_top_press(&top, &view, SONDE_TOP_KEY_DOWN);
	sonde_top_view_free(&view);
	sonde_top_reading_free(&now);
	(void)state;
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proc_stat), cmocka_unit_test(proc_machine), cmocka_unit_test(nothing),
		WITH_WORLD(rates),	     WITH_WORLD(processes),	     WITH_WORLD(totals),
		WITH_WORLD(reused_pid),	     WITH_WORLD(sorting),	     WITH_WORLD(filtering),
		WITH_WORLD(drilling),	     WITH_WORLD(inside),	     WITH_WORLD(moving),
		WITH_WORLD(screens),	     WITH_WORLD(overview),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
