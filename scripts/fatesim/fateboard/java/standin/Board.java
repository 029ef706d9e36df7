package standin;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.Reader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.Base64;
import java.util.Properties;
import java.util.concurrent.Executors;

/** STAND-IN for FATE-Board: reads the real one's settings, answers its port, shows that it is not the real one. */
public final class Board {
  /** A Spring application ends without these, even when they are blank. */
  private static final String[] PRESENT = {"server.port", "fateflow.url", "fateflow.http_app_key", "fateflow.http_secret_key",
      "server.board.login.username", "server.board.login.password"};

  private final Properties settings = new Properties();

  public static void main(String[] args) {
    Board board = new Board();
    try {
      board.start();
    } catch (Exception e) {
      board.log("cannot start: " + e);
      e.printStackTrace();
      System.exit(1);
    }
  }

  private void start() throws Exception {
    String file = System.getProperty("spring.config.location");
    if (file == null) {
      throw new IllegalStateException("spring.config.location is not set");
    }
    try (Reader in = Files.newBufferedReader(Path.of(file), StandardCharsets.UTF_8)) {
      settings.load(in);
    }
    for (String key : PRESENT) {
      if (!settings.containsKey(key)) {
        throw new IllegalStateException(file + " has no " + key);
      }
    }
    int port = Integer.parseInt(settings.getProperty("server.port").strip());
    KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
    generator.initialize(2048);
    KeyPair pair = generator.generateKeyPair();
    String key = Base64.getEncoder().encodeToString(pair.getPublic().getEncoded());

    HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.createContext("/", exchange -> answer(exchange, exchange.getRequestURI().getPath().equals("/") ? 200 : 404, "text/html", page()));
    server.createContext("/user/getKey", exchange -> answer(exchange, 200, "application/json", "{\"code\":0,\"data\":\"" + key + "\",\"msg\":\"success\"}"));
    for (String path : new String[] {"/job/", "/v1/"}) {
      server.createContext(path, exchange -> answer(exchange, 200, "application/json", "{\"code\":10015,\"data\":null,\"msg\":\"no login user\"}"));
    }
    server.start();
    log("started on port " + port + ", fate_flow at " + settings.getProperty("fateflow.url"));
  }

  private String page() {
    return "<!DOCTYPE html><html><head><title>STAND-IN for FATE-Board</title></head><body><h1>STAND-IN for FATE-Board</h1>"
        + "<p>This is not FATE-Board, but a small program in its place for demonstrations and tests.</p></body></html>\n";
  }

  private static void answer(HttpExchange exchange, int status, String type, String text) throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    try (exchange) {
      exchange.getRequestBody().readAllBytes();
      exchange.getResponseHeaders().set("Content-Type", type + "; charset=UTF-8");
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    }
  }

  private void log(String text) {
    String line = LocalDateTime.now() + " STAND-IN fateboard: " + text + "\n";
    System.out.print(line);
    String day = LocalDate.now().toString();
    Path dir = Path.of("logs", day);
    try {
      Files.createDirectories(dir);
      Files.writeString(dir.resolve("info." + day + ".log"), line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      System.err.println("STAND-IN fateboard cannot log: " + e);
    }
  }
}
