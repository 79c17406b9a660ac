// SPDX-License-Identifier: GPL-2.0-only
/*
 * params_postgresql.c - parameters of PostgreSQL's Bind message.
 *
 * Source: PostgreSQL documentation, "Message Formats" (Bind, Parse); the binary forms of types are those of their send and
 * receive functions: integers and floats big-endian, timestamps microseconds and dates days since 2000-01-01.
 */
#include <errno.h>
#include <string.h>

#include "proto/params.h"

/* OIDs of types, which never change (pg_type.dat). */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_OID = 26,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIME = 1083,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_UUID = 2950,
	OID_JSONB = 3802,
};

#define US_PER_SECOND 1000000LL
#define US_PER_DAY (86400 * US_PER_SECOND)
#define NUMERIC_MAX 1000 /* weight and decimals of a numeric that is believed */
#define DAYS_TO_2000 10957 /* from 1970 */

/* What is left of the message. */
struct cursor {
	const u8 *p;
	size_t left;
};

static u64 be(const u8 *p, size_t bytes)
{
	u64 v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

static int take16(struct cursor *c, u32 *v)
{
	if (c->left < 2)
		return -EINVAL;
	*v = (u32)be(c->p, 2);
	c->p += 2;
	c->left -= 2;
	return 0;
}

static int skip_string(struct cursor *c)
{
	const u8 *nul = c->left ? memchr(c->p, 0, c->left) : NULL;

	if (!nul)
		return -EINVAL;
	c->left -= (size_t)(nul - c->p) + 1;
	c->p = nul + 1;
	return 0;
}

/* The date that lies @days after 2000-01-01 (proleptic Gregorian; Hinnant's civil_from_days, with March as first month). */
static void add_date(struct sonde_buf *buf, s64 days)
{
	s64 z = days + DAYS_TO_2000 + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	s64 doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	s64 doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	s64 day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;

	sonde_buf_printf(buf, "%04lld-%02lld-%02lld", (long long)(yoe + era * 400 + (month <= 2)), (long long)month,
			 (long long)day);
}

static void add_time(struct sonde_buf *buf, s64 us)
{
	s64 s = us / US_PER_SECOND;

	sonde_buf_printf(buf, "%02lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60),
			 (long long)(s % 60));
	if (us % US_PER_SECOND)
		sonde_buf_printf(buf, ".%06lld", (long long)(us % US_PER_SECOND));
}

static void add_timestamp(struct sonde_buf *buf, s64 us, bool zone)
{
	s64 days = us / US_PER_DAY, rest = us % US_PER_DAY;

	if (rest < 0) {
		rest += US_PER_DAY;
		days--;
	}
	if (us == INT64_MAX || us == INT64_MIN) {
		sonde_buf_str(buf, us > 0 ? "'infinity'" : "'-infinity'");
		return;
	}
	sonde_buf_add(buf, "'", 1);
	add_date(buf, days);
	sonde_buf_add(buf, " ", 1);
	add_time(buf, rest);
	sonde_buf_str(buf, zone ? "+00'" : "'");
}

static void add_hex(struct sonde_buf *buf, const u8 *p, size_t len)
{
	sonde_buf_str(buf, "'\\x");
	for (size_t i = 0; i < len; i++)
		sonde_buf_printf(buf, "%02x", p[i]);
	sonde_buf_add(buf, "'", 1);
}

static void add_uuid(struct sonde_buf *buf, const u8 *p)
{
	sonde_buf_add(buf, "'", 1);
	for (size_t i = 0; i < 16; i++)
		sonde_buf_printf(buf, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", p[i]);
	sonde_buf_add(buf, "'", 1);
}

/* numeric: number of digits to the base 10000, weight of the first, sign, decimals shown, the digits. */
static bool is_numeric(const u8 *p, size_t len)
{
	s32 weight;
	u32 sign;

	if (len < 8 || len != 8 + 2 * be(p, 2))
		return false;
	sign = (u32)be(p + 4, 2);
	weight = (int16_t)be(p + 2, 2);
	if (be(p + 6, 2) > NUMERIC_MAX || weight > NUMERIC_MAX || weight < -NUMERIC_MAX)
		return false;
	for (size_t i = 8; i < len; i += 2)
		if (be(p + i, 2) > 9999)
			return false;
	return sign == 0 || sign == 0x4000 || sign == 0xc000;
}

static void add_numeric(struct sonde_buf *buf, const u8 *p)
{
	s32 nr = (s32)be(p, 2), weight = (int16_t)be(p + 2, 2);
	u32 sign = (u32)be(p + 4, 2), scale = (u32)be(p + 6, 2);
	size_t point;

	if (sign == 0xc000) {
		sonde_buf_str(buf, "'NaN'");
		return;
	}
	sonde_buf_str(buf, sign ? "-" : "");
	if (weight < 0)
		sonde_buf_add(buf, "0", 1);
	for (s32 i = 0; i <= weight; i++)
		sonde_buf_printf(buf, i ? "%04u" : "%u", i < nr ? (u32)be(p + 8 + 2 * (size_t)i, 2) : 0);
	if (!scale)
		return;
	sonde_buf_add(buf, ".", 1);
	point = buf->len;
	for (s32 i = weight + 1; !buf->failed && buf->len - point < scale; i++)
		sonde_buf_printf(buf, "%04u", i >= 0 && i < nr ? (u32)be(p + 8 + 2 * (size_t)i, 2) : 0);
	if (!buf->failed)
		sonde_buf_cut(buf, point + scale);
}

static double as_double(u64 bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static double as_float(u32 bits)
{
	float v;

	memcpy(&v, &bits, sizeof(v));
	return (double)v;
}

static bool within(double v, double low, double high)
{
	return (v >= low && v <= high) || (-v >= low && -v <= high);
}

/* Which type a binary value has that nobody named. */
static u32 guess(const u8 *p, size_t len)
{
	u64 v = len <= 8 ? be(p, len) : 0;
	s64 us = (s64)v;

	if (len == 1 && v <= 1)
		return OID_BOOL;
	if (len == 2 && (p[0] == 0 || p[0] == 0xff || !sonde_params_is_text(p, len)))
		return OID_INT2;
	if (len == 4 && !(v & 0xfff) && within(as_float((u32)v), 1e-4, 1e7))
		return OID_FLOAT4;
	if (len == 4 && (p[0] == 0 || p[0] == 0xff || !sonde_params_is_text(p, len)))
		return OID_INT4;
	if (len == 8 && within(as_double(v), 1e-9, 1e15))
		return OID_FLOAT8;
	if (len == 8 && us >= 10 * 365 * US_PER_DAY && us < 50 * 365 * US_PER_DAY) /* 2010 to 2049 */
		return OID_TIMESTAMP;
	if (len == 8 && (p[0] == 0 || p[0] == 0xff || !sonde_params_is_text(p, len)))
		return OID_INT8;
	if (sonde_params_is_text(p, len))
		return OID_TEXT;
	if (is_numeric(p, len))
		return OID_NUMERIC;
	return len == 16 ? OID_UUID : OID_BYTEA;
}

/* Whether a binary value of type @oid can have @len bytes. */
static bool fits(u32 oid, const u8 *p, size_t len)
{
	switch (oid) {
	case OID_BOOL:
		return len == 1;
	case OID_INT2:
		return len == 2;
	case OID_INT4:
	case OID_OID:
	case OID_FLOAT4:
	case OID_DATE:
		return len == 4;
	case OID_INT8:
	case OID_FLOAT8:
	case OID_TIME:
	case OID_TIMESTAMP:
	case OID_TIMESTAMPTZ:
		return len == 8;
	case OID_UUID:
		return len == 16;
	case OID_NUMERIC:
		return is_numeric(p, len);
	case OID_JSONB:
		return len >= 1 && p[0] == 1;
	case OID_BYTEA:
	case OID_TEXT:
	case OID_JSON:
	case OID_BPCHAR:
	case OID_VARCHAR:
		return true;
	default:
		return false;
	}
}

static void add_binary(struct sonde_buf *buf, const u8 *p, size_t len, u32 oid)
{
	u64 v = len <= 8 ? be(p, len) : 0;

	if (!fits(oid, p, len))
		oid = guess(p, len);
	switch (oid) {
	case OID_BOOL:
		sonde_buf_str(buf, v ? "true" : "false");
		break;
	case OID_INT2:
		sonde_buf_printf(buf, "%d", (int16_t)v);
		break;
	case OID_INT4:
		sonde_buf_printf(buf, "%d", (s32)v);
		break;
	case OID_OID:
		sonde_buf_printf(buf, "%u", (u32)v);
		break;
	case OID_INT8:
		sonde_buf_printf(buf, "%lld", (long long)v);
		break;
	case OID_FLOAT4:
		sonde_params_double(buf, as_float((u32)v), true);
		break;
	case OID_FLOAT8:
		sonde_params_double(buf, as_double(v), false);
		break;
	case OID_DATE:
		sonde_buf_add(buf, "'", 1);
		add_date(buf, (s32)v);
		sonde_buf_add(buf, "'", 1);
		break;
	case OID_TIME:
		sonde_buf_add(buf, "'", 1);
		add_time(buf, (s64)(v & INT64_MAX));
		sonde_buf_add(buf, "'", 1);
		break;
	case OID_TIMESTAMP:
	case OID_TIMESTAMPTZ:
		add_timestamp(buf, (s64)v, oid == OID_TIMESTAMPTZ);
		break;
	case OID_NUMERIC:
		add_numeric(buf, p);
		break;
	case OID_UUID:
		add_uuid(buf, p);
		break;
	case OID_BYTEA:
		add_hex(buf, p, len);
		break;
	case OID_JSONB:
		sonde_params_quote(buf, (const char *)p + 1, len - 1, false);
		break;
	default:
		sonde_params_quote(buf, (const char *)p, len, false);
	}
}

/* A number's text needs no quotes where its type says that it is one. */
static void add_text(struct sonde_buf *buf, const u8 *p, size_t len, u32 oid)
{
	static const char digits[] = "0123456789.";
	bool number = oid == OID_INT2 || oid == OID_INT4 || oid == OID_INT8 || oid == OID_OID || oid == OID_NUMERIC ||
		      oid == OID_FLOAT4 || oid == OID_FLOAT8;
	size_t sign = len && p[0] == '-';

	if (len == sign || len > 40)
		number = false;
	for (size_t i = sign; i < len && number; i++)
		number = memchr(digits, p[i], sizeof(digits) - 1);
	if (number)
		sonde_buf_add(buf, (const char *)p, len);
	else
		sonde_params_quote(buf, (const char *)p, len, false);
}

/* OID of parameter @i; 0: not known. */
static u32 type_of(const u8 *types, size_t len, size_t i)
{
	if (!types || len < 2 || i >= be(types, 2) || len < 2 + 4 * (i + 1))
		return 0;
	return (u32)be(types + 2 + 4 * i, 4);
}

/* One value: its length (-1: NULL) and bytes. */
static int add_value(struct cursor *c, bool binary, u32 oid, struct sonde_buf *buf)
{
	u32 len;

	if (c->left < 4)
		return -EINVAL;
	len = (u32)be(c->p, 4);
	c->p += 4;
	c->left -= 4;
	if (len == UINT32_MAX) {
		sonde_buf_str(buf, "NULL");
		return 0;
	}
	if (len > c->left)
		return -EINVAL;
	if (binary)
		add_binary(buf, c->p, len, oid);
	else
		add_text(buf, c->p, len, oid);
	c->p += len;
	c->left -= len;
	return 0;
}

int sonde_params_postgresql(const u8 *m, size_t len, const u8 *types, size_t types_len, struct sonde_params *params)
{
	struct cursor c = { .p = m, .left = len };
	u32 nr_formats, nr, format;
	const u8 *formats;
	int err;

	if (len < 5 || m[0] != 'B')
		return -EINVAL;
	c.p += 5; /* the message's own length is known by @len */
	c.left -= 5;
	/* Of the portal and of the statement. NOLINTNEXTLINE(misc-redundant-expression) */
	if (skip_string(&c) || skip_string(&c) || take16(&c, &nr_formats) || c.left / 2 < nr_formats)
		return -EINVAL;
	formats = c.p;
	c.p += 2 * nr_formats;
	c.left -= 2 * nr_formats;
	if (take16(&c, &nr))
		return -EINVAL;
	for (u32 i = 0; i < nr; i++) {
		/* None: all text. One: of all. */
		format = nr_formats == 1 ? (u32)be(formats, 2) : i < nr_formats ? (u32)be(formats + 2 * i, 2) : 0;
		err = add_value(&c, format == 1, type_of(types, types_len, i), &params->text);
		if (!err)
			err = sonde_params_end(params);
		if (err)
			return err;
	}
	return 0;
}
