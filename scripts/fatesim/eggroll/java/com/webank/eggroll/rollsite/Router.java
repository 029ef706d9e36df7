package com.webank.eggroll.rollsite;

import com.webank.eggroll.rollsite.RouteTable.Endpoint;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import standin.Log;
import standin.Rpc;
import standin.Settings;

/** Decides for each message whether it is for this rollsite, and where it goes if not. */
final class Router {
  private static final long RELOAD_SECONDS = 60;
  private static final long UNARY_SECONDS = 60;
  private static final long PING_MILLIS = 1000; // the real one takes its time, too

  private final String host;
  private final int port;
  private final int securePort;
  private final String party;
  private final Security security;
  private final Path file;
  private final Admin admin;
  private final Store store = new Store();
  private final PollingServer polling = new PollingServer();
  private volatile RouteTable table;

  Router(Settings settings, Security security) throws Exception {
    this.security = security;
    host = settings.required("eggroll.rollsite.host");
    port = settings.number("eggroll.rollsite.port", 9370);
    securePort = settings.number("eggroll.rollsite.secure.port", 9380);
    party = settings.get("eggroll.rollsite.party.id");
    file = Path.of(settings.get("eggroll.rollsite.route.table.path", "conf/route_table.json"));
    admin = new Admin(settings);
    table = RouteTable.load(file);
    // As with the real one, an exception ends the reloading for good: the table on disk must be whole at any moment.
    Executors.newSingleThreadScheduledExecutor(work -> {
      Thread t = new Thread(work);
      t.setDaemon(true);
      return t;
    }).scheduleAtFixedRate(this::reload, RELOAD_SECONDS, RELOAD_SECONDS, TimeUnit.SECONDS);
  }

  private void reload() {
    try {
      table = RouteTable.load(file);
    } catch (Exception e) {
      Log.error("cannot read the route table again, and will not try any more", e);
      throw new IllegalStateException(e);
    }
  }

  /** Replaces the table's file when the text is one, and reads it in any case, as the real one's update does. */
  void update(String text) throws IOException {
    if (RouteTable.looksLikeOne(text)) {
      Files.writeString(file, text);
    }
    table = RouteTable.load(file);
  }

  Path file() {
    return file;
  }

  RouteTable table() {
    return table;
  }

  Store store() {
    return store;
  }

  PollingServer polling() {
    return polling;
  }

  /** A command: looked up by party and role. */
  byte[] unary(byte[] raw) {
    Packet p = Packet.parse(raw);
    Endpoint to = table.lookup(p.destination(), p.role());
    Log.info("unary from " + p.source() + " to " + p.destination() + " role " + p.role() + ": " + to);
    if (to.polling()) {
      return polling.ask(p.destination(), PollingServer.UNARY, List.of(raw));
    }
    if (host.equals(to.ip()) && (to.port() == port || to.port() == securePort)) {
      return own(p);
    }
    return Rpc.call(channel(p, to), Rpc.UNARY, raw, UNARY_SECONDS);
  }

  /** The few commands that a rollsite understands itself. */
  private byte[] own(Packet p) {
    switch (p.operator()) {
      case "ping" -> {
        pause(PING_MILLIS);
        return Packet.operator("pong");
      }
      case "get_route_table", "set_route_table" -> {
        return Packet.answer(admin.command(p, this));
      }
      default -> throw new IllegalArgumentException("this rollsite is the end of the route of party " + p.destination() + " role " + p.role()
          + ", and does not understand " + p.operator());
    }
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Data: kept when it is for this party, otherwise sent on to the party's default role. */
  byte[] push(List<byte[]> packets) throws Exception {
    Packet first = Packet.parse(packets.get(0));
    if (first.destination().equals(party)) {
      for (byte[] raw : packets) {
        Packet p = Packet.parse(raw);
        store.put(p.name(), p.value());
      }
      Log.info("push of " + packets.size() + " packets from " + first.source() + " kept as " + first.name());
      return new byte[0];
    }
    Endpoint to = table.lookup(first.destination(), "default");
    Log.info("push of " + packets.size() + " packets from " + first.source() + " to " + first.destination() + ": " + to);
    if (to.polling()) {
      return polling.ask(first.destination(), PollingServer.PUSH, packets);
    }
    return Streams.push(channel(first, to), packets);
  }

  /** TLS needs a client CA, another party at the end, and is_secure on that party's default route. */
  private ManagedChannel channel(Packet p, Endpoint to) {
    if (security.hasClient() && !p.source().equals(p.destination()) && table.secure(p.destination())) {
      return security.channel(to.ip(), to.port());
    }
    return Rpc.plain(to.ip(), to.port());
  }
}
