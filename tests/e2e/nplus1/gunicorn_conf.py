# SPDX-License-Identifier: GPL-2.0-only
"""gunicorn_conf.py - gunicorn on a free port, which it prints once its workers can be asked."""

bind = "127.0.0.1:0"
loglevel = "error"
keepalive = 5


def when_ready(server):
    print(server.LISTENERS[0].sock.getsockname()[1], flush=True)
