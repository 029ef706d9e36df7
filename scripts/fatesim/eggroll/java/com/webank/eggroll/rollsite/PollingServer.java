package com.webank.eggroll.rollsite;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import standin.Log;
import standin.Wire;

/**
 * The exchange's side of polling: parties that accept no connections keep a stream open to us, through which they are
 * given their messages and answer them. A frame has a number, a kind and a payload.
 */
final class PollingServer {
  static final int HELLO = 1;
  static final int UNARY = 2;
  static final int PUSH = 3;
  static final int ANSWER = 4;
  static final int FAILURE = 5;

  private static final long ANSWER_SECONDS = 240; // polling.exchanger.data.op.timeout.sec

  private final Map<String, StreamObserver<byte[]>> parties = new ConcurrentHashMap<>();
  private final Map<Long, CompletableFuture<byte[]>> pending = new ConcurrentHashMap<>();
  private final AtomicLong numbers = new AtomicLong();

  static byte[] frame(long number, int kind, byte[] payload) {
    return new Wire().put(1, number).put(2, kind).put(3, payload).encode();
  }

  /** Has a polling party handle packets, and returns its answer. */
  byte[] ask(String party, int kind, List<byte[]> packets) {
    StreamObserver<byte[]> out = parties.get(party);
    if (out == null) {
      throw Status.UNAVAILABLE.withDescription("party " + party + " is not polling").asRuntimeException();
    }
    byte[] last = new byte[0];
    for (byte[] packet : packets) {
      long number = numbers.incrementAndGet();
      CompletableFuture<byte[]> answer = new CompletableFuture<>();
      pending.put(number, answer);
      try {
        synchronized (out) {
          out.onNext(frame(number, kind, packet));
        }
        last = answer.get(ANSWER_SECONDS, TimeUnit.SECONDS);
      } catch (ExecutionException | TimeoutException | InterruptedException e) {
        throw Status.UNAVAILABLE.withDescription("polling party " + party + ": " + e.getMessage()).withCause(e).asRuntimeException();
      } finally {
        pending.remove(number);
      }
    }
    return last;
  }

  StreamObserver<byte[]> accept(StreamObserver<byte[]> out) {
    return new StreamObserver<>() {
      private String party;

      @Override
      public void onNext(byte[] data) {
        Wire frame = Wire.parse(data);
        int kind = (int) frame.number(2);
        if (kind == HELLO) {
          party = frame.text(3);
          parties.put(party, out);
          Log.info("party " + party + " polls");
          return;
        }
        CompletableFuture<byte[]> waiting = pending.get(frame.number(1));
        if (waiting == null) {
          return; // too late
        }
        if (kind == ANSWER) {
          waiting.complete(frame.bytes(3));
        } else {
          waiting.completeExceptionally(new IllegalStateException(frame.text(3)));
        }
      }

      @Override
      public void onError(Throwable t) {
        gone();
      }

      @Override
      public void onCompleted() {
        gone();
        out.onCompleted();
      }

      private void gone() {
        if (party != null && parties.remove(party, out)) {
          Log.info("party " + party + " polls no more");
        }
      }
    };
  }
}
