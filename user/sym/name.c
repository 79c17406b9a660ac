// SPDX-License-Identifier: GPL-2.0-only
/*
 * name.c - demangling.
 *
 * Mangled names can be made so that their demangled form is as long as one likes: libiberty writes into a buffer of
 * ours and is left when that is full. It keeps all of its state on the stack, so that nothing is lost by leaving.
 */
#include <ctype.h>
#include <setjmp.h>
#include <string.h>

#if __has_include(<libiberty/demangle.h>)
#include <libiberty/demangle.h>
#else
#include <demangle.h>
#endif

#include "sym/name.h"

#define MAX_MANGLED_BYTES 2048

struct output {
	char *text;
	size_t len;
	jmp_buf full;
};

static void take(const char *text, size_t len, void *opaque)
{
	struct output *out = opaque;
	size_t room = SYM_NAME_BYTES - 1 - out->len;
	bool full = len > room;

	if (full)
		len = room;
	memcpy(out->text + out->len, text, len);
	out->len += len;
	if (full)
		longjmp(out->full, 1);
}

static bool is_rust_legacy(const char *s, size_t len)
{
	/* _ZN...17h0123456789abcdefE */
	if (len < 20 || strncmp(s, "_ZN", 3))
		return false;
	for (const char *end = s + len; end - s >= 20; end--) {
		if (end[-1] != 'E')
			continue;
		if (strncmp(end - 20, "17h", 3))
			return false;
		for (const char *p = end - 17; p < end - 1; p++)
			if (!isxdigit((unsigned char)*p))
				return false;
		return true;
	}
	return false;
}

/* Whether @symbol is mangled this way; what was made of it is in @out, which is not local for the sake of setjmp(). */
static bool demangle(const char *symbol, bool rust, struct output *out)
{
	out->len = 0;
	if (setjmp(out->full))
		return true;
	return (rust ? rust_demangle_callback(symbol, 0, take, out)
		     : cplus_demangle_v3_callback(symbol, DMGL_RET_DROP, take, out)) &&
	       out->len;
}

/* GCC's and LLVM's names of copies and parts. */
static size_t without_ending(const char *s, size_t len)
{
	static const char *const endings[] = { ".constprop.", ".isra.", ".part.", ".cold", ".lto_priv.", ".llvm." };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		const char *at = memmem(s, len, endings[i], strlen(endings[i]));

		if (at && at > s)
			len = at - s;
	}
	return len;
}

size_t sym_name_plain(const char *symbol, char out[SYM_NAME_BYTES], enum sonde_sym_lang *lang)
{
	size_t len = strnlen(symbol, MAX_MANGLED_BYTES);
	struct output made = { .text = out };
	char mangled[MAX_MANGLED_BYTES];

	if (*lang != SONDE_LANG_GO) /* whose names have dots of their own */
		len = without_ending(symbol, len);
	if (symbol[0] == '_' && (symbol[1] == 'Z' || symbol[1] == 'R') && len < sizeof(mangled)) {
		bool rust;

		memcpy(mangled, symbol, len);
		mangled[len] = '\0';
		rust = symbol[1] == 'R' || is_rust_legacy(mangled, len);
		if (rust && demangle(mangled, true, &made))
			*lang = SONDE_LANG_RUST;
		else if (demangle(mangled, false, &made))
			*lang = SONDE_LANG_CPP;
		else
			made.len = 0;
	}
	if (!made.len) {
		made.len = len < SYM_NAME_BYTES ? len : SYM_NAME_BYTES - 1;
		memcpy(out, symbol, made.len);
	}
	out[made.len] = '\0';
	return made.len;
}
