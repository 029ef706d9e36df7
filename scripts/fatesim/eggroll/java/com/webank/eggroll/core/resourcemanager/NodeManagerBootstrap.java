package com.webank.eggroll.core.resourcemanager;

import com.google.gson.JsonObject;
import com.webank.eggroll.core.Bootstrap;
import io.grpc.Server;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import standin.Command;
import standin.Log;
import standin.Settings;

/** STAND-IN for eggroll 2.5's nodemanager: registers itself, and starts a python worker per session. */
public final class NodeManagerBootstrap implements Bootstrap.Service {
  private static final String NODE = "eggroll.resourcemanager.nodemanager.";
  private static final String WORKER = "eggroll.resourcemanager.bootstrap.egg_pair.";

  private final Map<String, Process> workers = new ConcurrentHashMap<>();
  private Settings settings;
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
    Server server = Command.serve(port, Map.of(Command.START_PROCESSORS, this::startWorker, Command.STOP_PROCESSORS, this::stopWorker));
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
      workers.values().forEach(Process::destroy);
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

  /** Starts a worker by eggroll's script, on a port that it chooses itself and prints. */
  private JsonObject startWorker(JsonObject argument) throws IOException {
    String session = argument.get("id").getAsString();
    Path log = Path.of(settings.required("eggroll.logs.dir"), session);
    Files.createDirectories(log);
    ProcessBuilder builder = new ProcessBuilder("bash", settings.required("eggroll.bootstrap.root.script"),
        settings.required(WORKER + "exepath"), "--session", session, "--host", host);
    Map<String, String> env = builder.environment();
    env.put("EGG_PAIR_VENV", settings.required(WORKER + "venv"));
    env.put("EGG_PAIR_FILE", settings.required(WORKER + "filepath"));
    env.put("PYTHONPATH", settings.required(WORKER + "pythonpath"));
    builder.redirectError(new File(log.toFile(), "egg_pair.err"));
    Process process = builder.start();
    Process before = workers.put(session, process);
    if (before != null) {
      before.destroy();
    }
    BufferedReader out = process.inputReader();
    String line = out.readLine();
    if (line == null || !line.startsWith("port ")) {
      process.destroy();
      throw new IOException("session " + session + " not start: no enough active processors, egg_pair said " + line + " (see " + log + "/egg_pair.err)");
    }
    JsonObject result = new JsonObject();
    result.addProperty("host", host);
    result.addProperty("port", Integer.parseInt(line.substring("port ".length()).strip()));
    return result;
  }

  private JsonObject stopWorker(JsonObject argument) {
    Process worker = workers.remove(argument.get("id").getAsString());
    if (worker != null) {
      worker.destroy();
    }
    return new JsonObject();
  }
}
