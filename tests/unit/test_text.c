// SPDX-License-Identifier: GPL-2.0-only
/* test_text.c - the report for people: what it looks like, that it fits its width, that nothing foreign acts. */
#include <stdio.h>

#include "fixture.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "out/out.h"
#include "out/text.h"

static const char LONG[] =
	"select \"product\".\"id\", \"product\".\"name\", \"product\".\"description\", \"product\".\"price\" "
	"from \"product\" inner join \"category\" on (\"product\".\"category_id\" = \"category\".\"id\") "
	"where \"product\".\"id\" in (?+) order by \"product\".\"name\" asc limit ?";
static const char WIDE[] = "select 名前, 住所 from 顧客 where 番号 = ? and 作成日 > ?";
static const char EVIL[] = "select \x1b]0;owned\x07 \xff\xfe from \x1b[31mt";

static void fill(struct sonde_db *db, bool lost)
{
	u64 counter[SONDE_CNT_MAX] = {
		[SONDE_CNT_SEEN] = 12345, [SONDE_CNT_TIMED] = 12345, [SONDE_CNT_ATTRIBUTED] = 12345
	};

	if (lost) {
		counter[SONDE_CNT_SEEN] += 20;
		counter[SONDE_CNT_LOST_PIPELINE] = 12;
		counter[SONDE_CNT_UNREADABLE_TLS] = 2;
	}
	sonde_db_counters(db, counter);
	fixture_text(db, 1, 0, LONG, strlen(LONG));
	fixture_text(db, 2, 0, WIDE, strlen(WIDE));
	fixture_text(db, 3, 0, "commit", 6);
	fixture_text(db, 4, SONDE_TEXT_NAME, "S_1", 3);
	fixture_text(db, 5, 0, EVIL, strlen(EVIL));
	fixture_peer(db, 9, "shop");
	fixture_proc(db, 100, "gunicorn");
	fixture_row(db, 1, 9, 100, 200, 100000, 0);
	fixture_row(db, 2, 9, 100, 50, 300000, lost ? 7 : 0);
	fixture_row(db, 3, 9, 100, 900, 100, 0);
	fixture_row(db, 4, 9, 100, 3, 1000, 0);
	fixture_row(db, 5, 9, 100, 2, 500, 0);
	fixture_row(db, 6, 9, 100, 1, 500, 0);
	if (!lost)
		return;
	fixture_peer(db, 10, "archive");
	fixture_proc(db, 101, "gunicorn");
	fixture_row(db, 1, 10, 100, 10, 100000, 0);
	fixture_row(db, 1, 9, 101, 100, 100000, 0);
}

static struct sonde_snapshot *make(bool empty, bool lost)
{
	struct sonde_db *db = sonde_db_new();
	struct sonde_snapshot *snap;

	if (!empty)
		fill(db, lost);
	snap = sonde_db_snapshot(db);
	sonde_db_free(db);
	snap->capture = "tracepoint";
	snap->duration_ns = 10000000000ULL;
	snap->recent_ns = 1000000000;
	snap->final = true;
	return snap;
}

static void render(const struct sonde_snapshot *snap, unsigned int width, struct sonde_buf *buf)
{
	struct sonde_out_opts opts = { .command = "db", .width = width, .utf8 = true };

	sonde_outs[SONDE_OUT_text]->render(snap, &opts, buf);
	assert_false(buf->failed);
}

static void check(bool lost, unsigned int width, const char *want)
{
	struct sonde_snapshot *snap = make(false, lost);
	struct sonde_buf buf = {};

	render(snap, width, &buf);
	if (strcmp(buf.s, want)) {
		/* Not fail_msg(): it cuts long texts. */
		fprintf(stderr, "got\n%s\nwant\n%s\n", buf.s, want);
		fail();
	}
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
}

/* clang-format off */
static void test_golden_80(void **state)
{
	check(false, 80,
	      "sonde db: 1,156 calls of 6 statements in 10.0s, 116/s [tracepoint]\n"
	      "gunicorn (pid 100) -> PostgreSQL shop at 10.0.0.7:5432\n"
	      "\n"
	      " share  total  calls    p50    p95    max  statement\n"
	      "   83%  2.01s    200 10.0ms 19.0ms 20.0ms  SELECT product category: select \"p...\n"
	      "   16%  382ms     50 7.59ms 14.3ms 15.0ms  SELECT 顧客: select 名前, 住所 fro...\n"
	      "    2% 40.5ms    900 45.0us 85.4us 90.0us  commit\n"
	      "    0% 6.00us      3 1.99us 2.96us 3.00us  stmt S_1\n"
	      "    0% 1.50us      2  954ns  974ns 1.00us  select �]0;owned� �� from �[31mt\n"
	      "    0%  500ns      1  500ns  500ns  500ns  id 0000000000000006: (its text was...\n"
	      "  100%  2.43s   1156 57.2us 14.5ms 20.0ms  total\n"
	      "\n"
	      "coverage: 12,345 statements seen, all in the table, none lost\n");
	(void)state;
}

static void test_golden_160(void **state)
{
	check(false, 160,
	      "sonde db: 1,156 calls of 6 statements in 10.0s, 116/s [tracepoint]\n"
	      "gunicorn (pid 100) -> PostgreSQL shop at 10.0.0.7:5432\n"
	      "\n"
	      " share  total  calls calls/s    p50    p95    p99    max rows/call 0ns.....20ms  statement\n"
	      "   83%  2.01s    200    20.0 10.0ms 19.0ms 19.8ms 20.0ms       3.0      ▁▁▁▁▂▄█  SELECT product category: select \"product\".\"id\", \"product\".\"name\", \"product\"....\n"
	      "   16%  382ms     50     5.0 7.59ms 14.3ms 14.8ms 15.0ms       3.0       ▁▁▂▃▆█  select 名前, 住所 from 顧客 where 番号 = ? and 作成日 > ?\n"
	      "    2% 40.5ms    900    90.0 45.0us 85.4us 89.0us 90.0us       3.0 ▁▁▂▃█▆        commit\n"
	      "    0% 6.00us      3    0.30 1.99us 2.96us 2.97us 3.00us       3.0 █▄            stmt S_1\n"
	      "    0% 1.50us      2    0.20  954ns  974ns  976ns 1.00us       3.0 █             select �]0;owned� �� from �[31mt\n"
	      "    0%  500ns      1    0.10  500ns  500ns  500ns  500ns       3.0 █             id 0000000000000006: (its text was not seen)\n"
	      "  100%  2.43s   1156     116 57.2us 14.5ms 18.9ms 20.0ms       3.0 ▁▁▂▃█▆▁▁▁▁▂▃  total\n"
	      "\n"
	      "coverage: 12,345 statements seen, all in the table, none lost\n");
	(void)state;
}

static void test_golden_lost_and_sources(void **state)
{
	check(true, 100,
	      "sonde db: 1,266 calls of 7 statements in 10.0s, 127/s, 7 errors [tracepoint]\n"
	      "  1  gunicorn (2 processes) -> PostgreSQL shop at 10.0.0.7:5432\n"
	      "  2  gunicorn (pid 100) -> PostgreSQL archive at 10.0.0.7:5432\n"
	      "\n"
	      " share  total  calls calls/s    p50    p95    p99    max errors src  statement\n"
	      "   85%  2.52s    300    30.0 7.53ms 18.6ms 19.7ms 20.0ms          1  SELECT product category\n"
	      "   13%  382ms     50     5.0 7.59ms 14.3ms 14.8ms 15.0ms      7   1  SELECT 顧客: select 名前, 住...\n"
	      "    1% 40.5ms    900    90.0 45.0us 85.4us 89.0us 90.0us          1  commit\n"
	      "    0% 5.50ms     10     1.0  581us  978us  986us 1.00ms          2  SELECT product category\n"
	      "    0% 6.00us      3    0.30 1.99us 2.96us 2.97us 3.00us          1  stmt S_1\n"
	      "    0% 1.50us      2    0.20  954ns  974ns  976ns 1.00us          1  SELECT: select �]0;owned� ��...\n"
	      "    0%  500ns      1    0.10  500ns  500ns  500ns  500ns          1  id 0000000000000006\n"
	      "  100%  2.94s   1266     127 62.7us 14.0ms 18.8ms 20.0ms      7      total\n"
	      "\n"
	      "errors: SELECT 顧客: 7 constraint (last 23505)\n"
	      "coverage: 12,365 statements seen, 12,345 in the table, 8 not completed\n"
	      "LOST: 12 statements (less than 0.1%) are missing from the numbers above:\n"
	      "  12  too many statements outstanding on one connection (pipeline_full)\n"
	      "note: 2  connections under TLS whose library is not read: see `sonde doctor -p PID` (unreadable_tls)\n");
	(void)state;
}

/* clang-format on */

static unsigned int widest_line(const struct sonde_buf *buf)
{
	unsigned int widest = 0, width;

	for (const char *line = buf->s; *line; line += strcspn(line, "\n") + 1) {
		width = sonde_utf8_columns(line, strcspn(line, "\n"));
		widest = width > widest ? width : widest;
	}
	return widest;
}

/* No line of the table is wider than asked for; the notes below it are sentences and may be. */
static void test_fits_every_width(void **state)
{
	for (unsigned int width = 40; width < 300; width++) {
		for (unsigned int kind = 0; kind < 4; kind++) {
			struct sonde_snapshot *snap = make(false, kind & 1);
			struct sonde_buf buf = {};

			snap->final = kind & 2;
			render(snap, width, &buf);
			sonde_buf_cut(&buf, (size_t)(strstr(buf.s, "\ncoverage") + 1 - buf.s));
			if (widest_line(&buf) > width)
				fail_msg("width %u: %u columns\n%s", width, widest_line(&buf), buf.s);
			sonde_buf_free(&buf);
			sonde_snapshot_free(snap);
		}
	}
	(void)state;
}

static void test_height(void **state)
{
	struct sonde_snapshot *snap = make(false, true);

	for (unsigned int height = 16; height < 40; height++) {
		struct sonde_out_opts opts = { .command = "db", .width = 80, .height = height };
		struct sonde_buf buf = {};
		unsigned int lines = 0;

		sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
		for (size_t i = 0; i < buf.len; i++)
			lines += buf.s[i] == '\n';
		assert_true(lines < height);
		sonde_buf_free(&buf);
	}
	sonde_snapshot_free(snap);
	(void)state;
}

/* Without colour no escape sequence at all; with it only those that are ours. */
static void test_nothing_foreign_acts(void **state)
{
	struct sonde_snapshot *snap = make(false, true);

	for (unsigned int color = 0; color < 2; color++) {
		struct sonde_out_opts opts = { .command = "db", .width = 160, .color = color };
		struct sonde_buf buf = {};

		sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
		for (size_t i = 0; i < buf.len; i++) {
			if (buf.s[i] == '\x1b') {
				assert_true(color && buf.s[i + 1] == '[' &&
					    buf.s[i + 2 + strspn(buf.s + i + 2, "0123456789;")] == 'm');
				assert_int_not_equal(strncmp(buf.s + i, "\x1b[31mt", 6), 0);
			} else {
				assert_true((unsigned char)buf.s[i] >= ' ' || buf.s[i] == '\n');
			}
		}
		sonde_buf_free(&buf);
	}
	sonde_snapshot_free(snap);
	(void)state;
}

static void test_empty_says_what_to_check(void **state)
{
	struct sonde_snapshot *snap = make(true, false);
	struct sonde_buf buf = {};

	render(snap, 80, &buf);
	assert_non_null(strstr(buf.s, "No statement completed in 10.0s. What to check:"));
	assert_non_null(strstr(buf.s, "No database connection was recognised"));
	assert_non_null(strstr(buf.s, "--role server"));
	assert_non_null(strstr(buf.s, "PostgreSQL, SQLite"));
	assert_null(strstr(buf.s, "TLS"));
	assert_null(strstr(buf.s, "io_uring"));
	sonde_buf_free(&buf);

	snap->counter[SONDE_CNT_UNREADABLE_TLS] = 3;
	snap->counter[SONDE_CNT_UNPARSED_IO_URING] = 4;
	snap->counter[SONDE_CNT_CONNS] = 5;
	render(snap, 80, &buf);
	assert_non_null(strstr(buf.s, "3 connections use TLS"));
	assert_non_null(strstr(buf.s, "4 socket operations went through io_uring"));
	assert_non_null(strstr(buf.s, "5 connections were recognised"));
	sonde_buf_free(&buf);

	/* Not at once: a run that has just begun is not wrong. */
	snap->final = false;
	snap->duration_ns = 1000000000;
	render(snap, 80, &buf);
	assert_non_null(strstr(buf.s, "Waiting for statements.\n"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

static void test_top(void **state)
{
	struct sonde_snapshot *snap = make(false, false);
	struct sonde_out_opts opts = { .command = "db", .width = 80, .top = 1 };
	struct sonde_buf buf = {};

	sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
	assert_non_null(strstr(buf.s, "5 statements left out, 17.4% of the time (--top shows more)\n"));
	assert_null(strstr(buf.s, "commit"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

/* Lines that are too long go on below. */
static void test_wrap(void **state)
{
	static const struct {
		unsigned int width, most;
		const char *shown;
	} cases[] = {
		{ 30, 0, "  one two three four\n" },
		{ 12, 0, "  one two\n    three\n    four\n" },
		{ 11, 2, "  one two\n    thre...\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_out_opts opts = { .width = cases[i].width };
		struct sonde_buf buf = {};

		sonde_text_wrap(&buf, &opts, "  one two three four", 4, cases[i].most);
		assert_string_equal(buf.s, cases[i].shown);
		sonde_buf_free(&buf);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_golden_80),
		cmocka_unit_test(test_golden_160),
		cmocka_unit_test(test_golden_lost_and_sources),
		cmocka_unit_test(test_fits_every_width),
		cmocka_unit_test(test_height),
		cmocka_unit_test(test_nothing_foreign_acts),
		cmocka_unit_test(test_empty_says_what_to_check),
		cmocka_unit_test(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
