package com.webank.eggroll.core;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import standin.Log;
import standin.Settings;

/** STAND-IN for eggroll's entry point: the same arguments, the same working directory, the same files. */
public final class Bootstrap {
  /** What each of eggroll's services is to this class. */
  public interface Service {
    void start(Settings settings, int port, String tag) throws Exception;
  }

  private static final Set<String> OPTIONS = Set.of("--bootstraps", "-c", "-p", "-s");

  private Bootstrap() {}

  public static void main(String[] args) {
    try {
      Map<String, String> options = parse(args);
      checkSurroundings();
      Settings settings = Settings.load(Path.of(required(options, "-c")));
      String name = required(options, "--bootstraps");
      Service service = (Service) Class.forName(name).getDeclaredConstructor().newInstance();
      service.start(settings, Integer.parseInt(required(options, "-p")), options.getOrDefault("-s", "EGGROLL_DAEMON"));
    } catch (Throwable e) {
      Log.error("cannot start", e);
      System.exit(1);
    }
  }

  private static Map<String, String> parse(String[] args) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i < args.length; i += 2) {
      if (!OPTIONS.contains(args[i]) || i + 1 == args.length) {
        throw new IllegalArgumentException("unknown option, or one without a value: " + args[i]);
      }
      options.put(args[i], args[i + 1]);
    }
    return options;
  }

  private static String required(Map<String, String> options, String name) {
    String value = options.get(name);
    if (value == null) {
      throw new IllegalArgumentException("option " + name + " is missing");
    }
    return value;
  }

  /** The real services use paths relative to EGGROLL_HOME, and log as the file of -Dlog4j.configurationFile says. */
  private static void checkSurroundings() throws Exception {
    Path home = Path.of(Settings.environment("EGGROLL_HOME"));
    if (!Files.isSameFile(home, Path.of("."))) {
      throw new IllegalStateException("the working directory is " + Path.of("").toAbsolutePath() + ", not EGGROLL_HOME " + home);
    }
    for (String name : new String[] {"JAVA_HOME", "EGGROLL_LOG_FILE"}) {
      Settings.environment(name);
    }
    String log = System.getProperty("log4j.configurationFile");
    if (log == null || !Files.isReadable(Path.of(log))) {
      throw new IllegalStateException("log4j.configurationFile " + log + " cannot be read");
    }
  }
}
