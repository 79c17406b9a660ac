/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sym.h - user stacks as call sites for people: from addresses of a process to functions, files and lines.
 *
 * A stack is what bpf_get_stackid() captures: addresses of a process, the innermost first. Files and perf maps belong to
 * the traced processes: anything may stand in them. Strings are returned as found; who prints them makes them harmless.
 */
#ifndef SONDE_SYM_SYM_H
#define SONDE_SYM_SYM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sonde/base.h"

struct sonde_sym;
struct sym_chunk;

/** enum sonde_sym_kind - whose code a frame is; runtime.def says which */
enum sonde_sym_kind {
	SONDE_SYM_UNKNOWN, /* neither module nor function is known */
	SONDE_SYM_APPLICATION,
	SONDE_SYM_LIBRARY, /* third party, but no database driver: it asks for the application */
	SONDE_SYM_DRIVER, /* database and HTTP clients, TLS */
	SONDE_SYM_RUNTIME, /* libc, interpreters, virtual machines, the language's standard library */
};

enum sonde_sym_lang {
	SONDE_LANG_C, /* and what nothing is known of */
	SONDE_LANG_CPP,
	SONDE_LANG_RUST,
	SONDE_LANG_GO,
	SONDE_LANG_JS,
	SONDE_LANG_PYTHON,
	SONDE_LANG_JAVA,
	SONDE_LANG_OTHER,
};

/**
 * struct sonde_sym_frame - one function of a stack
 * @ip: address in the process; the frames inlined into one function share it
 * @function: without parameters, demangled; NULL: not known
 * @file, @base: source file and the part after its last slash; NULL: not known
 * @module: the mapped file as the process sees it, "[vdso]", "[jit]", or NULL
 * @addr: @ip as linked into @module (0: not in a file)
 * @line: 0: not known
 * @inlined: was inlined into the next frame
 * @is_entry: @line is where the function begins, not where it stands
 */
struct sonde_sym_frame {
	u64 ip;
	const char *function;
	const char *file;
	const char *base;
	const char *module;
	u64 addr;
	u32 line;
	enum sonde_sym_kind kind;
	enum sonde_sym_lang lang;
	bool inlined;
	bool is_entry;
};

/** struct sonde_sym_stack - frames, innermost first; zeroed memory is an empty one */
struct sonde_sym_stack {
	struct sonde_sym_frame *frame;
	size_t nr;
	size_t cap;
	struct sym_chunk *chunks; /* the strings */
};

#define SONDE_SYM_SITE_MAX 16

/** struct sonde_sym_site - a call site: @frame[0..@nr-1], the innermost application frame first */
struct sonde_sym_site {
	char *frame[SONDE_SYM_SITE_MAX];
	size_t nr;
};

/** sonde_sym_new - NULL: no memory */
struct sonde_sym *sonde_sym_new(void);

void sonde_sym_free(struct sonde_sym *sym);

/**
 * sonde_sym_note - remember what process @pid has mapped, and open these files
 *
 * It may be gone when one of its stacks is resolved. Cheap for a process that is known; what it maps later is seen when
 * a stack is resolved while it lives.
 */
void sonde_sym_note(struct sonde_sym *sym, pid_t pid);

/** sonde_sym_note_now - the same, however little time has passed since the last look: it is known to have mapped something */
void sonde_sym_note_now(struct sonde_sym *sym, pid_t pid);

/**
 * sonde_sym_resolve - the functions at @nr addresses of process @pid, those inlined too
 * @out: filled anew; what it held before is freed. Valid until the next resolve into it or sonde_sym_stack_free()
 *
 * All addresses but the first are taken as return addresses, zeros are left out. Returns 0 (also when nothing could be
 * resolved: the frames have no function then) or -ENOMEM.
 */
int sonde_sym_resolve(struct sonde_sym *sym, pid_t pid, const u64 *ip, size_t nr, struct sonde_sym_stack *out);

void sonde_sym_stack_free(struct sonde_sym_stack *stack);

/**
 * sonde_sym_site - the call site in @stack: at most @max application frames, innermost first
 *
 * "list_orders shop.c:142"; without a line "list_orders shop.py", without a file "list_orders (shop)". Driver and runtime
 * frames are left out; third-party libraries too, unless no application frame is there. Frames without a function name
 * are never in it: equal sites are equal strings. @out is overwritten. Returns the number of frames (0: no usable
 * application frame) or -ENOMEM; free with sonde_sym_site_free() in any case.
 */
int sonde_sym_site(const struct sonde_sym_stack *stack, size_t max, struct sonde_sym_site *out);

void sonde_sym_site_free(struct sonde_sym_site *site);

/** sonde_sym_kind_name - "application", "library", "driver", "runtime", "unknown" */
const char *sonde_sym_kind_name(enum sonde_sym_kind kind);

#endif /* SONDE_SYM_SYM_H */
