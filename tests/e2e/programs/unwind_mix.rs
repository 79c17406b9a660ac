// SPDX-License-Identifier: GPL-2.0-only
// unwind_mix.rs - never ends; spends its time in closures, trait objects, iterators, formatting, panics that are caught.
use std::collections::{BTreeMap, HashMap};
use std::panic;

trait Shape {
    fn area(&self, n: u64) -> u64;
}

struct Square;
struct Tree(Box<dyn Shape>, Box<dyn Shape>);

impl Shape for Square {
    fn area(&self, n: u64) -> u64 {
        n.wrapping_mul(n)
    }
}

impl Shape for Tree {
    fn area(&self, n: u64) -> u64 {
        self.0.area(n + 1).wrapping_add(self.1.area(n + 2))
    }
}

fn grow(depth: u32) -> Box<dyn Shape> {
    if depth == 0 {
        return Box::new(Square);
    }
    Box::new(Tree(grow(depth - 1), grow(depth - 1)))
}

fn fib(n: u32, f: &dyn Fn(u32) -> u32) -> u32 {
    if n < 2 { f(n) } else { fib(n - 1, f) + fib(n - 2, f) }
}

fn main() {
    panic::set_hook(Box::new(|_| ()));
    let mut seed: u64 = 1;
    let mut sink: u64 = 0;
    loop {
        let mut numbers: Vec<u64> = (0..5000)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed
            })
            .collect();
        numbers.sort_by(|a, b| b.cmp(a));
        numbers.sort_by_key(|n| n.to_string());
        let names: HashMap<String, u64> = numbers.iter().take(500).map(|n| (format!("{:?}", n), *n)).collect();
        let ordered: BTreeMap<&String, &u64> = names.iter().collect();
        sink = sink.wrapping_add(ordered.len() as u64).wrapping_add(grow(8).area(seed));
        sink = sink.wrapping_add(fib(18, &|n| n) as u64);
        for i in 0..20 {
            let caught = panic::catch_unwind(|| if i >= 0 { panic!("{}", i) });
            sink = sink.wrapping_add(caught.is_err() as u64);
        }
        if sink == 42 {
            println!("{}", sink);
        }
    }
}
