// SPDX-License-Identifier: GPL-2.0-only
// Jdbc.java - the drivers' workload with JDBC: PostgreSQL or MariaDB Connector/J (DB_KIND). See test_drivers.py.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.LinkedHashMap;
import java.util.Map;

class Jdbc {
	interface Call {
		long rows() throws SQLException;
	}

	static class Told {
		long count, rows, errors;
		StringBuilder ns = new StringBuilder();
	}

	static final Map<String, Told> done = new LinkedHashMap<>();

	static void run(String kind, Call call) {
		Told told = done.computeIfAbsent(kind, k -> new Told());
		long begin = System.nanoTime();
		try {
			told.rows += call.rows();
		} catch (SQLException e) {
			told.errors++;
		}
		told.ns.append(told.count++ > 0 ? "," : "").append(System.nanoTime() - begin);
	}

	static long count(ResultSet rows) throws SQLException {
		long nr = 0;
		while (rows.next())
			nr++;
		return nr;
	}

	static String url() {
		Map<String, String> env = System.getenv();
		boolean tls = env.get("DB_TLS").equals("1"), pg = env.get("DB_KIND").equals("postgresql");
		String where = "//" + env.get("DB_HOST") + ":" + env.get("DB_PORT") + "/" + env.get("DB_NAME");
		if (pg)
			return "jdbc:postgresql:" + where + "?gssEncMode=disable&sslmode=" + (tls ? "require" : "disable");
		return "jdbc:mariadb:" + where + "?useServerPrepStmts=true&useSSL=" + tls + "&trustServerCertificate=true";
	}

	public static void main(String[] args) throws Exception {
		Map<String, String> env = System.getenv();
		int rounds = Integer.parseInt(env.get("DB_ROUNDS"));
		try (Connection conn = DriverManager.getConnection(url(), env.get("DB_USER"), env.get("DB_PASSWORD"));
		     Statement text = conn.createStatement()) {
			for (int i = 0; i < rounds; i++) {
				int id = i % 100 + 1;
				run("text", () -> count(text.executeQuery("SELECT name, qty FROM drv_items WHERE id = " + id)));
			}
			try (PreparedStatement select = conn.prepareStatement("SELECT qty FROM drv_items WHERE id = ? AND qty >= ?")) {
				for (int i = 0; i < rounds; i++) {
					select.setInt(1, i % 100 + 1);
					select.setInt(2, 0);
					run("prepared", () -> count(select.executeQuery()));
				}
			}
			conn.setAutoCommit(false);
			try (PreparedStatement insert = conn.prepareStatement("INSERT INTO drv_log (id, note) VALUES (?, ?)")) {
				for (int i = 0; i < 20; i++) {
					insert.setInt(1, i);
					insert.setString(2, "note " + i);
					run("insert", () -> insert.executeUpdate());
				}
			}
			conn.commit();
			conn.setAutoCommit(true);
			run("failing", () -> count(text.executeQuery("SELECT nope FROM drv_missing")));
			run("many", () -> count(text.executeQuery("SELECT id, name FROM drv_items WHERE id <= 50")));
		}
		StringBuilder out = new StringBuilder();
		done.forEach((kind, t) -> out.append(out.length() > 0 ? "," : "").append(String.format(
			"\"%s\":{\"count\":%d,\"rows\":%d,\"errors\":%d,\"ns\":[%s]}", kind, t.count, t.rows, t.errors, t.ns)));
		System.out.println("{" + out + "}");
	}
}
