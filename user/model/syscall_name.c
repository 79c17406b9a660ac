// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall_name.c - names of system calls, from the kernel's headers (gen/syscalls.inc), and what syscall.def adds to them.
 */
#include <asm/unistd.h>
#include <string.h>

#include "model/syscall_name.h"
#include "sonde/syscall.h"

static const char *const names[SONDE_SYSCALL_MAX] = {
#include "gen/syscalls.inc"
};

#define PLAIN 0
#define READS SONDE_SYSCALL_READS
#define WRITES SONDE_SYSCALL_WRITES
#define WAITS SONDE_SYSCALL_WAITS

static const struct known {
	const char *name;
	const char *args;
	u32 what;
} known[] = {
#define SONDE_SYSCALL(name, what, args) { #name, args, what },
#include "model/syscall.def"
#undef SONDE_SYSCALL
};

/* Results that the kernel replaces before user space sees them: the call is begun anew, or ends with EINTR. */
static const char *const restarts[] = { "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", NULL,
					"ERESTART_RESTARTBLOCK" };
#define ERESTARTSYS 512u

const char *sonde_syscall_name(u32 nr)
{
	return nr < SONDE_SYSCALL_MAX ? names[nr] : NULL;
}

int sonde_syscall_number(const char *name, size_t len)
{
	for (u32 i = 0; i < SONDE_SYSCALL_MAX; i++)
		if (names[i] && strlen(names[i]) == len && !memcmp(names[i], name, len))
			return (int)i;
	return -1;
}

static const struct known *find(u32 nr)
{
	const char *name = sonde_syscall_name(nr);

	for (size_t i = 0; name && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, name))
			return &known[i];
	return NULL;
}

u32 sonde_syscall_what(u32 nr)
{
	const struct known *call = find(nr);

	if (!call)
		return 0;
	return call->what | (call->args[0] == 'f' ? SONDE_SYSCALL_FD : 0) |
	       (call->args[0] == 'p' ? SONDE_SYSCALL_PATH0 : 0) |
	       (call->args[0] && call->args[1] == 'p' ? SONDE_SYSCALL_PATH1 : 0);
}

const char *sonde_syscall_args(u32 nr)
{
	const struct known *call = find(nr);

	return call ? call->args : NULL;
}

const char *sonde_errno_name(u32 error)
{
	if (error >= ERESTARTSYS && error - ERESTARTSYS < sizeof(restarts) / sizeof(restarts[0]))
		return restarts[error - ERESTARTSYS];
	return strerrorname_np((int)error);
}
