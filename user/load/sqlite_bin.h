/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sqlite_bin.h - looks into a file for SQLite and decides where to probe it. Only for user/load/sqlite.c.
 */
#ifndef SONDE_LOAD_SQLITE_BIN_H
#define SONDE_LOAD_SQLITE_BIN_H

#include "load/sqlite.h"
#include "load/uprobe.h"

/* What happens at a probed function; each is one program (two with the return). */
enum sqlite_hook {
	HOOK_RESET,
	HOOK_FINALIZE,
	HOOK_BIND,
	HOOK_OPEN,
	HOOK_PREPARE,
	HOOK_EXEC,
	HOOK_CALIBRATE, /* a function of our own, see sqlite_calibrate() */
	HOOK_STEP, /* last: an execution that is seen to begin is seen to end */
	NR_HOOKS,
};

/** struct sqlite_plan - the instructions to probe, by hook; @site[hook][i] tells which of bin->site it is */
struct sqlite_plan {
	u64 cookie; /* what bpf_get_attach_cookie() returns, without the kind */
	size_t nr[NR_HOOKS];
	struct sonde_uprobe_spot spot[NR_HOOKS][SONDE_SQLITE_MAX_SITES];
	u8 site[NR_HOOKS][SONDE_SQLITE_MAX_SITES];
};

/**
 * sqlite_bin_examine - find SQLite's functions in a file
 *
 * Returns 1 and fills @bin and @plan if it is there, 0 if it is not, or -errno.
 */
int sqlite_bin_examine(struct sonde_elf *elf, bool binds, struct sonde_sqlite_bin *bin, struct sqlite_plan *plan);

/** sqlite_hook_returns - whether the return of the hook's functions is probed too */
bool sqlite_hook_returns(enum sqlite_hook hook);

/** sqlite_hook_both - whether one program serves both ends where the kernel can (uprobe session) */
bool sqlite_hook_both(enum sqlite_hook hook);

#endif /* SONDE_LOAD_SQLITE_BIN_H */
