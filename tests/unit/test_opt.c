// SPDX-License-Identifier: GPL-2.0-only
/* test_opt.c - command lines: values, errors, help text; numbers and words of base/str.h. */
#include "unit.h"

#include "base/buf.h"
#include "base/opt.h"
#include "base/str.h"

struct config {
	struct sonde_opt_pids pids;
	const char *file;
	u64 duration_ns;
	u32 top;
	int color;
	bool all;
	bool verbose;
};

static const struct sonde_opt_choice colors[] = { { "red", 1 }, { "green", 2 }, { "blue", 3 }, { NULL, 0 } };

static const struct sonde_opt opts[] = {
	{ .name = "pid",
	  .letter = 'p',
	  .type = SONDE_OPT_PIDS,
	  .metavar = "PID,..",
	  .help = "processes",
	  .offset = SONDE_OPT_AT(struct config, pids, struct sonde_opt_pids) },
	{ .name = "file",
	  .type = SONDE_OPT_STRING,
	  .metavar = "FILE",
	  .help = "a file",
	  .offset = SONDE_OPT_AT(struct config, file, const char *) },
	{ .name = "duration",
	  .letter = 'd',
	  .type = SONDE_OPT_SECONDS,
	  .metavar = "SECONDS",
	  .help = "a time",
	  .offset = SONDE_OPT_AT(struct config, duration_ns, u64),
	  .min = 1000000,
	  .max = 3600000000000ULL },
	{ .name = "top",
	  .type = SONDE_OPT_NUMBER,
	  .metavar = "N",
	  .help = "a number",
	  .offset = SONDE_OPT_AT(struct config, top, u32),
	  .min = 2,
	  .max = 100 },
	{ .name = "color",
	  .type = SONDE_OPT_CHOICE,
	  .choices = colors,
	  .help = "a colour",
	  .offset = SONDE_OPT_AT(struct config, color, int) },
	{ .name = "all",
	  .letter = 'a',
	  .type = SONDE_OPT_FLAG,
	  .help = "all of them",
	  .offset = SONDE_OPT_AT(struct config, all, bool) },
	{ .name = "verbose",
	  .letter = 'v',
	  .type = SONDE_OPT_FLAG,
	  .help = "more words",
	  .offset = SONDE_OPT_AT(struct config, verbose, bool) },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde x",
	.usage = "[OPTIONS]",
	.about = "Does x.",
	.opts = opts,
	.takes_program = true,
};

#define MAX_WORDS 12

/* Parses the words of @line, which are separated by one blank. */
static enum sonde_opt_result parse(const char *line, struct config *config, int *program, char *err, size_t size)
{
	static char copy[256];
	char *argv[MAX_WORDS] = { (char *)"x" };
	struct sonde_buf text = {};
	enum sonde_opt_result result;
	int argc = 1, where;

	strcpy(copy, line);
	for (char *p = strtok(copy, " "); p && argc < MAX_WORDS - 1; p = strtok(NULL, " "))
		argv[argc++] = p;
	result = sonde_opt_parse(&set, argc, argv, config, program ? program : &where, &text);
	if (err) {
		err[0] = '\0';
		strncat(err, text.s ? text.s : "", size - 1);
	}
	sonde_buf_free(&text);
	return result;
}

static void test_values(void **state)
{
	struct config config = { .top = 7 };

	assert_int_equal(parse("-p 1,23 --pid=456 -d 1.5 --file=a=b --color green -va", &config, NULL, NULL, 0),
			 SONDE_OPT_OK);
	assert_int_equal(config.pids.nr, 3);
	assert_int_equal(config.pids.pid[0], 1);
	assert_int_equal(config.pids.pid[1], 23);
	assert_int_equal(config.pids.pid[2], 456);
	assert_int_equal(config.duration_ns, 1500000000);
	assert_string_equal(config.file, "a=b");
	assert_int_equal(config.color, 2);
	assert_int_equal(config.top, 7); /* a default stays */
	assert_true(config.all && config.verbose);
	sonde_opt_free(&set, &config);
	assert_null(config.pids.pid);

	assert_int_equal(parse("-p12 --top 100 -d2m", &config, NULL, NULL, 0), SONDE_OPT_OK);
	assert_int_equal(config.pids.pid[0], 12);
	assert_int_equal(config.top, 100);
	assert_int_equal(config.duration_ns, 120000000000ULL);
	sonde_opt_free(&set, &config);
	(void)state;
}

static void test_program(void **state)
{
	struct config config = {};
	int program;

	assert_int_equal(parse("-a -- ls -v --help", &config, &program, NULL, 0), SONDE_OPT_OK);
	assert_int_equal(program, 3);
	assert_false(config.verbose);
	assert_int_equal(parse("-a", &config, &program, NULL, 0), SONDE_OPT_OK);
	assert_int_equal(program, 0);
	(void)state;
}

static void test_help_wins(void **state)
{
	struct config config = {};

	assert_int_equal(parse("--help", &config, NULL, NULL, 0), SONDE_OPT_WANTS_HELP);
	assert_int_equal(parse("-ah", &config, NULL, NULL, 0), SONDE_OPT_WANTS_HELP);
	(void)state;
}

static void test_errors(void **state)
{
	static const struct {
		const char *line;
		const char *err;
	} cases[] = {
		{ "--nope", "unknown option '--nope'" },
		{ "--colour red", "unknown option '--colour', did you mean '--color'?" },
		{ "--pidd=1", "unknown option '--pidd', did you mean '--pid'?" },
		{ "--col red", "unknown option '--col', did you mean '--color'?" },
		{ "-x", "unknown option '-x'" },
		{ "-p", "-p needs a value" },
		{ "--pid", "--pid needs a value" },
		{ "-p -- ls", "-p needs a value" },
		{ "-p 1,", "-p: '' is not a process id" },
		{ "-p 1,x", "-p: 'x' is not a process id" },
		{ "-p 0", "-p: '0' is not a process id" },
		{ "-p -5", "-p: '-5' is not a process id" },
		{ "-p 99999999999999999999", "-p: '99999999999999999999' is not a process id" },
		{ "-p 2147483648", "-p: '2147483648' is not a process id" },
		{ "--pid=", "--pid: '' is not a process id" },
		{ "--top 1", "--top: '1' is not a whole number from 2 to 100" },
		{ "--top 101", "--top: '101' is not a whole number from 2 to 100" },
		{ "--top 5x", "--top: '5x' is not a whole number from 2 to 100" },
		{ "--color pink", "--color: 'pink' is none of red, green and blue" },
		{ "-d soon", "-d: 'soon' is not a time (examples: 10, 0.5, 500ms, 2m)" },
		{ "-d 0", "-d: '0' is not from 1.00ms to 60m" },
		{ "-d 61m", "-d: '61m' is not from 1.00ms to 60m" },
		{ "--all=yes", "--all takes no value" },
		{ "--file=", "--file: the value is empty" },
		{ "ls", "unexpected argument 'ls' (a program to trace comes after '--')" },
		{ "-", "unexpected argument '-' (a program to trace comes after '--')" },
		{ "--", "a program is missing after '--'" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config config = {};
		char err[256];

		assert_int_equal(parse(cases[i].line, &config, NULL, err, sizeof(err)), SONDE_OPT_BAD);
		assert_string_equal(err, cases[i].err);
		sonde_opt_free(&set, &config);
	}
	(void)state;
}

static void test_help_names_everything(void **state)
{
	struct sonde_buf help = {};

	sonde_opt_help(&set, &help);
	for (const struct sonde_opt *o = opts; o->name; o++) {
		char name[64] = "--";

		strcat(name, o->name);
		assert_non_null(strstr(help.s, name));
		assert_non_null(strstr(help.s, o->help));
	}
	assert_non_null(strstr(help.s, "usage: sonde x [OPTIONS]\n"));
	assert_non_null(strstr(help.s, "--color red|green|blue"));
	sonde_buf_free(&help);
	(void)state;
}

static void test_seconds(void **state)
{
	static const struct {
		const char *word;
		u64 ns; /* 0: refused */
	} cases[] = {
		{ "1", 1000000000 },
		{ "0.5", 500000000 },
		{ ".25s", 250000000 },
		{ "10ms", 10000000 },
		{ "1.5m", 90000000000 },
		{ "2h", 7200000000000 },
		{ "7us", 7000 },
		{ "1.0000000019", 1000000001 },
		{ "", 0 },
		{ ".", 0 },
		{ "s", 0 },
		{ "-1", 0 },
		{ "1 s", 0 },
		{ "1e3", 0 },
		{ "0x10", 0 },
		{ "1.2.3", 0 },
		{ "99999999999999999999", 0 },
		{ "18446744073709551615", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u64 ns = 0;

		assert_int_equal(sonde_str_seconds(cases[i].word, &ns), cases[i].ns != 0);
		assert_int_equal(ns, cases[i].ns);
	}
	(void)state;
}

static void test_short_forms(void **state)
{
	struct sonde_buf buf = {};
	char out[SONDE_STR_SHORT + 8];

	assert_string_equal(sonde_str_ns(out, 0), "0ns");
	assert_string_equal(sonde_str_ns(out, 999), "999ns");
	assert_string_equal(sonde_str_ns(out, 1000), "1.00us");
	assert_string_equal(sonde_str_ns(out, 9994), "9.99us");
	assert_string_equal(sonde_str_ns(out, 9996), "10.0us");
	assert_string_equal(sonde_str_ns(out, 99960), "100us");
	assert_string_equal(sonde_str_ns(out, 999499), "999us");
	assert_string_equal(sonde_str_ns(out, 999500), "1.00ms");
	assert_string_equal(sonde_str_ns(out, 1234567890), "1.23s");
	assert_string_equal(sonde_str_ns(out, 599000000000), "599s");
	assert_string_equal(sonde_str_ns(out, 600000000000), "10m");
	assert_string_equal(sonde_str_ns(out, 36000000000000), "10.0h");
	assert_string_equal(sonde_str_count(out, 0), "0");
	assert_string_equal(sonde_str_count(out, 99999), "99999");
	assert_string_equal(sonde_str_count(out, 100000), "100k");
	assert_string_equal(sonde_str_count(out, 999499), "999k");
	assert_string_equal(sonde_str_count(out, 999500), "1.00M");
	assert_string_equal(sonde_str_count(out, UINT64_MAX), "18.4E");
	assert_string_equal(sonde_str_rate(out, 0), "0");
	assert_string_equal(sonde_str_rate(out, 0.0001), "0.01");
	assert_string_equal(sonde_str_rate(out, 12.34), "12.3");
	assert_string_equal(sonde_str_rate(out, 1e6), "1.00M");
	assert_string_equal(sonde_str_group(out, 0), "0");
	assert_string_equal(sonde_str_group(out, 999), "999");
	assert_string_equal(sonde_str_group(out, 1000), "1,000");
	assert_string_equal(sonde_str_group(out, UINT64_MAX), "18,446,744,073,709,551,615");
	sonde_str_many(&buf, 1, "sync");
	assert_string_equal(buf.s, "1 sync");
	sonde_buf_cut(&buf, 0);
	sonde_str_many(&buf, 0, "sync");
	assert_string_equal(buf.s, "0 syncs");
	sonde_buf_cut(&buf, 0);
	sonde_str_many(&buf, 2000, "sync");
	assert_string_equal(buf.s, "2,000 syncs");
	sonde_buf_free(&buf);
	/* Whatever the value, the columns of the table hold it. */
	for (u64 v = 1; v && v < UINT64_MAX / 2; v = v + v / 7 + 1) {
		assert_in_range(strlen(sonde_str_ns(out, v < 9999 * 3600000000000ULL ? v : 1)), 1, 7);
		assert_in_range(strlen(sonde_str_count(out, v)), 1, 5);
	}
	(void)state;
}

static void test_quote(void **state)
{
	static const struct {
		const char *word, *quoted;
	} cases[] = { { "ls", "ls" },		{ "", "''" },	    { "a b", "'a b'" },
		      { "it's", "'it'\\''s'" }, { "$x;", "'$x;'" }, { "/a-b_c.d=1:2,3@%+", "/a-b_c.d=1:2,3@%+" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sonde_buf buf = {};

		sonde_str_quote(&buf, cases[i].word);
		assert_string_equal(buf.s, cases[i].quoted);
		sonde_buf_free(&buf);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_help_wins),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_help_names_everything),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_short_forms),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
