/* SPDX-License-Identifier: GPL-2.0-only */
/* mysql_bytes.h - the handshake's packets of MySQL and MariaDB, from the protocol's documentation. */
#ifndef TESTS_UNIT_MYSQL_BYTES_H
#define TESTS_UNIT_MYSQL_BYTES_H

/* Greeting: version, thread, scramble, 0, capabilities, character set, status, capabilities, length, zeros, the rest. */
#define GREETING(version, low)                                                                                         \
	"\x0a" version "\0\x2a\0\0\0abcdefgh\0" low "\x21\2\0\xff\x81\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0"           \
	"mysql_native_password\0"
#define MYSQL_GREETING GREETING("8.0.36", "\xff\xff")
#define MARIADB_GREETING GREETING("5.5.5-10.11.6-MariaDB", "\xfe\xf7")
#define OLD_GREETING GREETING("5.5.68-MariaDB", "\xff\xf7")
#define ZEROS19 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
/* Capabilities, longest packet, character set, zeros, MariaDB's capabilities. */
#define RESPONSE(c0, c1, c2) c0 c1 c2 "\0\0\0\0\1\x21" ZEROS19 "\0\0\0\0"

#endif /* TESTS_UNIT_MYSQL_BYTES_H */
