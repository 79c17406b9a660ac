// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -lpq -lpthread */
/*
 * shop_pg.c - the shop in C with libpq: parameters, prepared statements and plain text. See truth.py for what each endpoint does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "serve.h"

#define PAGE_ORDERS 20
#define NR_LINES 12
#define NR_PRODUCTS 10

static PGresult *checked(PGconn *conn, PGresult *result, const char *sql)
{
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		die("%s: %s", sql, PQerrorMessage(conn));
	return result;
}

/* A statement with up to two parameters, as text; NULL: there is none. */
static PGresult *query(void *db, const char *sql, const char *first, const char *second)
{
	const char *const values[] = { first, second };

	return checked(db, PQexecParams(db, sql, second ? 2 : first ? 1 : 0, NULL, values, NULL, NULL, 0), sql);
}

static PGresult *query_number(void *db, const char *sql, long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", number);
	return query(db, sql, text, NULL);
}

static PGresult *query_text(void *db, const char *sql)
{
	return checked(db, PQexec(db, sql), sql);
}

static PGresult *query_prepared(void *db, const char *name, const char *value)
{
	return checked(db, PQexecPrepared(db, name, 1, &value, NULL, NULL, 0), name);
}

void shop_run(void *db, const char *sql)
{
	PQclear(query_text(db, sql));
}

static void prepare(PGconn *conn, const char *name, const char *sql)
{
	PQclear(checked(conn, PQprepare(conn, name, sql, 0, NULL), sql));
}

void *shop_open(void)
{
	const char *const names[] = { "host", "port", "user", "dbname", "sslmode", "gssencmode", NULL };
	const char *const values[] = {
		getenv("DB_HOST"), getenv("DB_PORT"), getenv("DB_USER"), getenv("DB_NAME"), "disable", "disable", NULL
	};
	PGconn *conn = PQconnectdbParams(names, values, 0);

	if (PQstatus(conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(conn));
	prepare(conn, "nested_name", "select c.name from bad_nested__customer c where c.id = $1");
	prepare(conn, "nested_items",
		"select i.product_id from bad_nested__item i where i.order_id = $1 order by i.id");
	return conn;
}

void shop_close(void *db)
{
	PQfinish(db);
}

static void customer_name(struct request *request, const char *order, const char *customer)
{
	PGresult *found = query(request->db, "select c.name from bad_list__customer c where c.id = $1", customer, NULL);

	say(request, "%s %s\n", order, PQgetvalue(found, 0, 0));
	PQclear(found);
}

static void list_orders(struct request *request)
{
	PGresult *orders = query_number(
		request->db, "select o.id, o.customer_id from bad_list__order o where o.page = $1 order by o.id",
		request->id);

	for (int i = 0; i < PQntuples(orders); i++)
		customer_name(request, PQgetvalue(orders, i, 0), PQgetvalue(orders, i, 1));
	PQclear(orders);
}

static void nested_name(struct request *request, const char *order, const char *customer)
{
	PGresult *found = query_prepared(request->db, "nested_name", customer);

	say(request, "%s %s ", order, PQgetvalue(found, 0, 0));
	PQclear(found);
}

static void nested_items(struct request *request, const char *order)
{
	PGresult *items = query_prepared(request->db, "nested_items", order);

	for (int i = 0; i < PQntuples(items); i++)
		say(request, "%s%s", i ? "," : "", PQgetvalue(items, i, 0));
	say(request, "\n");
	PQclear(items);
}

static void list_nested(struct request *request)
{
	PGresult *orders = query_number(
		request->db, "select o.id, o.customer_id from bad_nested__order o where o.page = $1 order by o.id",
		request->id);

	for (int i = 0; i < PQntuples(orders); i++) {
		nested_name(request, PQgetvalue(orders, i, 0), PQgetvalue(orders, i, 1));
		nested_items(request, PQgetvalue(orders, i, 0));
	}
	PQclear(orders);
}

static void read_setting(struct request *request, const char *name)
{
	PQclear(query(request->db, "select s.value from bad_same__setting s where s.name = $1", name, NULL));
}

static void read_settings(struct request *request)
{
	for (int i = 0; i < 10; i++)
		read_setting(request, "name3");
	say(request, "value 3\n");
}

static void write_log(struct request *request, int ref)
{
	char number[16], note[32];

	snprintf(number, sizeof(number), "%d", ref);
	snprintf(note, sizeof(note), "note %d", ref);
	PQclear(query(request->db, "insert into bad_loop__log (ref, note) values ($1, $2)", number, note));
}

static void write_logs(struct request *request)
{
	for (int i = 0; i < NR_LINES; i++)
		write_log(request, i);
	say(request, "%d\n", NR_LINES);
}

static void take_stock(struct request *request, long product)
{
	PQclear(query_number(request->db, "select p.stock from bad_pairs__stock p where p.id = $1", product));
	PQclear(query_number(request->db, "update bad_pairs__products set stock = stock - 1 where id = $1", product));
}

static void sell_products(struct request *request)
{
	for (long i = 0; i < NR_PRODUCTS; i++)
		take_stock(request, request->id * NR_PRODUCTS + i);
	say(request, "%d\n", NR_PRODUCTS);
}

static void sleep_long(struct request *request)
{
	shop_run(request->db, "select pg_sleep(0.15) from bad_slow__sleep");
	say(request, "slept\n");
}

static void read_all(struct request *request)
{
	PGresult *rows = query_text(request->db, "select b.n from bad_large__n b");

	say(request, "%d\n", PQntuples(rows));
	PQclear(rows);
}

static void list_joined(struct request *request)
{
	PGresult *orders =
		query_number(request->db,
			     "select o.id, c.name from ok_list__order o join customers c on c.id = o.customer_id"
			     " where o.page = $1 order by o.id",
			     request->id);

	for (int i = 0; i < PQntuples(orders); i++)
		say(request, "%s %s\n", PQgetvalue(orders, i, 0), PQgetvalue(orders, i, 1));
	PQclear(orders);
}

/* "{1,2,3}" of one column. */
static char *array_of(const PGresult *rows, int column, char *array, size_t size)
{
	size_t len = snprintf(array, size, "{");

	for (int i = 0; i < PQntuples(rows) && len + 32 < size; i++)
		len += snprintf(array + len, size - len, "%s%s", i ? "," : "", PQgetvalue(rows, i, column));
	snprintf(array + len, size - len, "}");
	return array;
}

/* The row of @rows that begins with @key. */
static const char *value_of(const PGresult *rows, const char *key)
{
	for (int i = 0; i < PQntuples(rows); i++)
		if (!strcmp(PQgetvalue(rows, i, 0), key))
			return PQgetvalue(rows, i, 1);
	die("no row %s", key);
}

static void list_by_array(struct request *request)
{
	char array[16 * PAGE_ORDERS];
	PGresult *orders = query_number(
		request->db, "select o.id, o.customer_id from ok_in__order o where o.page = $1 order by o.id",
		request->id);
	PGresult *names = query(request->db, "select c.id, c.name from ok_in__customer c where c.id = any($1)",
				array_of(orders, 1, array, sizeof(array)), NULL);

	for (int i = 0; i < PQntuples(orders); i++)
		say(request, "%s %s\n", PQgetvalue(orders, i, 0), value_of(names, PQgetvalue(orders, i, 1)));
	PQclear(orders);
	PQclear(names);
}

static void nested_by_array(struct request *request)
{
	char array[16 * PAGE_ORDERS];
	PGresult *orders = query_number(
		request->db, "select o.id, o.customer_id from ok_nested__order o where o.page = $1 order by o.id",
		request->id);
	PGresult *names = query(request->db, "select c.id, c.name from ok_nested__customer c where c.id = any($1)",
				array_of(orders, 1, array, sizeof(array)), NULL);
	PGresult *items = query(request->db,
				"select i.order_id, string_agg(i.product_id::text, ',' order by i.id)"
				" from ok_nested__item i where i.order_id = any($1) group by i.order_id",
				array_of(orders, 0, array, sizeof(array)), NULL);

	for (int i = 0; i < PQntuples(orders); i++)
		say(request, "%s %s %s\n", PQgetvalue(orders, i, 0), value_of(names, PQgetvalue(orders, i, 1)),
		    value_of(items, PQgetvalue(orders, i, 0)));
	PQclear(orders);
	PQclear(names);
	PQclear(items);
}

static void write_batch(struct request *request)
{
	char sql[1024];
	size_t len = snprintf(sql, sizeof(sql), "insert into ok_batch__log (ref, note) values ");

	for (int i = 0; i < NR_LINES; i++)
		len += snprintf(sql + len, sizeof(sql) - len, "%s(%d, 'note %d')", i ? ", " : "", i, i);
	shop_run(request->db, sql);
	say(request, "%d\n", NR_LINES);
}

static void sell_at_once(struct request *request)
{
	char array[16 * NR_PRODUCTS];
	size_t len = snprintf(array, sizeof(array), "{");

	for (long i = 0; i < NR_PRODUCTS; i++)
		len += snprintf(array + len, sizeof(array) - len, "%s%ld", i ? "," : "", request->id * NR_PRODUCTS + i);
	snprintf(array + len, sizeof(array) - len, "}");
	PQclear(query(request->db, "update ok_pairs__products set stock = stock - 1 where stock > 0 and id = any($1)",
		      array, NULL));
	say(request, "%d\n", NR_PRODUCTS);
}

/* A value that is looked up by a number. */
static void say_value(struct request *request, const char *sql, long number)
{
	PGresult *found = query_number(request->db, sql, number);

	say(request, "%s\n", PQgetvalue(found, 0, 0));
	PQclear(found);
}

static void four_queries(struct request *request)
{
	say_value(request, "select c.name from ok_four__customer c where c.id = $1", request->id + 1);
	say_value(request, "select o.total from ok_four__order o where o.id = $1", request->id);
	say_value(request, "select count(*) from ok_four__item i where i.order_id = $1", request->id);
	say_value(request, "select p.name from ok_four__product p where p.id = $1", request->id);
}

static void few_queries(struct request *request)
{
	for (int i = 1; i <= 4; i++)
		say_value(request, "select c.name from ok_few__customer c where c.id = $1", request->id + i);
}

static void one_page(struct request *request)
{
	PGresult *total = query_text(request->db, "select count(*) from ok_page__total o");
	PGresult *rows =
		query_number(request->db, "select o.id, o.total from ok_page__order o order by o.id limit 20 offset $1",
			     request->id * PAGE_ORDERS);

	say(request, "%d of %s\n", PQntuples(rows), PQgetvalue(total, 0, 0));
	PQclear(total);
	PQclear(rows);
}

static void read_config(struct request *request)
{
	static const char *const names[] = { "name0", "name1", "name2" };

	for (int i = 0; i < 3; i++)
		PQclear(query(request->db, "select s.value from ok_config__setting s where s.name = $1", names[i],
			      NULL));
	shop_run(request->db, "select s.name, s.value from ok_config__all s where s.name like 'name%'");
	say(request, "13\n");
}

static void sell_one(struct request *request)
{
	shop_run(request->db, "begin");
	PQclear(query_number(request->db, "select o.id from ok_tx__order o where o.id = $1", request->id));
	PQclear(query_number(request->db, "update ok_tx__products set stock = stock - 1 where id = $1", request->id));
	PQclear(query_number(request->db, "insert into ok_tx__log (ref, note) values ($1, 'sold')", request->id));
	PQclear(query_number(request->db, "select i.qty from ok_tx__item i where i.order_id = $1", request->id));
	shop_run(request->db, "commit");
	say(request, "sold\n");
}

static void make_noise(struct request *request)
{
	for (int i = 0; i < 6; i++) {
		char sql[64];

		snprintf(sql, sizeof(sql), "set ok_noise__set.a = '%d'", i);
		shop_run(request->db, sql);
		shop_run(request->db, "show ok_noise__set.a");
		shop_run(request->db, "begin");
		shop_run(request->db, "commit");
	}
	PQclear(query_number(request->db, "select o.id from ok_noise__order o where o.id = $1", request->id));
	say(request, "1\n");
}

static void read_catalog(struct request *request)
{
	static const char *const names[] = { "customers", "orders", "items",  "products",
					     "settings",  "big",    "tables", "columns" };

	for (int i = 0; i < 8; i++)
		PQclear(query(request->db,
			      "select ok_catalog__oid.oid from pg_catalog.pg_class ok_catalog__oid where "
			      "ok_catalog__oid.relname = $1",
			      names[i], NULL));
	say(request, "8\n");
}

static void say_empty(struct request *request)
{
	say(request, "empty\n");
}

const struct route shop_routes[] = {
	{ "/bad/list", list_orders },	   { "/bad/nested", list_nested },  { "/bad/same", read_settings },
	{ "/bad/loop", write_logs },	   { "/bad/pairs", sell_products }, { "/bad/slow", sleep_long },
	{ "/bad/large", read_all },	   { "/ok/list", list_joined },	    { "/ok/in", list_by_array },
	{ "/ok/nested", nested_by_array }, { "/ok/batch", write_batch },    { "/ok/pairs", sell_at_once },
	{ "/ok/four", four_queries },	   { "/ok/few", few_queries },	    { "/ok/page", one_page },
	{ "/ok/config", read_config },	   { "/ok/tx", sell_one },	    { "/ok/noise", make_noise },
	{ "/ok/catalog", read_catalog },   { "/ok/empty", say_empty },	    { NULL, NULL },
};
