// SPDX-License-Identifier: GPL-2.0-only
/*
 * str.c - numbers and words as people and shells read them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

/* Three significant digits of @value (< 1000). */
static void three_digits(char out[SONDE_STR_SHORT], double value, const char *unit)
{
	/* The limits are where rounding would show a fourth digit. */
	if (value >= 99.95)
		snprintf(out, SONDE_STR_SHORT, "%.0f%s", value, unit);
	else if (value >= 9.995)
		snprintf(out, SONDE_STR_SHORT, "%.1f%s", value, unit);
	else
		snprintf(out, SONDE_STR_SHORT, "%.2f%s", value, unit);
}

const char *sonde_str_ns(char out[SONDE_STR_SHORT], u64 ns)
{
	if (ns < 1000)
		snprintf(out, SONDE_STR_SHORT, "%uns", (unsigned int)ns);
	else if (ns < 999500)
		three_digits(out, (double)ns / 1e3, "us");
	else if (ns < 999500000)
		three_digits(out, (double)ns / 1e6, "ms");
	else if (ns < 599500000000)
		three_digits(out, (double)ns / 1e9, "s");
	else if (ns < 7200000000000)
		snprintf(out, SONDE_STR_SHORT, "%.0fm", (double)ns / 60e9);
	else
		snprintf(out, SONDE_STR_SHORT, "%.1fh", (double)ns / 3600e9);
	return out;
}

const char *sonde_str_count(char out[SONDE_STR_SHORT], u64 count)
{
	static const char *const units[] = { "k", "M", "G", "T", "P", "E" };
	double value = (double)count;
	unsigned int unit = 0;

	if (count < 100000) {
		snprintf(out, SONDE_STR_SHORT, "%u", (unsigned int)count);
		return out;
	}
	for (value /= 1000; value >= 999.5 && unit < 5; unit++)
		value /= 1000;
	three_digits(out, value, units[unit]);
	return out;
}

const char *sonde_str_bytes(char out[SONDE_STR_SHORT], u64 bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	unsigned int unit = 0;

	if (bytes < 1000) {
		snprintf(out, SONDE_STR_SHORT, "%uB", (unsigned int)bytes);
		return out;
	}
	for (; value >= 999.5 && unit < 5; unit++)
		value /= 1024;
	three_digits(out, value, units[unit]);
	return out;
}

const char *sonde_str_rate(char out[SONDE_STR_SHORT], double value)
{
	if (value >= 99999.5)
		return sonde_str_count(out, (u64)value);
	if (value >= 99.95)
		snprintf(out, SONDE_STR_SHORT, "%.0f", value);
	else if (value >= 0.995)
		snprintf(out, SONDE_STR_SHORT, "%.1f", value);
	else if (value > 0)
		snprintf(out, SONDE_STR_SHORT, "%.2f", value < 0.005 ? 0.01 : value);
	else
		snprintf(out, SONDE_STR_SHORT, "0");
	return out;
}

const char *sonde_str_group(char out[SONDE_STR_SHORT + 8], u64 count)
{
	char digits[SONDE_STR_SHORT];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count), at = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

void sonde_str_many(struct sonde_buf *buf, u64 count, const char *noun)
{
	char n[SONDE_STR_SHORT + 8];

	sonde_buf_printf(buf, "%s %s%s", sonde_str_group(n, count), noun, count == 1 ? "" : "s");
}

void sonde_str_quote(struct sonde_buf *buf, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";

	if (*word && word[strspn(word, plain)] == '\0') {
		sonde_buf_str(buf, word);
		return;
	}
	sonde_buf_add(buf, "'", 1);
	for (; *word; word++) {
		if (*word == '\'')
			sonde_buf_str(buf, "'\\''");
		else
			sonde_buf_add(buf, word, 1);
	}
	sonde_buf_add(buf, "'", 1);
}

bool sonde_str_u64(const char *word, size_t len, u64 *value)
{
	u64 v = 0;

	if (!len)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned int digit = (unsigned int)(word[i] - '0');

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

bool sonde_str_seconds(const char *word, u64 *ns)
{
	static const struct {
		const char *name;
		u64 ns;
	} units[] = {
		{ "", 1000000000 }, { "s", 1000000000 },     { "ms", 1000000 },
		{ "us", 1000 },	    { "m", 60000000000ULL }, { "h", 3600000000000ULL },
	};
	size_t whole = strspn(word, "0123456789"), part = 0;
	const char *rest = word + whole;
	u64 value = 0, fraction = 0, scale = 1;

	if (*rest == '.') {
		part = strspn(rest + 1, "0123456789");
		/* Nine digits are nanoseconds of a second; more say nothing. */
		for (size_t i = 0; i < part && i < 9; i++) {
			fraction = fraction * 10 + (u64)(rest[1 + i] - '0');
			scale *= 10;
		}
		rest += 1 + part;
	}
	if (!whole && !part)
		return false;
	if (whole && !sonde_str_u64(word, whole, &value))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].name))
			continue;
		if (value > UINT64_MAX / 2 / units[i].ns)
			return false;
		*ns = value * units[i].ns + (u64)((double)fraction / (double)scale * (double)units[i].ns + 0.5);
		return true;
	}
	return false;
}
