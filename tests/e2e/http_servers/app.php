<?php
/* SPDX-License-Identifier: GPL-2.0-only
 *
 * app.php - what test_fastcgi.py asks of PHP-FPM: the last two parts of the path say what to do.
 */
$parts = explode('/', parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
$n = (int)array_pop($parts);
switch (array_pop($parts)) {
case 'status':
	http_response_code($n);
	echo "status $n\n";
	break;
case 'bytes':
	echo str_repeat('x', $n);
	break;
case 'flush':
	for ($i = 0; $i < $n; $i++) {
		echo "Status: 500\r\n\r\n";
		flush();
	}
	break;
case 'sleep': /* milliseconds */
	usleep($n * 1000);
	echo 'slept';
	break;
case 'body':
	echo strlen(file_get_contents('php://input'));
	break;
case 'exit':
	echo 'bye';
	exit($n);
case 'warn':
	error_log(str_repeat('w', $n));
	echo 'warned';
	break;
default:
	echo 'hello';
}
