/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * go.h - what probing needs of a Go program: its version, and where crypto/tls reads, writes and closes.
 *
 * Go programs do their TLS themselves. Their functions cannot be probed with return probes: a goroutine's stack moves, and
 * the return address that such a probe exchanges would be found by the runtime, which then ends the program. So each
 * return instruction is probed instead.
 *
 * With the register ABI (Go 1.17, arm64 1.18; src/cmd/compile/abi-internal.md):
 *
 *	func (c *Conn) Read(b []byte) (n int, err error), Write the same, Close() error
 *	                 amd64                                 arm64
 *	on entry         RAX c, RBX b's bytes, RCX len(b)       R0 c, R1 b's bytes, R2 len(b)
 *	on return        RAX n, RBX err's type (0: nil)        R0 n, R1 err's type (0: nil)
 *	goroutine        R14                                   R28
 *
 * The arguments are gone from the registers when the function returns. A goroutine may go on on another thread, so what is
 * kept between entry and return has to be found by the goroutine (and process). A function that must grow its stack
 * begins again: the entry probe may be hit twice for one call, with the same arguments.
 */
#ifndef SONDE_LOAD_GO_H
#define SONDE_LOAD_GO_H

#include <stdbool.h>
#include <stddef.h>

#include "load/elf.h"
#include "load/site.h"
#include "sonde/base.h"

#define SONDE_GO_MAX_RETURNS 32
#define SONDE_GO_VERSION_SIZE 48

enum sonde_go_function {
	SONDE_GO_TLS_READ,
	SONDE_GO_TLS_WRITE,
	SONDE_GO_TLS_CLOSE,
	SONDE_GO_NR,
};

/**
 * struct sonde_go_probe - a function and the instructions to probe
 * @addr: virtual address as linked; 0: the program does not have the function
 * @size: bytes of code
 * @entry: place of its first byte in the file
 * @site: the instruction to probe on entry, at @entry + @site.skip; arguments and stack pointer are still in place there
 * @ret: places of its return instructions in the file
 */
struct sonde_go_probe {
	u64 addr;
	u64 size;
	u64 entry;
	struct sonde_site site;
	u32 nr_ret;
	u64 ret[SONDE_GO_MAX_RETURNS];
};

/**
 * struct sonde_go - what is known of a Go program
 * @version: as it says itself ("go1.22.1"); "" if it does not
 * @minor: the 22 of it, 0 unknown
 * @symbols: it has a symbol table, in which the functions were found
 * @reason: why nothing can be probed, for people; NULL if something can
 */
struct sonde_go {
	char version[SONDE_GO_VERSION_SIZE];
	u32 minor;
	bool symbols;
	const char *reason;
	struct sonde_go_probe tls[SONDE_GO_NR];
};

/**
 * sonde_go_tls - find crypto/tls in the program behind @elf and @fd, which may be any file
 *
 * Returns 1 if at least one function can be probed, 0 if it is a Go program but none can (@go->reason says why), -ENOEXEC if
 * it is no Go program, or another -errno.
 */
int sonde_go_tls(struct sonde_elf *elf, int fd, struct sonde_go *go);

/**
 * sonde_go_find - find functions by name in the program behind @elf and @fd, which may be any file
 * @name, @nr: their full names, eight at most; @probe[i] belongs to @name[i], its @addr is 0 if it cannot be probed
 *
 * Returns how many can be probed (0: @go->reason says why), -ENOEXEC if it is no Go program, or another -errno. @go->tls stays empty.
 */
int sonde_go_find(struct sonde_elf *elf, int fd, const char *const name[], size_t nr, struct sonde_go *go, struct sonde_go_probe probe[]);

/**
 * sonde_go_functions - where functions of the program behind @elf and @fd are, by name, whether they can be probed or not
 *
 * @symbol[i] belongs to @name[i], its addr is 0 if the program has none. Returns how many were found, or -errno.
 */
int sonde_go_functions(struct sonde_elf *elf, int fd, const char *const name[], size_t nr, struct sonde_elf_symbol symbol[]);

/** sonde_go_function_name - "crypto/tls.(*Conn).Read" */
const char *sonde_go_function_name(enum sonde_go_function function);

/**
 * sonde_go_returns - the return instructions among @len bytes of code, as distances from its beginning
 *
 * Returns their number, or -E2BIG if there are more than @max, -ENOEXEC if the code cannot be decoded. One for each
 * machine; each works on both.
 */
int sonde_go_returns_amd64(const u8 *code, size_t len, u32 ret[], size_t max);
int sonde_go_returns_arm64(const u8 *code, size_t len, u32 ret[], size_t max);

/**
 * sonde_go_calls - the calls of another function among @len bytes of code, as distances from its beginning
 * @target: the other one's distance from there
 *
 * Returns as sonde_go_returns().
 */
int sonde_go_calls_amd64(const u8 *code, size_t len, s64 target, u32 call[], size_t max);
int sonde_go_calls_arm64(const u8 *code, size_t len, s64 target, u32 call[], size_t max);

#ifdef __aarch64__
#define sonde_go_returns sonde_go_returns_arm64
#define sonde_go_calls sonde_go_calls_arm64
#else
#define sonde_go_returns sonde_go_returns_amd64
#define sonde_go_calls sonde_go_calls_amd64
#endif

#endif /* SONDE_LOAD_GO_H */
