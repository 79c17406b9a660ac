# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_foreign.py - protocols that sonde does not read, some of them with words of those that it does: never a query or a
request under a wrong name."""

import json
import os
import signal
import struct
import unittest

import pg
from test_bad_input import Pair

CLIENT, SERVER = "say", "answer"


def client(*pieces):
    return [(CLIENT, p) for p in pieces]


def lines(text):
    """A dialogue, a line each: "> " the client's, "< " the server's; "\\n" in it stands for a line's end."""
    ends = {"> ": CLIENT, "< ": SERVER}
    return [(ends[line[:2]], line[2:].replace("\\n", "\r\n").encode() + b"\r\n") for line in text.strip().split("\n")]


def cql(op, body, flags=4):
    return bytes([flags, 0, 0, 1, op]) + struct.pack("!I", len(body)) + body


FOREIGN = {
    "smtp": lines("< 220 mx ESMTP\n> EHLO shop\n< 250-mx\\n250 STARTTLS\n> MAIL FROM:<a@b>\n< 250 Ok\n> RCPT TO:<c@d>\n< 250 Ok\n> DATA\n"
                  "< 354 go\n> Subject: x\\n\\nselect 1;\\nset k 0 0 1\\n1\\n*1\\n$4\\nPING\\n.\n< 250 Ok\n> NOOP\n< 250 Ok\n> QUIT\n< 221 Bye"),
    "smtp-auth": lines("< 220 mx ESMTP\n> EHLO shop\n< 250 ok\n> AUTH PLAIN AGEAYg==\n< 235 ok\n> RSET\n< 250 ok\n> QUIT\n< 221 Bye"),
    "pop3": lines("< +OK ready\n> USER shop\n< +OK\n> PASS secret\n< +OK in\n> STAT\n< +OK 2 320\n> LIST\n< +OK 2\\n1 120\\n2 200\\n.\n"
                  "> DELE 1\n< +OK\n> NOOP\n< +OK\n> QUIT\n< +OK"),
    "pop3-auth": lines("< +OK\n> AUTH PLAIN AGEAYg==\n< +OK\n> QUIT\n< +OK"),
    "imap": lines("< * OK ready\n> a1 LOGIN a b\n< a1 OK done\n> a2 SELECT INBOX\n< * 3 EXISTS\\na2 OK done\n> a3 FETCH 1 ALL\n"
                  "< * 1 FETCH ()\\na3 OK"),
    "ftp": lines("< 220 ftp\n> USER a\n< 331 pass\n> PASS b\n< 230 ok\n> TYPE I\n< 200 ok\n> QUIT\n< 221 bye"),
    "irc": lines("> NICK a\\nUSER a 0 * :a\n< :srv 001 a :hi\\nPING :srv\n> PONG :srv\n> PING srv\n< :srv PONG srv :srv"),
    "nats": lines('< INFO {"server_id":"x"}\n> CONNECT {}\\nPING\n< PONG\n> SUB orders 1\\nPUB orders 5\\nhello\n< MSG orders 1 5\\nhello\n'
                  "> PING\n< PONG"),
    "beanstalkd": lines("> use mails\n< USING mails\n> put 0 0 60 5\\nhello\n< INSERTED 1\n> reserve\n< RESERVED 1 5\\nhello\n> touch 1\n"
                        "< TOUCHED\n> delete 1\n< DELETED\n> stats\n< OK 9\\n---\\na: 1"),
    "beanstalkd-late": lines("> delete 7\n< DELETED\n> reserve\n< RESERVED 8 5\\nhello\n> touch 8\n< TOUCHED\n> delete 8\n< NOT_FOUND"),
    "gearman": lines("> version\n< OK 1.1.19\n> status\n< .\n> version\n< OK 1.1.19"),
    "stomp": [(CLIENT, b"CONNECT\naccept-version:1.2\nhost:a\n\n\0"), (SERVER, b"CONNECTED\nversion:1.2\n\n\0"),
              (CLIENT, b"SEND\ndestination:/q\n\nhello\0")],
    "zookeeper": [(CLIENT, b"ruok"), (SERVER, b"imok"), (CLIENT, b"stat"), (SERVER, b"Zookeeper version: 3\n")],
    "clamd": [(CLIENT, b"PING\n"), (SERVER, b"PONG\n"), (CLIENT, b"VERSION\n"), (SERVER, b"ClamAV 1.0\n")],
    "mpd": [(SERVER, b"OK MPD 0.23\n"), (CLIENT, b"ping\n"), (SERVER, b"OK\n"), (CLIENT, b"status\n"), (SERVER, b"volume: 1\nOK\n")],
    "echo": [(end, data) for data in (b"hello\r\n", b"PING\r\n", b"get key\r\n", b"set k 0 0 1\r\n1\r\n", b"Q\0\0\0\x0dselect 1\0",
                                      b"\x09\0\0\0\3select 1") for end in (CLIENT, SERVER)],
    "statsd": client(b"shop.orders:1|c\nshop.time:320|ms\n", b"shop.orders:1|c\n"),
    "carbon": client(b"shop.orders 1 1700000000\n", b"shop.orders 2 1700000010\n"),
    "amqp": [(CLIENT, b"AMQP\0\0\x09\x01"), (SERVER, b"\1\0\0\0\0\x01\xc1\0\x0a\0\x0a\0\x09" + b"\0" * 436 + b"\xce"),
             (CLIENT, b"\1\0\0\0\0\0\x20\0\x0a\0\x0b" + b"x" * 28 + b"\xce")],
    "mqtt": [(CLIENT, b"\x10\x0f\0\x04MQTT\x04\2\0\x3c\0\3abc"), (SERVER, b"\x20\2\0\0"), (CLIENT, b"\x30\x0a\0\3a/bhello"),
             (CLIENT, b"\xc0\0"), (SERVER, b"\xd0\0")],
    "cassandra": [(CLIENT, cql(1, b"\0\1\0\x0bCQL_VERSION\0\x053.0.0")), (SERVER, cql(2, b"", 0x84)),
                  (CLIENT, cql(7, struct.pack("!I", 22) + b"select * from ks.orders\0\1\0")), (SERVER, cql(8, b"\0\0\0\1", 0x84))],
    "kafka": [(CLIENT, struct.pack("!IHHI", 20, 18, 3, 1) + b"\0\3abc\0\4sdk\0"), (SERVER, struct.pack("!II", 100, 1) + b"\0" * 96),
              (CLIENT, struct.pack("!IHHI", 30, 1, 4, 2) + b"x" * 22), (SERVER, struct.pack("!II", 60, 2) + b"\0" * 56)],
    "tds": [(CLIENT, b"\x12\1\0\x2f\0\0\1\0" + b"\0" * 39), (SERVER, b"\4\1\0\x2b\0\0\1\0" + b"\0" * 35),
            (CLIENT, b"\1\1\0\x30\0\0\1\0" + "select 1 from orders".encode("utf-16le")), (SERVER, b"\4\1\0\x20\0\0\1\0" + b"\0" * 24)],
    "tns": [(CLIENT, b"\0\x3a\0\0\1\0\0\0\1\x36\1\x2c\0\0\x08\0\x7f\xff" + b"\0" * 40), (SERVER, b"\0\x20\0\0\2\0\0\0" + b"\0" * 24)],
    "ssh": [(SERVER, b"SSH-2.0-OpenSSH_9.2\r\n"), (CLIENT, b"SSH-2.0-x\r\n"), (CLIENT, b"\0\0\3\x14\x08\x14" + b"k" * 784),
            (SERVER, b"\0\0\3\x14\x08\x14" + b"k" * 784)],
    "ldap": [(CLIENT, bytes.fromhex("300c020101600702010304008000")), (SERVER, bytes.fromhex("300c02010161070a010004000400"))],
    "memcached-binary": [(CLIENT, b"\x80\0\0\5\0\0\0\0\0\0\0\5" + b"\0" * 12 + b"Hello"),
                         (SERVER, b"\x81\0\0\0\4\0\0\0\0\0\0\x09" + b"\0" * 12 + b"\xde\xad\xbe\xefWorld")] * 3,
    "dns": [(CLIENT, b"\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\1\0\1"),
            (SERVER, b"\0\x2d\x12\x34\x81\x80\0\1\0\1\0\0\0\0\3www\7example\3com\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4")],
    "fastcgi": [(CLIENT, b"\1\1\0\1\0\x08\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\x19\0\0\x0f\x08SCRIPT_FILENAME/a.php\0\0"),
                (SERVER, b"\1\6\0\1\0\x10\0\0Status: 200 OK\r\n\1\3\0\1\0\x08\0\0" + b"\0" * 8)],
    "sphinx": [(SERVER, b"\0\0\0\1"), (CLIENT, b"\0\0\0\1"), (CLIENT, b"\0\0\1\x19\0\0\0\x40" + b"q" * 64),
               (SERVER, b"\0\0\1\x19\0\0\0\x40" + b"r" * 64)],
    "elastic": [(CLIENT, b"ES\0\0\0\x2f\0\0\0\0\0\0\0\1\x08" + b"\0" * 38), (SERVER, b"ES\0\0\0\x2f\0\0\0\0\0\0\0\1\x09" + b"\0" * 38)],
    "thrift": [(CLIENT, b"\0\0\0\x1c\x80\1\0\1\0\0\0\4ping\0\0\0\0\0"), (SERVER, b"\0\0\0\x15\x80\1\0\2\0\0\0\4ping\0\0\0\0\0")],
    "x11": [(CLIENT, b"l\0\x0b\0\0\0\0\0\0\0\0\0"), (SERVER, b"\1\0\x0b\0\0\0\x40\0" + b"\0" * 256), (CLIENT, b"\x62\0\5\0\x0c\0\0\0BIG-REQUESTS")],
    "rtsp": lines("> OPTIONS rtsp://a/ RTSP/1.0\\nCSeq: 1\\n\n< RTSP/1.0 200 OK\\nCSeq: 1\\n"),
    "sip": lines("> OPTIONS sip:a@b SIP/2.0\\nVia: x\\n\n< SIP/2.0 200 OK\\n"),
    "varnish": lines("< 200 20\\nVarnish\n> ping\n< 200 19\\nPONG 1700000000 1.0\n> status\n< 200 10"),
    "policy": [(CLIENT, b"request=smtpd_access_policy\nprotocol_state=RCPT\n\n"), (SERVER, b"action=DUNNO\n\n")] * 2,
}


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Foreign(pg.TestCase):
    def check(self, command):
        with pg.Sonde("-p", str(os.getpid()), "--role", "any", command=command) as sonde:
            names = {}
            for name, talk in FOREIGN.items():
                pair = Pair()
                names["127.0.0.1:%d" % pair.client.getpeername()[1]] = name
                for end, data in talk:
                    getattr(pair, end)(data)
                pair.close()
            sonde.proc.send_signal(signal.SIGINT)
            code, out, err = sonde.wait()
        self.assertEqual(code, 0, err)
        document = json.loads(out)
        rows = document.get("queries", []) + document.get("endpoints", [])
        self.assertEqual([(names.get(q["server"]), q.get("db_system"), q.get("text", q.get("path"))) for q in rows], [])
        # What looked like a statement at first is not dropped in silence.
        cov = document["coverage"]
        self.assertEqual(cov["seen"], sum(cov["lost"].values()) + cov["outstanding"], cov)
        self.assertLessEqual(set(cov["lost"]), {"desync", "closed"}, cov)

    def test_db(self):
        self.check("db")

    def test_http(self):
        self.check("http")


if __name__ == "__main__":
    unittest.main()
