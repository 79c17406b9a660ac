// SPDX-License-Identifier: GPL-2.0-only
/*
 * name.c - the short name of a statement.
 *
 * No parser of SQL: a scan that knows where table names can stand. It reads normalised text (no literals, no
 * comments), where a name in quotes is a name in every dialect.
 */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "model/name.h"
#include "sonde/base.h"

#define MAX_DEPTH 32 /* of parentheses; deeper ones are passed over */
#define MAX_NAMES 16 /* tables in a short name, CTEs remembered */

enum kind { END, WORD, QUOTED, PUNCT };

struct token {
	enum kind kind;
	const char *s; /* without quotes */
	size_t len;
};

enum expect {
	NOTHING,
	FROM_ITEM, /* table, function call or subquery */
	TARGET, /* table; what follows in parentheses are its columns */
};

/* One level of parentheses. */
struct level {
	enum expect expect;
	bool begun; /* a word was seen */
	bool query; /* `from` names tables here */
	bool list; /* a comma is followed by another table */
	bool with; /* in the list of common table expressions */
};

struct scan {
	const char *s;
	size_t len;
	size_t at;
	struct level level[MAX_DEPTH];
	unsigned int depth;
	struct token previous;
	bool has_verb;
	bool insert; /* a SELECT on its level is worth naming */
	unsigned int verb_depth;
	unsigned int select_at; /* INSERT ... SELECT: tables from here on are read (0: no such) */
	struct token cte[MAX_NAMES];
	unsigned int nr_ctes;
	struct token table[MAX_NAMES];
	unsigned int nr_tables;
	struct token function; /* first one called */
	char *out;
	size_t out_len;
	bool full;
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       c == '#' || c == '@' || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static void skip_blanks(struct scan *scan)
{
	while (scan->at < scan->len) {
		if (is_blank(scan->s[scan->at])) {
			scan->at++;
		} else if (scan->at + 1 < scan->len && scan->s[scan->at] == '/' && scan->s[scan->at + 1] == '*') {
			/* A hint. */
			scan->at += 2;
			while (scan->at < scan->len && !(scan->s[scan->at] == '/' && scan->s[scan->at - 1] == '*'))
				scan->at++;
			scan->at += scan->at < scan->len;
		} else {
			return;
		}
	}
}

static struct token next(struct scan *scan)
{
	struct token token = {};
	size_t start;
	char c;

	skip_blanks(scan);
	if (scan->at >= scan->len)
		return token;
	c = scan->s[scan->at];
	if (c == '"' || c == '`' || c == '\'') {
		start = ++scan->at;
		/* A doubled quote inside just makes two names of one: rare, and harmless. */
		while (scan->at < scan->len && scan->s[scan->at] != c)
			scan->at++;
		token = (struct token){ c == '\'' ? PUNCT : QUOTED, scan->s + start, scan->at - start };
		scan->at += scan->at < scan->len;
		return token;
	}
	start = scan->at++;
	token = (struct token){ PUNCT, scan->s + start, 1 };
	if (!is_word(c))
		return token;
	while (scan->at < scan->len && is_word(scan->s[scan->at]))
		scan->at++;
	token.kind = WORD;
	token.len = scan->at - start;
	return token;
}

static char peek(struct scan *scan)
{
	skip_blanks(scan);
	return scan->at < scan->len ? scan->s[scan->at] : '\0';
}

static bool is(const struct token *token, const char *word)
{
	return token->kind == WORD && token->len == strlen(word) && !strncasecmp(token->s, word, token->len);
}

/* Whether @token is one of the words of @list, which are separated and enclosed by blanks. */
static bool in(const struct token *token, const char *list)
{
	if (token->kind != WORD)
		return false;
	for (const char *p = list + 1; *p;) {
		size_t len = strcspn(p, " ");

		if (len == token->len && !strncasecmp(p, token->s, len))
			return true;
		p += len + 1;
	}
	return false;
}

static bool is_quote(char c)
{
	return c == '"' || c == '`';
}

/* Whether names @a and @b are the same but for quotes and case. */
static bool same(const struct token *a, const struct token *b)
{
	size_t i = 0, j = 0;

	while (true) {
		while (i < a->len && is_quote(a->s[i]))
			i++;
		while (j < b->len && is_quote(b->s[j]))
			j++;
		if (i == a->len || j == b->len)
			return i == a->len && j == b->len;
		if ((a->s[i++] | 0x20) != (b->s[j++] | 0x20))
			return false;
	}
}

static void put(struct scan *scan, const char *s, size_t len)
{
	memcpy(scan->out + scan->out_len, s, len);
	scan->out_len += len;
}

/*
 * One more word of the short name. What does not fit turns into "...", for which there is always room: @cut says that
 * the word's beginning is worth more than nothing.
 */
static void put_part(struct scan *scan, const struct token *part, bool cut)
{
	size_t room = SONDE_NAME_MAX - 1 - 4 - scan->out_len, len = part->len;
	bool simple = true;

	if (scan->full)
		return;
	if (scan->out_len)
		put(scan, " ", 1);
	if (len + 1 > room) {
		scan->full = true;
		/* Cut at a whole character. */
		len = cut && room ? room - 1 : 0;
		while (len && ((unsigned char)part->s[len] & 0xc0) == 0x80)
			len--;
	}
	for (size_t i = 0; i < part->len; i++)
		simple = simple && (is_word(part->s[i]) || is_quote(part->s[i]) || part->s[i] == '.');
	/* Quotes are needed only where the name would look like two. */
	for (size_t i = 0; i < len; i++)
		if (!simple || !is_quote(part->s[i]))
			put(scan, part->s + i, 1);
	if (scan->full)
		put(scan, "...", 3);
}

static void put_verb(struct scan *scan, const struct token *word)
{
	size_t start = scan->out_len;

	put_part(scan, word, true);
	for (size_t i = start; i < scan->out_len; i++)
		if (scan->out[i] >= 'a' && scan->out[i] <= 'z')
			scan->out[i] -= 'a' - 'A';
}

/* Reads the rest of a qualified name that begins with @token: schema.table, database..table. Quotes stay in. */
static struct token qualified(struct scan *scan, struct token token)
{
	const char *start = token.s - (token.kind == QUOTED), *end = token.s + token.len + (token.kind == QUOTED);

	while (peek(scan) == '.') {
		scan->at++;
		if (!is_word(peek(scan)) && !is_quote(peek(scan)))
			continue;
		token = next(scan);
		end = token.s + token.len + (token.kind == QUOTED);
	}
	if (end > scan->s + scan->len)
		end = scan->s + scan->len; /* a quote that the text's end cut off */
	token.s = start;
	token.len = (size_t)(end - start);
	return token;
}

/* @target: what the statement changes, named before what it reads. */
static void add_table(struct scan *scan, const struct token *table, bool target)
{
	for (unsigned int i = 0; i < scan->nr_ctes; i++)
		if (same(table, &scan->cte[i]))
			return;
	for (unsigned int i = 0; i < scan->nr_tables; i++)
		if (same(table, &scan->table[i]))
			return;
	if (!table->len || scan->nr_tables == MAX_NAMES)
		return;
	if (target && !scan->select_at) {
		memmove(scan->table + 1, scan->table, scan->nr_tables * sizeof(*table));
		scan->table[0] = *table;
	} else {
		scan->table[scan->nr_tables] = *table;
	}
	scan->nr_tables++;
}

static void skip_parentheses(struct scan *scan)
{
	if (peek(scan) != '(')
		return;
	scan->at++;
	for (unsigned int open = 1; open && scan->at < scan->len; scan->at++)
		open += (unsigned int)(scan->s[scan->at] == '(') - (unsigned int)(scan->s[scan->at] == ')');
}

/* CREATE, ALTER, DROP: the kind of object belongs to the verb. */
static void verb_of_object(struct scan *scan, struct level *level)
{
	struct token token;
	size_t mark;

	for (unsigned int i = 0; i < 8; i++) {
		mark = scan->at;
		token = next(scan);
		if (in(&token, " or replace temp temporary unlogged global local definer algorithm "))
			continue;
		if (in(&token, " unique materialized foreign fulltext spatial ")) {
			put_verb(scan, &token);
			continue;
		}
		if (token.kind != WORD) {
			scan->at = mark;
			return;
		}
		put_verb(scan, &token);
		level->expect = TARGET;
		level->list = true;
		return;
	}
}

/* The statement's first word. */
static void verb(struct scan *scan, struct level *level, struct token word)
{
	if (is(&word, "explain")) {
		put_verb(scan, &word);
		skip_parentheses(scan);
		while (true) {
			size_t mark = scan->at;
			struct token token = next(scan);

			if (in(&token, " analyze analyse verbose extended query plan "))
				continue;
			scan->at = mark;
			return; /* the verb comes yet */
		}
	}
	scan->has_verb = true;
	scan->verb_depth = scan->depth;
	if (is(&word, "start")) {
		word = (struct token){ WORD, "START TRANSACTION", strlen("START TRANSACTION") };
		put_verb(scan, &word);
		return;
	}
	put_verb(scan, &word);
	if (in(&word, " create alter drop "))
		verb_of_object(scan, level);
	else if (in(&word,
		    " truncate lock vacuum analyze analyse copy reindex describe desc call execute exec pragma use"
		    " listen unlisten notify refresh cluster set show savepoint table "))
		level->expect = TARGET;
	level->list = level->list || in(&word, " truncate lock vacuum ");
	if (in(&word, " vacuum analyze reindex cluster "))
		skip_parentheses(scan); /* options */
	scan->insert = in(&word, " insert replace ");
}

/* A word that begins a query on its level: also in CTEs and subqueries. */
static void begin_query(struct level *level, const struct token *word)
{
	level->with = is(word, "with");
	level->query = in(word, " select delete ");
	level->list = false;
	if (in(word, " insert replace merge ")) {
		level->expect = TARGET;
	} else if (is(word, "update")) {
		level->expect = TARGET;
		level->list = true;
	}
}

/* Whether this level lies in a common table expression: the statement's own verb comes later. */
static bool in_with(const struct scan *scan)
{
	for (unsigned int i = 0; i <= scan->depth; i++)
		if (scan->level[i].with)
			return true;
	return false;
}

static void on_name(struct scan *scan, struct level *level, struct token token)
{
	enum expect expect = level->expect;

	level->expect = NOTHING;
	token = qualified(scan, token);
	if (expect == FROM_ITEM && peek(scan) == '(') {
		if (!scan->function.len)
			scan->function = token;
		return;
	}
	add_table(scan, &token, expect == TARGET && scan->has_verb && scan->depth == scan->verb_depth);
}

/* Words around a name that are not it. */
#define SKIPPED                                                                                                        \
	" only lateral if not exists into table ignore low_priority delayed quick high_priority concurrently"          \
	" materialized view full freeze verbose analyze session local global index outer "

#define NO_FUNCTION                                                                                                    \
	" in exists any all some not and or case when then else end between like ilike as distinct over filter values" \
	" interval select by on row array using is from where union except intersect with "

static void on_word(struct scan *scan, struct level *level, struct token word)
{
	bool first = !level->begun;

	level->begun = true;
	if (level->with) {
		if (!in(&word, " select insert update delete merge replace values table ")) {
			if (!in(&word, " recursive as not materialized ") && scan->nr_ctes < MAX_NAMES)
				scan->cte[scan->nr_ctes++] = word;
			return;
		}
		level->with = false;
		first = true;
	}
	if (first && in(&word, " with select insert update delete merge replace values ")) {
		level->expect = NOTHING;
		if (!scan->has_verb && !is(&word, "with") && !in_with(scan))
			verb(scan, level, word);
		begin_query(level, &word);
		return;
	}
	if (!scan->has_verb && !in_with(scan)) {
		verb(scan, level, word);
		level->begun = scan->has_verb;
		return;
	}
	if (is(&word, "select")) {
		if (scan->insert && scan->depth == scan->verb_depth)
			scan->select_at = 1;
		scan->insert = false;
		begin_query(level, &word);
		level->expect = NOTHING;
	} else if (is(&word, "from") && level->query && !is(&scan->previous, "distinct")) {
		level->expect = FROM_ITEM;
		level->list = true;
	} else if (in(&word, " join straight_join ")) {
		level->expect = FROM_ITEM;
	} else if (is(&word, "using") && peek(scan) != '(') {
		level->expect = FROM_ITEM; /* not JOIN ... USING (columns) */
	} else if (is(&word, "into") && (level->query || scan->insert)) {
		level->expect = TARGET;
	} else if (is(&word, "or")) {
		level->expect = NOTHING; /* INSERT OR REPLACE INTO */
	} else if (in(&word, " where group order having limit offset fetch window for union except intersect set values"
			     " returning on when ") &&
		   level->expect != TARGET) {
		level->expect = NOTHING;
		if (!is(&word, "on"))
			level->list = false;
	} else if (level->expect && !in(&word, SKIPPED)) {
		on_name(scan, level, word);
	} else if (!scan->function.len && !level->expect && peek(scan) == '(' && !in(&word, NO_FUNCTION)) {
		scan->function = word;
	}
}

static void on_punct(struct scan *scan, char c)
{
	struct level *level = &scan->level[scan->depth], *inner;

	if (c == '(' && scan->depth + 1 < MAX_DEPTH) {
		inner = &scan->level[++scan->depth];
		*inner = (struct level){};
		if (level->expect == FROM_ITEM)
			inner->expect = FROM_ITEM; /* (a join b) or (select ...) */
		level->expect = NOTHING;
	} else if (c == '(') {
		scan->at--;
		skip_parentheses(scan);
	} else if (c == ')') {
		scan->depth -= scan->depth > 0;
	} else if (c == ',') {
		level->expect = level->list ? FROM_ITEM : NOTHING;
	} else if (level->expect == FROM_ITEM || c == '=') {
		level->expect = NOTHING;
	}
}

size_t sonde_name(const char *text, size_t len, char out[SONDE_NAME_MAX])
{
	struct scan scan = { .s = text, .len = len, .out = out };
	struct token token;

	while (true) {
		struct level *level = &scan.level[scan.depth];

		token = next(&scan);
		if (token.kind == END || (token.kind == PUNCT && token.s[0] == ';'))
			break;
		if (token.kind == PUNCT) {
			on_punct(&scan, token.s[0]);
		} else if (token.kind == WORD) {
			on_word(&scan, level, token);
		} else {
			if (level->with && scan.nr_ctes < MAX_NAMES)
				scan.cte[scan.nr_ctes++] = token;
			else if (level->expect)
				on_name(&scan, level, token);
			level->begun = true;
		}
		scan.previous = token;
	}
	for (unsigned int i = 0; i < scan.nr_tables; i++) {
		if (i && i == scan.select_at)
			put_verb(&scan, &(struct token){ WORD, "SELECT", 6 });
		put_part(&scan, &scan.table[i], !i);
	}
	if (scan.out_len && !scan.nr_tables && scan.function.len &&
	    scan.out_len + scan.function.len + 8 < SONDE_NAME_MAX) {
		put_part(&scan, &scan.function, false);
		put(&scan, "()", 2);
	}
	out[scan.out_len] = '\0';
	return scan.out_len;
}

size_t sonde_name_label(const char *text, size_t len, char out[SONDE_NAME_MAX])
{
	size_t n = 0;

	while (n < len && !(text[n] == ' ' && n + 1 < len && (text[n + 1] == '{' || text[n + 1] == '[')))
		n++;
	if (n < SONDE_NAME_MAX) {
		memcpy(out, text, n);
	} else {
		n = SONDE_NAME_MAX - 1;
		memcpy(out, text, n - 3);
		memcpy(out + n - 3, "...", 3);
	}
	out[n] = '\0';
	return n;
}
