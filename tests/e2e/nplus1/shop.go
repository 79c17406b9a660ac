// SPDX-License-Identifier: GPL-2.0-only
// shop.go - the shop with Go's net/http and database/sql: lib/pq or go-sql-driver/mysql (DB_KIND); prints its port.
// See truth.py for what each endpoint does.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq"
)

const (
	poolSize   = 5
	nrLines    = 12
	nrProducts = 10
)

var (
	db         *sql.DB
	postgresql = os.Getenv("DB_KIND") == "postgresql"
)

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...interface{}) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...interface{}) (sql.Result, error)
}

// request is one that is being answered: its number, where it runs its statements.
type request struct {
	ctx context.Context
	q   querier
	id  int
}

type row []string

// text puts PostgreSQL's placeholders in place of question marks.
func text(query string) string {
	if !postgresql {
		return query
	}
	parts := strings.Split(query, "?")
	var out strings.Builder
	for i, part := range parts {
		if i > 0 {
			out.WriteString("$" + strconv.Itoa(i))
		}
		out.WriteString(part)
	}
	return out.String()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func scan(rows *sql.Rows, err error) []row {
	must(err)
	defer rows.Close()
	names, err := rows.Columns()
	must(err)
	var out []row
	for rows.Next() {
		fields := make(row, len(names))
		to := make([]interface{}, len(names))
		for i := range fields {
			to[i] = &fields[i]
		}
		must(rows.Scan(to...))
		out = append(out, fields)
	}
	must(rows.Err())
	return out
}

func (r request) rows(query string, args ...interface{}) []row {
	return scan(r.q.QueryContext(r.ctx, text(query), args...))
}

func (r request) run(query string, args ...interface{}) {
	_, err := r.q.ExecContext(r.ctx, text(query), args...)
	must(err)
}

func lines(rows []row) string {
	var out strings.Builder
	for _, fields := range rows {
		out.WriteString(strings.Join(fields, " ") + "\n")
	}
	return out.String()
}

// holders is a list of n question marks.
func holders(n int) string {
	return "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
}

// column is one of rows, as arguments.
func column(rows []row, i int) []interface{} {
	out := make([]interface{}, len(rows))
	for n, fields := range rows {
		out[n] = fields[i]
	}
	return out
}

func customerName(r request, customer string) string {
	return r.rows("select c.name from bad_list__customer c where c.id = ?", customer)[0][0]
}

func listOrders(r request) string {
	var out []row
	for _, order := range r.rows("select o.id, o.customer_id from bad_list__order o where o.page = ? order by o.id", r.id) {
		out = append(out, row{order[0], customerName(r, order[1])})
	}
	return lines(out)
}

func nestedName(r request, customer string) string {
	return r.rows("select c.name from bad_nested__customer c where c.id = ?", customer)[0][0]
}

func nestedItems(r request, items *sql.Stmt, order string) string {
	var products []string
	for _, item := range scan(items.QueryContext(r.ctx, order)) {
		products = append(products, item[0])
	}
	return strings.Join(products, ",")
}

func listNested(r request) string {
	var out []row
	items, err := db.PrepareContext(r.ctx, text("select i.product_id from bad_nested__item i where i.order_id = ? order by i.id"))
	must(err)
	defer items.Close()
	for _, order := range r.rows("select o.id, o.customer_id from bad_nested__order o where o.page = ? order by o.id", r.id) {
		out = append(out, row{order[0], nestedName(r, order[1]), nestedItems(r, items, order[0])})
	}
	return lines(out)
}

func readSettings(r request) string {
	value := ""
	for i := 0; i < 10; i++ {
		value = r.rows("select s.value from bad_same__setting s where s.name = ?", "name3")[0][0]
	}
	return value
}

func writeLogs(r request) string {
	for i := 0; i < nrLines; i++ {
		r.run("insert into bad_loop__log (ref, note) values (?, ?)", i, fmt.Sprint("note ", i))
	}
	return fmt.Sprintln(nrLines)
}

func sellProducts(r request) string {
	for product := r.id * nrProducts; product < (r.id+1)*nrProducts; product++ {
		if r.rows("select p.stock from bad_pairs__stock p where p.id = ?", product)[0][0] != "0" {
			r.run("update bad_pairs__products set stock = stock - 1 where id = ?", product)
		}
	}
	return fmt.Sprintln(nrProducts)
}

func sleepLong(r request) string {
	function := map[bool]string{false: "sleep", true: "pg_sleep"}[postgresql]
	r.rows("select " + function + "(0.15) from bad_slow__sleep")
	return "slept\n"
}

func readAll(r request) string {
	return fmt.Sprintln(len(r.rows("select b.n from bad_large__n b")))
}

func listJoined(r request) string {
	return lines(r.rows("select o.id, c.name from ok_list__order o join customers c on c.id = o.customer_id"+
		" where o.page = ? order by o.id", r.id))
}

func names(rows []row) map[string]string {
	out := map[string]string{}
	for _, fields := range rows {
		out[fields[0]] = fields[1]
	}
	return out
}

func listByIn(r request) string {
	orders := r.rows("select o.id, o.customer_id from ok_in__order o where o.page = ? order by o.id", r.id)
	found := names(r.rows("select c.id, c.name from ok_in__customer c where c.id in "+holders(len(orders)), column(orders, 1)...))
	for _, order := range orders {
		order[1] = found[order[1]]
	}
	return lines(orders)
}

func nestedByIn(r request) string {
	orders := r.rows("select o.id, o.customer_id from ok_nested__order o where o.page = ? order by o.id", r.id)
	in := holders(len(orders))
	found := names(r.rows("select c.id, c.name from ok_nested__customer c where c.id in "+in, column(orders, 1)...))
	items := map[string][]string{}
	for _, item := range r.rows("select i.order_id, i.product_id from ok_nested__item i where i.order_id in "+in+" order by i.id", column(orders, 0)...) {
		items[item[0]] = append(items[item[0]], item[1])
	}
	var out []row
	for _, order := range orders {
		out = append(out, row{order[0], found[order[1]], strings.Join(items[order[0]], ",")})
	}
	return lines(out)
}

func writeBatch(r request) string {
	var args []interface{}
	for i := 0; i < nrLines; i++ {
		args = append(args, i, fmt.Sprint("note ", i))
	}
	r.run("insert into ok_batch__log (ref, note) values "+strings.TrimSuffix(strings.Repeat("(?, ?), ", nrLines), ", "), args...)
	return fmt.Sprintln(nrLines)
}

func sellAtOnce(r request) string {
	var ids []interface{}
	for i := 0; i < nrProducts; i++ {
		ids = append(ids, r.id*nrProducts+i)
	}
	r.run("update ok_pairs__products set stock = stock - 1 where stock > 0 and id in "+holders(nrProducts), ids...)
	return fmt.Sprintln(nrProducts)
}

func fourQueries(r request) string {
	out := r.rows("select c.name from ok_four__customer c where c.id = ?", r.id+1)
	out = append(out, r.rows("select o.total from ok_four__order o where o.id = ?", r.id)...)
	out = append(out, r.rows("select count(*) from ok_four__item i where i.order_id = ?", r.id)...)
	return lines(append(out, r.rows("select p.name from ok_four__product p where p.id = ?", r.id)...))
}

func fewQueries(r request) string {
	var out []row
	for i := 1; i <= 4; i++ {
		out = append(out, r.rows("select c.name from ok_few__customer c where c.id = ?", r.id+i)...)
	}
	return lines(out)
}

func onePage(r request) string {
	total := r.rows("select count(*) from ok_page__total o")[0][0]
	orders := r.rows("select o.id, o.total from ok_page__order o order by o.id limit 20 offset ?", r.id*20)
	return fmt.Sprintf("%d of %s\n", len(orders), total)
}

func readConfig(r request) string {
	for i := 0; i < 3; i++ {
		r.rows("select s.value from ok_config__setting s where s.name = ?", fmt.Sprint("name", i))
	}
	return fmt.Sprintln(3 + len(r.rows("select s.name, s.value from ok_config__all s where s.name like ?", "name%")))
}

func sellOne(r request) string {
	tx, err := db.BeginTx(r.ctx, nil)
	must(err)
	defer tx.Rollback()
	in := request{r.ctx, tx, r.id}
	in.rows("select o.id from ok_tx__order o where o.id = ?", r.id)
	in.run("update ok_tx__products set stock = stock - 1 where id = ?", r.id)
	in.run("insert into ok_tx__log (ref, note) values (?, ?)", r.id, "sold")
	in.rows("select i.qty from ok_tx__item i where i.order_id = ?", r.id)
	must(tx.Commit())
	return "sold\n"
}

func makeNoise(r request) string {
	conn, err := db.Conn(r.ctx) // settings are a connection's
	must(err)
	defer conn.Close()
	on := request{r.ctx, conn, r.id}
	for i := 0; i < 6; i++ {
		if postgresql {
			on.run(fmt.Sprintf("set ok_noise__set.a = '%d'", i))
			on.rows("show ok_noise__set.a")
		} else {
			on.run(fmt.Sprintf("set @ok_noise__set = %d", i))
			on.rows("show variables like 'ok_noise__set'")
		}
		tx, err := conn.BeginTx(r.ctx, nil)
		must(err)
		must(tx.Commit())
	}
	return lines(on.rows("select o.id from ok_noise__order o where o.id = ?", r.id))
}

func readCatalog(r request) string {
	query := "select ok_catalog__oid.table_name from information_schema.tables ok_catalog__oid where ok_catalog__oid.table_name = ?"
	if postgresql {
		query = "select ok_catalog__oid.oid from pg_catalog.pg_class ok_catalog__oid where ok_catalog__oid.relname = ?"
	}
	tables := []string{"customers", "orders", "items", "products", "settings", "big", "tables", "columns"}
	for _, table := range tables {
		r.rows(query, table)
	}
	return fmt.Sprintln(len(tables))
}

func sayEmpty(request) string { return "empty\n" }

var routes = map[string]func(request) string{
	"/bad/list": listOrders, "/bad/nested": listNested, "/bad/same": readSettings, "/bad/loop": writeLogs, "/bad/pairs": sellProducts,
	"/bad/slow": sleepLong, "/bad/large": readAll, "/ok/list": listJoined, "/ok/in": listByIn, "/ok/nested": nestedByIn,
	"/ok/batch": writeBatch, "/ok/pairs": sellAtOnce, "/ok/four": fourQueries, "/ok/few": fewQueries, "/ok/page": onePage,
	"/ok/config": readConfig, "/ok/tx": sellOne, "/ok/noise": makeNoise, "/ok/catalog": readCatalog, "/ok/empty": sayEmpty,
}

func answer(w http.ResponseWriter, req *http.Request) {
	parts := strings.Split(req.URL.Path, "/")
	id := 0
	if len(parts) > 3 {
		id, _ = strconv.Atoi(parts[3])
		parts = parts[:3]
	}
	route := routes[strings.Join(parts, "/")]
	if route == nil {
		http.NotFound(w, req)
		return
	}
	io.WriteString(w, route(request{req.Context(), db, id}))
}

func open() (*sql.DB, error) {
	host, port, user, pass, name := os.Getenv("DB_HOST"), os.Getenv("DB_PORT"), os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD"), os.Getenv("DB_NAME")
	if postgresql {
		return sql.Open("postgres", fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=%s sslmode=disable", host, port, user, pass, name))
	}
	return sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%s)/%s", user, pass, host, port, name))
}

func main() {
	var err error
	db, err = open()
	must(err)
	db.SetMaxOpenConns(poolSize)
	db.SetMaxIdleConns(poolSize)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, http.HandlerFunc(answer)))
}
