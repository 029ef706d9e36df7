package com.webank.eggroll.core.resourcemanager;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.webank.eggroll.core.Bootstrap;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import standin.Command;
import standin.Log;
import standin.Settings;

/** STAND-IN for eggroll 2.5's clustermanager: keeps server_node up to date and has sessions started on its nodes. */
public final class ClusterManagerBootstrap implements Bootstrap.Service {
  private MetaDatabase database;
  private SessionWatcher watcher;

  @Override
  public void start(Settings settings, int port, String tag) throws Exception {
    // 2.5.3 opens its connections at start, and ends when the database is down.
    database = new MetaDatabase(settings);
    database.checkTables();
    watcher = new SessionWatcher(database, settings);
    Server server = Command.serve(port, Map.of(
        Command.HEARTBEAT, this::heartbeat,
        Command.CREATE_SESSION, this::createSession,
        Command.GET_STORE, this::getStore,
        Command.GET_SESSION, this::getSession,
        Command.STOP_SESSION, this::stopSession,
        Command.KILL_SESSION, this::killSession));
    if (Generation.registers()) {
      watcher.start();
      watchNodes(settings);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    Log.info(tag);
    Log.info("server started at port " + port);
    server.awaitTermination();
  }

  private void watchNodes(Settings settings) {
    long interval = settings.number("eggroll.resourcemanager.nodemanager.heartbeat.interval", 10_000);
    long missed = settings.number("eggroll.resourcemanager.clustermanager.node.heartbeat.expire.count", 30);
    Executors.newSingleThreadScheduledExecutor(Background::thread).scheduleWithFixedDelay(() -> {
      try {
        database.expireNodes(interval * missed / 1000);
      } catch (SQLException e) {
        Log.error("cannot look for lost nodes", e);
      }
    }, interval, interval, TimeUnit.MILLISECONDS);
  }

  /** As 2.5.3: the first heartbeat of a new node makes its row, the second gets the row's id, and the node is HEALTHY in the third. */
  private JsonObject heartbeat(JsonObject node) throws SQLException {
    JsonObject answer = new JsonObject();
    answer.addProperty("id", database.updateNode(node.get("id").getAsLong(), node.get("host").getAsString(), node.get("port").getAsInt(),
        node.get("status").getAsString()));
    return answer;
  }

  /** Says on which nodes the partitions of a table are: on all that are HEALTHY now, whatever the session has. */
  private JsonObject getStore(JsonObject argument) throws SQLException {
    List<MetaDatabase.Node> nodes = database.healthyNodes();
    if (nodes.isEmpty()) {
      throw new IllegalStateException("cannot place a table: no HEALTHY nodemanager in server_node");
    }
    JsonArray places = new JsonArray();
    for (int i = 0; i < argument.get("partitions").getAsInt(); i++) {
      places.add(nodes.get(i % nodes.size()).id());
    }
    JsonObject result = new JsonObject();
    result.add("partitions", places);
    return result;
  }

  private JsonObject createSession(JsonObject argument) throws Exception {
    String session = argument.get("id").getAsString();
    List<MetaDatabase.Node> nodes = database.healthyNodes();
    if (nodes.isEmpty() && !Generation.registers()) {
      throw new NullPointerException("java.lang.NullPointerException: getOrCreateSession of " + session); // as 2.4 does
    }
    if (nodes.isEmpty()) {
      throw new IllegalStateException("session " + session + " not start: no enough active processors, no HEALTHY nodemanager in server_node");
    }
    insistently(() -> database.checkProcessors(session));
    watcher.end(session, Command.STOP_PROCESSORS, "STOPPED"); // of an earlier session of this name
    database.createSession(session, nodes.size());
    JsonArray processors = new JsonArray();
    for (MetaDatabase.Node node : nodes) {
      processors.add(startProcessor(session, node));
    }
    if (Generation.registers()) {
      watcher.checkAsSlowHost(session);
    }
    if (!state(session).equals("NEW")) {
      throw new IllegalStateException("unable to start all processors for session id: '" + session + "'. total processors: "
          + nodes.size() + ", started count: 0");
    }
    database.setSession(session, "ACTIVE", nodes.size());
    JsonObject result = new JsonObject();
    result.add("processors", processors);
    Log.info("session " + session + " started on " + processors);
    return result;
  }

  /** Gives a nodemanager a command. 2.4 waits for ever when the node's host does not answer, also when it is back. */
  private static JsonObject reach(MetaDatabase.Node node, String command, JsonObject argument) throws InterruptedException {
    try {
      return Command.call(node.host(), node.port(), command, argument);
    } catch (StatusRuntimeException e) {
      boolean silent = e.getStatus().getCode() == Status.Code.UNAVAILABLE || e.getStatus().getCode() == Status.Code.DEADLINE_EXCEEDED;
      if (Generation.registers() || !silent || String.valueOf(e.getCause()).contains("Connection refused")) {
        throw e;
      }
      Log.error("nodemanager " + node.host() + ":" + node.port() + " does not answer " + command, e);
      new CountDownLatch(1).await();
      throw e;
    }
  }

  /** Statements on the database that are tried again and again. */
  private interface Work {
    void run() throws SQLException;
  }

  /** 2.5 does not give up when it lacks a column: it writes its log full instead, and its caller waits. */
  private static void insistently(Work work) throws InterruptedException {
    while (true) {
      try {
        work.run();
        return;
      } catch (SQLException e) {
        Log.error("session watcher", e);
        Thread.sleep(20);
      }
    }
  }

  private JsonObject killSession(JsonObject argument) throws Exception {
    String job = argument.get("id").getAsString();
    List<MetaDatabase.Node> nodes = database.healthyNodes();
    if (nodes.isEmpty() && !Generation.registers()) {
      throw new NullPointerException("java.lang.NullPointerException: killSession of " + job);
    }
    if (!Generation.registers()) {
      for (MetaDatabase.Node node : nodes) {
        reach(node, Command.KILL_PROCESSORS, ofJob(job, node));
      }
    }
    insistently(() -> database.checkProcessors(job));
    for (String session : database.sessionsOf(job)) {
      watcher.end(session, Command.KILL_PROCESSORS, "KILLED");
    }
    database.endProcessors(job);
    return new JsonObject();
  }

  /** An order that fits every worker of a job on a node: the command lines look for the beginnings of IDs. */
  private static JsonObject ofJob(String job, MetaDatabase.Node node) {
    JsonObject order = new JsonObject();
    order.addProperty("id", job);
    order.addProperty("node", node.id());
    order.addProperty("processor", "");
    return order;
  }

  private JsonObject startProcessor(String session, MetaDatabase.Node node) throws SQLException, InterruptedException {
    JsonObject order = new JsonObject();
    order.addProperty("id", session);
    order.addProperty("node", node.id());
    order.addProperty("processor", database.createProcessor(session, node.id()));
    JsonObject started = reach(node, Command.START_PROCESSORS, order);
    database.startedProcessor(order.get("processor").getAsLong(), started.get("pid").getAsInt(),
        node.host() + ":" + started.get("port").getAsInt());
    started.addProperty("server_node_id", node.id());
    return started;
  }

  private JsonObject getSession(JsonObject argument) throws SQLException {
    JsonObject result = new JsonObject();
    result.addProperty("status", state(argument.get("id").getAsString()));
    return result;
  }

  private String state(String session) throws SQLException {
    List<MetaDatabase.Session> found = database.sessions(session);
    return found.isEmpty() ? "" : found.get(0).status();
  }

  private JsonObject stopSession(JsonObject argument) throws SQLException {
    String session = argument.get("id").getAsString();
    watcher.end(session, Command.STOP_PROCESSORS, "STOPPED");
    database.setSession(session, "CLOSED", 0);
    return new JsonObject();
  }
}
