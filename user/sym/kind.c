// SPDX-License-Identifier: GPL-2.0-only
/*
 * kind.c - whose code a frame is.
 */
#include <string.h>

#include "sym/kind.h"

enum subject { MODULE, FUNCTION, FILE_NAME };

#define SONDE_LANG_ANY -1

struct rule {
	enum subject subject;
	int lang;
	enum sonde_sym_kind kind;
	const char *pattern;
};

static const struct rule rules[] = {
#define SONDE_SYM_MODULE(pattern, kind) { MODULE, SONDE_LANG_ANY, SONDE_SYM_##kind, pattern },
#define SONDE_SYM_FUNCTION(pattern, lang, kind) { FUNCTION, SONDE_LANG_##lang, SONDE_SYM_##kind, pattern },
#define SONDE_SYM_FILE(pattern, lang, kind) { FILE_NAME, SONDE_LANG_##lang, SONDE_SYM_##kind, pattern },
#include "runtime.def"
#undef SONDE_SYM_MODULE
#undef SONDE_SYM_FUNCTION
#undef SONDE_SYM_FILE
};

/* Goes back to the last star only, so that the time is at most the product of the lengths. */
bool sym_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			again = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* A pattern with a slash is one of the path, another one of the name. */
static bool matches(const struct rule *rule, const struct sonde_sym_frame *frame)
{
	const char *text = NULL, *slash;

	if (rule->lang != SONDE_LANG_ANY && rule->lang != (int)frame->lang)
		return false;
	switch (rule->subject) {
	case MODULE:
		text = frame->module;
		slash = text && !strchr(rule->pattern, '/') ? strrchr(text, '/') : NULL;
		if (slash)
			text = slash + 1;
		break;
	case FUNCTION:
		text = frame->function;
		break;
	case FILE_NAME:
		text = frame->file;
		break;
	}
	return text && sym_glob(rule->pattern, text);
}

enum sonde_sym_kind sym_kind_of(const struct sonde_sym_frame *frame)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (matches(&rules[i], frame))
			return rules[i].kind;
	return frame->function || frame->addr ? SONDE_SYM_APPLICATION : SONDE_SYM_UNKNOWN;
}

enum sonde_sym_kind sym_kind_of_module(const char *path)
{
	const struct sonde_sym_frame frame = { .module = path };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].subject == MODULE && matches(&rules[i], &frame))
			return rules[i].kind;
	return SONDE_SYM_UNKNOWN;
}

const char *sonde_sym_kind_name(enum sonde_sym_kind kind)
{
	switch (kind) {
	case SONDE_SYM_APPLICATION:
		return "application";
	case SONDE_SYM_LIBRARY:
		return "library";
	case SONDE_SYM_DRIVER:
		return "driver";
	case SONDE_SYM_RUNTIME:
		return "runtime";
	case SONDE_SYM_UNKNOWN:
		break;
	}
	return "unknown";
}
