# SPDX-License-Identifier: GPL-2.0-only
"""breakdown_loop.py - the same as breakdown_loop.js with asyncio, which reads all that has come before it handles any of it.

usage: breakdown_loop.py PORT"""

import asyncio
import json
import sys
import time

WORK = {"/heavy": 40, "/light": 20, "/ask": 30, "/far": 20, "/new": 20, "/block": 150, "/quick": 20, "/late": 20}  # ms
sums = {}
pool = []


def burn(path):
    begin = time.thread_time_ns()
    while time.thread_time_ns() < begin + WORK[path] * 1000000:
        pass
    sums[path] = sums.get(path, 0) + time.thread_time_ns() - begin


async def ask(anew):
    reader, writer = pool.pop() if pool and not anew else await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    writer.write(b"GET /price/7 HTTP/1.1\r\nHost: other\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(3)
    if anew:
        writer.close()
    else:
        pool.append((reader, writer))


async def handle(reader, writer):
    while True:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        body = b"done\n"
        if path in ("/ask", "/far", "/new"):
            await ask(path == "/new")
        elif path == "/late":
            await asyncio.sleep(0.02)
        if path == "/sums":
            body = json.dumps(sums).encode()
        else:
            burn(path)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
