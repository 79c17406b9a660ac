// SPDX-License-Identifier: GPL-2.0-only
// breakdown_park.go - a server in Go whose handler waits in each of the ways that the runtime has; prints its port.
//
// /park answers for how long it has waited, in nanoseconds, by kind.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const span = 12 * time.Millisecond

var listener net.Listener

// Does it in another goroutine after a span.
func after(do func()) {
	ready := make(chan bool)
	go func() {
		ready <- true
		time.Sleep(span)
		do()
	}()
	<-ready
}

func sleep() { time.Sleep(span) }

func mutex() {
	var m sync.Mutex
	m.Lock()
	after(m.Unlock)
	m.Lock()
}

func reader() {
	var m sync.RWMutex
	m.Lock()
	after(m.Unlock)
	m.RLock()
}

func writer() {
	var m sync.RWMutex
	m.RLock()
	after(m.RUnlock)
	m.Lock()
}

func receive() {
	c := make(chan int)
	after(func() { c <- 1 })
	<-c
}

func send() {
	c := make(chan int)
	after(func() { <-c })
	c <- 1
}

func choose() {
	a, b := make(chan int), make(chan int)
	after(func() { b <- 1 })
	select {
	case <-a:
	case <-b:
	}
}

func timer() { <-time.After(span) }

func group() {
	var g sync.WaitGroup
	g.Add(1)
	after(g.Done)
	g.Wait()
}

func cond() {
	var m sync.Mutex
	c := sync.NewCond(&m)
	m.Lock()
	after(c.Broadcast)
	c.Wait()
}

// No protocol that is known, and nobody is asked.
func socket() {
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	var b [1]byte
	conn.Read(b[:])
}

func serve() {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			time.Sleep(span)
			conn.Write([]byte{1})
			conn.Close()
		}()
	}
}

func burn() {
	for end := time.Now().Add(5 * time.Millisecond); time.Now().Before(end); {
	}
}

var ways = map[string][]func(){
	"sleep":   {sleep},
	"lock":    {mutex, reader, writer},
	"channel": {receive, send, choose, timer, group, cond},
	"sockets": {socket},
	"cpu":     {burn},
}

func handle(w http.ResponseWriter, r *http.Request) {
	took := map[string]int64{}
	for kind, does := range ways {
		for _, do := range does {
			begin := time.Now()
			do()
			took[kind] += int64(time.Since(begin))
		}
	}
	json.NewEncoder(w).Encode(took)
}

func main() {
	var err error
	if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		panic(err)
	}
	go serve()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(front.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("/park", handle)
	http.Serve(front, nil)
}
