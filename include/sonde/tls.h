/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls.h - tells TLS records: what a connection's bytes look like when they cannot be read.
 *
 * Source: RFC 8446, 5.1 "Record Layer": content type (20 change_cipher_spec, 21 alert, 22 handshake, 23 application
 * data), legacy version 0x0301 to 0x0304 (0x0300: SSL 3), length of at most 2^14 + 256, in TLS 1.2 2^14 + 2048.
 */
#ifndef SONDE_TLS_H
#define SONDE_TLS_H

#include "base.h"

#define SONDE_TLS_HEADER 5u
#define SONDE_TLS_MAX_RECORD (16384u + 2048u)
#define SONDE_TLS_APPLICATION_DATA 23u

/** sonde_tls_record - whether the eight bytes @head (first one lowest) begin a TLS record */
SONDE_INLINE bool sonde_tls_record(u64 head)
{
	u32 type = head & 0xff, major = head >> 8 & 0xff, minor = head >> 16 & 0xff;
	u32 len = (head >> 24 & 0xff) << 8 | (head >> 32 & 0xff);

	return type - 20 <= 3 && major == 3 && minor <= 4 && len && len <= SONDE_TLS_MAX_RECORD;
}

/** sonde_tls_is_data - of a record: whether it carries application data */
SONDE_INLINE bool sonde_tls_is_data(u64 head)
{
	return (head & 0xff) == SONDE_TLS_APPLICATION_DATA;
}

#endif /* SONDE_TLS_H */
