/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit.h - exit codes. Functions inside return 0 or -errno; only a subcommand's entry returns one of these.
 */
#ifndef SONDE_BASE_EXIT_H
#define SONDE_BASE_EXIT_H

enum sonde_exit {
#define SONDE_EXIT(symbol, code, text) SONDE_EXIT_##symbol = code,
#include "exit.def"
#undef SONDE_EXIT
};

#endif /* SONDE_BASE_EXIT_H */
