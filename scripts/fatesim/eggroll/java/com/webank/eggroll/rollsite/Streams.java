package com.webank.eggroll.rollsite;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import standin.Log;
import standin.Rpc;

/** Both ends of the push call. A stand-in's streams are short: they are collected before they are sent on. */
final class Streams {
  private static final long PUSH_SECONDS = 120;

  private Streams() {}

  static byte[] push(ManagedChannel channel, List<byte[]> packets) throws Exception {
    CompletableFuture<byte[]> answer = new CompletableFuture<>();
    StreamObserver<byte[]> out = ClientCalls.asyncClientStreamingCall(
        channel.newCall(Rpc.PUSH, CallOptions.DEFAULT.withDeadlineAfter(PUSH_SECONDS, TimeUnit.SECONDS)), new Single(answer));
    packets.forEach(out::onNext);
    out.onCompleted();
    try {
      return answer.get(PUSH_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof Exception cause ? cause : e;
    }
  }

  static StreamObserver<byte[]> receive(Router router, StreamObserver<byte[]> answer) {
    List<byte[]> packets = new ArrayList<>();
    return new StreamObserver<>() {
      @Override
      public void onNext(byte[] packet) {
        packets.add(packet);
      }

      @Override
      public void onError(Throwable t) {
        Log.info("a push was broken off: " + t);
      }

      @Override
      public void onCompleted() {
        reply(answer, () -> router.push(packets));
      }
    };
  }

  /** Work that ends in an answer. */
  interface Work {
    byte[] run() throws Exception;
  }

  /** Sends the result of work, or its failure with the cause of the hop where it happened. */
  static void reply(StreamObserver<byte[]> answer, Work work) {
    byte[] result;
    try {
      result = work.run();
    } catch (Exception e) {
      Log.error("cannot handle a message", e);
      Status status = Status.fromThrowable(e);
      String why = status.getDescription() == null ? String.valueOf(e.getMessage()) : status.getDescription();
      Status.Code code = status.getCode() == Status.Code.UNKNOWN ? Status.Code.INTERNAL : status.getCode();
      answer.onError(code.toStatus().withDescription(why + (e.getCause() == null ? "" : ": " + e.getCause().getMessage())).asRuntimeException());
      return;
    }
    answer.onNext(result);
    answer.onCompleted();
  }

  private record Single(CompletableFuture<byte[]> answer) implements StreamObserver<byte[]> {
    @Override
    public void onNext(byte[] value) {
      answer.complete(value);
    }

    @Override
    public void onError(Throwable t) {
      answer.completeExceptionally(t);
    }

    @Override
    public void onCompleted() {
      answer.complete(new byte[0]);
    }
  }
}
