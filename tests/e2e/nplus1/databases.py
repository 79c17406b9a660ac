# SPDX-License-Identifier: GPL-2.0-only
"""databases.py - the database servers of the shops of this directory, and their own counts of statements."""

import base64
import collections
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import mariadb  # noqa: E402
import pg  # noqa: E402
import truth  # noqa: E402


class Databases:
    """Servers that are started when they are needed first; each shop gets a copy of the tables."""

    def __init__(self):
        self.servers = {}
        self.numbers = collections.Counter()

    def server(self, system):
        if system not in self.servers:
            module = {"postgresql": pg, "mysql": mariadb}[system]
            reason = module.why_not()
            if reason:
                raise unittest.SkipTest(reason)
            self.servers[system] = pg.Cluster(scale=0) if system == "postgresql" else mariadb.Server()
            if system == "postgresql":
                for name, value in (("log_line_prefix", "%d|"), ("log_error_verbosity", "terse")):
                    self.servers[system].psql("alter system set %s = '%s'" % (name, value))
                self.servers[system].psql("select pg_reload_conf()")
                self.servers[system].psql("create database shop")
                self.servers[system].psql(truth.schema(system), "shop")
        return self.servers[system]

    def make(self, system, directory):
        """A new database; the environment that says where it is."""
        self.numbers[system] += 1
        name = "shop%d" % self.numbers[system]
        if system == "sqlite":
            name = os.path.join(directory, "shop.db")
            subprocess.run(["sqlite3", name], input="pragma journal_mode = wal; begin;" + truth.schema(system) + "commit;", text=True,
                           check=True, stdout=subprocess.DEVNULL)
            return {"DB_KIND": system, "DB_NAME": name}
        server = self.server(system)
        if system == "postgresql":
            server.psql("create database %s template shop" % name)
        else:
            server.sql("create database %s" % name, None)
            server.sql(truth.schema(system), name)
        return {"DB_KIND": system, "DB_HOST": "127.0.0.1", "DB_PORT": str(server.port), "DB_NAME": name,
                "DB_USER": "postgres" if system == "postgresql" else mariadb.USER, "DB_PASSWORD": mariadb.PASSWORD}

    def start_count(self, system, name):
        """Counting begins for connections that are made from now on."""
        if system == "postgresql":
            self.server(system).psql("alter database %s set log_statement = 'all'" % name)
        elif system == "mysql":
            self.server(system).start_log()

    def counted(self, system, name):
        """{text: calls} since start_count(), as the server logs them; pg_stat_statements does not tell apart what differs in aliases."""
        if system == "postgresql":
            line = re.compile(r"^%s\|LOG:  (?:statement|execute [^:]*): (.*)$" % name, re.M)
            with open(self.server(system).log, errors="replace") as log:
                return collections.Counter(line.findall(log.read()))
        out = self.server(system).sql("select to_base64(argument) from mysql.general_log where user_host like '%s[%%'"
                                      " and command_type in ('Query', 'Execute')" % mariadb.USER, None)
        return collections.Counter(base64.b64decode(line.replace("\\n", "")).decode() for line in out.splitlines())

    def stop(self):
        for server in self.servers.values():
            server.stop()
