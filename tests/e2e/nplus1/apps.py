# SPDX-License-Identifier: GPL-2.0-only
"""apps.py - starts the shops of this directory, each on a database of its own, and asks their endpoints.

A shop is a Server (it answers HTTP) or a Job (it runs and ends); its class says how it is started, `table` what it does wrong.
"""

import atexit
import collections
import http.client
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import pg  # noqa: E402
import truth  # noqa: E402

BUILT = os.path.join(pg.O, "tests/e2e/nplus1")
PYTHON = "/usr/bin/python3"  # for which the distribution's packages are
WORKERS = 2
TIMEOUT = 30 * pg.PATIENCE


class Program:
    """@system: of the database; @table: truth; @needs: files that must be there, else skipped."""

    name = ""
    system = "postgresql"
    table = truth.SHOP
    needs = ()
    environment = {}
    sites = {}  # {marker: functions of which a call site must name one}
    sites_sure = True  # False: a call site may be missing, but must not be wrong

    def __init__(self, databases):
        for need in self.needs:
            if not os.path.exists(need) and not shutil.which(need):
                raise unittest.SkipTest("needs %s (scripts/setup.sh test, make test-programs)" % need)
        self.dir = tempfile.mkdtemp(prefix="shop.")
        os.chmod(self.dir, 0o755)
        self.databases = databases
        self.env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **self.environment, **databases.make(self.system, self.dir))
        self.log = os.path.join(self.dir, "log")

    def start_count(self):
        """The database counts the statements of connections that are made from now on; before the shop starts."""
        if self.system == "sqlite":  # there is no server: the library writes down what it executes
            self.env["SHOP_TRACE"] = os.path.join(self.dir, "trace")
            open(self.env["SHOP_TRACE"], "w").close()
        else:
            self.databases.start_count(self.system, self.env["DB_NAME"])

    def counted(self):
        """{text: calls} of statements the shop has sent since start_count(), by the database's own count."""
        if self.system == "sqlite":
            with open(self.env["SHOP_TRACE"], errors="replace") as file:
                return collections.Counter(line.rstrip("\n") for line in file)
        return self.databases.counted(self.system, self.env["DB_NAME"])

    def said(self):
        with open(self.log, errors="replace") as file:
            return file.read()[-3000:]


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


class Server(Program):
    """A shop that answers HTTP."""

    scopes = ("request",)  # kinds of scopes its findings may be in
    workers = 0  # processes it must have beside its first

    def command(self):
        raise NotImplementedError

    def start(self):
        atexit.register(self.stop)  # a test that is ended leaves nothing behind
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen(self.command(), env=self.env, cwd=HERE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=log, start_new_session=True)
        try:
            self.port = self.find_port()
            end = time.monotonic() + TIMEOUT
            while len(children(self.proc.pid)) < self.workers or not self.answers():
                if self.proc.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("%s does not start: %s" % (self.name, self.said()))
                time.sleep(0.02)
            self.warm()
        except BaseException:
            self.stop()
            raise
        return self

    def find_port(self):
        line = self.proc.stdout.readline()
        if not line.strip():
            raise RuntimeError("%s prints no port: %s" % (self.name, self.said()))
        return int(line)

    def answers(self):
        try:
            return self.ask("/ok/empty") == b"empty\n"
        except (OSError, RuntimeError):  # not there yet, or what stands before it says so
            return False

    def warm(self):
        """Each worker has its connections and has compiled its code."""
        for _ in range(4 * max(1, self.workers)):
            self.ask("/ok/few/1")

    def pids(self):
        return [self.proc.pid, *children(self.proc.pid)]

    def ask(self, path):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            return answer(conn, path)
        finally:
            conn.close()

    def get(self, path, n=truth.REQUESTS, concurrency=4):
        """Asks @path (with {id}: one page after the other) @n times over @concurrency connections; the bodies."""
        return self.drive([path.replace("{id}", str(i % truth.PAGES)) for i in range(n)], concurrency)

    def drive(self, paths, concurrency=4):
        """Asks all @paths, each once, over @concurrency connections; [(path, body)] as they were answered."""
        done = []
        self._ask_all(iter(paths), lambda path, body: done.append((path, body)), concurrency)
        return done

    def drive_until(self, end, paths, concurrency=4):
        """Asks @paths over and over until time.monotonic() is @end; how often each."""
        done = collections.Counter()
        lock = threading.Lock()

        def take(path, _):
            with lock:
                done[path] += 1

        self._ask_all(itertools.takewhile(lambda _: time.monotonic() < end, itertools.cycle(paths)), take, concurrency)
        return done

    def _ask_all(self, paths, take, concurrency):
        lock, failed = threading.Lock(), []

        def work():
            conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
            try:
                while not failed:
                    with lock:
                        path = next(paths, None)
                    if path is None:
                        break
                    take(path, answer(conn, path))
            except Exception as error:  # whatever it is: the caller is told
                failed.append(error)
            finally:
                conn.close()

        threads = [threading.Thread(target=work) for _ in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise RuntimeError("%s: %r: %s" % (self.name, failed[0], self.said()))

    def work(self, seed=1):
        """Paths of all requests of the table, mixed: neighbours are different endpoints."""
        paths = [e.instance(i) for e in self.table.values() for i in range(e.requests)]
        random.Random(seed).shuffle(paths)
        return paths

    def stop(self):
        atexit.unregister(self.stop)
        for sig, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.proc.pid, sig)  # its own session: nobody else's processes
                self.proc.wait(seconds)
                break
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        self.proc.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def answer(conn, path):
    conn.request("GET", path)
    response = conn.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError("%s: status %d: %r" % (path, response.status, body[:300]))
    return body


class ShopC(Server):
    name = "c_postgresql"
    needs = (BUILT + "/shop_pg",)
    # Functions that call the driver for the repeated statements, and their callers: what a call site may name.
    sites = {"bad_list__customer": "customer_name|list_orders", "bad_nested__customer": "nested_name|list_nested",
             "bad_nested__item": "nested_items|list_nested", "bad_same__setting": "read_setting|read_settings",
             "bad_loop__log": "write_log|write_logs", "bad_pairs__products": "take_stock|sell_products"}
    # The user's stack is walked by frame pointers. Distributions build libpq without: the walk may pass by the function that called
    # it (so its caller will do), or end inside.
    sites_sure = False

    def command(self):
        return [BUILT + "/shop_pg", "serve"]


class ShopCSqlite(ShopC):
    name = "c_sqlite"
    system = "sqlite"
    table = truth.EMBEDDED
    needs = (BUILT + "/shop_sqlite",)
    sites = {marker: names.split("|")[0] for marker, names in ShopC.sites.items()}  # probed where it is called
    sites_sure = True

    def command(self):
        return [BUILT + "/shop_sqlite", "serve"]


class Wsgiref(Server):
    name = "wsgiref_postgresql"

    def command(self):
        return [PYTHON, os.path.join(HERE, "shop.py"), "serve"]


class WsgirefMysql(Wsgiref):
    name = "wsgiref_mysql"
    system = "mysql"


class GunicornSync(Server):
    name = "gunicorn_sync_postgresql"
    needs = ("gunicorn",)
    workers = WORKERS
    module = "shop"
    arguments = ("-k", "sync")

    def command(self):
        return [PYTHON, "/usr/bin/gunicorn", "-c", "gunicorn_conf.py", "-w", str(self.workers), *self.arguments, self.module + ":application"]


class GunicornThreads(GunicornSync):
    name = "gunicorn_gthread_mysql"
    system = "mysql"
    arguments = ("-k", "gthread", "--threads", "4")


class Django(GunicornThreads):
    name = "django_postgresql"
    system = "postgresql"
    needs = ("gunicorn", "/usr/lib/python3/dist-packages/django")
    module = "shop_django"
    table = truth.ORM


class Go(Server):
    name = "go_postgresql"
    needs = (BUILT + "/shop_go",)
    sites = {"bad_list__customer": r"main\.listOrders", "bad_nested__customer": r"main\.listNested", "bad_nested__item": r"main\.nestedItems",
             "bad_same__setting": r"main\.readSettings", "bad_loop__log": r"main\.writeLogs", "bad_pairs__products": r"main\.sellProducts"}

    def command(self):
        return list(self.needs)


class GoMysql(Go):
    name = "go_mysql"
    system = "mysql"


class GoStripped(Go):
    name = "go_stripped_postgresql"
    needs = (BUILT + "/shop_go_stripped",)


def node_modules():
    import test_drivers
    return test_drivers.node_modules()


class Node(Server):
    name = "node_postgresql"
    table = truth.EVENT_LOOP
    needs = ("node", os.path.join(node_modules(), "pg"))
    scopes = ("async", "process", "transaction")
    environment = {"NODE_PATH": node_modules(), "POOL": "5"}

    def command(self):
        return ["node", os.path.join(HERE, "shop.js")]


class NodeMysql(Node):
    name = "node_mysql"
    system = "mysql"
    needs = ("node", os.path.join(node_modules(), "mysql2"))


def php_fpm():
    found = [os.path.join("/usr/sbin", name) for name in os.listdir("/usr/sbin") if name.startswith("php-fpm")]
    return sorted(found)[-1] if found else "php-fpm"


class PhpFpm(Server):
    """nginx before php-fpm: both in the foreground, their files in the shop's directory; the shop's processes are those of php-fpm."""

    name = "php_fpm_postgresql"
    needs = (php_fpm(), "nginx")
    workers = 4

    FPM = """
[global]
daemonize = no
error_log = {dir}/log
[shop]
listen = {dir}/fpm.sock
listen.mode = 0666
user = nobody
pm = static
pm.max_children = 4
clear_env = no
"""
    NGINX = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/log;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {dir}/body; fastcgi_temp_path {dir}/fastcgi; proxy_temp_path {dir}/proxy;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {script};
            fastcgi_param SCRIPT_NAME /shop.php;
            fastcgi_pass unix:{dir}/fpm.sock;
        }}
    }}
}}
"""

    def command(self):
        return [php_fpm(), "-F", "-R", "-y", os.path.join(self.dir, "fpm.conf")]

    def find_port(self):
        end = time.monotonic() + TIMEOUT
        while not os.path.exists(os.path.join(self.dir, "fpm.sock")):
            if self.proc.poll() is not None or time.monotonic() > end:
                raise RuntimeError("%s does not start: %s" % (self.name, self.said()))
            time.sleep(0.02)
        with open(self.log, "ab") as log:
            self.nginx = subprocess.Popen(["nginx", "-p", self.dir, "-c", os.path.join(self.dir, "nginx.conf")], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, start_new_session=True)
        return self.free

    def start(self):
        self.free, self.nginx = pg.free_port(), None
        shutil.copy(os.path.join(HERE, "shop.php"), self.dir)  # where nobody may read it
        script = os.path.join(self.dir, "shop.php")
        for name, text in (("fpm.conf", self.FPM), ("nginx.conf", self.NGINX)):
            with open(os.path.join(self.dir, name), "w") as file:
                file.write(text.format(dir=self.dir, port=self.free, script=script))
        return super().start()

    def stop(self):
        if self.nginx and self.nginx.poll() is None:
            os.killpg(self.nginx.pid, signal.SIGTERM)
            self.nginx.wait()
        super().stop()


class PhpFpmMysql(PhpFpm):
    name = "php_fpm_mysql"
    system = "mysql"


class Job(Program):
    """A shop's work without requests. @mode auto: nothing around it; tx: each endpoint's work a transaction; one: all together."""

    table = truth.JOB
    mode = "auto"
    rounds = 1

    def __init__(self, databases):
        super().__init__(databases)
        self.env["JOB_SLUGS"] = " ".join(self.table)

    @property
    def scopes(self):
        if self.system == "sqlite":  # its own transactions are known by their state
            return ("burst", "transaction")
        return ("burst",) if self.mode == "auto" else ("transaction",)

    @property
    def must(self):
        """Endpoints whose findings must be told. In a burst only what goes through the rows of a read: the others may be an endless loop's."""
        return {"bad_list", "bad_nested"} if self.mode == "auto" else set(self.table)

    def command(self):
        raise NotImplementedError

    def arguments(self):
        return ["job", self.mode, str(self.rounds)]

    def run(self, before=()):
        """Runs it to its end, by the command @before if there is one."""
        done = subprocess.run([*before, *self.command(), *self.arguments()], env=self.env, cwd=HERE, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=4 * TIMEOUT)
        if done.returncode:
            raise RuntimeError("%s: exit code %d: %s" % (self.name, done.returncode, (done.stdout + done.stderr)[-3000:]))

    def stop(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class JobPythonTx(Job):
    name = "job_python_tx"
    mode = "tx"
    rounds = 3

    def command(self):
        return [PYTHON, os.path.join(HERE, "shop.py")]


class JobPythonOne(JobPythonTx):
    name = "job_python_one"
    mode = "one"
    rounds = 1


class JobPythonAuto(JobPythonTx):
    name = "job_python_auto"
    mode = "auto"
    rounds = 1


class JobCSqlite(Job):
    name = "job_c_sqlite"
    system = "sqlite"
    needs = ShopCSqlite.needs

    def command(self):
        return list(self.needs)


class JobPhp(Job):
    name = "job_php"
    needs = ("php",)
    mode = "tx"
    rounds = 3

    def command(self):
        return ["php", os.path.join(HERE, "shop.php")]


class JobPhpMysql(JobPhp):
    name = "job_php_mysql"
    system = "mysql"


class JobJava(Job):
    name = "job_java"
    needs = ("java", "/usr/share/java/postgresql.jar", BUILT + "/Job.class")
    mode = "tx"
    rounds = 3

    def command(self):
        return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", BUILT + ":/usr/share/java/postgresql.jar", "Job"]


SERVERS = (ShopC, ShopCSqlite, Wsgiref, WsgirefMysql, GunicornSync, GunicornThreads, Django, Go, GoMysql, GoStripped, Node, NodeMysql, PhpFpm,
           PhpFpmMysql)
JOBS = (JobPythonTx, JobPythonOne, JobPythonAuto, JobCSqlite, JobPhp, JobPhpMysql, JobJava)
