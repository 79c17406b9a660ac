// SPDX-License-Identifier: GPL-2.0-only
/*
 * flame.c - a tree of stacks drawn as SVG. It can be looked at without its script, too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "out/flame.h"

#define WIDTH 1200.0
#define PAD 10.0
#define ROW 17
#define TOP 58 /* above the frames: title, what the pointer is on */
#define BOTTOM 16
#define SMALLEST 0.0001 /* share of the whole that is still drawn */
#define CHAR_WIDTH 6.7
#define WHOLE 1e6 /* data-x and data-w are parts of this */

struct drawing {
	const struct sonde_flame *flame;
	const struct sonde_flame_opts *opts;
	struct sonde_buf *buf;
	double scale; /* of a node's weight to a share of the whole */
	double before_scale;
	double most; /* greatest change of a share */
	u32 height;
	u64 hidden;
};

static void xml(struct sonde_buf *buf, const char *s, size_t len)
{
	struct sonde_buf clean = {};

	sonde_utf8_clean(&clean, s, len);
	for (size_t i = 0; i < clean.len; i++) {
		switch (clean.s[i]) {
		case '<':
			sonde_buf_str(buf, "&lt;");
			break;
		case '>':
			sonde_buf_str(buf, "&gt;");
			break;
		case '&':
			sonde_buf_str(buf, "&amp;");
			break;
		case '"':
			sonde_buf_str(buf, "&quot;");
			break;
		default:
			sonde_buf_add(buf, &clean.s[i], 1);
		}
	}
	buf->failed |= clean.failed;
	sonde_buf_free(&clean);
}

/* A shade that is the same for the same name in every drawing. */
static void color_of_name(const struct sonde_flame_node *node, struct sonde_buf *buf)
{
	static const struct {
		int hue, range, saturation;
	} palette[] = {
		[SONDE_FRAME_USER] = { 8, 38, 85 },
		[SONDE_FRAME_KERNEL] = { 205, 25, 65 },
		[SONDE_FRAME_INLINED] = { 165, 20, 45 },
		[SONDE_FRAME_JIT] = { 85, 30, 60 },
		[SONDE_FRAME_LABEL] = { 270, 30, 40 },
	};
	u32 kind = node->kind < sizeof(palette) / sizeof(palette[0]) ? node->kind : 0;
	u64 hash = SONDE_FNV_BASIS;

	for (const char *c = node->name; *c; c++)
		hash = sonde_fnv_byte(hash, (u8)*c);
	hash = sonde_mix64(hash);
	sonde_buf_printf(buf, "hsl(%d,%d%%,%d%%)", palette[kind].hue + (int)(hash % (u64)palette[kind].range),
			 palette[kind].saturation, 60 + (int)(hash >> 32 & 15));
}

static double change(const struct drawing *d, const struct sonde_flame_node *node)
{
	return (double)node->weight * d->scale - (double)node->before * d->before_scale;
}

/* Red: more than before; blue: less. */
static void color_of_change(const struct drawing *d, const struct sonde_flame_node *node, struct sonde_buf *buf)
{
	double delta = d->most > 0 ? change(d, node) / d->most : 0;
	int pale = 245 - (int)((delta < 0 ? -delta : delta) * 175 + 0.5);

	if (delta >= 0)
		sonde_buf_printf(buf, "rgb(245,%d,%d)", pale, pale);
	else
		sonde_buf_printf(buf, "rgb(%d,%d,245)", pale, pale);
}

static void amount(const struct drawing *d, u64 weight, struct sonde_buf *buf)
{
	char text[SONDE_STR_SHORT + 8];

	if (!strcmp(d->opts->unit, "nanoseconds"))
		sonde_buf_str(buf, sonde_str_ns(text, weight));
	else
		sonde_buf_printf(buf, "%s %s", sonde_str_group(text, weight), d->opts->unit);
}

static void frame(const struct drawing *d, const struct sonde_flame_node *node, double x, double w)
{
	double left = PAD + x * (WIDTH - 2 * PAD), width = w * (WIDTH - 2 * PAD);
	u32 row = d->opts->icicle ? node->depth : d->flame->depth - node->depth, y = TOP + row * ROW;
	size_t len = strlen(node->name), fit = width > 6 + 3 * CHAR_WIDTH ? (size_t)((width - 6) / CHAR_WIDTH) : 0;
	struct sonde_buf *buf = d->buf;

	sonde_buf_printf(buf, "<g data-x=\"%.1f\" data-w=\"%.1f\" data-d=\"%u\" data-n=\"", x * WHOLE, w * WHOLE,
			 node->depth);
	xml(buf, node->name, len);
	sonde_buf_str(buf, "\"><title>");
	xml(buf, node->name, len);
	sonde_buf_str(buf, " (");
	amount(d, node->weight, buf);
	sonde_buf_printf(buf, ", %.2f %%", 100 * (double)node->weight * d->scale);
	if (d->flame->compared)
		sonde_buf_printf(buf, "; before %.2f %%, %+.2f", 100 * (double)node->before * d->before_scale,
				 100 * change(d, node));
	sonde_buf_printf(buf, ")</title><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"", left, y,
			 width > 0.7 ? width - 0.5 : 0.2, ROW - 1);
	if (d->flame->compared)
		color_of_change(d, node, buf);
	else
		color_of_name(node, buf);
	sonde_buf_printf(buf, "\"/><text x=\"%.2f\" y=\"%u\">", left + 3, y + 12);
	if (fit >= len)
		xml(buf, node->name, len);
	else if (fit > 3) {
		xml(buf, node->name, fit - 2);
		sonde_buf_str(buf, "..");
	}
	sonde_buf_str(buf, "</text></g>\n");
}

/* Children by name: what stands beside what does not change from one drawing to the next. */
static const struct sonde_flame *sorting;

static int by_name(const void *a, const void *b)
{
	const struct sonde_flame_node *x = &sorting->node[*(const u32 *)a], *y = &sorting->node[*(const u32 *)b];
	int order = strcmp(x->name, y->name);

	return order ? order : (int)x->kind - (int)y->kind;
}

/* What node @at calls, sorted, onto the stack of nodes to be drawn. */
static bool sort_children(struct drawing *d, u32 at, u32 **list, size_t *room, size_t *nr)
{
	size_t n = 0;

	for (u32 c = d->flame->node[at].child; c; c = d->flame->node[c].next) {
		if (n == *room) {
			size_t more = *room ? *room * 2 : 64;
			u32 *bigger = realloc(*list, more * sizeof(*bigger));

			if (!bigger)
				return false;
			*list = bigger;
			*room = more;
		}
		(*list)[n++] = c;
	}
	sorting = d->flame;
	if (n)
		qsort(*list, n, sizeof(**list), by_name);
	*nr = n;
	return true;
}

/* Node by node, callers first: @left[i] is where node i begins. */
static bool draw_frames(struct drawing *d)
{
	const struct sonde_flame *flame = d->flame;
	double *left = calloc(flame->nr, sizeof(*left));
	u32 *todo = malloc(flame->nr * sizeof(*todo)), *list = NULL;
	size_t nr_todo = 0, room = 0, nr;
	bool good = left && todo;

	if (good)
		todo[nr_todo++] = 0;
	while (good && nr_todo) {
		u32 at = todo[--nr_todo];
		double x = left[at];

		frame(d, &flame->node[at], x, (double)flame->node[at].weight * d->scale);
		good = sort_children(d, at, &list, &room, &nr);
		for (size_t i = 0; good && i < nr; i++) {
			double w = (double)flame->node[list[i]].weight * d->scale;

			left[list[i]] = x;
			x += w;
			if (w >= SMALLEST)
				todo[nr_todo++] = list[i];
			else
				d->hidden++;
		}
	}
	free(list);
	free(todo);
	free(left);
	return good;
}

static void head(const struct drawing *d)
{
	struct sonde_buf *buf = d->buf;

	sonde_buf_printf(buf,
			 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" "
			 "data-h=\"%u\" "
			 "preserveAspectRatio=\"xMinYMin\">\n",
			 (int)WIDTH, d->height, (int)WIDTH, d->height, d->height);
	sonde_buf_str(buf, "<style>\n"
			   "text{font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#111}\n"
			   "#title{font-size:15px;text-anchor:middle}\n"
			   "#search,#found{text-anchor:end}\n"
			   "#search,#reset{fill:#06c;cursor:pointer}\n"
			   "#frames>g{cursor:pointer}\n"
			   "#frames>g:hover>rect{stroke:#000;stroke-width:.8}\n"
			   "#frames>g.above{opacity:.45}\n"
			   "#frames>g.hit>rect{fill:#d02bd6}\n"
			   "</style>\n");
	sonde_buf_printf(buf, "<rect id=\"back\" x=\"0\" y=\"0\" width=\"%d\" height=\"%u\" fill=\"#fafafa\"/>\n",
			 (int)WIDTH, d->height);
	sonde_buf_printf(buf, "<text id=\"title\" x=\"%d\" y=\"22\">", (int)WIDTH / 2);
	xml(buf, d->opts->title, strlen(d->opts->title));
	sonde_buf_printf(
		buf,
		"</text>\n<text id=\"details\" x=\"%d\" y=\"44\"></text>\n"
		"<text id=\"reset\" x=\"%d\" y=\"22\" style=\"display:none\">reset zoom</text>\n"
		"<text id=\"search\" x=\"%d\" y=\"22\">search</text>\n<text id=\"found\" x=\"%d\" y=\"44\"></text>\n"
		"<g id=\"frames\">\n",
		(int)PAD, (int)PAD, (int)(WIDTH - PAD), (int)(WIDTH - PAD));
}

void sonde_flame_svg(struct sonde_flame *flame, const struct sonde_flame_opts *opts, struct sonde_buf *buf)
{
	struct drawing d = { .flame = flame, .opts = opts, .buf = buf };

	if (flame->failed) {
		buf->failed = true;
		return;
	}
	d.height = TOP + (flame->depth + 1) * ROW + BOTTOM;
	d.scale = flame->nr && flame->node[0].weight ? 1.0 / (double)flame->node[0].weight : 0;
	d.before_scale = flame->nr && flame->node[0].before ? 1.0 / (double)flame->node[0].before : 0;
	for (size_t i = 1; i < flame->nr; i++) {
		double delta = change(&d, &flame->node[i]);

		if ((delta < 0 ? -delta : delta) > d.most)
			d.most = delta < 0 ? -delta : delta;
	}
	head(&d);
	if (flame->nr && !draw_frames(&d))
		buf->failed = true;
	sonde_buf_printf(buf, "</g>\n<!-- %llu frames too narrow to be drawn -->\n<script><![CDATA[\n",
			 (unsigned long long)d.hidden);
	sonde_buf_str(buf, sonde_flame_script);
	sonde_buf_str(buf, "]]></script>\n</svg>\n");
}
