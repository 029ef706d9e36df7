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
      "session_option", "session_processor", "processor_resource", "node_resource", "session_ranks");

  /** A nodemanager that can take work. */
  record Node(String host, int port) {}

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
    try (PreparedStatement s = connection().prepareStatement("SHOW TABLES"); ResultSet rows = s.executeQuery()) {
      while (rows.next()) {
        missing.remove(rows.getString(1));
      }
    }
    if (!missing.isEmpty()) {
      throw new SQLException("the metadata database lacks the tables " + missing);
    }
  }

  synchronized void updateNode(String host, int port, String status) throws SQLException {
    int changed = update("UPDATE server_node SET status = ?, last_heartbeat_at = NOW() WHERE host = ? AND port = ? AND node_type = 'NODE_MANAGER'",
        status, host, port);
    if (changed == 0) {
      update("INSERT INTO server_node (host, port, node_type, status, last_heartbeat_at) VALUES (?, ?, 'NODE_MANAGER', ?, NOW())", host, port, status);
      Log.info("new node " + host + ":" + port);
    }
  }

  synchronized void expireNodes(long seconds) throws SQLException {
    update("UPDATE server_node SET status = 'LOSS' WHERE node_type = 'NODE_MANAGER' AND status = 'HEALTHY'"
        + " AND last_heartbeat_at < NOW() - INTERVAL ? SECOND", seconds);
  }

  synchronized List<Node> healthyNodes() throws SQLException {
    List<Node> nodes = new ArrayList<>();
    try (PreparedStatement s = connection().prepareStatement(
            "SELECT host, port FROM server_node WHERE node_type = 'NODE_MANAGER' AND status = 'HEALTHY'"); ResultSet rows = s.executeQuery()) {
      while (rows.next()) {
        nodes.add(new Node(rows.getString(1), rows.getInt(2)));
      }
    }
    return nodes;
  }

  synchronized void putSession(String id, String status, int processors) throws SQLException {
    update("REPLACE INTO session_main (session_id, name, status, total_proc_count, active_proc_count) VALUES (?, ?, ?, ?, ?)",
        id, id, status, processors, processors);
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
