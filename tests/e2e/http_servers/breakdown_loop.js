// SPDX-License-Identifier: GPL-2.0-only
// breakdown_loop.js - an event loop whose requests execute for a known time, some of them behind a timer or another server's answer.
//
// usage: node breakdown_loop.js PORT    of the other server; prints its own
// /sums: by path, the ns of CPU that handlers took, as the process counts them.
'use strict';
const http = require('http');

const other = { host: '127.0.0.1', port: Number(process.argv[2]), path: '/price/7', agent: new http.Agent({ keepAlive: true }) };
const work = { '/heavy': 40, '/light': 20, '/ask': 30, '/far': 20, '/new': 20, '/block': 150, '/quick': 20, '/late': 20 }; // ms
const sums = {};

function burn(path) {
  const begin = process.cpuUsage();
  let used;
  do {
    used = process.cpuUsage(begin);
  } while (used.user + used.system < work[path] * 1000);
  sums[path] = (sums[path] || 0) + (used.user + used.system) * 1000;
}

const server = http.createServer((req, res) => {
  const done = () => {
    burn(req.url);
    res.end('done\n');
  };
  if (req.url === '/sums') res.end(JSON.stringify(sums));
  else if (req.url === '/late') setTimeout(done, 20);
  else if (['/ask', '/far', '/new'].includes(req.url))
    http.get({ ...other, agent: req.url === '/new' ? false : other.agent }, (answer) => answer.on('data', () => {}).on('end', done));
  else done();
});
server.keepAliveTimeout = 60000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
