// SPDX-License-Identifier: GPL-2.0-only
/*
 * fingerprint.c - `sonde fingerprint`: what the kernel makes of a statement, without a kernel.
 *
 * The same code that runs there, so ids and texts are those of a recording.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/utf8.h"
#include "cmd/fingerprint.h"
#include "sonde/sql_core.h"

#define FLUSH_BYTES 65536 /* output is written when this much has come together */

struct config {
	int dialect;
	bool jsonl;
	bool id;
};

static const struct sonde_opt_choice dialects[] = {
	{ "postgresql", SONDE_SQL_POSTGRESQL },
	{ "mysql", SONDE_SQL_MYSQL },
	{ "sqlite", SONDE_SQL_SQLITE },
	{ NULL, 0 },
};

static const struct sonde_opt opts[] = {
	{ .name = "dialect",
	  .letter = 'd',
	  .type = SONDE_OPT_CHOICE,
	  .help = "whose quotes, comments and parameters (default: postgresql)",
	  .choices = dialects,
	  .offset = SONDE_OPT_AT(struct config, dialect, int) },
	{ .name = "id",
	  .type = SONDE_OPT_FLAG,
	  .help = "print each statement's id, 16 hex digits, in front of its text",
	  .offset = SONDE_OPT_AT(struct config, id, bool) },
	{ .name = "jsonl",
	  .type = SONDE_OPT_FLAG,
	  .help = "read one JSON string a line and write one JSON string a line; the statements of one are joined with "
		  "'; '",
	  .offset = SONDE_OPT_AT(struct config, jsonl, bool) },
	SONDE_OPT_HELP_ROW,
	SONDE_OPT_END,
};

static const struct sonde_opt_set set = {
	.command = "sonde fingerprint",
	.usage = "[SQL... | -]",
	.about =
		"Print the normalised text of SQL statements: literals are replaced, lists and blanks made uniform. "
		"Statements of one text are told apart at their ';'. Without SQL, or with '-', standard input is read.",
	.opts = opts,
	.notes = "Examples:\n"
		 "  sonde fingerprint \"SELECT * FROM users WHERE id IN (1, 2)\"\n"
		 "  sonde fingerprint --id --dialect mysql - < queries.sql\n",
};

static int flush(struct sonde_buf *out, size_t above)
{
	int err;

	if (out->failed) {
		sonde_error("out of memory");
		return -ENOMEM;
	}
	if (out->len <= above)
		return 0;
	err = sonde_file_write_all(STDOUT_FILENO, out->s, out->len);
	sonde_buf_cut(out, 0);
	if (err)
		sonde_error("cannot write to stdout: %s", strerror(-err));
	return err;
}

/* Appends the fingerprints of all statements in @sql, each with @before (its id too if @id) and @after around it. */
static void normalise_all(const struct config *c, const char *sql, size_t len, struct sonde_buf *out,
			  const char *before, const char *after)
{
	static struct sonde_sql state;
	size_t at = 0;
	bool first = true;

	while (at < len) {
		u32 n = len - at > SONDE_SQL_MAX_BYTES ? SONDE_SQL_MAX_BYTES + 1 : len - at;

		sonde_sql_normalise(&state, (const u8 *)sql + at, n, c->dialect);
		if (!(state.flags & SONDE_SQL_EMPTY)) {
			if (!first)
				sonde_buf_str(out, before);
			if (c->id)
				sonde_buf_printf(out, "%016llx ", (unsigned long long)state.id);
			if (c->jsonl)
				sonde_buf_add(out, (const char *)state.text, state.text_len);
			else /* maybe for a terminal */
				sonde_utf8_clean(out, (const char *)state.text, state.text_len);
			sonde_buf_str(out, after);
			first = false;
		}
		if (!state.done) /* the end of the text, or of what is read of a long statement */
			break;
		at += state.end;
	}
}

/* Four hex digits at @s; -1 if they are none. */
static int hex4(const char *s, size_t len)
{
	int value = 0;

	if (len < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef";
		char c = s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i];
		const char *at = c ? strchr(digits, c) : NULL;

		if (!at)
			return -1;
		value = value * 16 + (int)(at - digits);
	}
	return value;
}

/* One escape of a JSON string, @s behind the backslash. Returns bytes used, 0 if it is none. */
static size_t json_escape(const char *s, size_t len, struct sonde_buf *out)
{
	static const char from[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
	const char *at = len && *s ? strchr(from, *s) : NULL;
	int high, low;

	if (at) {
		sonde_buf_add(out, &plain[at - from], 1);
		return 1;
	}
	if (!len || *s != 'u')
		return 0;
	high = hex4(s + 1, len - 1);
	if (high < 0)
		return 0;
	if (high >= 0xd800 && high < 0xdc00 && len >= 11 && s[5] == '\\' && s[6] == 'u') {
		low = hex4(s + 7, len - 7);
		if (low >= 0xdc00 && low < 0xe000) {
			sonde_utf8_add(out, 0x10000 + ((u32)(high - 0xd800) << 10) + (u32)(low - 0xdc00));
			return 11;
		}
	}
	sonde_utf8_add(out, high >= 0xd800 && high < 0xe000 ? SONDE_UTF8_BAD : (u32)high);
	return 5;
}

static bool json_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Decodes a line that holds one JSON string into @out. */
static bool json_decode(const char *s, size_t len, struct sonde_buf *out)
{
	size_t i = 0;

	while (len && json_blank(s[len - 1]))
		len--;
	while (i < len && json_blank(s[i]))
		i++;
	if (len - i < 2 || s[i] != '"' || s[len - 1] != '"')
		return false;
	for (i++; i < len - 1;) {
		size_t used;

		if (s[i] == '"' || (unsigned char)s[i] < 0x20)
			return false;
		if (s[i] != '\\') {
			sonde_buf_add(out, &s[i++], 1);
			continue;
		}
		used = json_escape(s + i + 1, len - 1 - (i + 1), out);
		if (!used)
			return false;
		i += 1 + used;
	}
	return true;
}

static void json_encode(const char *s, size_t len, struct sonde_buf *out)
{
	sonde_buf_str(out, "\"");
	for (size_t i = 0; i < len;) {
		size_t bytes;
		u32 c = sonde_utf8_next(s + i, len - i, &bytes);

		if (c == '"' || c == '\\')
			sonde_buf_printf(out, "\\%c", (char)c);
		else if (c <= 0xffff && sonde_utf8_unsafe(c)) /* maybe for a terminal */
			sonde_buf_printf(out, "\\u%04x", c);
		else
			sonde_utf8_add(out, c);
		i += bytes;
	}
	sonde_buf_str(out, "\"\n");
}

static int run_jsonl(const struct config *c, struct sonde_buf *out)
{
	struct sonde_buf sql = {}, text = {};
	unsigned long nr = 0;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int err = 0;

	while (!err && (len = getline(&line, &cap, stdin)) >= 0) {
		nr++;
		sonde_buf_cut(&sql, 0);
		sonde_buf_cut(&text, 0);
		if (!json_decode(line, len, &sql)) {
			sonde_error("line %lu of the input is not a JSON string", nr);
			err = -EINVAL;
			break;
		}
		normalise_all(c, sql.s ? sql.s : "", sql.len, &text, "; ", "");
		json_encode(text.s ? text.s : "", text.len, out);
		out->failed |= sql.failed | text.failed;
		err = flush(out, FLUSH_BYTES);
	}
	if (!err && ferror(stdin)) {
		sonde_error("cannot read the input: %s", strerror(errno));
		err = -EIO;
	}
	free(line);
	sonde_buf_free(&sql);
	sonde_buf_free(&text);
	return err;
}

static int run_stdin(const struct config *c, struct sonde_buf *out)
{
	struct sonde_buf sql = {};
	char part[16384];
	ssize_t n;
	int err = 0;

	while ((n = read(STDIN_FILENO, part, sizeof(part))) != 0) {
		if (n > 0)
			sonde_buf_add(&sql, part, n);
		else if (errno != EINTR)
			break;
	}
	if (n < 0) {
		err = -errno;
		sonde_error("cannot read the input: %s", strerror(-err));
	} else {
		normalise_all(c, sql.s ? sql.s : "", sql.len, out, "", "\n");
		out->failed |= sql.failed;
	}
	sonde_buf_free(&sql);
	return err;
}

/* Index of the first argument that is no option. */
static int first_operand(int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--dialect") || !strcmp(argv[i], "-d"))
			i++;
	return i < argc ? i : argc;
}

int sonde_cmd_fingerprint(int argc, char **argv)
{
	struct config c = { .dialect = SONDE_SQL_POSTGRESQL };
	int operand = first_operand(argc, argv), program, code, err = 0;
	struct sonde_buf out = {};

	code = sonde_opt_run(&set, operand, argv, &c, &program);
	if (code >= 0)
		return code;
	if (operand < argc && !strcmp(argv[operand], "--"))
		operand++;
	if (c.jsonl && operand < argc && (operand + 1 < argc || strcmp(argv[operand], "-") != 0)) {
		sonde_error("--jsonl reads standard input, it takes no SQL\nTry 'sonde fingerprint --help'.");
		return SONDE_EXIT_USAGE;
	}
	if (c.jsonl)
		err = run_jsonl(&c, &out);
	else if (operand == argc)
		err = run_stdin(&c, &out);
	for (; !c.jsonl && !err && operand < argc; operand++) {
		if (!strcmp(argv[operand], "-"))
			err = run_stdin(&c, &out);
		else
			normalise_all(&c, argv[operand], strlen(argv[operand]), &out, "", "\n");
	}
	if (flush(&out, 0))
		err = -EIO;
	sonde_buf_free(&out);
	return err ? SONDE_EXIT_FAILURE : SONDE_EXIT_OK;
}
