import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Date;

/**
 * Writes and reads times the way eggroll's clustermanager does and prints, in seconds, how far each is from this JVM's
 * clock: created_at that the server filled in, a time that was sent as a parameter, and that time by the server's clock.
 */
public final class Zones {
  private Zones() {}

  public static void main(String[] args) throws Exception {
    Class.forName("com.mysql.cj.jdbc.Driver");
    try (Connection c = DriverManager.getConnection(args[0], "root", ""); Statement s = c.createStatement()) {
      s.execute("CREATE TEMPORARY TABLE session_main (id INT PRIMARY KEY,"
          + " created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, last_heartbeat_at DATETIME DEFAULT NULL)");
      s.execute("INSERT INTO session_main (id) VALUES (1)");
      try (PreparedStatement p = c.prepareStatement("UPDATE session_main SET last_heartbeat_at = ?")) {
        p.setObject(1, new Date(System.currentTimeMillis()));
        p.executeUpdate();
      }
      String query = "SELECT created_at, last_heartbeat_at, TIMESTAMPDIFF(SECOND, last_heartbeat_at, NOW()), @@session.time_zone"
          + " FROM session_main";
      try (ResultSet row = s.executeQuery(query)) {
        row.next();
        long now = System.currentTimeMillis();
        System.out.println(seconds(now, row, 1) + " " + seconds(now, row, 2) + " " + row.getLong(3) + " " + row.getString(4));
      }
    }
  }

  private static long seconds(long now, ResultSet row, int column) throws Exception {
    return (now - row.getTimestamp(column).getTime()) / 1000;
  }
}
