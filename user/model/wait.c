// SPDX-License-Identifier: GPL-2.0-only
/*
 * wait.c - why threads wait, in words, and which system call says so.
 */
#include <string.h>

#include "model/syscall_name.h"
#include "model/wait.h"

static const struct {
	const char *name;
	const char *text;
} reasons[SONDE_WAITS] = {
#define SONDE_WAIT(symbol, name, text) { name, text },
#include "sonde/wait.def"
#undef SONDE_WAIT
};

static const struct {
	const char *name;
	u32 class;
} calls[] = {
#define SONDE_WAIT_CALL(name, class) { #name, SONDE_WAIT_CLASS_##class },
#include "sonde/wait.def"
#undef SONDE_WAIT_CALL
};

/* An architecture has not all of them: arm64 knows no open(). */
void sonde_wait_fill(struct sonde_wait_config *conf)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int nr = sonde_syscall_number(calls[i].name, strlen(calls[i].name));

		if (nr >= 0 && (u32)nr < SONDE_SYSCALL_MAX)
			conf->class[nr] = (u8)calls[i].class;
	}
}

const char *sonde_wait_name(u32 reason)
{
	return reasons[reason < SONDE_WAITS ? reason : SONDE_WAIT_OTHER].name;
}

const char *sonde_wait_text(u32 reason)
{
	return reasons[reason < SONDE_WAITS ? reason : SONDE_WAIT_OTHER].text;
}
