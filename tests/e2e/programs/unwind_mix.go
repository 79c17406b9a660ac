// SPDX-License-Identifier: GPL-2.0-only
// unwind_mix.go - never ends; goroutines that sort, format, look things up, recurse, panic and recover.
package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

type shape interface{ area(n uint64) uint64 }
type square struct{}
type tree struct{ left, right shape }

func (square) area(n uint64) uint64 { return n * n }
func (t tree) area(n uint64) uint64 { return t.left.area(n+1) + t.right.area(n+2) }

func grow(depth int) shape {
	if depth == 0 {
		return square{}
	}
	return tree{grow(depth - 1), grow(depth - 1)}
}

func thrower(depth int) {
	defer func() { recover() }()
	if depth == 0 {
		panic("thrown")
	}
	thrower(depth - 1)
}

func work(sink chan<- uint64) {
	pattern := regexp.MustCompile(`(a|aa)*c`)
	for seed := uint64(1); ; {
		numbers := make([]int, 5000)
		for i := range numbers {
			seed = seed*6364136223846793005 + 1442695040888963407
			numbers[i] = int(seed >> 33)
		}
		sort.Slice(numbers, func(a, b int) bool { return numbers[a] < numbers[b] })
		names := map[string]int{}
		for _, n := range numbers[:500] {
			names[fmt.Sprint(n)] = n
		}
		text, _ := json.Marshal(names)
		json.Unmarshal(text, &names)
		pattern.MatchString(strings.Repeat("a", 30) + "b")
		thrower(20)
		sink <- grow(8).area(seed)
	}
}

func main() {
	sink := make(chan uint64)
	go work(sink)
	go work(sink)
	var sum uint64
	for n := range sink {
		sum += n
	}
	fmt.Println(sum)
}
