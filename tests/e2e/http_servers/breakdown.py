# SPDX-License-Identifier: GPL-2.0-only
"""breakdown.py - a request of known parts: a statement that takes 30 ms (the connection is kept), a sleep of 20 ms, 15 ms of CPU.
Answers with the ns that it has measured for them.

As a WSGI application for uWSGI, or by itself a server with a thread for each connection, under TLS:

usage: breakdown.py CERTIFICATE KEY     prints its port. CONNINFO in the environment: the database
"""

import http.server
import json
import os
import socketserver
import ssl
import sys
import threading
import time

import psycopg2

kept = threading.local()


def work():
    if not hasattr(kept, "db"):
        kept.db = psycopg2.connect(os.environ["CONNINFO"])
        kept.db.autocommit = True
    begin = time.thread_time_ns()
    told = [time.monotonic_ns()]
    kept.db.cursor().execute("select pg_sleep(0.03)")
    told.append(time.monotonic_ns())
    time.sleep(0.02)
    told.append(time.monotonic_ns())
    until = time.thread_time_ns() + 15000000
    while time.thread_time_ns() < until:
        pass
    return json.dumps({"query": told[1] - told[0], "sleep": told[2] - told[1],
                       "cpu": time.thread_time_ns() - begin}).encode()


def application(_, start_response):
    body = work()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = work()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
