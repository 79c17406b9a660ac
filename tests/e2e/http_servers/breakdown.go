// SPDX-License-Identifier: GPL-2.0-only
// breakdown.go - a server in Go whose requests wait 30 ms for a database and 20 ms for a timer; prints its port.
package main

import (
	"database/sql"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	_ "github.com/lib/pq"
)

func main() {
	db, err := sql.Open("postgres", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/go", func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		if _, err := db.Exec("select pg_sleep(0.03)"); err != nil {
			log.Fatal(err)
		}
		query := time.Since(begin)
		time.Sleep(20 * time.Millisecond)
		fmt.Fprintf(w, "%d", query.Nanoseconds())
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, nil))
}
