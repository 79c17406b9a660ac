// SPDX-License-Identifier: GPL-2.0-only
/* test_findings_opts.c - options about findings: kinds, the list of what to ignore, what the loader is told, the gate. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "finding_fixture.h"

#include "base/exit.h"
#include "cmd/findings_opts.h"
#include "load/load.h"

static char said[65536]; /* on stderr, by the last call of listen() */

static int saved = -1, heard = -1;

static void listen(void)
{
	char path[] = "/tmp/sonde-said.XXXXXX";

	saved = dup(STDERR_FILENO);
	heard = mkstemp(path);
	assert_true(saved >= 0 && heard >= 0);
	unlink(path);
	dup2(heard, STDERR_FILENO);
}

static void heard_all(void)
{
	ssize_t len = pread(heard, said, sizeof(said) - 1, 0);

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(heard);
	said[len > 0 ? len : 0] = '\0';
}

static int begin(struct sonde_findings_config *config)
{
	int code;

	listen();
	code = sonde_findings_begin(config, "nplus1");
	heard_all();
	return code;
}

static void test_kinds(void **state)
{
	static const struct {
		const char *list;
		int code;
		unsigned int kinds;
	} cases[] = {
		{ "n_plus_one", -1, 1 << SONDE_FINDING_N_PLUS_ONE },
		{ "slow_query,write_loop", -1, 1 << SONDE_FINDING_SLOW_QUERY | 1 << SONDE_FINDING_WRITE_LOOP },
		{ "redundant_query,large_result,n_plus_one", -1,
		  1 << SONDE_FINDING_REDUNDANT_QUERY | 1 << SONDE_FINDING_LARGE_RESULT |
			  1 << SONDE_FINDING_N_PLUS_ONE },
		{ "n_plus", SONDE_EXIT_USAGE, 0 },
		{ "", SONDE_EXIT_USAGE, 0 },
		{ "n_plus_one,", SONDE_EXIT_USAGE, 0 },
		{ "N_PLUS_ONE", SONDE_EXIT_USAGE, 0 },
		{ "a_kind_with_a_name_that_is_longer_than_any_of_them", SONDE_EXIT_USAGE, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_findings_config config = SONDE_FINDINGS_DEFAULTS;

		config.fail_on = cases[i].list;
		assert_int_equal(begin(&config), cases[i].code);
		if (cases[i].code < 0) {
			assert_int_equal(config.fail_kinds, cases[i].kinds);
			assert_string_equal(said, "");
		} else {
			assert_non_null(
				strstr(said, "n_plus_one, redundant_query, write_loop, slow_query, large_result"));
			assert_non_null(strstr(said, "Try 'sonde nplus1 --help'."));
		}
		sonde_findings_end(&config);
	}
	(void)state;
}

static void test_ignore_file(void **state)
{
	static const struct {
		const char *text; /* NULL: there is no such file */
		int code;
		const char *says;
	} cases[] = {
		{ "# known\n0123456789abcdef\nselect a*\n", -1, "" },
		{ "", -1, "" },
		{ NULL, SONDE_EXIT_FAILURE, "cannot read" },
		{ "select a\n*\n", SONDE_EXIT_USAGE, ", line 2: this pattern would ignore everything" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_findings_config config = SONDE_FINDINGS_DEFAULTS;
		char path[] = "/tmp/sonde-ignore.XXXXXX";
		int fd = mkstemp(path);

		assert_true(fd >= 0);
		if (cases[i].text)
			assert_int_equal(write(fd, cases[i].text, strlen(cases[i].text)), strlen(cases[i].text));
		else
			unlink(path);
		config.ignore_file = path;
		assert_int_equal(begin(&config), cases[i].code);
		assert_true((config.ignore != NULL) == (cases[i].code < 0));
		assert_non_null(strstr(said, cases[i].says));
		sonde_findings_end(&config);
		unlink(path);
		close(fd);
	}
	(void)state;
}

static void test_load(void **state)
{
	struct sonde_findings_config config = SONDE_FINDINGS_DEFAULTS;
	struct sonde_load_opts opts = {};

	sonde_findings_load(&config, &opts);
	assert_true(opts.findings);
	assert_int_equal(opts.min_repeat, 5);
	assert_int_equal(opts.slow_ns, 100000000);
	assert_int_equal(opts.large_rows, 10000);
	assert_int_equal(opts.large_bytes, SONDE_FINDINGS_LARGE_BYTES);
	config.large_rows = 0;
	config.slow_ns = 0;
	sonde_findings_load(&config, &opts);
	assert_int_equal(opts.large_bytes, 0);
	assert_int_equal(opts.slow_ns, 0);
	config.off = true;
	opts = (struct sonde_load_opts){};
	sonde_findings_load(&config, &opts);
	assert_false(opts.findings);
	assert_int_equal(opts.min_repeat, 0);
	config.fail_on = "n_plus_one";
	assert_int_equal(begin(&config), SONDE_EXIT_USAGE);
	(void)state;
}

/* @nr findings of N+1 and one slow query. */
static struct sonde_snapshot *snapshot(u32 nr)
{
	struct sonde_db *db = fixture_findings();
	struct made made = fixture_made(CUSTOMER, SONDE_FOUND_DISTINCT, 4, 6),
		    slow = fixture_made(REPORT, SONDE_FOUND_SLOW, 1, 1);
	struct sonde_snapshot *snap;

	for (u32 i = 0; i < nr; i++) {
		char name[32];

		made.key.name = 1000 + i;
		fixture_text(db, 1000 + i, 0, name, (size_t)snprintf(name, sizeof(name), "GET /page%u\x1b[2J", i));
		fixture_take(db, &made);
	}
	fixture_take(db, &slow);
	snap = sonde_db_snapshot(db);
	sonde_db_free(db);
	return snap;
}

static int gate(const char *fail_on, u32 nr)
{
	struct sonde_findings_config config = SONDE_FINDINGS_DEFAULTS;
	struct sonde_snapshot *snap = snapshot(nr);
	int code;

	config.fail_on = fail_on;
	if (fail_on)
		assert_int_equal(begin(&config), -1);
	listen();
	code = sonde_findings_gate(&config, snap);
	heard_all();
	sonde_snapshot_free(snap);
	sonde_findings_end(&config);
	return code;
}

static void test_gate(void **state)
{
	unsigned int lines = 0;

	assert_int_equal(gate(NULL, 3), SONDE_EXIT_OK);
	assert_int_equal(gate("write_loop,large_result", 3), SONDE_EXIT_OK);
	assert_string_equal(said, "");
	assert_int_equal(gate("n_plus_one", 0), SONDE_EXIT_OK);
	assert_int_equal(gate("n_plus_one", 1), SONDE_EXIT_GATE);
	assert_non_null(strstr(said, "gate failed: 1 finding of --fail-on n_plus_one:\n"));
	assert_non_null(strstr(said, " n_plus_one, GET /page0"));
	assert_non_null(strstr(said, ": select name from customers where id = ?\n"));
	assert_null(strchr(said, '\x1b'));
	assert_int_equal(gate("n_plus_one,slow_query", 2), SONDE_EXIT_GATE);
	assert_non_null(strstr(said, "gate failed: 3 findings"));
	assert_non_null(strstr(said, "slow_query, GET /orders: select * from log"));
	assert_int_equal(gate("n_plus_one", 500), SONDE_EXIT_GATE);
	assert_non_null(strstr(said, "  and 490 more\n"));
	for (const char *p = said; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 12);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_ignore_file),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
