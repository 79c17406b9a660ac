/* SPDX-License-Identifier: GPL-2.0-only */
/* fingerprint.h - the subcommand that normalises SQL given as text. */
#ifndef SONDE_CMD_FINGERPRINT_H
#define SONDE_CMD_FINGERPRINT_H

/** sonde_cmd_fingerprint - `sonde fingerprint`; argv[0] is "fingerprint". Returns an exit code. */
int sonde_cmd_fingerprint(int argc, char **argv);

#endif /* SONDE_CMD_FINGERPRINT_H */
