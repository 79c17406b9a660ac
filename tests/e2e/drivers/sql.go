// SPDX-License-Identifier: GPL-2.0-only
// sql.go - the drivers' workload with Go's database/sql: lib/pq or go-sql-driver/mysql (DB_KIND). See test_drivers.py.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq"
)

type told struct {
	Count  int     `json:"count"`
	Rows   int64   `json:"rows"`
	Errors int     `json:"errors"`
	Ns     []int64 `json:"ns"`
}

var done = map[string]*told{}

func run(kind string, call func() (int64, error)) {
	t := done[kind]
	if t == nil {
		t = &told{}
		done[kind] = t
	}
	begin := time.Now()
	rows, err := call()
	t.Ns = append(t.Ns, time.Since(begin).Nanoseconds())
	t.Count++
	t.Rows += rows
	if err != nil {
		t.Errors++
	}
}

func count(rows *sql.Rows, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := int64(0)
	for rows.Next() {
		n++
	}
	return n, rows.Err()
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func open() (*sql.DB, error) {
	host, port, user, pass, name := os.Getenv("DB_HOST"), os.Getenv("DB_PORT"), os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD"), os.Getenv("DB_NAME")
	tls := os.Getenv("DB_TLS") == "1"
	if os.Getenv("DB_KIND") == "postgresql" {
		mode := map[bool]string{false: "disable", true: "require"}[tls]
		return sql.Open("postgres", fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=%s sslmode=%s", host, port, user, pass, name, mode))
	}
	mode := map[bool]string{false: "false", true: "skip-verify"}[tls]
	return sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%s)/%s?tls=%s", user, pass, host, port, name, mode))
}

// holders puts PostgreSQL's placeholders in place of question marks.
func holders(text string) string {
	if os.Getenv("DB_KIND") != "postgresql" {
		return text
	}
	for i := 1; strings.Contains(text, "?"); i++ {
		text = strings.Replace(text, "?", "$"+strconv.Itoa(i), 1)
	}
	return text
}

func main() {
	rounds, err := strconv.Atoi(os.Getenv("DB_ROUNDS"))
	must(err)
	db, err := open()
	must(err)
	db.SetMaxOpenConns(1)
	for i := 0; i < rounds; i++ {
		run("text", func() (int64, error) {
			return count(db.Query(fmt.Sprintf("SELECT name, qty FROM drv_items WHERE id = %d", i%100+1)))
		})
	}
	stmt, err := db.Prepare(holders("SELECT qty FROM drv_items WHERE id = ? AND qty >= ?"))
	must(err)
	for i := 0; i < rounds; i++ {
		run("prepared", func() (int64, error) { return count(stmt.Query(i%100+1, 0)) })
	}
	must(stmt.Close())
	tx, err := db.Begin()
	must(err)
	for i := 0; i < 20; i++ {
		run("insert", func() (int64, error) {
			return affected(tx.Exec(holders("INSERT INTO drv_log (id, note) VALUES (?, ?)"), i, fmt.Sprintf("note %d", i)))
		})
	}
	must(tx.Commit())
	run("failing", func() (int64, error) { return count(db.Query("SELECT nope FROM drv_missing")) })
	run("many", func() (int64, error) { return count(db.Query(holders("SELECT id, name FROM drv_items WHERE id <= ?"), 50)) })
	must(db.Close())
	must(json.NewEncoder(os.Stdout).Encode(done))
}
