// SPDX-License-Identifier: GPL-2.0-only
/*
 * params_mysql.c - parameters of MySQL's and MariaDB's COM_STMT_EXECUTE.
 *
 * Source: MariaDB documentation, "COM_STMT_EXECUTE" and "Result Set Packets" (binary values); MySQL Source Code
 * Documentation, "Binary Protocol Value". Behind statement id, flags and iteration count: a bit for each NULL, whether types
 * follow, two bytes for each type, the values that are not NULL.
 */
#include <errno.h>
#include <string.h>

#include "proto/params.h"

#define VALUES_AT 14u /* header 4, command 1, id 4, flags 1, iterations 4 */
#define UNSIGNED 0x80u
#define COMMAND_EXECUTE 0x17u

enum {
	TYPE_DECIMAL = 0,
	TYPE_TINY = 1,
	TYPE_SHORT = 2,
	TYPE_LONG = 3,
	TYPE_FLOAT = 4,
	TYPE_DOUBLE = 5,
	TYPE_NULL = 6,
	TYPE_TIMESTAMP = 7,
	TYPE_LONGLONG = 8,
	TYPE_INT24 = 9,
	TYPE_DATE = 10,
	TYPE_TIME = 11,
	TYPE_DATETIME = 12,
	TYPE_YEAR = 13,
	TYPE_VARCHAR = 15,
	TYPE_BIT = 16,
	TYPE_JSON = 245,
};

struct cursor {
	const u8 *p;
	size_t left;
};

static u64 le(const u8 *p, size_t bytes)
{
	u64 v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static const u8 *take(struct cursor *c, size_t bytes)
{
	const u8 *p = c->p;

	if (bytes > c->left)
		return NULL;
	c->p += bytes;
	c->left -= bytes;
	return p;
}

/* Bytes of an integer of @type, 0 for others. */
static size_t int_bytes(u32 type)
{
	switch (type) {
	case TYPE_TINY:
		return 1;
	case TYPE_SHORT:
	case TYPE_YEAR:
		return 2;
	case TYPE_LONG:
	case TYPE_INT24:
		return 4;
	case TYPE_LONGLONG:
		return 8;
	default:
		return 0;
	}
}

static int add_int(struct cursor *c, size_t bytes, bool is_unsigned, struct sonde_buf *buf)
{
	const u8 *p = take(c, bytes);
	u64 v;

	if (!p)
		return -EINVAL;
	v = le(p, bytes);
	if (is_unsigned) {
		sonde_buf_printf(buf, "%llu", (unsigned long long)v);
		return 0;
	}
	if (bytes < 8 && v >> (8 * bytes - 1))
		v |= ~0ULL << 8 * bytes;
	sonde_buf_printf(buf, "%lld", (long long)v);
	return 0;
}

static int add_float(struct cursor *c, bool single, struct sonde_buf *buf)
{
	const u8 *p = take(c, single ? 4 : 8);
	double wide;
	float narrow;

	if (!p)
		return -EINVAL;
	if (single) {
		memcpy(&narrow, p, sizeof(narrow));
		wide = (double)narrow;
	} else {
		memcpy(&wide, p, sizeof(wide));
	}
	sonde_params_double(buf, wide, single);
	return 0;
}

/* A length, then year, month, day, hour, minute, second, microseconds, as many as it covers. */
static int add_datetime(struct cursor *c, bool date, struct sonde_buf *buf)
{
	const u8 *n = take(c, 1), *p = n ? take(c, *n) : NULL;
	u8 v[11] = {};

	if (!p || (*n != 0 && *n != 4 && *n != 7 && *n != 11))
		return -EINVAL;
	memcpy(v, p, *n);
	sonde_buf_printf(buf, "'%04u-%02u-%02u", (u32)le(v, 2), v[2], v[3]);
	if (!date)
		sonde_buf_printf(buf, " %02u:%02u:%02u", v[4], v[5], v[6]);
	if (*n == 11)
		sonde_buf_printf(buf, ".%06u", (u32)le(v + 7, 4));
	sonde_buf_add(buf, "'", 1);
	return 0;
}

/* A length, then sign, days, hours, minutes, seconds, microseconds. */
static int add_time(struct cursor *c, struct sonde_buf *buf)
{
	const u8 *n = take(c, 1), *p = n ? take(c, *n) : NULL;
	u8 v[12] = {};

	if (!p || (*n != 0 && *n != 8 && *n != 12))
		return -EINVAL;
	memcpy(v, p, *n);
	sonde_buf_printf(buf, "'%s%02llu:%02u:%02u", v[0] ? "-" : "", (unsigned long long)le(v + 1, 4) * 24 + v[5],
			 v[6], v[7]);
	if (*n == 12)
		sonde_buf_printf(buf, ".%06u", (u32)le(v + 8, 4));
	sonde_buf_add(buf, "'", 1);
	return 0;
}

/* A length-encoded string; what is no text becomes hexadecimal. */
static int add_string(struct cursor *c, u32 type, struct sonde_buf *buf)
{
	const u8 *p = take(c, 1);
	size_t bytes;
	u64 len;

	if (!p)
		return -EINVAL;
	len = *p;
	if (len == 0xfb || len == 0xff)
		return -EINVAL;
	if (len > 0xfb) {
		bytes = len == 0xfc ? 2 : len == 0xfd ? 3 : 8;
		p = take(c, bytes);
		if (!p)
			return -EINVAL;
		len = le(p, bytes);
	}
	if (len > c->left)
		return -EINVAL;
	p = take(c, (size_t)len);
	if (type != TYPE_BIT && sonde_params_is_text(p, (size_t)len)) {
		sonde_params_quote(buf, (const char *)p, (size_t)len, true);
		return 0;
	}
	sonde_buf_str(buf, "x'");
	for (size_t i = 0; i < len; i++)
		sonde_buf_printf(buf, "%02x", p[i]);
	sonde_buf_add(buf, "'", 1);
	return 0;
}

static int add_value(struct cursor *c, u32 type, bool is_unsigned, struct sonde_buf *buf)
{
	if (int_bytes(type))
		return add_int(c, int_bytes(type), is_unsigned, buf);
	switch (type) {
	case TYPE_NULL:
		sonde_buf_str(buf, "NULL");
		return 0;
	case TYPE_FLOAT:
	case TYPE_DOUBLE:
		return add_float(c, type == TYPE_FLOAT, buf);
	case TYPE_DATE:
	case TYPE_DATETIME:
	case TYPE_TIMESTAMP:
		return add_datetime(c, type == TYPE_DATE, buf);
	case TYPE_TIME:
		return add_time(c, buf);
	case TYPE_DECIMAL:
	case TYPE_VARCHAR:
	case TYPE_BIT:
		return add_string(c, type, buf);
	default: /* JSON, decimals, enumerations, blobs, strings, geometry */
		return type >= TYPE_JSON && type <= 255 ? add_string(c, type, buf) : -EINVAL;
	}
}

/* With @nr parameters: 0 if the packet is that to its last byte. */
static int read_values(const u8 *m, size_t len, size_t nr, struct sonde_params *params)
{
	struct cursor c = { .p = m + VALUES_AT, .left = len - VALUES_AT };
	const u8 *nulls = take(&c, (nr + 7) / 8), *bound = nulls ? take(&c, 1) : NULL, *types;
	int err;

	if (!bound || *bound > 1)
		return -EINVAL;
	if (!*bound)
		return -ENODATA;
	types = take(&c, 2 * nr);
	if (!types)
		return -EINVAL;
	for (size_t i = 0; i < nr; i++) {
		if (types[2 * i + 1] & ~UNSIGNED)
			return -EINVAL;
		if (nulls[i / 8] >> i % 8 & 1) {
			sonde_buf_str(&params->text, "NULL");
			err = 0;
		} else {
			err = add_value(&c, types[2 * i], types[2 * i + 1] & UNSIGNED, &params->text);
		}
		if (!err)
			err = sonde_params_end(params);
		if (err)
			return err;
	}
	return c.left ? -EINVAL : 0;
}

/* The same; nothing is in @params unless the packet is that. */
static int try_values(const u8 *m, size_t len, size_t nr, struct sonde_params *params)
{
	int err = read_values(m, len, nr, params);

	if (err) {
		sonde_buf_cut(&params->text, 0);
		params->nr = 0;
	}
	return err;
}

int sonde_params_mysql(const u8 *m, size_t len, size_t nr, struct sonde_params *params)
{
	size_t found = 0;
	int err;

	if (len < VALUES_AT || m[4] != COMMAND_EXECUTE)
		return -EINVAL;
	if (nr == 0 || (nr == SIZE_MAX && len == VALUES_AT))
		return 0;
	if (nr != SIZE_MAX)
		return nr <= SONDE_PARAMS_MAX ? try_values(m, len, nr, params) : -E2BIG;
	for (size_t i = 1; i <= SONDE_PARAMS_MAX && 2 * i < len; i++) {
		err = try_values(m, len, i, params);
		if (err == -ENOMEM)
			return err;
		if (err)
			continue;
		params->nr = 0;
		sonde_buf_cut(&params->text, 0);
		if (found)
			return -EINVAL; /* two numbers fit */
		found = i;
	}
	return found ? try_values(m, len, found, params) : -EINVAL;
}
