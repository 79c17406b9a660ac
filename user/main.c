// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - where it begins. Exit codes: base/exit.def.
 */
#include "base/file.h"
#include "cmd/cmd.h"

int main(int argc, char **argv)
{
	sonde_file_init();
	return sonde_cmd_main(argc, argv);
}
