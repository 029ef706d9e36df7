package com.webank.eggroll.rollsite;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import standin.Log;
import standin.Settings;

/** Reading and replacing the route table over the network: for those who know its key, from addresses that may. */
final class Admin {
  private static final Context.Key<String> CALLER = Context.key("caller");
  private static final int SALT = 13; // bytes in front of the table, which only make the token another one each time

  private final String key;
  private final List<String> whitelist;

  Admin(Settings settings) {
    key = settings.get("eggroll.rollsite.route.table.key", "123");
    whitelist = List.of(settings.get("eggroll.rollsite.route.table.whitelist", "").split(","));
  }

  /** Notes who calls. */
  static final class Caller implements ServerInterceptor {
    @Override
    public <I, O> ServerCall.Listener<I> interceptCall(ServerCall<I, O> call, Metadata headers, ServerCallHandler<I, O> next) {
      String from = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR) instanceof InetSocketAddress a ? a.getAddress().getHostAddress() : "";
      return Contexts.interceptCall(Context.current().withValue(CALLER, from), call, headers, next);
    }
  }

  String command(Packet p, Router router) {
    String text = new String(p.value(), StandardCharsets.UTF_8);
    if (!md5(text + key).equals(new String(p.key(), StandardCharsets.UTF_8))) {
      return p.operator() + " failed. Token verification failed.";
    }
    if (!whitelist.contains(CALLER.get())) {
      return p.operator() + " failed, Src ip not included in whitelist.";
    }
    try {
      if (p.operator().equals("get_route_table")) {
        return Files.readString(router.file());
      }
      router.update(text.substring(SALT));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Log.info("the route table was read again");
    return "setRouteTable finished";
  }

  private static String md5(String text) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
