<?php
// SPDX-License-Identifier: GPL-2.0-only
// shop.php - the shop with PDO on PostgreSQL or MySQL (DB_KIND): one request of a web server, or a batch job.
//
// usage: shop.php job MODE ROUNDS      does the work of the endpoints in $JOB_SLUGS; MODE tx: each in a transaction, auto: not
//
// See truth.py for what each endpoint does.

$postgresql = getenv('DB_KIND') === 'postgresql';
$where = sprintf('host=%s;port=%s;dbname=%s', getenv('DB_HOST'), getenv('DB_PORT'), getenv('DB_NAME'));
// MySQL: statements prepared by the server; connections last as long as the process, as shops do it.
$db = new PDO($postgresql ? "pgsql:$where;sslmode=disable;gssencmode=disable" : "mysql:$where", getenv('DB_USER'), getenv('DB_PASSWORD'),
	[PDO::ATTR_PERSISTENT => true, PDO::ATTR_EMULATE_PREPARES => false, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
		PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM]);

function rows(string $sql, ...$values): array
{
	global $db;
	$statement = $db->prepare($sql);
	$statement->execute($values);
	return $statement->fetchAll();
}

function run(string $sql, ...$values): void
{
	global $db;
	$db->prepare($sql)->execute($values);
}

function lines(array $rows): string
{
	return implode('', array_map(fn($row) => implode(' ', $row) . "\n", $rows));
}

function holders(int $n, string $one = '?'): string
{
	return implode(', ', array_fill(0, $n, $one));
}

function bad_list(int $page): string
{
	$out = [];
	foreach (rows('select o.id, o.customer_id from bad_list__order o where o.page = ? order by o.id', $page) as [$order, $customer])
		$out[] = [$order, customer_name($customer)];
	return lines($out);
}

function customer_name(int $customer): string
{
	return rows('select c.name from bad_list__customer c where c.id = ?', $customer)[0][0];
}

function bad_nested(int $page): string
{
	global $db;
	$out = [];
	$items = $db->prepare('select i.product_id from bad_nested__item i where i.order_id = ? order by i.id'); // once for all
	foreach (rows('select o.id, o.customer_id from bad_nested__order o where o.page = ? order by o.id', $page) as [$order, $customer]) {
		$name = rows('select c.name from bad_nested__customer c where c.id = ?', $customer)[0][0];
		$items->execute([$order]);
		$out[] = [$order, $name, implode(',', array_column($items->fetchAll(), 0))];
	}
	return lines($out);
}

function bad_same(int $_): string
{
	for ($i = 0; $i < 10; $i++)
		$value = rows('select s.value from bad_same__setting s where s.name = ?', 'name3')[0][0];
	return $value;
}

function bad_loop(int $_): string
{
	for ($i = 0; $i < 12; $i++)
		run('insert into bad_loop__log (ref, note) values (?, ?)', $i, "note $i");
	return "12\n";
}

function bad_pairs(int $page): string
{
	for ($product = $page * 10; $product < $page * 10 + 10; $product++)
		if (rows('select p.stock from bad_pairs__stock p where p.id = ?', $product)[0][0] > 0)
			run('update bad_pairs__products set stock = stock - 1 where id = ?', $product);
	return "10\n";
}

function bad_slow(int $_): string
{
	global $db, $postgresql;
	$db->query('select ' . ($postgresql ? 'pg_sleep' : 'sleep') . '(0.15) from bad_slow__sleep')->fetchAll();
	return "slept\n";
}

function bad_large(int $_): string
{
	global $db;
	return count($db->query('select b.n from bad_large__n b')->fetchAll()) . "\n";
}

function ok_list(int $page): string
{
	return lines(rows('select o.id, c.name from ok_list__order o join customers c on c.id = o.customer_id where o.page = ? order by o.id',
		$page));
}

function ok_in(int $page): string
{
	$orders = rows('select o.id, o.customer_id from ok_in__order o where o.page = ? order by o.id', $page);
	$names = array_column(rows('select c.id, c.name from ok_in__customer c where c.id in (' . holders(count($orders)) . ')',
		...array_column($orders, 1)), 1, 0);
	return lines(array_map(fn($order) => [$order[0], $names[$order[1]]], $orders));
}

function ok_nested(int $page): string
{
	$orders = rows('select o.id, o.customer_id from ok_nested__order o where o.page = ? order by o.id', $page);
	$in = holders(count($orders));
	$names = array_column(rows("select c.id, c.name from ok_nested__customer c where c.id in ($in)", ...array_column($orders, 1)), 1, 0);
	$items = [];
	foreach (rows("select i.order_id, i.product_id from ok_nested__item i where i.order_id in ($in) order by i.id",
		...array_column($orders, 0)) as [$order, $product])
		$items[$order][] = $product;
	return lines(array_map(fn($order) => [$order[0], $names[$order[1]], implode(',', $items[$order[0]])], $orders));
}

function ok_batch(int $_): string
{
	$values = [];
	for ($i = 0; $i < 12; $i++)
		array_push($values, $i, "note $i");
	run('insert into ok_batch__log (ref, note) values ' . holders(12, '(?, ?)'), ...$values);
	return "12\n";
}

function ok_pairs(int $page): string
{
	run('update ok_pairs__products set stock = stock - 1 where stock > 0 and id in (' . holders(10) . ')', ...range($page * 10, $page * 10 + 9));
	return "10\n";
}

function ok_four(int $i): string
{
	return lines([rows('select c.name from ok_four__customer c where c.id = ?', $i + 1)[0],
		rows('select o.total from ok_four__order o where o.id = ?', $i)[0],
		rows('select count(*) from ok_four__item i where i.order_id = ?', $i)[0],
		rows('select p.name from ok_four__product p where p.id = ?', $i)[0]]);
}

function ok_few(int $i): string
{
	return lines(array_map(fn($id) => rows('select c.name from ok_few__customer c where c.id = ?', $id)[0], range($i + 1, $i + 4)));
}

function ok_page(int $page): string
{
	$total = rows('select count(*) from ok_page__total o')[0][0];
	$orders = rows('select o.id, o.total from ok_page__order o order by o.id limit 20 offset ' . $page * 20);
	return count($orders) . " of $total\n";
}

function ok_config(int $_): string
{
	for ($i = 0; $i < 3; $i++)
		rows('select s.value from ok_config__setting s where s.name = ?', "name$i");
	return 3 + count(rows('select s.name, s.value from ok_config__all s where s.name like ?', 'name%')) . "\n";
}

function ok_tx(int $i): string
{
	global $db;
	$db->beginTransaction();
	rows('select o.id from ok_tx__order o where o.id = ?', $i);
	run('update ok_tx__products set stock = stock - 1 where id = ?', $i);
	run('insert into ok_tx__log (ref, note) values (?, ?)', $i, 'sold');
	rows('select i.qty from ok_tx__item i where i.order_id = ?', $i);
	$db->commit();
	return "sold\n";
}

function ok_noise(int $id): string
{
	global $db, $postgresql;
	for ($i = 0; $i < 6; $i++) {
		$db->exec($postgresql ? "set ok_noise__set.a = '$i'" : "set @ok_noise__set = $i");
		$db->query($postgresql ? 'show ok_noise__set.a' : "show variables like 'ok_noise__set'")->fetchAll();
		$db->beginTransaction();
		$db->commit();
	}
	return lines(rows('select o.id from ok_noise__order o where o.id = ?', $id));
}

function ok_catalog(int $_): string
{
	global $postgresql;
	$catalog = $postgresql ? 'select ok_catalog__oid.oid from pg_catalog.pg_class ok_catalog__oid where ok_catalog__oid.relname = ?' :
		'select ok_catalog__oid.table_rows from information_schema.tables ok_catalog__oid where ok_catalog__oid.table_name = ?';
	$names = ['customers', 'orders', 'items', 'products', 'settings', 'big', 'tables', 'columns'];
	foreach ($names as $name)
		rows($catalog, $name);
	return count($names) . "\n";
}

function ok_empty(int $_): string
{
	return "empty\n";
}

// Only these are endpoints: bad_x at /bad/x.
function endpoint(string $slug): ?string
{
	return preg_match('/^(bad|ok)_[a-z]+$/', $slug) && function_exists($slug) ? $slug : null;
}

function answer(string $path): void
{
	$parts = explode('/', $path);
	$endpoint = endpoint(implode('_', array_slice($parts, 1, 2)));
	$body = $endpoint ? $endpoint((int)($parts[3] ?? 0)) : '';
	http_response_code($endpoint ? 200 : 404);
	header('Content-Type: text/plain');
	header('Content-Length: ' . strlen($body));
	echo $body;
}

function job(string $mode, int $rounds): void
{
	global $db;
	for ($i = 0; $i < $rounds; $i++)
		foreach (explode(' ', getenv('JOB_SLUGS')) as $slug) {
			if ($mode === 'tx')
				$db->beginTransaction();
			endpoint($slug)($i);
			if ($mode === 'tx')
				$db->commit();
		}
}

if (PHP_SAPI === 'cli')
	job($argv[2], (int)$argv[3]);
else
	answer(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
