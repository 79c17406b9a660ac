<?php
/* SPDX-License-Identifier: GPL-2.0-only
 *
 * breakdown.php - a request of known parts: a statement that takes 30 ms (the connection is kept), a sleep of 20 ms, 15 ms of CPU.
 * Answers with the ns that it has measured for them.
 */
function cpu()
{
	$u = getrusage();
	return ($u['ru_utime.tv_sec'] + $u['ru_stime.tv_sec']) * 1000000000 + ($u['ru_utime.tv_usec'] + $u['ru_stime.tv_usec']) * 1000;
}

$begin = cpu();
$db = pg_pconnect($_SERVER['CONNINFO']);
$told = [hrtime(true)];
pg_query($db, 'select pg_sleep(0.03)');
$told[] = hrtime(true);
usleep(20000);
$told[] = hrtime(true);
$until = cpu() + 15000000;
while (cpu() < $until)
	;
echo json_encode(['query' => $told[1] - $told[0], 'sleep' => $told[2] - $told[1], 'cpu' => cpu() - $begin]);
