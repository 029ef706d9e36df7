package com.webank.eggroll.rollsite;

import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What was pushed to this party, by name, until a worker takes it. */
final class Store {
  private static final int MOST = 10_000; // names; a job that failed leaves some behind

  private final Map<String, BlockingQueue<byte[]>> values = new ConcurrentHashMap<>();

  void put(String name, byte[] value) {
    if (values.size() > MOST) {
      values.clear();
    }
    values.compute(name, (k, queue) -> { // in one with the removal below, or the value would be lost with the queue
      BlockingQueue<byte[]> to = queue == null ? new LinkedBlockingQueue<>() : queue;
      to.add(value);
      return to;
    });
  }

  byte[] take(String name, long seconds) throws InterruptedException, TimeoutException {
    BlockingQueue<byte[]> queue = queue(name);
    byte[] value = queue.poll(seconds, TimeUnit.SECONDS);
    if (value == null) {
      throw new TimeoutException("nothing was pushed to " + name + " within " + seconds + " s");
    }
    values.computeIfPresent(name, (k, now) -> now == queue && queue.isEmpty() ? null : now);
    return value;
  }

  private BlockingQueue<byte[]> queue(String name) {
    return values.computeIfAbsent(name, k -> new LinkedBlockingQueue<>());
  }
}
