// SPDX-License-Identifier: GPL-2.0-only
// server.js - node's HTTP server with a log of its own: a line of JSON for every request. usage: node server.js LOG
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');

const log = fs.openSync(process.argv[2], 'a');
const note = (req, status) => fs.writeSync(log, JSON.stringify([req.method, req.url, status, 0]) + '\n');

const server = http.createServer((req, res) => {
  res.on('finish', () => note(req, res.statusCode));
  req.on('data', () => {});
  req.on('end', () => {
    const [, what, n] = req.url.split('?')[0].split('/');
    if (what === 'chunks') { // each write a chunk
      for (let i = 0; i < n; i++) res.write('chunk '.repeat(i + 1));
      res.end();
    } else if (what === 'status') {
      res.statusCode = Number(n);
      res.end(`status ${n}\n`);
    } else if (what === 'later') {
      setTimeout(() => res.end('later\n'), Number(n));
    } else {
      res.end('hello\n');
    }
  });
});
server.on('upgrade', (req, socket) => {
  const accept = crypto.createHash('sha1')
    .update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  note(req, 101);
  socket.on('data', (data) => socket.write(data)); // echoes frames as they are
  socket.on('error', () => {});
});
server.keepAliveTimeout = 60000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
