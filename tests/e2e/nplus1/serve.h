/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * serve.h - what the shops in C have in common: a thread for each HTTP connection, or a batch job.
 *
 *     PROGRAM serve                 prints its port and answers until it is killed
 *     PROGRAM job MODE ROUNDS       does the work of the endpoints in $JOB_SLUGS; MODE tx: each in a transaction, auto: not
 */
#ifndef NPLUS1_SERVE_H
#define NPLUS1_SERVE_H

#include <stddef.h>

/**
 * struct request - one that is being answered
 * @id: the number at the end of its path, 0 without one
 * @db: what shop_open() gave this thread
 * @body: the answer as far as it is written
 */
struct request {
	long id;
	void *db;
	char *body;
	size_t len;
	size_t size;
};

/** struct route - @answer writes the answer to requests of @path, "/bad/list" */
struct route {
	const char *path;
	void (*answer)(struct request *request);
};

/** say - adds to the answer */
void say(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** die - prints what failed, and ends the program */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* What a shop brings: its endpoints, the last with a path NULL; a connection of a thread; a statement without a result. */
extern const struct route shop_routes[];
void *shop_open(void);
void shop_close(void *db);
void shop_run(void *db, const char *sql);

#endif /* NPLUS1_SERVE_H */
