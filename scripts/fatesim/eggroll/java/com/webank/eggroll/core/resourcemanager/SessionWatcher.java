package com.webank.eggroll.core.resourcemanager;

import com.google.gson.JsonObject;
import java.sql.SQLException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import standin.Command;
import standin.Log;
import standin.Settings;

/** The watchers of eggroll 2.5's clustermanager: they end sessions that look old and those whose processors look dead. */
final class SessionWatcher {
  private static final int HOUR = 3600 * 1000;
  /** A session may need this long to start on a busy host. */
  private static final int SLOW_START = 20_000;

  /** A session in one of these states is not ended again. */
  private static final Set<String> ENDED = Set.of("KILLED", "CLOSED", "ERROR");

  private final MetaDatabase database;
  private final int newTimeout;
  private final int maxLive;
  private final int stopTimeout;
  private final int sessionInterval;
  private final int processorInterval;

  SessionWatcher(MetaDatabase database, Settings settings) {
    this.database = database;
    newTimeout = settings.number("eggroll.session.status.new.timeout.ms", 8 * HOUR + 20_000);
    maxLive = settings.number("eggroll.session.max.live.ms", 48 * HOUR);
    stopTimeout = settings.number("eggroll.session.stop.timeout.ms", 20_000);
    sessionInterval = settings.number("eggroll.session.status.check.interval.ms", 5_000);
    processorInterval = settings.number("eggroll.resourcemanager.nodemanager.heartbeat.interval", 10_000);
  }

  void start() {
    ScheduledExecutorService threads = Executors.newScheduledThreadPool(2, Background::thread);
    threads.scheduleWithFixedDelay(() -> attempt("sessions", this::watchSessions), sessionInterval, sessionInterval, TimeUnit.MILLISECONDS);
    threads.scheduleWithFixedDelay(() -> attempt("processors", this::watchProcessors), processorInterval, processorInterval, TimeUnit.MILLISECONDS);
  }

  private interface Work {
    void run() throws SQLException, InterruptedException;
  }

  private static void attempt(String what, Work work) {
    try {
      work.run();
    } catch (SQLException | RuntimeException e) { // the real one goes on, too
      Log.error("cannot watch " + what, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void watchSessions() throws SQLException {
    for (MetaDatabase.Session session : database.sessions(null, "NEW", "ACTIVE")) {
      if (session.status().equals("NEW")) {
        killWhenOld(session, 0);
      } else {
        watchActive(session);
      }
    }
  }

  /** Looks at a session that has just been made as if its start had taken as long as it may take on a busy host. */
  void checkAsSlowHost(String session) throws SQLException {
    for (MetaDatabase.Session s : database.sessions(session)) {
      killWhenOld(s, SLOW_START);
    }
  }

  private void killWhenOld(MetaDatabase.Session session, int later) throws SQLException {
    if (session.created() < System.currentTimeMillis() + later - newTimeout) {
      Log.info("session ErSessionMeta(" + session.id() + ",,NEW,1,0,," + new java.sql.Timestamp(session.created())
          + ") status stay at NEW too long ,prepare to kill");
      kill(session);
    }
  }

  private void watchActive(MetaDatabase.Session session) throws SQLException {
    long now = System.currentTimeMillis();
    if (session.created() < now - maxLive) {
      Log.info("session " + session.id() + " is timeout, live time is " + maxLive);
      kill(session);
      return;
    }
    List<MetaDatabase.Processor> invalid = database.processors(session.id(), null).stream()
        .filter(p -> p.status().equals("ERROR") && p.updated() < now - stopTimeout).toList();
    if (!invalid.isEmpty()) {
      Log.info("invalid processors " + invalid + ",session watcher kill eggpair session " + session);
      kill(session);
    }
  }

  private void kill(MetaDatabase.Session session) throws SQLException {
    end(session.id(), Command.KILL_PROCESSORS, "KILLED");
    database.setSession(session.id(), "KILLED", 0);
  }

  /**
   * Has the nodemanagers end a session's processors by a command, whether or not that succeeds. Like the real one it asks
   * for each processor, whatever its status: one that is NEW may have a process that has not reported itself yet.
   */
  void end(String session, String command, String status) throws SQLException {
    for (MetaDatabase.Session s : database.sessions(session)) {
      if (ENDED.contains(s.status())) {
        return;
      }
    }
    for (MetaDatabase.Processor p : database.processors(session, null)) {
      try {
        Command.call(p.node().host(), p.node().port(), command, order(p));
      } catch (RuntimeException e) {
        Log.info("send commmand kill container to " + p.node() + " failed : " + e.getMessage());
      }
      database.setProcessor(p.id(), status);
    }
  }

  /** A processor that its nodemanager does not see, now and an interval later, has failed. */
  private void watchProcessors() throws SQLException, InterruptedException {
    List<MetaDatabase.Processor> suspects = database.processors(null, "RUNNING").stream().filter(p -> !lives(p)).toList();
    if (suspects.isEmpty()) {
      return;
    }
    Thread.sleep(10_000);
    List<Long> running = database.processors(null, "RUNNING").stream().map(MetaDatabase.Processor::id).toList();
    for (MetaDatabase.Processor p : suspects) {
      if (running.contains(p.id()) && !lives(p)) {
        database.setProcessor(p.id(), "ERROR");
        Log.info("processor " + p.id() + " change status RUNNING_ERROR cost time 1");
      }
    }
  }

  private boolean lives(MetaDatabase.Processor p) {
    try {
      return Command.call(p.node().host(), p.node().port(), Command.CHECK_PROCESSOR, order(p)).get("lives").getAsBoolean();
    } catch (RuntimeException e) {
      return false;
    }
  }

  private static JsonObject order(MetaDatabase.Processor p) {
    JsonObject order = new JsonObject();
    order.addProperty("id", p.session());
    order.addProperty("node", p.node().id());
    order.addProperty("processor", p.id());
    order.addProperty("pid", p.pid());
    return order;
  }
}
