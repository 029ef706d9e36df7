package com.webank.eggroll.core.resourcemanager;

import com.google.gson.JsonObject;
import com.webank.eggroll.core.Bootstrap;
import io.grpc.Server;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import standin.Command;
import standin.Log;
import standin.Settings;

/** STAND-IN for eggroll 2.5's nodemanager: registers itself, and starts a python worker per session. */
public final class NodeManagerBootstrap implements Bootstrap.Service {
  private static final String NODE = "eggroll.resourcemanager.nodemanager.";
  private static final int START_SECONDS = 25; // the clustermanager waits for 30

  private final Map<Long, CompletableFuture<JsonObject>> starting = new ConcurrentHashMap<>();
  private Settings settings;
  private Container containers;
  private String host;
  private int port;
  private Path meta;
  private long id = -1;
  private String status = "INIT";

  @Override
  public void start(Settings settings, int port, String tag) throws Exception {
    this.settings = settings;
    this.port = port;
    this.host = settings.get(NODE + "host", null) != null ? settings.get(NODE + "host") : guessHost(settings);
    Path data = Files.createDirectories(Path.of(settings.required("eggroll.data.dir")));
    meta = data.resolve("NodeManagerMeta");
    readMeta();
    containers = new Container(settings);
    Server server = Command.serve(port, Map.of(
        Command.START_PROCESSORS, this::startWorker,
        Command.PROCESSOR_HEARTBEAT, this::heartbeat,
        Command.CHECK_PROCESSOR, this::checkWorker,
        Command.STOP_PROCESSORS, order -> endWorker("stop", order),
        Command.KILL_PROCESSORS, order -> endWorker("kill", order)));
    int interval = settings.number(NODE + "heartbeat.interval", 10_000);
    if (Generation.registers()) {
      Executors.newSingleThreadScheduledExecutor(Background::thread).scheduleWithFixedDelay(this::beat, 0, interval, TimeUnit.MILLISECONDS);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      synchronized (this) {
        status = "LOSS";
      }
      if (Generation.registers()) {
        beat();
      }
      // and leaves its workers running, as 2.0 to 2.5 do
    }));
    Log.info(tag);
    Log.info("server started at " + port);
    server.awaitTermination();
  }

  /** What an earlier process of this address has learned: the id of its row. */
  private void readMeta() throws IOException {
    if (!Files.exists(meta)) {
      return;
    }
    String[] words = Files.readString(meta).strip().split(" ");
    if (words.length == 3 && words[1].equals(host) && words[2].equals(String.valueOf(port))) {
      id = Long.parseLong(words[0]);
    }
  }

  private synchronized void beat() {
    JsonObject node = new JsonObject();
    node.addProperty("id", id);
    node.addProperty("host", host);
    node.addProperty("port", port);
    node.addProperty("status", status);
    try {
      JsonObject answer = Command.call(settings.required("eggroll.resourcemanager.clustermanager.host"),
          settings.number("eggroll.resourcemanager.clustermanager.port", 4670), Command.HEARTBEAT, node);
      long given = answer.get("id").getAsLong();
      if (status.equals("INIT") && given != -1) { // HEALTHY in the next heartbeat
        id = given;
        status = "HEALTHY";
        Files.writeString(meta, id + " " + host + " " + port + "\n");
        Log.info("get node id " + id + " from cluster-manager");
      }
    } catch (RuntimeException | IOException e) { // the real one goes on for ever, too
      Log.info("cannot send a heartbeat to the clustermanager: " + e.getMessage());
    }
  }

  /** Without an address in its settings 2.5.3 takes that of eth0, or of the first interface there is. */
  private static String guessHost(Settings settings) throws SocketException {
    String device = settings.get(NODE + "net.device", "eth0");
    String first = null;
    for (NetworkInterface nic : Collections.list(NetworkInterface.getNetworkInterfaces())) {
      for (InetAddress a : Collections.list(nic.getInetAddresses())) {
        if (a instanceof Inet4Address && !a.isLoopbackAddress()) {
          if (nic.getName().equals(device)) {
            return a.getHostAddress();
          }
          first = first == null ? a.getHostAddress() : first;
        }
      }
    }
    return first == null ? "127.0.0.1" : first;
  }

  /** Starts a worker by eggroll's scripts and waits until it reports itself. */
  private JsonObject startWorker(JsonObject order) throws IOException, InterruptedException {
    long processor = order.get("processor").getAsLong();
    CompletableFuture<JsonObject> report = new CompletableFuture<>();
    starting.put(processor, report);
    containers.start(order);
    try {
      JsonObject result = report.get(START_SECONDS, TimeUnit.SECONDS);
      result.addProperty("host", host);
      return result;
    } catch (ExecutionException | TimeoutException e) {
      throw new IOException("session " + order.get("id").getAsString() + " not start: no enough active processors, egg_pair " + processor
          + " did not report (see egg_pair-" + processor + ".err and bootstrap-egg_pair-" + processor + ".err)");
    } finally {
      starting.remove(processor);
    }
  }

  private JsonObject heartbeat(JsonObject report) {
    CompletableFuture<JsonObject> waiting = starting.get(report.get("processor").getAsLong());
    if (waiting != null) {
      waiting.complete(report);
    }
    return new JsonObject();
  }

  private JsonObject checkWorker(JsonObject order) throws IOException {
    int pid = order.get("pid").getAsInt();
    JsonObject result = new JsonObject();
    result.addProperty("lives", containers.lives(pid));
    Log.info("check processor pid " + pid + " return  " + (result.get("lives").getAsBoolean() ? "RUNNING" : "KILLED"));
    return result;
  }

  private JsonObject endWorker(String action, JsonObject order) {
    try {
      containers.end(action, order);
    } catch (IOException | InterruptedException e) {
      Log.error("cannot " + action + " a worker", e);
    }
    return new JsonObject();
  }
}
