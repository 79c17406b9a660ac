/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dsn.h - where a MariaDB or MySQL server is: mysql://user:password@host:port/database?socket=/path
 */
#ifndef SONDE_EXPLAIN_DSN_H
#define SONDE_EXPLAIN_DSN_H

/** struct sonde_dsn - the parts of a DSN, decoded; NULL: not given; @port: 0: not given */
struct sonde_dsn {
	char *user;
	char *password;
	char *host;
	char *database;
	char *socket;
	unsigned int port;
};

/**
 * sonde_dsn_parse - take @text apart
 * @why: out: what is wrong, for -EINVAL
 *
 * Returns 0, -EINVAL or -ENOMEM. Free with sonde_dsn_free() whatever the result.
 */
int sonde_dsn_parse(struct sonde_dsn *dsn, const char *text, const char **why);

/** sonde_dsn_free - free the parts; the password is overwritten */
void sonde_dsn_free(struct sonde_dsn *dsn);

#endif /* SONDE_EXPLAIN_DSN_H */
