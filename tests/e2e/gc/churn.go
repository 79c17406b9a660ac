// SPDX-License-Identifier: GPL-2.0-only

// churn.go - makes garbage and keeps some of it for a while; tells what the runtime says of its collections: their number, the sum
// of their pauses and the longest.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

var kept [][]byte

func main() {
	var stats runtime.MemStats
	var longest uint64

	for turn := 0; turn < 600; turn++ {
		for i := 0; i < 500; i++ {
			kept = append(kept, make([]byte, 2000))
		}
		if len(kept) > 5000 {
			kept = kept[4000:]
		}
	}
	debug.SetGCPercent(-1) // no more
	runtime.GC()
	runtime.ReadMemStats(&stats)
	for _, pause := range stats.PauseNs {
		if pause > longest {
			longest = pause
		}
	}
	fmt.Println(stats.NumGC, stats.PauseTotalNs, longest)
}
