// SPDX-License-Identifier: GPL-2.0-only
/*
 * help.c - finds the subcommand; `sonde help`, `sonde --help`, `sonde --version`.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "cmd/cmd.h"

static const struct sonde_cmd cmds[] = {
#define SONDE_CMD(cmd, text) { #cmd, text, sonde_cmd_##cmd },
#include "cmd.def"
#undef SONDE_CMD
};

#define NR_CMDS (sizeof(cmds) / sizeof(cmds[0]))

static int print(struct sonde_buf *text)
{
	int err = text->failed ? -ENOMEM : sonde_file_write_all(STDOUT_FILENO, text->s, text->len);

	sonde_buf_free(text);
	if (!err)
		return SONDE_EXIT_OK;
	sonde_error("cannot write to stdout: %s", strerror(-err));
	return SONDE_EXIT_FAILURE;
}

static int overview(void)
{
	static const struct {
		int code;
		const char *text;
	} exits[] = {
#define SONDE_EXIT(symbol, value, meaning) { value, meaning },
#include "base/exit.def"
#undef SONDE_EXIT
	};
	struct sonde_buf text = {};

	sonde_buf_str(
		&text,
		"usage: sonde COMMAND [OPTIONS]\n"
		"       sonde --help | --version\n\n"
		"Shows which queries programs on this machine send and which of them are too many, without touching\n"
		"the programs.\n\n"
		"Commands:\n");
	for (size_t i = 0; i < NR_CMDS; i++)
		sonde_buf_printf(&text, "  %-14s%s\n", cmds[i].name, cmds[i].about);
	sonde_buf_str(&text, "\n'sonde COMMAND --help' lists the options of a command.\n\nExit codes:\n");
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		sonde_buf_printf(&text, "  %d  %s\n", exits[i].code, exits[i].text);
	return print(&text);
}

static int version(void)
{
	struct sonde_buf text = {};

	sonde_buf_printf(&text, "sonde %s\n", SONDE_VERSION);
	return print(&text);
}

static const struct sonde_cmd *find(const char *name)
{
	for (size_t i = 0; i < NR_CMDS; i++)
		if (!strcmp(cmds[i].name, name))
			return &cmds[i];
	return NULL;
}

static int unknown(const char *word)
{
	const char *names[NR_CMDS], *near;

	for (size_t i = 0; i < NR_CMDS; i++)
		names[i] = cmds[i].name;
	near = sonde_opt_nearest(word, names, NR_CMDS);
	sonde_error("unknown %s '%s'%s%s%s\nTry 'sonde --help'.", word[0] == '-' ? "option" : "command", word,
		    near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	return SONDE_EXIT_USAGE;
}

int sonde_cmd_help(int argc, char **argv)
{
	char help[] = "--help";
	const struct sonde_cmd *cmd;

	if (argc < 2 || argv[1][0] == '-')
		return argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ? overview() : unknown(argv[1]);
	if (argc > 2) {
		sonde_error("unexpected argument '%s'\nTry 'sonde --help'.", argv[2]);
		return SONDE_EXIT_USAGE;
	}
	cmd = find(argv[1]);
	if (!cmd)
		return unknown(argv[1]);
	if (cmd->run == sonde_cmd_help)
		return overview();
	return cmd->run(2, (char *[]){ argv[1], help, NULL });
}

int sonde_cmd_main(int argc, char **argv)
{
	const struct sonde_cmd *cmd;

	if (argc < 2) {
		sonde_error("a command is missing\nTry 'sonde --help'.");
		return SONDE_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return overview();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return version();
	cmd = find(argv[1]);
	return cmd ? cmd->run(argc - 1, argv + 1) : unknown(argv[1]);
}
