package standin;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/** eggroll.properties, read as the real services read it. */
public final class Settings {
  private final Properties properties = new Properties();

  public static Settings load(Path file) throws IOException {
    Settings s = new Settings();
    // Of a stream of bytes, which Java takes for Latin-1; and all of it goes to standard output, passwords too, which
    // ends in bootstrap.MODULE.out: who may read that log matters.
    System.out.println("current dir: " + Path.of(".").toAbsolutePath());
    System.out.println("read config file : " + file);
    try (InputStream in = Files.newInputStream(file)) {
      s.properties.load(in);
    }
    s.properties.forEach((key, value) -> System.out.println("config key " + key + "=" + value));
    // Harmless here, but python's configparser cannot read the file without it.
    if (!s.properties.containsKey("[eggroll]")) {
      throw new IOException(file + " does not begin with [eggroll]");
    }
    return s;
  }

  /** The value, or null when it is missing or blank. */
  public String get(String key) {
    String value = properties.getProperty(key, "").strip();
    return value.isEmpty() ? null : value;
  }

  public String get(String key, String otherwise) {
    String value = get(key);
    return value == null ? otherwise : value;
  }

  public int number(String key, int otherwise) {
    String value = get(key);
    return value == null ? otherwise : Integer.parseInt(value);
  }

  public boolean flag(String key) {
    return Boolean.parseBoolean(get(key, "false"));
  }

  public String required(String key) {
    String value = get(key);
    if (value == null) {
      throw new IllegalStateException("eggroll.properties has no value for " + key);
    }
    return value;
  }

  public static String environment(String name) {
    String value = System.getenv(name);
    if (value == null || value.isEmpty()) {
      throw new IllegalStateException("the environment has no " + name);
    }
    return value;
  }
}
