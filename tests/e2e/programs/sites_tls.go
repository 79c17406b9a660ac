// SPDX-License-Identifier: GPL-2.0-only
// sites_tls.go - two goroutines that take turns on one thread, each with a connection and a loop of its own.
package main

import (
	"database/sql"
	_ "github.com/lib/pq"
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

//go:noinline
func first(tx *sql.Tx, i int) error {
	_, err := tx.Exec("select id from site where id = " + strconv.Itoa(i))
	return err
}

//go:noinline
func second(tx *sql.Tx, i int) error {
	_, err := tx.Exec("select count(*) from site where id = " + strconv.Itoa(i))
	return err
}

func repeat(send func(*sql.Tx, int) error, done *sync.WaitGroup) {
	db, err := sql.Open("postgres", os.Args[1])
	var tx *sql.Tx
	if err == nil {
		tx, err = db.Begin()
	}
	for i := 1; i <= 10 && err == nil; i++ {
		err = send(tx, i)
	}
	if err != nil {
		panic(err)
	}
	tx.Commit()
	db.Close()
	done.Done()
}

// On one processor, with all threads that are made from now on.
func pin() {
	mask := uint64(1)
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, 8, uintptr(unsafe.Pointer(&mask)))
}

func main() {
	pin()
	var done sync.WaitGroup
	done.Add(2)
	go repeat(first, &done)
	go repeat(second, &done)
	done.Wait()
}
