// SPDX-License-Identifier: GPL-2.0-only
/*
 * pprof.c - profiles in the format of pprof: the protocol buffer message of google/pprof's profile.proto, gzipped.
 *
 * Each frame is a location and a function; processes are labels of samples.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/table.h"
#include "model/profile.h"
#include "out/profile.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
	VALUE_TYPE_TYPE = 1,
	VALUE_TYPE_UNIT = 2,
	SAMPLE_LOCATION_ID = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,
	LABEL_KEY = 1,
	LABEL_STR = 2,
	LABEL_NUM = 3,
	MAPPING_ID = 1,
	MAPPING_FILENAME = 5,
	MAPPING_HAS_FUNCTIONS = 7,
	MAPPING_HAS_FILENAMES = 8,
	MAPPING_HAS_LINE_NUMBERS = 9,
	MAPPING_HAS_INLINE_FRAMES = 10,
	LOCATION_ID = 1,
	LOCATION_MAPPING_ID = 2,
	LOCATION_LINE = 4,
	LINE_FUNCTION_ID = 1,
	LINE_LINE = 2,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILENAME = 4,
};

#define WIRE_VARINT 0
#define WIRE_BYTES 2

struct writer {
	const struct sonde_profile *profile;
	const struct sonde_pprof_values *values;
	struct sonde_buf *out;
	struct sonde_table strings; /* by content: index + 1 */
	const char **string;
	u64 nr_strings, room;
	struct sonde_table mappings; /* by name: id */
	u64 nr_mappings;
	bool failed;
};

static void varint(struct sonde_buf *buf, u64 value)
{
	char byte;

	do {
		byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		sonde_buf_add(buf, &byte, 1);
		value >>= 7;
	} while (value);
}

static void number(struct sonde_buf *buf, u32 field, u64 value)
{
	varint(buf, field << 3 | WIRE_VARINT);
	varint(buf, value);
}

static void bytes(struct sonde_buf *buf, u32 field, const char *s, size_t len)
{
	varint(buf, field << 3 | WIRE_BYTES);
	varint(buf, len);
	sonde_buf_add(buf, s ? s : "", len);
}

/* @message as a field of @buf; empty afterwards. */
static void message(struct sonde_buf *buf, u32 field, struct sonde_buf *part)
{
	bytes(buf, field, part->s, part->len);
	if (part->failed)
		buf->failed = true;
	sonde_buf_cut(part, 0);
}

/* The index of @s in the table of strings. */
static u64 string(struct writer *w, const char *s)
{
	u64 hash = SONDE_FNV_BASIS;
	void *at;

	for (const char *c = s; *c; c++)
		hash = sonde_fnv_byte(hash, (u8)*c);
	for (; (at = sonde_table_get(&w->strings, hash)); hash++)
		if (!strcmp(w->string[(uintptr_t)at - 1], s))
			return (uintptr_t)at - 1;
	if (w->nr_strings == w->room) {
		u64 room = w->room ? w->room * 2 : 256;
		const char **bigger = realloc(w->string, room * sizeof(*bigger));

		if (!bigger) {
			w->failed = true;
			return 0;
		}
		w->string = bigger;
		w->room = room;
	}
	if (sonde_table_put(&w->strings, hash, (void *)(uintptr_t)(w->nr_strings + 1)))
		w->failed = true;
	w->string[w->nr_strings] = s;
	return w->nr_strings++;
}

static void value_type(struct writer *w, u32 field, const char *type, const char *unit)
{
	struct sonde_buf part = {};

	number(&part, VALUE_TYPE_TYPE, string(w, type));
	number(&part, VALUE_TYPE_UNIT, string(w, unit));
	message(w->out, field, &part);
	sonde_buf_free(&part);
}

static u64 mapping(struct writer *w, const char *module)
{
	u64 name = string(w, module), id = (uintptr_t)sonde_table_get(&w->mappings, name);
	struct sonde_buf part = {};

	if (id)
		return id;
	id = ++w->nr_mappings;
	if (sonde_table_put(&w->mappings, name, (void *)(uintptr_t)id))
		w->failed = true;
	number(&part, MAPPING_ID, id);
	number(&part, MAPPING_FILENAME, name);
	for (u32 field = MAPPING_HAS_FUNCTIONS; field <= MAPPING_HAS_INLINE_FRAMES; field++)
		number(&part, field, 1);
	message(w->out, PROFILE_MAPPING, &part);
	sonde_buf_free(&part);
	return id;
}

/* Frame @i as function and location i + 1. */
static void location(struct writer *w, size_t i)
{
	const struct sonde_frame *frame = &w->profile->frame[i];
	struct sonde_buf part = {}, line = {};
	u64 name = string(w, frame->function), in = 0; /* a label is in no file */

	if (frame->kind != SONDE_FRAME_LABEL)
		in = mapping(w, frame->module[0] ? frame->module : "[unknown]");

	number(&part, FUNCTION_ID, i + 1);
	number(&part, FUNCTION_NAME, name);
	number(&part, FUNCTION_SYSTEM_NAME, name);
	if (frame->file[0])
		number(&part, FUNCTION_FILENAME, string(w, frame->file));
	message(w->out, PROFILE_FUNCTION, &part);

	number(&line, LINE_FUNCTION_ID, i + 1);
	if (frame->line)
		number(&line, LINE_LINE, frame->line);
	number(&part, LOCATION_ID, i + 1);
	if (in)
		number(&part, LOCATION_MAPPING_ID, in);
	message(&part, LOCATION_LINE, &line);
	message(w->out, PROFILE_LOCATION, &part);
	sonde_buf_free(&part);
	sonde_buf_free(&line);
}

static void label(struct writer *w, struct sonde_buf *to, const char *key, const char *text, u64 value)
{
	struct sonde_buf part = {};

	number(&part, LABEL_KEY, string(w, key));
	if (text)
		number(&part, LABEL_STR, string(w, text));
	else
		number(&part, LABEL_NUM, value);
	message(to, SAMPLE_LABEL, &part);
	sonde_buf_free(&part);
}

static void sample(struct writer *w, const struct sonde_stack *stack)
{
	const struct sonde_pprof_values *values = w->values;
	size_t index = (size_t)(stack - w->profile->stack);
	struct sonde_buf part = {}, packed = {};

	for (u32 i = 0; i < stack->nr; i++)
		varint(&packed, (u64)stack->frame[i] + 1);
	message(&part, SAMPLE_LOCATION_ID, &packed);
	for (u32 i = 0; values && i < values->nr; i++)
		varint(&packed, values->value[index * values->nr + i]);
	if (!values) {
		varint(&packed, stack->count);
		varint(&packed, stack->weight);
	}
	message(&part, SAMPLE_VALUE, &packed);
	label(w, &part, "process", stack->process, 0);
	label(w, &part, "pid", NULL, stack->pid);
	message(w->out, PROFILE_SAMPLE, &part);
	sonde_buf_free(&part);
	sonde_buf_free(&packed);
}

static void write_message(struct writer *w, u64 time_ns, u64 duration_ns)
{
	const struct sonde_pprof_values *values = w->values;
	const struct sonde_profile *profile = w->profile;

	string(w, ""); /* index 0 is this by definition */
	for (u32 i = 0; values && i < values->nr; i++)
		value_type(w, PROFILE_SAMPLE_TYPE, values->type[i], values->unit[i]);
	if (!values) {
		value_type(w, PROFILE_SAMPLE_TYPE, profile->counted ?: "samples", "count");
		value_type(w, PROFILE_SAMPLE_TYPE, profile->type, profile->unit);
	}
	for (size_t i = 0; i < profile->nr_stacks; i++)
		sample(w, &profile->stack[i]);
	for (size_t i = 0; i < profile->nr_frames; i++)
		location(w, i);
	number(w->out, PROFILE_TIME_NANOS, time_ns);
	number(w->out, PROFILE_DURATION_NANOS, duration_ns);
	if (profile->hz) {
		value_type(w, PROFILE_PERIOD_TYPE, profile->type, profile->unit);
		number(w->out, PROFILE_PERIOD, 1000000000ULL / profile->hz);
	}
	if (values && values->period) {
		value_type(w, PROFILE_PERIOD_TYPE, "space", "bytes");
		number(w->out, PROFILE_PERIOD, values->period);
	}
	number(w->out, PROFILE_DEFAULT_SAMPLE_TYPE, string(w, values ? values->type[values->shown] : profile->type));
	for (u64 i = 0; i < w->nr_strings; i++)
		bytes(w->out, PROFILE_STRING_TABLE, w->string[i], strlen(w->string[i]));
}

/* @from as a gzip file behind @to. */
static bool gzip(const struct sonde_buf *from, struct sonde_buf *to)
{
	z_stream z = { .next_in = (Bytef *)from->s, .avail_in = (uInt)from->len };
	char chunk[16384];
	int err;

	if (from->len > UINT32_MAX ||
	    deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	do {
		z.next_out = (Bytef *)chunk;
		z.avail_out = sizeof(chunk);
		err = deflate(&z, Z_FINISH);
		sonde_buf_add(to, chunk, sizeof(chunk) - z.avail_out);
	} while (err == Z_OK);
	deflateEnd(&z);
	return err == Z_STREAM_END;
}

void sonde_profile_pprof(const struct sonde_profile *profile, const struct sonde_pprof_values *values, u64 time_unix_ns,
			 u64 duration_ns, struct sonde_buf *buf)
{
	struct sonde_buf plain = {};
	struct writer w = { .profile = profile, .values = values, .out = &plain };

	write_message(&w, time_unix_ns, duration_ns);
	if (w.failed || plain.failed || !gzip(&plain, buf))
		buf->failed = true;
	free(w.string);
	sonde_table_free(&w.strings, NULL);
	sonde_table_free(&w.mappings, NULL);
	sonde_buf_free(&plain);
}
