# SPDX-License-Identifier: GPL-2.0-only
"""wsgi.py - what test_fastcgi.py asks of uWSGI: the last two parts of the path say what to do."""

import time


def application(environ, start_response):
    what, n = environ["REQUEST_URI"].split("?")[0].split("/")[-2:]
    n = int(n) if n.isdigit() else 0
    status, body, length = "200 OK", b"hello", True
    if what == "status":
        status = "%d Whatever" % n
        body = b"" if n in (204, 304) else b"status\n"
    elif what == "bytes":
        body = b"x" * n
    elif what == "sleep":  # milliseconds
        time.sleep(n / 1000)
    elif what == "body":
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = b"%d" % len(environ["wsgi.input"].read(size))
    elif what == "stream":  # without a length: up to the end of the connection
        start_response(status, [("Content-Type", "text/plain")])
        return (b"HTTP/1.1 500 no\r\n\r\n" for _ in range(n))
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
