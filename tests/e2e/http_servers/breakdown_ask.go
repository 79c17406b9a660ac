// SPDX-License-Identifier: GPL-2.0-only
// breakdown_ask.go - a server in Go whose requests ask two others, one after the other, with 5 ms between; prints its port.
//
// usage: breakdown_ask URL URL    answers with the ns that each took; /first asks the first alone
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

var client = &http.Client{
	Timeout: 20 * time.Second,
	Transport: &http.Transport{
		MaxIdleConnsPerHost: 16,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
	},
}

func ask(url string) int64 {
	begin := time.Now()
	answer, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return time.Since(begin).Nanoseconds()
}

func main() {
	http.HandleFunc("/first", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "[%d]", ask(os.Args[1]+"/price/7"))
	})
	http.HandleFunc("/both", func(w http.ResponseWriter, r *http.Request) {
		first := ask(os.Args[1] + "/price/7")
		time.Sleep(5 * time.Millisecond)
		fmt.Fprintf(w, "[%d,%d]", first, ask(os.Args[2]+"/stock/7"))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, nil))
}
