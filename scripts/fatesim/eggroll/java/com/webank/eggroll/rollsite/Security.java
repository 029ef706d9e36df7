package com.webank.eggroll.rollsite;

import io.grpc.ManagedChannel;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.File;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLException;
import standin.Settings;

/** TLS between rollsites with the files and switches of eggroll.properties. */
final class Security {
  private static final String PREFIX = "eggroll.core.security.";

  private final Map<String, ManagedChannel> channels = new ConcurrentHashMap<>();
  private final Settings settings;
  private final SslContext client;

  Security(Settings settings) throws SSLException {
    this.settings = settings;
    String ca = settings.get(PREFIX + "client.ca.crt.path");
    if (ca == null) {
      client = null;
      return;
    }
    SslContextBuilder builder = GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.OPENSSL).trustManager(new File(ca));
    String certificate = settings.get(PREFIX + "client.crt.path");
    String key = settings.get(PREFIX + "client.key.path");
    if (certificate != null && key != null) {
      builder.keyManager(new File(certificate), new File(key));
    }
    client = builder.build();
  }

  boolean hasClient() {
    return client != null;
  }

  /** The context of the secure port, or null when there is to be none. */
  SslContext server() throws SSLException {
    String certificate = settings.get(PREFIX + "crt.path");
    String key = settings.get(PREFIX + "key.path");
    if (certificate == null || key == null) {
      return null;
    }
    SslContextBuilder builder = GrpcSslContexts.configure(SslContextBuilder.forServer(new File(certificate), new File(key)), SslProvider.OPENSSL);
    String ca = settings.get(PREFIX + "ca.crt.path");
    if (ca != null) {
      builder.trustManager(new File(ca));
      builder.clientAuth(settings.flag(PREFIX + "secure.client.auth.enabled") ? ClientAuth.REQUIRE : ClientAuth.OPTIONAL);
    }
    return builder.build();
  }

  /** A channel with TLS; the name in the route has to be in the server's certificate. */
  ManagedChannel channel(String host, int port) {
    return channels.computeIfAbsent(host + ":" + port, k -> NettyChannelBuilder.forAddress(host, port).sslContext(client).build());
  }
}
