/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wait.h - why threads wait, in words, and which system call says so (sonde/wait.def).
 */
#ifndef SONDE_MODEL_WAIT_H
#define SONDE_MODEL_WAIT_H

#include "sonde/wait.h"

/** sonde_wait_fill - fill @conf, zeroed, by the numbers that system calls have on this architecture */
void sonde_wait_fill(struct sonde_wait_config *conf);

/** sonde_wait_name - a word for @reason (enum sonde_wait), as JSON has it; sonde_wait_text - what it means, for people */
const char *sonde_wait_name(u32 reason);
const char *sonde_wait_text(u32 reason);

#endif /* SONDE_MODEL_WAIT_H */
