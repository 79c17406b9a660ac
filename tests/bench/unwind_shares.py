# SPDX-License-Identifier: GPL-2.0-only
"""unwind_shares.py - how many user stacks of `sonde cpu` are whole: of servers as the distribution builds them, and of programs of
each language compiled without frame pointers.

usage: unwind_shares.py [-s SECONDS] [NAME...]      (postgres mariadbd redis nginx python3 c++ go rust)

One line each: samples, the share of the weight whose walk reached the first function, how the others ended. Needs root.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time

import workloads
from workloads import pg

CPP = r"""
#include <algorithm>
#include <map>
#include <string>
#include <vector>
struct Base { virtual ~Base() {} virtual long work(long n) = 0; };
struct Maps : Base { long work(long n) override { std::map<std::string, long> m; for (long i = 0; i < n; i++) m[std::to_string(i * 7919 % n)] += i;
  long s = 0; for (auto &e : m) s += e.second; return s; } };
struct Sorts : Base { long work(long n) override { std::vector<std::string> v; for (long i = 0; i < n; i++) v.push_back(std::to_string(i * 7919 % n));
  std::sort(v.begin(), v.end(), [](const std::string &a, const std::string &b) { return b < a; }); try { throw v.size(); } catch (size_t n) { return n; } } };
int main() { Maps m; Sorts s; Base *all[] = { &m, &s }; long sum = 0; for (long i = 0;; i++) { sum += all[i & 1]->work(2000); if (sum == 1) return 1; } }
"""
GO = r"""
package main
import ("sort"; "strings"; "strconv")
func work(n int) int { m := map[string]int{}; for i := 0; i < n; i++ { m[strconv.Itoa(i*7919%n)] += i }
  k := make([]string, 0, n); for s := range m { k = append(k, s) }; sort.Strings(k); return len(strings.Join(k, ",")) }
func main() { for i := 0; i < 1; { if work(2000) == 1 { i++ } } }
"""
RUST = r"""
use std::collections::BTreeMap;
fn work(n: u64) -> u64 { let mut m = BTreeMap::new(); for i in 0..n { *m.entry((i * 7919 % n).to_string()).or_insert(0u64) += i; }
  let mut v: Vec<_> = m.into_iter().collect(); v.sort_by(|a, b| b.1.cmp(&a.1)); v.iter().map(|e| e.1).sum() }
fn main() { loop { if work(2000) == 1 { return; } } }
"""
PYTHON = "import json\nwhile True: json.loads(json.dumps([{'a': i, 'b': str(i)} for i in range(500)])); sorted(map(str, range(500)))"


ENDLESS = 100000000


class Program:
    """A program of its own, built from @source by @command, which gets the source's name and the program's."""

    def __init__(self, directory, source, suffix, *command):
        file, self.path = os.path.join(directory, "main" + suffix), os.path.join(directory, "program")
        with open(file, "w", encoding="ascii") as out:
            out.write(source)
        env = dict(os.environ, GOCACHE=directory + "/cache", GOPATH=directory + "/go")
        subprocess.run([*command, self.path, file], check=True, cwd=directory, env=env)

    def argv(self):
        return [self.path]


def measure(seconds, *options):
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run([pg.SONDE, "cpu", "-F", "499", "-d", str(seconds), "-o", "json", "--output", out.name, *options], check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return json.load(open(out.name, encoding="utf-8"))["stacks"]


def with_server(load, comm, seconds):
    """@load: the workload of workloads.py that keeps the server's processes @comm busy"""
    load = next(w for w in workloads.WORKLOADS if w.name == load)
    server = load.server()
    client = None
    try:
        client = subprocess.Popen(load.client(server, ENDLESS), env=load.env(server), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        return measure(seconds, "-c", comm)
    finally:
        if client:
            client.kill()
            client.wait()
        server.stop()


def with_program(argv, seconds):
    run = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        return measure(seconds, "-p", str(run.pid))
    finally:
        run.kill()
        run.wait()


def main():
    parser = argparse.ArgumentParser(description="share of whole stacks")
    parser.add_argument("-s", type=int, default=4, dest="seconds")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    servers = {"postgres": ("pg-simple-unix", "postgres"), "mariadbd": ("mysql-text-unix", "mariadbd"),
               "redis": ("redis-get", "redis-server"), "nginx": ("http", "nginx")}
    compiled = {"c++": (CPP, ".cc", "g++", "-O2", "-fomit-frame-pointer", "-o"), "go": (GO, ".go", "go", "build", "-o"),
                "rust": (RUST, ".rs", "rustc", "-O", "-C", "force-frame-pointers=no", "-o")}
    print("%-10s %9s %9s  %s" % ("", "samples", "complete", "others end"))
    for name in args.names or [*servers, "python3", *compiled]:
        directory = tempfile.mkdtemp(prefix="shares.")
        try:
            if name in servers:
                stacks = with_server(*servers[name], args.seconds)
            elif name == "python3":
                stacks = with_program(["/usr/bin/python3", "-c", PYTHON], args.seconds)
            elif not shutil.which(compiled[name][2]):
                print("%-10s skipped: needs %s" % (name, compiled[name][2]))
                continue
            else:
                source, suffix, *command = compiled[name]
                stacks = with_program(Program(directory, source, suffix, *command).argv(), args.seconds)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        whole = max(stacks["user_weight"], 1)
        ends = ", ".join("%s %.1f%%" % (why, 100 * weight / whole) for why, weight in sorted(stacks.get("ends", {}).items()) if why != "complete")
        print("%-10s %9d %8.1f%%  %s" % (name, stacks["count"], 100 * stacks["complete_weight"] / whole, ends),
              flush=True)


if __name__ == "__main__":
    main()
