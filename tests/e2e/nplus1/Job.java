// SPDX-License-Identifier: GPL-2.0-only
// Job.java - the shop's work as a batch job with JDBC on PostgreSQL.
//
// usage: Job job MODE ROUNDS      does the work of the endpoints in $JOB_SLUGS; MODE tx: each in a transaction, auto: not
//
// See truth.py for what each of them does.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

class Job {
	interface Work {
		void run(int id) throws SQLException;
	}

	static final int PAGES = 10; // that have rows

	final Connection conn;
	final Map<String, Work> works = Map.ofEntries(
		Map.entry("bad_list", this::badList), Map.entry("bad_nested", this::badNested), Map.entry("bad_same", this::badSame),
		Map.entry("bad_loop", this::badLoop), Map.entry("bad_pairs", this::badPairs), Map.entry("ok_list", this::okList),
		Map.entry("ok_in", this::okIn), Map.entry("ok_batch", this::okBatch), Map.entry("ok_pairs", this::okPairs),
		Map.entry("ok_four", this::okFour), Map.entry("ok_few", this::okFew), Map.entry("ok_page", this::okPage));

	Job(Connection conn) {
		this.conn = conn;
	}

	/** First and, if there is one, second column of a query's rows. */
	List<int[]> rows(String sql, Object... values) throws SQLException {
		List<int[]> out = new ArrayList<>();
		try (PreparedStatement statement = prepare(sql, values); ResultSet result = statement.executeQuery()) {
			boolean pair = result.getMetaData().getColumnCount() > 1;
			while (result.next())
				out.add(new int[] {result.getInt(1), pair ? result.getInt(2) : 0});
		}
		return out;
	}

	/** The number of rows of a query. */
	int read(String sql, Object... values) throws SQLException {
		try (PreparedStatement statement = prepare(sql, values); ResultSet result = statement.executeQuery()) {
			int nr = 0;
			while (result.next())
				nr++;
			return nr;
		}
	}

	void change(String sql, Object... values) throws SQLException {
		try (PreparedStatement statement = prepare(sql, values)) {
			statement.executeUpdate();
		}
	}

	PreparedStatement prepare(String sql, Object... values) throws SQLException {
		PreparedStatement statement = conn.prepareStatement(sql);
		for (int i = 0; i < values.length; i++)
			statement.setObject(i + 1, values[i]);
		return statement;
	}

	void badList(int page) throws SQLException {
		for (int[] order : rows("select o.id, o.customer_id from bad_list__order o where o.page = ? order by o.id", page))
			read("select c.name from bad_list__customer c where c.id = ?", order[1]);
	}

	void badNested(int page) throws SQLException {
		for (int[] order : rows("select o.id, o.customer_id from bad_nested__order o where o.page = ? order by o.id", page)) {
			read("select c.name from bad_nested__customer c where c.id = ?", order[1]);
			read("select i.product_id from bad_nested__item i where i.order_id = ? order by i.id", order[0]);
		}
	}

	void badSame(int page) throws SQLException {
		for (int i = 0; i < 10; i++)
			read("select s.value from bad_same__setting s where s.name = ?", "name3");
	}

	void badLoop(int page) throws SQLException {
		for (int i = 0; i < 12; i++)
			change("insert into bad_loop__log (ref, note) values (?, ?)", i, "note " + i);
	}

	void badPairs(int page) throws SQLException {
		for (int product = page * 10; product < page * 10 + 10; product++) {
			read("select p.stock from bad_pairs__stock p where p.id = ?", product);
			change("update bad_pairs__products set stock = stock - 1 where id = ?", product);
		}
	}

	void okList(int page) throws SQLException {
		read("select o.id, c.name from ok_list__order o join customers c on c.id = o.customer_id where o.page = ? order by o.id", page);
	}

	void okIn(int page) throws SQLException {
		List<int[]> orders = rows("select o.id, o.customer_id from ok_in__order o where o.page = ? order by o.id", page);
		String holders = orders.stream().map(order -> "?").collect(Collectors.joining(", ", "(", ")"));
		read("select c.id, c.name from ok_in__customer c where c.id in " + holders, orders.stream().map(order -> order[1]).toArray());
	}

	void okBatch(int page) throws SQLException {
		Object[] values = new Object[24];
		StringBuilder sql = new StringBuilder("insert into ok_batch__log (ref, note) values ");
		for (int i = 0; i < 12; i++) {
			sql.append(i > 0 ? ", (?, ?)" : "(?, ?)");
			values[2 * i] = i;
			values[2 * i + 1] = "note " + i;
		}
		change(sql.toString(), values);
	}

	void okPairs(int page) throws SQLException {
		change("update ok_pairs__products set stock = stock - 1 where stock > 0 and id between ? and ?", page * 10, page * 10 + 9);
	}

	void okFour(int i) throws SQLException {
		read("select c.name from ok_four__customer c where c.id = ?", i + 1);
		read("select o.total from ok_four__order o where o.id = ?", i);
		read("select count(*) from ok_four__item i where i.order_id = ?", i);
		read("select p.name from ok_four__product p where p.id = ?", i);
	}

	void okFew(int i) throws SQLException {
		for (int id = i + 1; id <= i + 4; id++)
			read("select c.name from ok_few__customer c where c.id = ?", id);
	}

	void okPage(int page) throws SQLException {
		read("select count(*) from ok_page__total o");
		read("select o.id, o.total from ok_page__order o order by o.id limit 20 offset ?", page * 20);
	}

	public static void main(String[] args) throws Exception {
		Map<String, String> env = System.getenv();
		boolean tx = args[1].equals("tx");
		String url = "jdbc:postgresql://" + env.get("DB_HOST") + ":" + env.get("DB_PORT") + "/" + env.get("DB_NAME") +
			"?gssEncMode=disable&sslmode=disable" + env.getOrDefault("JOB_URL_OPTIONS", "");
		try (Connection conn = DriverManager.getConnection(url, env.get("DB_USER"), env.get("DB_PASSWORD"))) {
			Job job = new Job(conn);
			conn.setAutoCommit(!tx);
			for (int i = 0; i < Integer.parseInt(args[2]); i++)
				for (String slug : env.get("JOB_SLUGS").split(" ")) {
					job.works.get(slug).run(i % PAGES);
					if (tx)
						conn.commit();
				}
		}
	}
}
