/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd.h - subcommands. Each gets its own name in argv[0], answers --help, and returns an exit code (base/exit.h).
 */
#ifndef SONDE_CMD_CMD_H
#define SONDE_CMD_CMD_H

struct sonde_cmd {
	const char *name;
	const char *about;
	int (*run)(int argc, char **argv);
};

#define SONDE_CMD(name, about) int sonde_cmd_##name(int argc, char **argv);
#include "cmd.def"
#undef SONDE_CMD

/** sonde_cmd_main - run the subcommand that argv[1] names; the whole program */
int sonde_cmd_main(int argc, char **argv);

#endif /* SONDE_CMD_CMD_H */
