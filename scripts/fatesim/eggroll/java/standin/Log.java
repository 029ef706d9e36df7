package standin;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;

/** Writes to where the real services write: standard output, and logs/eggroll/NAME.jvm.log with its .err twin. */
public final class Log {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss,SSS");
  private static final String NAME = System.getenv().getOrDefault("EGGROLL_LOG_FILE", "eggroll");

  private Log() {}

  public static void info(String text) {
    write("INFO", text);
  }

  public static void error(String text, Throwable cause) {
    StringWriter trace = new StringWriter();
    cause.printStackTrace(new PrintWriter(trace, true));
    write("ERROR", text + ": " + cause + "\n" + trace);
  }

  private static synchronized void write(String level, String text) {
    String line = "[" + level + "][" + TIME.format(LocalDateTime.now()) + "][STAND-IN " + NAME + "] " + text + "\n";
    System.out.print(line);
    System.out.flush();
    append(NAME + ".jvm.log", line);
    if (level.equals("ERROR")) {
      append(NAME + ".jvm.err.log", line);
    }
  }

  private static void append(String file, String line) {
    Path dir = Path.of(System.getenv().getOrDefault("EGGROLL_LOG_DIR", "logs"), "eggroll");
    try {
      Files.createDirectories(dir);
      Files.writeString(dir.resolve(file), line, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      System.err.println("STAND-IN cannot log to " + dir.resolve(file) + ": " + e);
    }
  }
}
