// SPDX-License-Identifier: GPL-2.0-only
// breakdown_turns.go - a server in Go whose requests execute for a known time, between others of the same threads; prints its port.
//
// /burn executes for 20 ms, sleeps 10 ms in a system call, executes again, and is parked for 10 ms; answers with the ns of CPU that its
// threads have counted. Two goroutines that handle no request take turns with it.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const threadClock = 3 // CLOCK_THREAD_CPUTIME_ID

func cpu() int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// On one thread, which runs nothing else meanwhile: its clock is the goroutine's.
func burn(span time.Duration) int64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin := cpu()
	for cpu() < begin+span.Nanoseconds() {
	}
	return cpu() - begin
}

func others() {
	for {
		for begin := time.Now(); time.Since(begin) < 500*time.Microsecond; {
		}
		runtime.Gosched()
	}
}

func main() {
	http.HandleFunc("/burn", func(w http.ResponseWriter, r *http.Request) {
		spent := burn(20 * time.Millisecond)
		nap := syscall.NsecToTimespec(int64(10 * time.Millisecond))
		syscall.Nanosleep(&nap, nil)
		spent += burn(20 * time.Millisecond)
		time.Sleep(10 * time.Millisecond)
		fmt.Fprintf(w, "%d", spent)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go others()
	go others()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, nil))
}
