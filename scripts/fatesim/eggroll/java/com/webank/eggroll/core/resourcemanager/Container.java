package com.webank.eggroll.core.resourcemanager;

import com.google.gson.JsonObject;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import standin.Log;
import standin.Settings;

/**
 * Worker processes, started, stopped and looked for by the command lines of eggroll 2.5.3 (Container.scala and
 * ProcessUtils.java): what these need on the host, the stand-in needs, too.
 */
final class Container {
  private final Settings settings;
  private final String boot;

  Container(Settings settings) {
    this.settings = settings;
    this.boot = "/bin/bash " + settings.required("eggroll.bootstrap.root.script");
  }

  void start(JsonObject order) throws IOException, InterruptedException {
    String script = settings.required("eggroll.resourcemanager.bootstrap.egg_pair.exepath");
    run(order, String.format("%s start \"%s --config conf/eggroll.properties --session-id %s --server-node-id %s --processor-id %s\" %s &",
        boot, script, text(order, "id"), text(order, "node"), text(order, "processor"), name(order)));
  }

  /** Ends a worker: action is stop or kill. Nothing tells whether that worked. */
  void end(String action, JsonObject order) throws IOException, InterruptedException {
    run(order, String.format("%s %s \"ps aux | grep 'session-id %s' | grep 'server-node-id %s' | grep 'processor-id %s'\" %s",
        boot, action, text(order, "id"), text(order, "node"), text(order, "processor"), name(order)));
  }

  boolean lives(int pid) throws IOException {
    Process list = new ProcessBuilder("/bin/sh", "-c", "ps aux | awk '{print $2}'| grep -w  " + pid).start();
    return new String(list.getInputStream().readAllBytes(), StandardCharsets.UTF_8).contains(Integer.toString(pid));
  }

  private void run(JsonObject order, String command) throws IOException, InterruptedException {
    Path logs = Path.of(settings.required("eggroll.logs.dir"), text(order, "id"));
    Files.createDirectories(logs);
    ProcessBuilder builder = new ProcessBuilder("/bin/bash", "-c", command);
    builder.redirectOutput(ProcessBuilder.Redirect.appendTo(new File(logs.toFile(), "bootstrap-" + name(order) + ".out")));
    builder.redirectError(ProcessBuilder.Redirect.appendTo(new File(logs.toFile(), "bootstrap-" + name(order) + ".err")));
    Log.info(command);
    builder.start().waitFor();
  }

  private static String name(JsonObject order) {
    return "egg_pair-" + text(order, "processor");
  }

  private static String text(JsonObject order, String key) {
    return order.get(key).getAsString();
  }
}
