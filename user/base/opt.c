// SPDX-License-Identifier: GPL-2.0-only
/*
 * opt.c - command lines.
 *
 * Not getopt_long(): it takes any unambiguous beginning of a name, so that a script breaks when an option is added,
 * and its messages cannot name what would have been right.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/str.h"

#define HELP_COLUMN 26 /* where the explanations begin */
#define HELP_WIDTH 100

#define MAX_WORD 32

/* How many characters to insert, delete, replace or swap with their neighbour make @b of @a. */
static size_t distance(const char *a, const char *b)
{
	size_t d[MAX_WORD][MAX_WORD], la = strlen(a), lb = strlen(b), best;

	if (la >= MAX_WORD || lb >= MAX_WORD)
		return MAX_WORD;
	for (size_t i = 0; i <= la; i++) {
		for (size_t j = 0; j <= lb; j++) {
			if (!i || !j) {
				d[i][j] = i + j;
				continue;
			}
			best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[la][lb];
}

const char *sonde_opt_nearest(const char *word, const char *const *names, size_t nr)
{
	size_t best = 3, d, len = strlen(word);
	const char *name = NULL;

	for (size_t i = 0; i < nr; i++) {
		d = distance(word, names[i]);
		/* One edit, two in a long word; a beginning of the name is always close. */
		if (d > 1 + strlen(names[i]) / 5)
			d = len && !strncmp(word, names[i], len) ? 2 : MAX_WORD;
		if (d < best) {
			best = d;
			name = names[i];
		}
	}
	return name;
}

static const struct sonde_opt *find_long(const struct sonde_opt *opts, const char *name, size_t len)
{
	for (; opts->name; opts++)
		if (strlen(opts->name) == len && !memcmp(opts->name, name, len))
			return opts;
	return NULL;
}

static const struct sonde_opt *find_letter(const struct sonde_opt *opts, char letter)
{
	for (; opts->name; opts++)
		if (opts->letter && opts->letter == letter)
			return opts;
	return NULL;
}

static void unknown(const struct sonde_opt_set *set, const char *arg, size_t len, struct sonde_buf *err)
{
	const char *names[64], *near;
	char word[32] = "";
	size_t nr = 0;

	sonde_buf_printf(err, "unknown option '%.*s'", (int)len, arg);
	if (len > 2 && len - 2 < sizeof(word)) {
		memcpy(word, arg + 2, len - 2);
		for (const struct sonde_opt *o = set->opts; o->name && nr < 64; o++)
			names[nr++] = o->name;
		near = sonde_opt_nearest(word, names, nr);
		if (near)
			sonde_buf_printf(err, ", did you mean '--%s'?", near);
	}
}

/* Appends the processes of @list to @pids. */
static bool parse_pids(struct sonde_opt_pids *pids, const char *list, const char *name, struct sonde_buf *err)
{
	while (true) {
		size_t len = strcspn(list, ",");
		pid_t *more;
		u64 pid;

		if (!sonde_str_u64(list, len, &pid) || !pid || pid > INT_MAX) {
			sonde_buf_printf(err, "%s: '%.*s' is not a process id", name, (int)len, list);
			return false;
		}
		more = realloc(pids->pid, (pids->nr + 1) * sizeof(*more));
		if (!more) {
			sonde_buf_str(err, "out of memory");
			return false;
		}
		pids->pid = more;
		pids->pid[pids->nr++] = (pid_t)pid;
		if (!list[len])
			return true;
		list += len + 1;
	}
}

static bool parse_choice(const struct sonde_opt *opt, const char *value, int *out, const char *name,
			 struct sonde_buf *err)
{
	for (const struct sonde_opt_choice *c = opt->choices; c->name; c++) {
		if (!strcmp(c->name, value)) {
			*out = c->value;
			return true;
		}
	}
	sonde_buf_printf(err, "%s: '%s' is none of ", name, value);
	for (const struct sonde_opt_choice *c = opt->choices; c->name; c++)
		sonde_buf_printf(err, "%s%s", c == opt->choices ? "" : c[1].name ? ", " : " and ", c->name);
	return false;
}

static bool set_value(const struct sonde_opt *opt, const char *value, void *config, const char *name,
		      struct sonde_buf *err)
{
	void *at = (char *)config + opt->offset;
	char low[SONDE_STR_SHORT], high[SONDE_STR_SHORT];
	u64 n;

	switch (opt->type) {
	case SONDE_OPT_FLAG:
		*(bool *)at = true;
		return true;
	case SONDE_OPT_STRING:
		if (!*value) {
			sonde_buf_printf(err, "%s: the value is empty", name);
			return false;
		}
		*(const char **)at = value;
		return true;
	case SONDE_OPT_NUMBER:
		if (!sonde_str_u64(value, strlen(value), &n) || n < opt->min ||
		    n > (opt->max ? opt->max : UINT32_MAX)) {
			sonde_buf_printf(err, "%s: '%s' is not a whole number from %llu to %llu", name, value,
					 (unsigned long long)opt->min,
					 (unsigned long long)(opt->max ? opt->max : UINT32_MAX));
			return false;
		}
		*(u32 *)at = (u32)n;
		return true;
	case SONDE_OPT_SECONDS:
		if (!sonde_str_seconds(value, &n)) {
			sonde_buf_printf(err, "%s: '%s' is not a time (examples: 10, 0.5, 500ms, 2m)", name, value);
			return false;
		}
		if (n < opt->min || (opt->max && n > opt->max)) {
			sonde_buf_printf(err, "%s: '%s' is not from %s to %s", name, value, sonde_str_ns(low, opt->min),
					 sonde_str_ns(high, opt->max));
			return false;
		}
		*(u64 *)at = n;
		return true;
	case SONDE_OPT_CHOICE:
		return parse_choice(opt, value, at, name, err);
	case SONDE_OPT_PIDS:
		return parse_pids(at, value, name, err);
	case SONDE_OPT_HELP:
		break;
	}
	return true;
}

static enum sonde_opt_result parse_long(const struct sonde_opt_set *set, int argc, char **argv, int *i, void *config,
					struct sonde_buf *err)
{
	const char *arg = argv[*i], *equals = strchr(arg, '='), *value = equals ? equals + 1 : NULL;
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
	const struct sonde_opt *opt = find_long(set->opts, arg + 2, len - 2);
	char name[64];

	if (!opt) {
		unknown(set, arg, len, err);
		return SONDE_OPT_BAD;
	}
	snprintf(name, sizeof(name), "--%s", opt->name);
	if (opt->type == SONDE_OPT_FLAG || opt->type == SONDE_OPT_HELP) {
		if (value) {
			sonde_buf_printf(err, "%s takes no value", name);
			return SONDE_OPT_BAD;
		}
		if (opt->type == SONDE_OPT_HELP)
			return SONDE_OPT_WANTS_HELP;
	} else if (!value) {
		if (*i + 1 >= argc || !strcmp(argv[*i + 1], "--")) {
			sonde_buf_printf(err, "%s needs a value", name);
			return SONDE_OPT_BAD;
		}
		value = argv[++*i];
	}
	return set_value(opt, value, config, name, err) ? SONDE_OPT_OK : SONDE_OPT_BAD;
}

/* `-v`, `-p 1`, `-p1`, `-vp1` */
static enum sonde_opt_result parse_short(const struct sonde_opt_set *set, int argc, char **argv, int *i, void *config,
					 struct sonde_buf *err)
{
	const char *arg = argv[*i];

	for (const char *p = arg + 1; *p; p++) {
		const struct sonde_opt *opt = find_letter(set->opts, *p);
		char name[] = { '-', *p, '\0' };
		const char *value = p + 1;

		if (!opt) {
			unknown(set, name, 2, err);
			return SONDE_OPT_BAD;
		}
		if (opt->type == SONDE_OPT_HELP)
			return SONDE_OPT_WANTS_HELP;
		if (opt->type == SONDE_OPT_FLAG) {
			set_value(opt, NULL, config, name, err);
			continue;
		}
		if (!*value) {
			if (*i + 1 >= argc || !strcmp(argv[*i + 1], "--")) {
				sonde_buf_printf(err, "%s needs a value", name);
				return SONDE_OPT_BAD;
			}
			value = argv[++*i];
		}
		return set_value(opt, value, config, name, err) ? SONDE_OPT_OK : SONDE_OPT_BAD;
	}
	return SONDE_OPT_OK;
}

enum sonde_opt_result sonde_opt_parse(const struct sonde_opt_set *set, int argc, char **argv, void *config,
				      int *program, struct sonde_buf *err)
{
	enum sonde_opt_result result;

	*program = 0;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--")) {
			if (!set->takes_program && i + 1 < argc) {
				sonde_buf_printf(err, "unexpected argument '%s'", argv[i + 1]);
				return SONDE_OPT_BAD;
			}
			if (set->takes_program && i + 1 >= argc) {
				sonde_buf_str(err, "a program is missing after '--'");
				return SONDE_OPT_BAD;
			}
			*program = i + 1 < argc ? i + 1 : 0;
			return SONDE_OPT_OK;
		}
		if (!strncmp(argv[i], "--", 2)) {
			result = parse_long(set, argc, argv, &i, config, err);
		} else if (argv[i][0] == '-' && argv[i][1]) {
			result = parse_short(set, argc, argv, &i, config, err);
		} else {
			sonde_buf_printf(err, "unexpected argument '%s'%s", argv[i],
					 set->takes_program ? " (a program to trace comes after '--')" : "");
			result = SONDE_OPT_BAD;
		}
		if (result != SONDE_OPT_OK)
			return result;
	}
	return SONDE_OPT_OK;
}

void sonde_opt_free(const struct sonde_opt_set *set, void *config)
{
	for (const struct sonde_opt *o = set->opts; o->name; o++) {
		struct sonde_opt_pids *pids = (void *)((char *)config + o->offset);

		if (o->type != SONDE_OPT_PIDS)
			continue;
		free(pids->pid);
		*pids = (struct sonde_opt_pids){};
	}
}

/* Appends words of @text, new lines indented, none longer than HELP_WIDTH. @column: where the cursor is. */
static void wrap(struct sonde_buf *out, const char *text, size_t column, size_t indent)
{
	bool first = true;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (!first && column + 1 + len > HELP_WIDTH) {
			sonde_buf_add(out, "\n", 1);
			sonde_buf_fill(out, ' ', indent);
			column = indent;
		} else if (!first) {
			sonde_buf_add(out, " ", 1);
			column++;
		}
		sonde_buf_add(out, text, len);
		column += len;
		text += len;
		text += strspn(text, " ");
		first = false;
	}
	sonde_buf_add(out, "\n", 1);
}

static void help_option(const struct sonde_opt *opt, struct sonde_buf *out)
{
	size_t start = out->len;

	if (opt->letter)
		sonde_buf_printf(out, "  -%c, --%s", opt->letter, opt->name);
	else
		sonde_buf_printf(out, "      --%s", opt->name);
	if (opt->type == SONDE_OPT_CHOICE)
		for (const struct sonde_opt_choice *c = opt->choices; c->name; c++)
			sonde_buf_printf(out, "%c%s", c == opt->choices ? ' ' : '|', c->name);
	else if (opt->metavar)
		sonde_buf_printf(out, " %s", opt->metavar);
	if (out->len - start + 2 > HELP_COLUMN) {
		sonde_buf_add(out, "\n", 1);
		start = out->len;
	}
	sonde_buf_fill(out, ' ', HELP_COLUMN - (out->len - start));
	wrap(out, opt->help, HELP_COLUMN, HELP_COLUMN);
}

void sonde_opt_help(const struct sonde_opt_set *set, struct sonde_buf *out)
{
	sonde_buf_printf(out, "usage: %s %s\n\n", set->command, set->usage);
	wrap(out, set->about, 0, 0);
	sonde_buf_str(out, "\nOptions:\n");
	for (const struct sonde_opt *o = set->opts; o->name; o++)
		help_option(o, out);
	if (set->notes)
		sonde_buf_printf(out, "\n%s", set->notes);
}

int sonde_opt_run(const struct sonde_opt_set *set, int argc, char **argv, void *config, int *program)
{
	struct sonde_buf text = {};
	int code = -1, err;

	switch (sonde_opt_parse(set, argc, argv, config, program, &text)) {
	case SONDE_OPT_OK:
		break;
	case SONDE_OPT_BAD:
		sonde_error("%s\nTry '%s --help'.", text.s ? text.s : "out of memory", set->command);
		code = SONDE_EXIT_USAGE;
		break;
	case SONDE_OPT_WANTS_HELP:
		sonde_opt_help(set, &text);
		err = text.failed ? -ENOMEM : sonde_file_write_all(STDOUT_FILENO, text.s, text.len);
		if (err)
			sonde_error("cannot write to stdout: %s", strerror(-err));
		code = err ? SONDE_EXIT_FAILURE : SONDE_EXIT_OK;
		break;
	}
	sonde_buf_free(&text);
	return code;
}
