package com.webank.eggroll.rollsite;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** The route table, as strict about its file as eggroll is, and as lax about its content. */
final class RouteTable {
  /** Where messages for a party's role go next. */
  record Endpoint(String ip, int port, boolean secure, boolean polling) {}

  private final Map<String, Map<String, Endpoint>> parties = new LinkedHashMap<>();
  private boolean defaultAllow = true;

  /** Reads the file; anything but a well-formed table throws, a key that is there twice too. */
  static RouteTable load(Path file) throws IOException {
    RouteTable table = new RouteTable();
    try (Reader text = Files.newBufferedReader(file, StandardCharsets.UTF_8); JsonReader in = new JsonReader(text)) {
      in.setLenient(false);
      object(in, key -> {
        switch (key) {
          case "route_table" -> object(in, party -> table.parties.put(party, roles(in)));
          case "permission" -> object(in, name -> {
            if (name.equals("default_allow")) {
              table.defaultAllow = in.nextBoolean();
            } else {
              in.skipValue();
            }
          });
          default -> in.skipValue();
        }
      });
      if (in.peek() != JsonToken.END_DOCUMENT) {
        throw new IOException("something follows the route table");
      }
    } catch (IllegalStateException | NumberFormatException e) {
      throw new IOException("not a route table: " + e.getMessage(), e);
    }
    return table;
  }

  /** Whether a text is a JSON object with a route table; the real one looks no closer before it writes. */
  static boolean looksLikeOne(String text) {
    try {
      return JsonParser.parseString(text) instanceof JsonObject o && o.has("route_table");
    } catch (JsonParseException e) {
      return false;
    }
  }

  private interface Member {
    void read(String key) throws IOException;
  }

  private static void object(JsonReader in, Member member) throws IOException {
    java.util.Set<String> seen = new java.util.HashSet<>();
    in.beginObject();
    while (in.hasNext()) {
      String key = in.nextName();
      if (!seen.add(key)) {
        throw new IOException("the key " + key + " is there twice");
      }
      member.read(key);
    }
    in.endObject();
  }

  private static Map<String, Endpoint> roles(JsonReader in) throws IOException {
    Map<String, Endpoint> roles = new LinkedHashMap<>();
    object(in, role -> {
      in.beginArray();
      for (int i = 0; in.hasNext(); i++) {
        Endpoint e = endpoint(in);
        if (i == 0) { // the others are ignored, in silence
          roles.put(role, e);
        }
      }
      in.endArray();
    });
    return roles;
  }

  private static Endpoint endpoint(JsonReader in) throws IOException {
    String[] ip = {null};
    int[] port = {0};
    boolean[] flags = {false, false};
    object(in, key -> {
      switch (key) {
        case "ip" -> ip[0] = in.nextString();
        case "port" -> {
          if (in.peek() != JsonToken.NUMBER) {
            throw new IOException("port is not a number");
          }
          port[0] = in.nextInt();
        }
        case "is_secure" -> flags[0] = in.nextBoolean();
        case "is_polling" -> flags[1] = in.nextBoolean();
        default -> in.skipValue();
      }
    });
    return new Endpoint(ip[0], port[0], flags[0], flags[1]);
  }

  /** The endpoint of a party's role, with the fallbacks that permission.default_allow gives. */
  Endpoint lookup(String party, String role) {
    Map<String, Endpoint> roles = parties.get(party);
    if (roles == null && defaultAllow) {
      roles = parties.get("default");
    }
    if (roles == null) {
      throw new IllegalArgumentException("The routing table not have current party=" + party);
    }
    Endpoint e = roles.get(role);
    if (e == null && defaultAllow) {
      e = roles.get("default");
    }
    if (e == null) {
      throw new IllegalArgumentException("The routing table not have current party=" + party + " role=" + role);
    }
    return e;
  }

  /** Whether TLS is wanted towards a party: the flag of its default role decides, for all roles. */
  boolean secure(String party) {
    try {
      return lookup(party, "default").secure();
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
