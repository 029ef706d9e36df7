package com.webank.eggroll.core.resourcemanager;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import standin.Log;
import standin.Settings;

/** The metadata database, reached with driver, URL and account of eggroll.properties. */
final class MetaDatabase {
  private static final String PREFIX = "eggroll.resourcemanager.clustermanager.jdbc.";
  private static final List<String> TABLES = List.of("store_locator", "store_option", "store_partition", "server_node", "session_main",
      "session_option", "session_processor");
  private static final List<String> LATER_TABLES = List.of("processor_resource", "node_resource", "session_ranks"); // since 2.5

  /** A nodemanager that can take work. */
  record Node(long id, String host, int port) {}

  /** A row of session_main; created is in milliseconds since 1970, as the driver understands created_at. */
  record Session(String id, String status, long created) {}

  /** A row of session_processor and the node it is on; updated is as created of a session. */
  record Processor(long id, String session, String status, int pid, long updated, Node node) {}

  private final String url;
  private final String user;
  private final String password;
  private Connection connection;

  MetaDatabase(Settings settings) throws Exception {
    Class.forName(settings.required(PREFIX + "driver.class.name"));
    url = settings.required(PREFIX + "url");
    user = settings.required(PREFIX + "username");
    password = settings.required(PREFIX + "password");
    DriverManager.setLoginTimeout(10);
    connection();
    Log.info("connected to " + url + " as " + user);
  }

  private synchronized Connection connection() throws SQLException {
    if (connection == null || !connection.isValid(5)) {
      connection = DriverManager.getConnection(url, user, password);
    }
    return connection;
  }

  void checkTables() throws SQLException {
    List<String> missing = new ArrayList<>(TABLES);
    if (Generation.registers()) {
      missing.addAll(LATER_TABLES);
    }
    try (PreparedStatement s = connection().prepareStatement("SHOW TABLES"); ResultSet rows = s.executeQuery()) {
      while (rows.next()) {
        missing.remove(rows.getString(1));
      }
    }
    if (!missing.isEmpty()) {
      throw new SQLException("the metadata database lacks the tables " + missing);
    }
  }

  /** Notes a heartbeat of a node, which knows its id or has -1, and returns the id it is to use: -1 for a row that was just made. */
  synchronized long updateNode(long id, String host, int port, String status) throws SQLException {
    if (id == -1 && status.equals("LOSS")) {
      return id;
    }
    if (id == -1) {
      id = nodeAt(host, port);
    }
    int changed = id == -1 ? 0 : update("UPDATE server_node SET host = ?, port = ?, status = ?, last_heartbeat_at = NOW() WHERE server_node_id = ?",
        host, port, status, id);
    if (changed > 0 || status.equals("LOSS")) {
      return id;
    }
    boolean known = id != -1; // its row is gone
    update("INSERT INTO server_node (host, port, node_type, status, last_heartbeat_at) VALUES (?, ?, 'NODE_MANAGER', ?, NOW())", host, port, status);
    Log.info("create new node " + host + ":" + port);
    return known ? nodeAt(host, port) : -1;
  }

  private long nodeAt(String host, int port) throws SQLException {
    try (PreparedStatement s = connection().prepareStatement(
        "SELECT server_node_id FROM server_node WHERE node_type = 'NODE_MANAGER' AND host = ? AND port = ? ORDER BY 1 LIMIT 1")) {
      s.setString(1, host);
      s.setInt(2, port);
      try (ResultSet rows = s.executeQuery()) {
        return rows.next() ? rows.getLong(1) : -1;
      }
    }
  }

  synchronized void expireNodes(long seconds) throws SQLException {
    update("UPDATE server_node SET status = 'LOSS' WHERE node_type = 'NODE_MANAGER' AND status = 'HEALTHY'"
        + " AND last_heartbeat_at < NOW() - INTERVAL ? SECOND", seconds);
  }

  synchronized List<Node> healthyNodes() throws SQLException {
    return query("SELECT server_node_id, host, port FROM server_node WHERE node_type = 'NODE_MANAGER' AND status = 'HEALTHY' ORDER BY 1",
        row -> new Node(row.getLong(1), row.getString(2), row.getInt(3)));
  }

  /** Adds a session in state NEW; created_at is the database's own time. */
  synchronized void createSession(String id, int processors) throws SQLException {
    update("DELETE FROM session_processor WHERE session_id = ?", id);
    update("REPLACE INTO session_main (session_id, name, status, total_proc_count) VALUES (?, ?, 'NEW', ?)", id, id, processors);
  }

  synchronized void setSession(String id, String status, int active) throws SQLException {
    update("UPDATE session_main SET status = ?, active_proc_count = ? WHERE session_id = ?", status, active, id);
  }

  /** The sessions in a state; all of an ID when there is one. */
  synchronized List<Session> sessions(String id, String... statuses) throws SQLException {
    String marks = String.join(", ", Collections.nCopies(statuses.length, "?"));
    String sql = "SELECT session_id, status, created_at FROM session_main WHERE "
        + (id == null ? "status IN (" + marks + ")" : "session_id = ?");
    return query(sql, row -> new Session(row.getString(1), row.getString(2), row.getTimestamp(3).getTime()),
        id == null ? (Object[]) statuses : new Object[] {id});
  }

  /** Adds a processor in state NEW and returns its ID. */
  synchronized long createProcessor(String session, long node) throws SQLException {
    update("INSERT INTO session_processor (session_id, server_node_id, processor_type, status) VALUES (?, ?, 'egg_pair', 'NEW')", session, node);
    return query("SELECT LAST_INSERT_ID()", row -> row.getLong(1)).get(0);
  }

  synchronized void startedProcessor(long id, int pid, String endpoint) throws SQLException {
    update("UPDATE session_processor SET status = 'RUNNING', pid = ?, command_endpoint = ? WHERE processor_id = ?"
        + " AND status = 'NEW'", pid, endpoint, id); // its session may have ended in between
  }

  synchronized void setProcessor(long id, String status) throws SQLException {
    update("UPDATE session_processor SET status = ? WHERE processor_id = ?", status, id);
  }

  /** The processors of a session, or, without one, those in a state. */
  synchronized List<Processor> processors(String session, String status) throws SQLException {
    return query("SELECT p.processor_id, p.session_id, p.status, p.pid, p.updated_at, n.server_node_id, n.host, n.port"
            + " FROM session_processor p JOIN server_node n USING (server_node_id) WHERE "
            + (session == null ? "p.status = ?" : "p.session_id = ?"),
        row -> new Processor(row.getLong(1), row.getString(2), row.getString(3), row.getInt(4), row.getTimestamp(5).getTime(),
            new Node(row.getLong(6), row.getString(7), row.getInt(8))),
        session == null ? status : session);
  }

  private interface Row<T> {
    T read(ResultSet row) throws SQLException;
  }

  private <T> List<T> query(String sql, Row<T> row, Object... values) throws SQLException {
    try (PreparedStatement s = connection().prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) {
        s.setObject(i + 1, values[i]);
      }
      List<T> out = new ArrayList<>();
      try (ResultSet rows = s.executeQuery()) {
        while (rows.next()) {
          out.add(row.read(rows));
        }
      }
      return out;
    }
  }

  /** The sessions of a job: their IDs begin with the job's. */
  synchronized List<String> sessionsOf(String job) throws SQLException {
    return query("SELECT session_id FROM session_main WHERE session_id LIKE ? ORDER BY 1", row -> row.getString(1), job + "%");
  }

  /** Ends the processors of all sessions of a job. */
  synchronized void endProcessors(String job) throws SQLException {
    update("UPDATE session_processor SET status = 'KILLED' WHERE session_id LIKE ?", job + "%");
  }

  /** Reads the processors of a session with every column, and fails like the real one without the one that came with 2.5. */
  synchronized void checkProcessors(String session) throws SQLException {
    try (PreparedStatement s = connection().prepareStatement("SELECT * FROM session_processor WHERE session_id LIKE ?")) {
      s.setString(1, session + "%");
      try (ResultSet rows = s.executeQuery()) {
        boolean found = !Generation.registers();
        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
          found |= rows.getMetaData().getColumnName(i).equals("processor_option");
        }
        if (!found) {
          throw new SQLException("Column 'processor_option' not found.");
        }
      }
    }
  }

  private int update(String sql, Object... values) throws SQLException {
    try (PreparedStatement s = connection().prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) {
        s.setObject(i + 1, values[i]);
      }
      return s.executeUpdate();
    }
  }
}
