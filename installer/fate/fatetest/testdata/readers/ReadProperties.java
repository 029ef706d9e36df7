import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

/** Prints every entry of the property files given as key and value in hexadecimal UTF-8, as java programs would read them. */
public class ReadProperties {
    public static void main(String[] files) throws IOException {
        for (String file : files) {
            Properties p = new Properties();
            try (InputStream in = new FileInputStream(file)) {
                p.load(in);
            }
            for (String key : new TreeSet<>(p.stringPropertyNames())) {
                System.out.println(hex(key) + " " + hex(p.getProperty(key)));
            }
        }
    }

    private static String hex(String s) {
        StringBuilder b = new StringBuilder("x");
        for (byte c : s.getBytes(StandardCharsets.UTF_8)) {
            b.append(String.format("%02x", c));
        }
        return b.toString();
    }
}
