# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_doctor.py - sonde doctor --pid: what it says of processes whose libraries and surroundings the test has chosen."""

import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
O = os.path.abspath(os.environ.get("O", os.path.join(TOP, "build")))
SONDE = os.path.abspath(os.environ.get("SONDE", os.path.join(O, "sonde")))
PYTHON = "/usr/bin/python3"
READY = "\nprint('ready', flush=True)\nimport sys\nsys.stdin.read()\n"

GO = """package main
import ("crypto/tls"; "fmt"; "os")
func main() {
	if len(os.Args) > 1 { c, err := tls.Dial("tcp", os.Args[1], nil); fmt.Println(c, err) }
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
"""

C_OPENSSL = """#include <stdio.h>
#include <openssl/ssl.h>
int main(int argc, char **argv)
{
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	if (argc > 1)
		printf("%d %d", SSL_read(ssl, argv[1], 1), SSL_write(ssl, argv[1], 1));
	puts("ready");
	fflush(stdout);
	return getchar();
}
"""


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    if not os.access(SONDE, os.X_OK):
        raise unittest.SkipTest("there is no %s: build it first" % SONDE)


def doctor(*args, **kwargs):
    return subprocess.run([SONDE, "doctor", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, **kwargs)


class TestCase(unittest.TestCase):
    maxDiff = None

    def start(self, command, **kwargs):
        """A process that has said that it is ready; it ends with the test."""
        proc = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **kwargs)
        self.addCleanup(proc.communicate)
        self.addCleanup(proc.kill)
        self.assertIn("ready", proc.stdout.readline())
        return proc

    def python(self, script, **kwargs):
        return self.start([PYTHON, "-c", script + READY], **kwargs)

    def look(self, pid):
        done = doctor("-p", str(pid), "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual((document["schema"], len(document["processes"])), ("sonde-doctor/1", 1))
        return document["processes"][0]

    def one(self, process, name):
        found = [item for item in process["libraries"] if item["name"] == name]
        self.assertEqual(len(found), 1, json.dumps(process["libraries"], indent=1)[:3000])
        return found[0]

    def tmp(self):
        tmp = tempfile.TemporaryDirectory(prefix="doctor.")
        self.addCleanup(tmp.cleanup)
        return tmp.name

    def build(self, *command, **kwargs):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
        if done.returncode:
            self.skipTest("cannot build here: %s: %s" % (" ".join(command), done.stdout.strip().split("\n")[-1]))


class Libraries(TestCase):
    def test_libraries_of_a_program(self):
        """Every library is where the process has it mapped; each function's first instruction is where the file has it."""
        proc = self.python("import ssl, sqlite3")
        process = self.look(proc.pid)
        with open("/proc/%d/maps" % proc.pid) as maps:
            mapped = {line.split(None, 5)[5].strip() for line in maps if line.count("/")}
        for name, pattern in (("OpenSSL", "libssl"), ("SQLite", "libsqlite3")):
            item = self.one(process, name)
            self.assertIn(item["path"], mapped)
            self.assertIn(pattern, item["path"])
            self.assertTrue(item["read"], item)
            self.assertFalse(item["deleted"] or item["in_program"], item)
            notes = subprocess.run(["readelf", "-n", item["path"]], stdout=subprocess.PIPE, text=True).stdout
            self.assertIn(item["build_id"], notes)
            self.assertTrue(item["probes"])
            for probe in item["probes"]:
                self.assertNotIn("error", probe)
                self.assertGreater(probe["cost_ns"], 100)
        functions = {p["function"].split(" ")[0] for p in self.one(process, "SQLite")["probes"]}
        self.assertTrue({"sqlite3_step", "sqlite3_reset", "sqlite3_finalize"} <= functions, functions)
        functions = {p["function"].split(" ")[0] for p in self.one(process, "OpenSSL")["probes"]}
        self.assertTrue({"SSL_read", "SSL_write"} <= functions, functions)
        version = ".".join(map(str, sys.version_info[:2])) if sys.executable == PYTHON else None
        self.assertEqual(self.one(process, "Python")["version"], version or self.one(process, "Python")["version"])
        self.assertEqual((process["process"], process["traced"], process["bits"]), ("python3", True, 64))
        self.assertEqual((process["other_namespaces"], process["io_uring"]), ([], 0))

    def test_client_library(self):
        if not glob.glob("/usr/lib/*/libpq.so.5"):
            self.skipTest("needs libpq")
        process = self.look(self.python("import ctypes; ctypes.CDLL('libpq.so.5')").pid)
        self.assertIn("PostgreSQL", self.one(process, "libpq")["reason"])

    def test_client_library_of_a_wheel(self):
        """Python's wheels bring their own copies, with a hash in the name."""
        found = glob.glob("/usr/lib/*/libpq.so.5")
        if not found:
            self.skipTest("needs libpq")
        copy = os.path.join(self.tmp(), "libpq-e8a033dd.so.5.15")
        shutil.copy(found[0], copy)
        process = self.look(self.python("import ctypes; ctypes.CDLL(%r)" % copy).pid)
        self.assertEqual(self.one(process, "libpq")["path"], copy)

    def test_nothing(self):
        proc = self.start(["/bin/sh", "-c", "echo ready; read x"])
        process = self.look(proc.pid)
        self.assertEqual([item for item in process["libraries"] if item["kind"] != "runtime"], [])
        text = doctor("-p", str(proc.pid)).stdout
        self.assertIn("no library found: if the process uses TLS", text)
        self.assertIn("Process %d: sh" % proc.pid, text)

    def test_deleted_library(self):
        found = glob.glob("/usr/lib/*/libsqlite3.so.0")
        if not found:
            self.skipTest("needs libsqlite3")
        copy = os.path.join(self.tmp(), "libsqlite3.so.0")
        shutil.copy(found[0], copy)
        proc = self.python("import ctypes; ctypes.CDLL(%r)\nimport os; os.unlink(%r)" % (copy, copy))
        item = self.one(self.look(proc.pid), "SQLite")
        self.assertTrue(item["deleted"] and item["read"], item)
        self.assertEqual(item["path"], copy)
        self.assertIn("(deleted: ", doctor("-p", str(proc.pid)).stdout)

    def test_go(self):
        if not shutil.which("go"):
            self.skipTest("needs go")
        tmp = self.tmp()
        with open(os.path.join(tmp, "t.go"), "w") as file:
            file.write(GO)
        env = dict(os.environ, GO111MODULE="off", CGO_ENABLED="0")
        version = subprocess.run(["go", "env", "GOVERSION"], stdout=subprocess.PIPE, text=True).stdout.strip()
        for options in ([], ["-ldflags=-s -w"]):
            with self.subTest(options=options):
                self.build("go", "build", *options, "-o", "t", "t.go", cwd=tmp, env=env)
                process = self.look(self.start([os.path.join(tmp, "t")]).pid)
                item = self.one(process, "Go crypto/tls")
                self.assertTrue(item["read"] and item["in_program"], item)
                self.assertEqual((item["version"], item["symbols"]), (version, not options))
                self.assertEqual(self.one(process, "Go")["version"], version)
                several = {p["function"].split(".")[-1]: p["points"] > 1 for p in item["probes"]}
                self.assertEqual(several, {"Read": True, "Write": True, "Close": False, "execute": False, "schedule": False}, item)
                # No return of these is probed.
                self.assertEqual(len({p["cost_ns"] for p in item["probes"] if p["points"] == 1 and p["cost"] == "emulated"}), 1, item)

    def test_linked_in_openssl(self):
        tmp = self.tmp()
        with open(os.path.join(tmp, "t.c"), "w") as file:
            file.write(C_OPENSSL)
        self.build("gcc", "-o", "t", "t.c", "-l:libssl.a", "-l:libcrypto.a", "-ldl", "-lpthread", cwd=tmp)
        program = os.path.join(tmp, "t")
        item = self.one(self.look(self.start([program]).pid), "OpenSSL")
        self.assertTrue(item["read"] and item["in_program"] and item["symbols"], item)
        self.build("strip", "-o", program + "2", program)
        item = self.one(self.look(self.start([program + "2"]).pid), "OpenSSL")
        self.assertFalse(item["read"], item)
        self.assertIn("stripped", item["reason"])

    def test_node(self):
        if not shutil.which("node"):
            self.skipTest("needs node")
        proc = self.start(["node", "-e", "console.log('ready'); process.stdin.resume()"])
        process = self.look(proc.pid)
        version = subprocess.run(["node", "-p", "process.versions.node + ' ' + process.versions.modules"],
                                 stdout=subprocess.PIPE, text=True).stdout.split()
        self.assertIn(self.one(process, "Node.js")["version"], (version[0], "ABI " + version[1]))
        self.assertTrue(self.one(process, "OpenSSL")["read"])

    def test_java(self):
        if not shutil.which("java") or not shutil.which("jshell"):
            self.skipTest("needs a JDK")
        tmp = self.tmp()
        with open(os.path.join(tmp, "T.java"), "w") as file:
            file.write("public class T { public static void main(String[] a) throws Exception {"
                       " System.out.println(\"ready\"); System.in.read(); } }")
        process = self.look(self.start(["java", os.path.join(tmp, "T.java")]).pid)
        version = subprocess.run(["java", "-version"], stderr=subprocess.PIPE, text=True).stderr
        self.assertIn('"%s' % self.one(process, "Java")["version"], version)
        item = self.one(process, "Java JSSE")
        self.assertFalse(item["read"], item)


class Surroundings(TestCase):
    def test_namespaces(self):
        if not shutil.which("unshare"):
            self.skipTest("needs unshare")
        proc = self.start(["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", "echo ready; read x; true"])
        with open("/proc/%d/task/%d/children" % (proc.pid, proc.pid)) as file:
            child = int(file.read().split()[0])
        process = self.look(child)
        self.assertEqual(process["other_namespaces"], ["mnt", "pid"])
        self.assertEqual(process["inner_pid"], 1)
        self.assertIn("it is process 1 there", doctor("-p", str(child)).stdout)

    def test_io_uring(self):
        script = ("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                  "fd = libc.syscall(425, 8, ctypes.create_string_buffer(120))\n"
                  "print('ready' if fd >= 0 else 'ready none', flush=True)\nimport sys\nsys.stdin.read()\n")
        proc = subprocess.Popen([PYTHON, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(proc.communicate)
        self.addCleanup(proc.kill)
        if "none" in proc.stdout.readline():
            self.skipTest("this kernel has no io_uring")
        self.assertEqual(self.look(proc.pid)["io_uring"], 1)
        self.assertRegex(doctor("-p", str(proc.pid)).stdout, r"io_uring +1 open: ")

    @unittest.skipUnless(os.uname().machine == "x86_64", "needs x86-64")
    def test_32_bit_program(self):
        """write(1, "ready\\n", 6); pause() for ever: a program of its own making."""
        code = (b"\xb8\4\0\0\0\xbb\1\0\0\0\xb9\x00\x81\x04\x08\xba\6\0\0\0\xcd\x80"  # mov eax..edx; int 0x80
                b"\xb8\x1d\0\0\0\xcd\x80\xeb\xf7")
        head = b"\x7fELF\1\1\1" + b"\0" * 9 + struct.pack("<2H5I6H", 2, 3, 1, 0x08048054, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        head += struct.pack("<8I", 1, 0, 0x08048000, 0x08048000, 0x106, 0x106, 5, 0x1000)
        path = os.path.join(self.tmp(), "t")
        with open(path, "wb") as file:
            file.write((head + code).ljust(0x100, b"\0") + b"ready\n")
        os.chmod(path, 0o755)
        try:
            proc = self.start([path])
        except (OSError, AssertionError) as e:
            self.skipTest("this kernel runs no 32-bit programs: %s" % e)
        process = self.look(proc.pid)
        self.assertEqual((process["bits"], process["traced"]), (32, False))
        self.assertIn("32 bits: not traced", doctor("-p", str(proc.pid)).stdout)

    def test_no_such_process(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        done = doctor("-p", str(gone.pid))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no process %d" % gone.pid, done.stderr)
        done = doctor("-p", "x")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(doctor("-o", "json").returncode, 2)

    def test_several(self):
        a, b = self.python(""), self.python("")
        done = doctor("-p", "%d,%d" % (a.pid, b.pid), "-o", "json")
        self.assertEqual([p["pid"] for p in json.loads(done.stdout)["processes"]], [a.pid, b.pid])
        done = doctor("-p", str(a.pid), "-p", str(b.pid))
        self.assertEqual(len(re.findall("^Process ", done.stdout, re.M)), 2)

    def test_thread_of_the_kernel(self):
        with open("/proc/2/comm") as file:
            self.assertEqual(file.read(), "kthreadd\n")
        process = self.look(2)
        self.assertEqual((process["traced"], process["libraries"]), (False, []))
        self.assertIn("a thread of the kernel", doctor("-p", "2").stdout)

    def test_without_privilege(self):
        proc = self.python("")
        tmp = self.tmp()
        copy = os.path.join(tmp, "sonde")
        shutil.copy(SONDE, copy)
        os.chmod(tmp, 0o755)
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy, "doctor", "-p",
                               str(proc.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("run as root", done.stderr)


if __name__ == "__main__":
    unittest.main()
