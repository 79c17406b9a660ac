// SPDX-License-Identifier: GPL-2.0-only
/* test_man.c - manual pages, --help and the completion of bash name the same commands, options and exit codes. */
#include <ctype.h>
#include <stdio.h>

#include "unit.h"

#define MAX_BYTES 65536
#define MAX_CMDS 32

static const char *const page_exits[] = {
#define SONDE_EXIT(symbol, code, text) #code "\t" text "\n",
#include "base/exit.def"
#undef SONDE_EXIT
};

static const char *sonde(void)
{
	const char *path = getenv("SONDE");

	return path ? path : "build/sonde";
}

static void run_shell(const char *command, char text[MAX_BYTES])
{
	size_t len;
	FILE *pipe;

	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(text, 1, MAX_BYTES - 1, pipe);
	text[len] = '\0';
	if (pclose(pipe) || !len)
		fail_msg("%s: failed", command);
}

/* What `sonde ARGS` prints. */
static void run(const char *args, char text[MAX_BYTES])
{
	char command[512];

	snprintf(command, sizeof(command), "%s %s", sonde(), args);
	run_shell(command, text);
}

/* What bash offers behind the words @words (each in quotes), with @last begun, a word a line. */
static void complete(const char *words, const char *last, char text[MAX_BYTES])
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "bash -c '. completion/sonde.bash; COMP_WORDS=(\"%s\" %s \"%s\"); "
		 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _sonde; printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
		 sonde(), words, last);
	run_shell(command, text);
}

/* The manual page of @cmd ("": the overview), its escapes undone. */
static void read_page(const char *cmd, char text[MAX_BYTES])
{
	char path[128];
	size_t len = 0;
	FILE *file;
	int c;

	snprintf(path, sizeof(path), "man/sonde%s%s.8", *cmd ? "-" : "", cmd);
	file = fopen(path, "r");
	if (!file)
		fail_msg("there is no %s", path);
	while (len < MAX_BYTES - 1 && (c = getc(file)) != EOF)
		if (c != '\\')
			text[len++] = (char)c;
	text[len] = '\0';
	fclose(file);
}

/* Whether @word stands in @text as a word of its own. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word)) {
		bool before = p == text || !(isalnum(p[-1]) || p[-1] == '-');
		bool after = !isalnum(p[len]) && (p[len] != '-' || !isalnum(p[len + 1]));

		if (before && after)
			return true;
	}
	return false;
}

/* Every option that begins a line of @text behind @from has to stand in @other, too. */
static void each_option(const char *text, const char *from, const char *other, const char *what)
{
	const char *p = strstr(text, from);

	assert_non_null(p);
	for (; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		/* "  -p, --pid" of the help text, ".BR -p ", " --pid" of the page. */
		const char *line = p + strspn(p, ".BRI \"");

		if (*line != '-' || (p[0] != ' ' && p[0] != '.') || line - p > 6)
			continue;
		/* Behind two blanks stands what it does. */
		for (const char *o = line; *o && *o != '\n' && strncmp(o, "  ", 2) != 0; o++) {
			char option[64];
			size_t len;

			if (*o != '-' || (o > line && !strchr(" ,\"", o[-1])))
				continue;
			len = strspn(o, "abcdefghijklmnopqrstuvwxyz-VQ");
			if (len < 2 || len >= sizeof(option))
				continue;
			memcpy(option, o, len);
			option[len] = '\0';
			if (strcmp(option, "--") && !has_word(other, option))
				fail_msg("%s does not name %s", what, option);
			o += len - 1;
		}
	}
}

static char help[MAX_BYTES], page[MAX_BYTES], overview[MAX_BYTES], overview_page[MAX_BYTES];

static int setup(void **state)
{
	FILE *file = fopen(sonde(), "r");

	if (!file) {
		print_message("%s is not built\n", sonde());
		return 0;
	}
	fclose(file);
	run("--help", overview);
	read_page("", overview_page);
	(void)state;
	return 0;
}

/* The commands that `sonde --help` lists. */
static size_t commands(char cmds[MAX_CMDS][32])
{
	const char *p = strstr(overview, "\nCommands:\n");
	size_t nr = 0;

	if (!p) {
		print_message("%s is not built\n", sonde());
		skip();
	}
	for (p += strlen("\nCommands:\n"); *p == ' ' && nr < MAX_CMDS; p += strcspn(p, "\n"), p += *p == '\n')
		assert_int_equal(sscanf(p, " %31s", cmds[nr++]), 1);
	assert_true(nr > 2);
	return nr;
}

static void test_overview(void **state)
{
	char cmds[MAX_CMDS][32], name[64];
	size_t nr = commands(cmds);

	for (size_t i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "sonde %s", cmds[i]);
		if (!strstr(overview_page, name))
			fail_msg("man/sonde.8 does not name %s", name);
	}
	for (size_t i = 0; i < sizeof(page_exits) / sizeof(page_exits[0]); i++)
		if (!strstr(overview_page, page_exits[i]))
			fail_msg("man/sonde.8 does not have: %s", page_exits[i]);
	(void)state;
}

static void test_options(void **state)
{
	char cmds[MAX_CMDS][32], args[64];
	size_t nr = commands(cmds);

	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(cmds[i], "help"))
			continue;
		snprintf(args, sizeof(args), "%s --help", cmds[i]);
		run(args, help);
		read_page(cmds[i], page);
		each_option(help, "\nOptions:\n", page, cmds[i]);
		each_option(page, "\n.SH OPTIONS\n", help, args);
	}
	(void)state;
}

/* `sonde help CMD` and `sonde CMD --help` say the same. */
static void test_help_command(void **state)
{
	char cmds[MAX_CMDS][32], args[64];
	size_t nr = commands(cmds);

	for (size_t i = 0; i < nr; i++) {
		snprintf(args, sizeof(args), "%s --help", cmds[i]);
		run(args, help);
		snprintf(args, sizeof(args), "help %s", cmds[i]);
		run(args, page);
		assert_string_equal(help, page);
	}
	(void)state;
}

static void test_completion(void **state)
{
	char cmds[MAX_CMDS][32], args[64];
	size_t nr = commands(cmds);

	complete("", "", page);
	for (size_t i = 0; i < nr; i++)
		if (!has_word(page, cmds[i]))
			fail_msg("completion/sonde.bash does not offer %s", cmds[i]);
	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(cmds[i], "help"))
			continue;
		snprintf(args, sizeof(args), "%s --help", cmds[i]);
		run(args, help);
		snprintf(args, sizeof(args), "\"%s\"", cmds[i]);
		complete(args, "-", page);
		each_option(help, "\nOptions:\n", page, "completion/sonde.bash");
	}
	complete("nplus1 --fail-on", "write_loop,n", page);
	assert_true(has_word(page, "n_plus_one"));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overview),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_help_command),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
