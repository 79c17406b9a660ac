// SPDX-License-Identifier: GPL-2.0-only
/*
 * name_jit.c - names that just-in-time compilers write into perf maps.
 */
#include <ctype.h>
#include <string.h>

#include "sym/name.h"

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* ":12" at the end of the @len bytes at @s: its value, and @len without it. */
static bool cut_number(const char *s, size_t *len, u32 *value)
{
	size_t at = *len;
	u64 number = 0;

	while (at && isdigit((unsigned char)s[at - 1]))
		at--;
	if (!at || at == *len || s[at - 1] != ':' || *len - at > 9)
		return false;
	for (size_t i = at; i < *len; i++)
		number = number * 10 + (s[i] - '0');
	*value = number;
	*len = at - 1;
	return true;
}

/* Where the file begins in "name file": names and files may have blanks in them. */
static const char *find_file(const char *s, size_t len)
{
	static const char *const beginnings[] = { " /", " file://", " node:", " internal/", " native ", " webpack" };
	const char *first = NULL, *blank;

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		const char *at = memmem(s, len, beginnings[i], strlen(beginnings[i]));

		if (at && (!first || at < first))
			first = at;
	}
	if (first)
		return first + 1;
	blank = memrchr(s, ' ', len);
	return blank ? blank + 1 : NULL;
}

/* What follows "LazyCompile:" or the like: mark of the tier, function, file, line, column. */
static bool parse_js(const char *s, struct sym_jit_name *out)
{
	size_t len;
	u32 column;
	const char *file;

	while (*s && strchr("*~^+'", *s))
		s++;
	len = strlen(s);
	if (cut_number(s, &len, &column) && !cut_number(s, &len, &out->line))
		out->line = column;
	file = find_file(s, len);
	out->function = s;
	out->function_len = file ? (size_t)(file - 1 - s) : len;
	if (!out->function_len) {
		out->function = "(anonymous)";
		out->function_len = strlen(out->function);
	}
	if (!file)
		return true;
	out->file = file;
	out->file_len = s + len - file;
	if (out->file_len > 7 && begins(out->file, "file://")) {
		out->file += 7;
		out->file_len -= 7;
	}
	return true;
}

static bool is_js(const char *name, struct sym_jit_name *out)
{
	static const char *const functions[] = { "LazyCompile:", "Function:", "JS:", "Script:", "Eval:", "Callback:" };
	static const char *const stubs[] = { "Builtin:", "BytecodeHandler:", "Handler:", "Stub:", "RegExp:", "Wasm" };

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (begins(name, functions[i]))
			return parse_js(name + strlen(functions[i]), out);
	for (size_t i = 0; i < sizeof(stubs) / sizeof(stubs[0]); i++) {
		if (!begins(name, stubs[i]))
			continue;
		out->function = name;
		out->function_len = strlen(name);
		return true;
	}
	return false;
}

static void parse_python(const char *s, struct sym_jit_name *out)
{
	const char *colon = strchr(s, ':');

	out->function = s;
	out->function_len = colon ? (size_t)(colon - s) : strlen(s);
	if (!colon)
		return;
	out->file = colon + 1;
	out->file_len = strlen(colon + 1);
}

/* "Lshop/Orders;::list" becomes "shop.Orders.list". */
static bool parse_agent(const char *s, struct sym_jit_name *out, char scratch[SYM_NAME_BYTES])
{
	const char *end = strstr(s, ";::");
	size_t len = 0;

	if (s[0] != 'L' || !end)
		return false;
	for (s++; s < end && len < SYM_NAME_BYTES - 2; s++)
		scratch[len++] = *s == '/' ? '.' : *s;
	scratch[len++] = '.';
	for (s = end + 3; *s && *s != '(' && len < SYM_NAME_BYTES - 1; s++)
		scratch[len++] = *s;
	scratch[len] = '\0';
	out->function = scratch;
	out->function_len = len;
	return true;
}

/* "void shop.Orders.list(int)": what stands before the parameters; others are stubs, which get brackets. */
static void parse_java(const char *s, struct sym_jit_name *out, char scratch[SYM_NAME_BYTES])
{
	const char *open = strchr(s, '('), *blank, *at = s;
	size_t len;

	if (parse_agent(s, out, scratch))
		return;
	if (open && open > s && memchr(s, '.', open - s)) {
		blank = memrchr(s, ' ', open - s);
		if (blank)
			at = blank + 1;
		if (at < open) {
			out->function = at;
			out->function_len = open - at;
			return;
		}
	}
	len = strnlen(s, SYM_NAME_BYTES - 3);
	scratch[0] = '[';
	memcpy(scratch + 1, s, len);
	scratch[len + 1] = ']';
	scratch[len + 2] = '\0';
	out->function = scratch;
	out->function_len = len + 2;
}

struct sym_jit_name sym_name_jit(const char *name, bool java, char scratch[SYM_NAME_BYTES])
{
	struct sym_jit_name out = { .lang = SONDE_LANG_OTHER };

	if (java) {
		out.lang = SONDE_LANG_JAVA;
		parse_java(name, &out, scratch);
	} else if (is_js(name, &out)) {
		out.lang = SONDE_LANG_JS;
	} else if (begins(name, "py::")) {
		out.lang = SONDE_LANG_PYTHON;
		parse_python(name + 4, &out);
	} else {
		out.function = name;
		out.function_len = strlen(name);
	}
	return out;
}
