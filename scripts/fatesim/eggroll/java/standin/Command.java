package standin;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.util.Map;

/** Commands between the managers and their clients: a name and a JSON object, and a JSON object back. */
public final class Command {
  public static final String HEARTBEAT = "v1/cluster-manager/node/heartbeat";
  public static final String CREATE_SESSION = "v1/cluster-manager/session/getOrCreateSession";
  public static final String STOP_SESSION = "v1/cluster-manager/session/stopSession";
  public static final String GET_STORE = "v1/cluster-manager/metadata/getOrCreateStore";
  public static final String KILL_SESSION = "v1/cluster-manager/session/killSession";
  public static final String GET_SESSION = "v1/cluster-manager/session/getSession";
  public static final String START_PROCESSORS = "v1/node-manager/processors/start";
  public static final String STOP_PROCESSORS = "v1/node-manager/processors/stop";
  public static final String KILL_PROCESSORS = "v1/node-manager/processors/kill";
  public static final String CHECK_PROCESSOR = "v1/node-manager/processor/check";
  public static final String PROCESSOR_HEARTBEAT = "v1/node-manager/processor/heartbeat";

  /** Carries out one command. */
  public interface Handler {
    JsonObject handle(JsonObject argument) throws Exception;
  }

  private Command() {}

  public static Server serve(int port, Map<String, Handler> handlers) throws IOException {
    BindableService service = () -> ServerServiceDefinition.builder(Rpc.COMMAND)
        .addMethod(Rpc.CALL, ServerCalls.<byte[], byte[]>asyncUnaryCall((request, reply) -> {
          String name = Wire.parse(request).text(2);
          try {
            Handler handler = handlers.get(name);
            if (handler == null) {
              throw new IllegalArgumentException("unknown command " + name);
            }
            JsonObject result = handler.handle(JsonParser.parseString(Wire.parse(request).text(3)).getAsJsonObject());
            reply.onNext(new Wire().put(3, result.toString()).encode());
            reply.onCompleted();
          } catch (Exception e) {
            Log.error("command " + name + " failed", e);
            reply.onError(Status.INTERNAL.withDescription(e.getMessage()).asRuntimeException());
          }
        })).build();
    return NettyServerBuilder.forPort(port).addService(service).build().start();
  }

  public static JsonObject call(String host, int port, String name, JsonObject argument) {
    byte[] request = new Wire().put(2, name).put(3, argument.toString()).encode();
    byte[] reply = Rpc.call(Rpc.plain(host, port), Rpc.CALL, request, 30);
    return JsonParser.parseString(Wire.parse(reply).text(3)).getAsJsonObject();
  }
}
