<?php
// SPDX-License-Identifier: GPL-2.0-only
// pdo.php - the drivers' workload with PDO: pgsql or mysql (DB_KIND). See test_drivers.py.

$pg = getenv('DB_KIND') === 'postgresql';
$tls = getenv('DB_TLS') === '1';
$dsn = sprintf('%s:host=%s;port=%s;dbname=%s', $pg ? 'pgsql' : 'mysql', getenv('DB_HOST'), getenv('DB_PORT'), getenv('DB_NAME'));
$options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => false];
if ($pg)
	$dsn .= ';sslmode=' . ($tls ? 'require' : 'disable') . ';gssencmode=disable';
elseif ($tls)
	$options += [PDO::MYSQL_ATTR_SSL_CA => getenv('DB_CA'), PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false];
$db = new PDO($dsn, getenv('DB_USER'), getenv('DB_PASSWORD'), $options);
$rounds = (int)getenv('DB_ROUNDS');
$done = [];

function run($kind, $call)
{
	global $done;

	$told = &$done[$kind];
	$told ??= ['count' => 0, 'rows' => 0, 'errors' => 0, 'ns' => []];
	$begin = hrtime(true);
	try {
		$told['rows'] += $call();
	} catch (PDOException $e) {
		$told['errors']++;
	}
	$told['ns'][] = hrtime(true) - $begin;
	$told['count']++;
}

for ($i = 0; $i < $rounds; $i++)
	run('text', fn() => count($db->query('SELECT name, qty FROM drv_items WHERE id = ' . ($i % 100 + 1))->fetchAll()));
$select = $db->prepare('SELECT qty FROM drv_items WHERE id = ? AND qty >= ?');
for ($i = 0; $i < $rounds; $i++)
	run('prepared', function () use ($select, $i) {
		$select->execute([$i % 100 + 1, 0]);
		return count($select->fetchAll());
	});
$select = null;
$db->beginTransaction();
$insert = $db->prepare('INSERT INTO drv_log (id, note) VALUES (?, ?)');
for ($i = 0; $i < 20; $i++)
	run('insert', function () use ($insert, $i) {
		$insert->execute([$i, "note $i"]);
		return $insert->rowCount();
	});
$insert = null;
$db->commit();
run('failing', fn() => count($db->query('SELECT nope FROM drv_missing')->fetchAll()));
run('many', fn() => count($db->query('SELECT id, name FROM drv_items WHERE id <= 50')->fetchAll()));
$db = null;
echo json_encode($done), "\n";
