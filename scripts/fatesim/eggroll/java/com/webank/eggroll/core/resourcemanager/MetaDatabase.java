package com.webank.eggroll.core.resourcemanager;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
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
    List<Node> nodes = new ArrayList<>();
    try (PreparedStatement s = connection().prepareStatement(
            "SELECT server_node_id, host, port FROM server_node WHERE node_type = 'NODE_MANAGER' AND status = 'HEALTHY' ORDER BY 1"); ResultSet rows = s.executeQuery()) {
      while (rows.next()) {
        nodes.add(new Node(rows.getLong(1), rows.getString(2), rows.getInt(3)));
      }
    }
    return nodes;
  }

  synchronized void putSession(String id, String status, int processors) throws SQLException {
    update("REPLACE INTO session_main (session_id, name, status, total_proc_count, active_proc_count) VALUES (?, ?, ?, ?, ?)",
        id, id, status, processors, processors);
  }

  /** Notes a processor of a session on each node, and reads them back. */
  synchronized void addProcessors(String session, List<Node> nodes) throws SQLException {
    processors(session);
    for (Node node : nodes) {
      update("INSERT INTO session_processor (session_id, server_node_id, processor_type, status, command_endpoint) VALUES (?, ?, 'egg_pair', 'NEW', ?)",
          session, node.id(), node.host() + ":" + node.port());
    }
    processors(session);
  }

  /** Ends the processors of all sessions of a job. */
  synchronized void endProcessors(String job) throws SQLException {
    processors(job);
    update("UPDATE session_processor SET status = 'KILLED' WHERE session_id LIKE ?", job + "%");
  }

  /** Reads the processors of a session with every column, and fails like the real one without the one that came with 2.5. */
  private void processors(String session) throws SQLException {
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
