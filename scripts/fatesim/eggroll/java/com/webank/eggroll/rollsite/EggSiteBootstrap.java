package com.webank.eggroll.rollsite;

import com.webank.eggroll.core.Bootstrap;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCalls;
import io.netty.handler.ssl.SslContext;
import java.util.List;
import standin.Log;
import standin.Rpc;
import standin.Settings;
import standin.Wire;

/** STAND-IN for eggroll's rollsite: passes messages between parties by its route table, in clear text or over TLS. */
public final class EggSiteBootstrap implements Bootstrap.Service {
  private static final long TAKE_SECONDS = 60;

  @Override
  public void start(Settings settings, int port, String tag) throws Exception {
    Security security = new Security(settings);
    Router router = new Router(settings, security);
    List<BindableService> services = List.of(() -> transfer(router), () -> store(router));
    Server plain = serve(NettyServerBuilder.forPort(port), services);
    Log.info("server started at " + port);
    SslContext tls = security.server();
    if (tls != null) {
      int securePort = settings.number("eggroll.rollsite.secure.port", 9380);
      serve(NettyServerBuilder.forPort(securePort).sslContext(tls), services);
      Log.info("secure server started at " + securePort);
    }
    if (settings.flag("eggroll.rollsite.polling.client.enabled")) {
      Thread polling = new Thread(new PollingClient(router, security, settings.required("eggroll.rollsite.party.id")));
      polling.setDaemon(true);
      polling.start();
    }
    plain.awaitTermination();
  }

  private static Server serve(NettyServerBuilder builder, List<BindableService> services) throws Exception {
    services.forEach(builder::addService);
    builder.intercept(new Admin.Caller());
    return builder.build().start();
  }

  private static ServerServiceDefinition transfer(Router router) {
    return ServerServiceDefinition.builder(Rpc.TRANSFER)
        .addMethod(Rpc.UNARY, ServerCalls.<byte[], byte[]>asyncUnaryCall((packet, answer) -> Streams.reply(answer, () -> router.unary(packet))))
        .addMethod(Rpc.PUSH, ServerCalls.<byte[], byte[]>asyncClientStreamingCall(answer -> Streams.receive(router, answer)))
        .addMethod(Rpc.POLLING, ServerCalls.<byte[], byte[]>asyncBidiStreamingCall(router.polling()::accept))
        .build();
  }

  private static ServerServiceDefinition store(Router router) {
    return ServerServiceDefinition.builder(Rpc.STORE)
        .addMethod(Rpc.TAKE, ServerCalls.<byte[], byte[]>asyncUnaryCall((request, answer) -> Streams.reply(answer, () ->
            new Wire().put(1, router.store().take(Wire.parse(request).text(1), TAKE_SECONDS)).encode())))
        .build();
  }
}
