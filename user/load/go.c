// SPDX-License-Identifier: GPL-2.0-only
/*
 * go.c - a Go program's version, and where its functions are entered and left.
 *
 * Sources: Go's src/debug/buildinfo (the two layouts of .go.buildinfo), src/cmd/internal/obj/{x86/obj6.go,arm64/obj7.go}
 * (what functions begin with).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <capstone/capstone.h>

#include "load/elf.h"
#include "load/go.h"
#include "load/go_table.h"

#define BUILDINFO_HEAD 32
#define BUILDINFO_SCAN 65536 /* bytes of the first writable segment searched when there are no sections */
#define MAX_CODE 65536 /* bytes of a function */
#define NOT_THERE "it does not have these functions"

#ifdef __aarch64__
#define FIRST_MINOR 18 /* with the register ABI */
#else
#define FIRST_MINOR 17
#endif

static const char *const functions[SONDE_GO_NR] = {
	[SONDE_GO_TLS_READ] = "crypto/tls.(*Conn).Read",
	[SONDE_GO_TLS_WRITE] = "crypto/tls.(*Conn).Write",
	[SONDE_GO_TLS_CLOSE] = "crypto/tls.(*Conn).Close",
};

const char *sonde_go_function_name(enum sonde_go_function function)
{
	return functions[function];
}

/* Linkers keep the sections; a program without any is looked through only if Go's linker left its note. */
static bool is_go(struct sonde_elf *elf, int fd)
{
	static const char *const sections[] = { ".go.buildinfo", ".gopclntab", ".note.go.buildid" };
	struct sonde_elf_range r;

	for (size_t i = 0; i < 3; i++)
		if (sonde_elf_section(elf, sections[i], &r))
			return true;
	return sonde_elf_has_note(elf, "Go", 4);
}

/* Where the build information begins in the file; false if there is none. */
static bool find_buildinfo(struct sonde_elf *elf, int fd, u64 *offset)
{
	static const char magic[] = "\xff Go buildinf:";
	struct sonde_elf_range r;
	u8 head[16];
	int is = 0;

	if (!sonde_elf_section(elf, ".go.buildinfo", &r)) {
		for (size_t i = 0; (is = sonde_elf_segment(elf, i, &r)) >= 0; i++)
			if (is && r.write)
				break;
		if (is < 0)
			return false;
	}
	if (r.size > BUILDINFO_SCAN)
		r.size = BUILDINFO_SCAN;
	for (u64 at = 0; at + BUILDINFO_HEAD <= r.size; at += 16) {
		if (r.offset + at > INT64_MAX || pread(fd, head, sizeof(head), r.offset + at) != sizeof(head))
			return false;
		if (memcmp(head, magic, sizeof(magic) - 1))
			continue;
		*offset = r.offset + at;
		return true;
	}
	return false;
}

/* Place and length in the file of the version: right behind the head (1.18 on), or a Go string that the head points to. */
static bool version_place(struct sonde_elf *elf, int fd, u64 head_at, u64 *at, u64 *len)
{
	u8 head[BUILDINFO_HEAD + 1];
	u64 string, bytes;

	if (pread(fd, head, sizeof(head), head_at) != sizeof(head))
		return false;
	if (head[15] & 2) {
		*at = head_at + BUILDINFO_HEAD + 1;
		*len = head[BUILDINFO_HEAD]; /* a varint; one byte up to 127 */
		return true;
	}
	if (head[14] != 8 || head[15] & 1)
		return false;
	memcpy(&string, &head[16], sizeof(string));
	if (!string) { /* it may be a relocation: its address is known by the segment it is in */
		struct sonde_elf_range r;
		int is;

		for (size_t i = 0; (is = sonde_elf_segment(elf, i, &r)) >= 0; i++)
			if (is && head_at >= r.offset && head_at - r.offset < r.size)
				break;
		if (is < 0 || !sonde_elf_pointer(elf, r.addr + (head_at - r.offset) + 16, &string))
			return false;
	}
	return sonde_elf_pointer(elf, string, &bytes) && sonde_elf_pointer(elf, string + 8, len) && *len < MAX_CODE &&
	       sonde_elf_offset(elf, bytes, *len, at);
}

static void read_version(struct sonde_elf *elf, int fd, struct sonde_go *go)
{
	char text[SONDE_GO_VERSION_SIZE] = "";
	const char *minor;
	u64 head, at, len;

	if (!find_buildinfo(elf, fd, &head) || !version_place(elf, fd, head, &at, &len) || at > INT64_MAX)
		return;
	if (len > sizeof(text) - 1)
		len = sizeof(text) - 1;
	if (pread(fd, text, len, at) != (ssize_t)len)
		return;
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return;
	minor = strstr(text, "go1.");
	if (!minor && strncmp(text, "devel", 5))
		return;
	memcpy(go->version, text, sizeof(text));
	if (minor)
		go->minor = strtoul(minor + 4, NULL, 10);
}

static int keep(u32 at[], size_t max, int nr, size_t where)
{
	if ((size_t)nr == max)
		return -E2BIG;
	at[nr] = (u32)where;
	return nr + 1;
}

int sonde_go_returns_arm64(const u8 *code, size_t len, u32 ret[], size_t max)
{
	int nr = 0;
	u32 insn;

	for (size_t at = 0; at + 4 <= len && nr >= 0; at += 4) {
		memcpy(&insn, code + at, sizeof(insn));
		if (insn == 0xd65f03c0) /* ret x30 */
			nr = keep(ret, max, nr, at);
	}
	return nr;
}

int sonde_go_calls_arm64(const u8 *code, size_t len, s64 target, u32 call[], size_t max)
{
	int nr = 0;
	u32 insn;

	for (size_t at = 0; at + 4 <= len && nr >= 0; at += 4) {
		memcpy(&insn, code + at, sizeof(insn));
		/* bl: 26 bits, signed, in words */
		if ((insn & 0xfc000000) == 0x94000000 && (s64)at + (s32)(insn << 6) / 16 == target)
			nr = keep(call, max, nr, at);
	}
	return nr;
}

/* Each instruction of @code that @wanted says is one. */
static int find_amd64(const u8 *code, size_t len, bool (*wanted)(const cs_insn *insn, s64 target), s64 target, u32 out[], size_t max)
{
	const u8 *p = code;
	u64 addr = 0;
	cs_insn *insn;
	int nr = 0;
	csh cs;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return -ENOMEM;
	insn = cs_malloc(cs);
	if (!insn) {
		cs_close(&cs);
		return -ENOMEM;
	}
	while (len && nr >= 0) {
		if (!cs_disasm_iter(cs, &p, &len, &addr, insn))
			nr = -ENOEXEC;
		else if (wanted(insn, target))
			nr = keep(out, max, nr, insn->address);
	}
	cs_free(insn, 1);
	cs_close(&cs);
	return nr;
}

static bool is_return(const cs_insn *insn, s64 target)
{
	(void)target;
	return insn->id == X86_INS_RET;
}

static bool is_call(const cs_insn *insn, s64 target)
{
	s32 distance;

	if (insn->size != 5 || insn->bytes[0] != 0xe8)
		return false;
	memcpy(&distance, insn->bytes + 1, sizeof(distance));
	return (s64)insn->address + 5 + distance == target;
}

int sonde_go_returns_amd64(const u8 *code, size_t len, u32 ret[], size_t max)
{
	return find_amd64(code, len, is_return, 0, ret, max);
}

int sonde_go_calls_amd64(const u8 *code, size_t len, s64 target, u32 call[], size_t max)
{
	return find_amd64(code, len, is_call, target, call, max);
}

#ifdef __aarch64__

/* ldr x16, [x28, #16]: the goroutine's stack limit, before a frame is made */
static bool is_entry(int fd, u64 offset)
{
	u32 insn;

	return offset <= INT64_MAX && pread(fd, &insn, sizeof(insn), offset) == sizeof(insn) && insn == 0xf9400b90;
}

static int entry_site(const u8 *code, size_t len, struct sonde_site *site)
{
	return sonde_site_entry(code, len, 0, site);
}

#else

#define PROLOGUE 12 /* bytes of the longest comparison */

/*
 * Length of what functions begin with: the comparison of the stack pointer, or where a large frame will end, with the
 * goroutine's stack limit. 0: it is something else; before the register ABI the goroutine was not in r14.
 */
static size_t prologue(const u8 code[PROLOGUE])
{
	if (!memcmp(code, "\x49\x3b\x66\x10", 4)) /* cmp 0x10(%r14), %rsp */
		return 4;
	if (!memcmp(code, "\x4c\x8d\x64\x24", 4)) /* lea -frame(%rsp), %r12; cmp 0x10(%r14), %r12 */
		return memcmp(code + 5, "\x4d\x3b\x66\x10", 4) ? 0 : 9;
	if (!memcmp(code, "\x4c\x8d\xa4\x24", 4))
		return memcmp(code + 8, "\x4d\x3b\x66\x10", 4) ? 0 : 12;
	return 0;
}

static bool is_entry(int fd, u64 offset)
{
	u8 code[PROLOGUE];

	return offset <= INT64_MAX && pread(fd, code, sizeof(code), offset) == sizeof(code) && prologue(code);
}

/*
 * Behind the comparison stands a jump to where the stack is grown, which is cheap to probe; nothing before it writes
 * anything but r12. Behind it may stand push %rbp (1.21 on), as cheap, and passed once only.
 */
static int entry_site(const u8 *code, size_t len, struct sonde_site *site)
{
	size_t at = len < PROLOGUE + 8 ? 0 : prologue(code);

	if (!at || (code[at] != 0x76 && memcmp(code + at, "\x0f\x86", 2)))
		return sonde_site_entry(code, len, 0, site);
	site->skip = at;
	site->cost = SONDE_SITE_EMULATED;
	snprintf(site->insn, sizeof(site->insn), "jbe");
	at += code[at] == 0x76 ? 2 : 6;
	if (code[at] == 0x55) {
		site->skip = at;
		snprintf(site->insn, sizeof(site->insn), "push rbp");
	}
	return 0;
}

#endif

/* Where to probe the function @s; NULL, or why it cannot be. */
static const char *plan(struct sonde_elf *elf, int fd, const struct sonde_elf_symbol *s, u8 *code,
			struct sonde_go_probe *p)
{
	u32 ret[SONDE_GO_MAX_RETURNS];
	ssize_t len;
	int nr;

	if (!s->size || s->size > MAX_CODE)
		return "the size of its functions is not known";
	if (!is_entry(fd, s->offset))
		return "its functions do not take their arguments in registers";
	len = sonde_elf_code(elf, s, code, MAX_CODE);
	if (len != (ssize_t)s->size)
		return "its code cannot be read";
	nr = sonde_go_returns(code, len, ret, SONDE_GO_MAX_RETURNS);
	if (nr == -E2BIG)
		return "its functions return in too many places";
	if (nr <= 0 || entry_site(code, len, &p->site))
		return "its code cannot be decoded";
	p->addr = s->addr;
	p->size = s->size;
	p->entry = s->offset;
	p->nr_ret = nr;
	for (int i = 0; i < nr; i++)
		p->ret[i] = s->offset + ret[i];
	return NULL;
}

/* Where to probe the functions called @name; returns how many of them can be, or -errno. @go->reason says what is in the way. */
static int find(struct sonde_elf *elf, int fd, const char *const name[], size_t nr, struct sonde_go *go, struct sonde_go_probe probe[],
		u8 *code)
{
	struct sonde_elf_symbol symbol[GO_TABLE_MAX_NAMES];
	int found, planned = 0;

	if (nr > GO_TABLE_MAX_NAMES)
		return -E2BIG;
	if (go->minor && go->minor < FIRST_MINOR) {
		go->reason = "built by a Go that passes arguments on the stack";
		return 0;
	}
	found = sonde_elf_symbols(elf, name, nr, symbol);
	go->symbols = found;
	if (!found)
		found = go_table_find(elf, fd, name, nr, is_entry, symbol);
	if (found == -EPROTO)
		go->reason = "its table of functions is of an unknown kind";
	else if (found == -ENOENT)
		go->reason = "it has neither symbols nor a table of functions";
	else if (!found)
		go->reason = NOT_THERE;
	else if (found < 0)
		return found;
	if (found <= 0)
		return 0;
	for (size_t i = 0; i < nr; i++) {
		const char *why = symbol[i].addr ? plan(elf, fd, &symbol[i], code, &probe[i]) : NULL;

		if (why)
			go->reason = why;
		planned += !!probe[i].addr;
	}
	if (planned)
		go->reason = NULL;
	else if (!go->reason) /* a table may say that a function is at address 0, which is none */
		go->reason = NOT_THERE;
	return planned;
}

int sonde_go_find(struct sonde_elf *elf, int fd, const char *const name[], size_t nr, struct sonde_go *go, struct sonde_go_probe probe[])
{
	u8 *code;
	int ret;

	memset(go, 0, sizeof(*go));
	memset(probe, 0, nr * sizeof(*probe));
	if (!is_go(elf, fd))
		return -ENOEXEC;
	code = malloc(MAX_CODE);
	if (!code)
		return -ENOMEM;
	read_version(elf, fd, go);
	ret = find(elf, fd, name, nr, go, probe, code);
	free(code);
	return ret;
}

int sonde_go_functions(struct sonde_elf *elf, int fd, const char *const name[], size_t nr, struct sonde_elf_symbol symbol[])
{
	int found = sonde_elf_symbols(elf, name, nr, symbol);

	if (found)
		return found;
	for (size_t i = 0; i < nr; i += GO_TABLE_MAX_NAMES) {
		size_t some = nr - i < GO_TABLE_MAX_NAMES ? nr - i : GO_TABLE_MAX_NAMES;
		int more = go_table_find(elf, fd, name + i, some, is_entry, symbol + i);

		if (more < 0)
			return more;
		found += more;
	}
	return found;
}

int sonde_go_tls(struct sonde_elf *elf, int fd, struct sonde_go *go)
{
	struct sonde_go_probe tls[SONDE_GO_NR] = {};
	int ret = sonde_go_find(elf, fd, functions, SONDE_GO_NR, go, tls);

	memcpy(go->tls, tls, sizeof(tls));
	if (!ret && !strcmp(go->reason, NOT_THERE))
		go->reason = "it has no crypto/tls";
	return ret > 0 ? 1 : ret;
}
