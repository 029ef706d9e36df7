package standin;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** gRPC with messages as plain bytes, under eggroll's method names. */
public final class Rpc {
  public static final String TRANSFER = "com.webank.ai.eggroll.api.networking.proxy.DataTransferService";
  public static final MethodDescriptor<byte[], byte[]> UNARY = method(TRANSFER, "unaryCall", MethodType.UNARY);
  public static final MethodDescriptor<byte[], byte[]> PUSH = method(TRANSFER, "push", MethodType.CLIENT_STREAMING);
  public static final MethodDescriptor<byte[], byte[]> POLLING = method(TRANSFER, "polling", MethodType.BIDI_STREAMING);

  public static final String COMMAND = "com.webank.eggroll.core.command.CommandService";
  public static final MethodDescriptor<byte[], byte[]> CALL = method(COMMAND, "call", MethodType.UNARY);

  /** Not eggroll's: how a worker gets what was pushed to its party; the real ones have it in their session. */
  public static final String STORE = "standin.Store";
  public static final MethodDescriptor<byte[], byte[]> TAKE = method(STORE, "take", MethodType.UNARY);

  private static final Map<String, ManagedChannel> CHANNELS = new ConcurrentHashMap<>();

  private Rpc() {}

  private static MethodDescriptor<byte[], byte[]> method(String service, String name, MethodType type) {
    return MethodDescriptor.<byte[], byte[]>newBuilder(new Bytes(), new Bytes())
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(service, name))
        .build();
  }

  /** A channel without TLS, shared by all calls to the address. */
  public static ManagedChannel plain(String host, int port) {
    return CHANNELS.computeIfAbsent(host + ":" + port,
        k -> NettyChannelBuilder.forAddress(new InetSocketAddress(host, port)).usePlaintext().build());
  }

  public static byte[] call(ManagedChannel channel, MethodDescriptor<byte[], byte[]> method, byte[] request, long seconds) {
    return ClientCalls.blockingUnaryCall(channel, method, CallOptions.DEFAULT.withDeadlineAfter(seconds, TimeUnit.SECONDS), request);
  }

  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream in) {
      try {
        return in.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
