/* LIBS: -I/usr/include/postgresql -lpq */
// SPDX-License-Identifier: GPL-2.0-only
/*
 * pg_sites.c - an N+1, a slow statement and a large result at known call sites, through libpq and without frame pointers.
 *
 * usage: pg_sites CONNINFO ROUNDS     in the database: create table site(id int)
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone, optimize("omit-frame-pointer", "no-optimize-sibling-calls")))

static volatile int sink;

NOINLINE void site_query(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);

	sink += PQntuples(result);
	PQclear(result);
}

NOINLINE void site_load_item(PGconn *conn, int id)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "select id from site where id = %d", id);
	site_query(conn, sql);
	sink++;
}

NOINLINE void site_list_items(PGconn *conn)
{
	site_query(conn, "select id from site limit 12");
	for (int id = 0; id < 12; id++)
		site_load_item(conn, id);
	sink++;
}

NOINLINE void site_report(PGconn *conn)
{
	site_query(conn, "select pg_sleep(0.2)");
	sink++;
}

NOINLINE void site_export(PGconn *conn)
{
	site_query(conn, "select generate_series(1, 20000)");
	sink++;
}

int main(int argc, char **argv)
{
	PGconn *conn = PQconnectdb(argc > 1 ? argv[1] : "");
	int rounds = argc > 2 ? atoi(argv[2]) : 20;

	if (PQstatus(conn) != CONNECTION_OK) {
		fprintf(stderr, "%s", PQerrorMessage(conn));
		return 1;
	}
	for (int i = 0; i < rounds; i++) {
		site_query(conn, "begin");
		site_list_items(conn);
		site_query(conn, "commit");
		usleep(50000); /* its tables are made meanwhile */
	}
	site_report(conn);
	site_export(conn);
	PQfinish(conn);
	return 0;
}
