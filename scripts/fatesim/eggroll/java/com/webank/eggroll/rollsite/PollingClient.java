package com.webank.eggroll.rollsite;

import com.webank.eggroll.rollsite.RouteTable.Endpoint;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import standin.Log;
import standin.Rpc;
import standin.Wire;

/** The party's side of polling: it opens all connections itself, to the exchange of its default route. */
final class PollingClient implements Runnable {
  private static final long PAUSE_MILLIS = 1000;

  private final Router router;
  private final Security security;
  private final String party;
  private final ExecutorService workers = Executors.newCachedThreadPool(work -> {
    Thread t = new Thread(work);
    t.setDaemon(true);
    return t;
  });

  PollingClient(Router router, Security security, String party) {
    this.router = router;
    this.security = security;
    this.party = party;
  }

  @Override
  public void run() {
    try {
      while (true) {
        poll();
        Thread.sleep(PAUSE_MILLIS);
      }
    } catch (InterruptedException e) {
      Log.info("polling ends");
    }
  }

  private void poll() throws InterruptedException {
    Endpoint exchange = router.table().lookup("default", "default");
    ManagedChannel channel = exchange.secure() && security.hasClient()
        ? security.channel(exchange.ip(), exchange.port()) : Rpc.plain(exchange.ip(), exchange.port());
    CountDownLatch over = new CountDownLatch(1);
    AtomicReference<StreamObserver<byte[]>> out = new AtomicReference<>();
    out.set(ClientCalls.asyncBidiStreamingCall(channel.newCall(Rpc.POLLING, CallOptions.DEFAULT), new StreamObserver<byte[]>() {
      @Override
      public void onNext(byte[] frame) {
        workers.execute(() -> handle(Wire.parse(frame), out.get()));
      }

      @Override
      public void onError(Throwable t) {
        Log.info("polling of " + exchange + " broke off: " + t);
        over.countDown();
      }

      @Override
      public void onCompleted() {
        over.countDown();
      }
    }));
    send(out.get(), 0, PollingServer.HELLO, party.getBytes(StandardCharsets.UTF_8));
    over.await();
  }

  private void handle(Wire frame, StreamObserver<byte[]> out) {
    byte[] packet = frame.bytes(3);
    try {
      byte[] answer = frame.number(2) == PollingServer.UNARY ? router.unary(packet) : router.push(List.of(packet));
      send(out, frame.number(1), PollingServer.ANSWER, answer);
    } catch (Exception e) {
      Log.error("cannot handle a message that was polled", e);
      send(out, frame.number(1), PollingServer.FAILURE, String.valueOf(e.getMessage()).getBytes(StandardCharsets.UTF_8));
    }
  }

  private static void send(StreamObserver<byte[]> out, long number, int kind, byte[] payload) {
    synchronized (out) {
      out.onNext(PollingServer.frame(number, kind, payload));
    }
  }
}
