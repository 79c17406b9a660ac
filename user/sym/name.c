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

#define MAX_MANGLED_BYTES 4096

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

/* Length of what was made of @symbol, 0: it is not mangled this way. */
static size_t demangle(const char *symbol, bool rust, char *text)
{
	struct output out = { .text = text };
	int ok;

	if (setjmp(out.full))
		return out.len;
	ok = rust ? rust_demangle_callback(symbol, 0, take, &out)
		  : cplus_demangle_v3_callback(symbol, DMGL_RET_DROP, take, &out);
	return ok ? out.len : 0;
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
	size_t len = strnlen(symbol, MAX_MANGLED_BYTES), made = 0;
	char mangled[SYM_NAME_BYTES * 2];

	if (symbol[0] == '_' && (symbol[1] == 'Z' || symbol[1] == 'R') && len < sizeof(mangled)) {
		bool rust = symbol[1] == 'R';

		len = without_ending(symbol, len);
		memcpy(mangled, symbol, len);
		mangled[len] = '\0';
		rust = rust || is_rust_legacy(mangled, len);
		made = demangle(mangled, rust, out);
		if (!made && rust) {
			rust = false;
			made = demangle(mangled, rust, out);
		}
		if (made)
			*lang = rust ? SONDE_LANG_RUST : SONDE_LANG_CPP;
	}
	if (!made) {
		if (*lang != SONDE_LANG_GO) /* whose names have dots of their own */
			len = without_ending(symbol, len);
		made = len < SYM_NAME_BYTES ? len : SYM_NAME_BYTES - 1;
		memcpy(out, symbol, made);
	}
	out[made] = '\0';
	return made;
}
