import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/** Logs in with the URL, the user and the password of standard input, as eggroll does, and prints the session. */
public class Login {
    public static void main(String[] args) throws Exception {
        java.util.Scanner in = new java.util.Scanner(System.in, "UTF-8");
        try (Connection c = DriverManager.getConnection(in.nextLine(), in.nextLine(), in.nextLine());
                Statement s = c.createStatement()) {
            s.executeUpdate("INSERT INTO server_node (host, port, node_type, status) VALUES ('java', 1, 'PROBE', 'HEALTHY')");
            s.executeUpdate("DELETE FROM server_node WHERE host = 'java'");
            ResultSet r = s.executeQuery("SELECT @@character_set_client, CURRENT_USER()");
            r.next();
            System.out.println(r.getString(1) + " " + r.getString(2));
        }
    }
}
