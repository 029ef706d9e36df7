package com.webank.eggroll.rollsite;

import standin.Wire;

/** The parts of eggroll's Packet that decide where it goes. The bytes travel unchanged. */
record Packet(byte[] raw, String source, String destination, String role, String name, String operator, byte[] key, byte[] value) {
  static Packet parse(byte[] raw) {
    Wire packet = Wire.parse(raw);
    Wire header = packet.message(1);
    Wire to = header.message(3);
    Wire body = packet.message(2);
    return new Packet(raw, header.message(2).text(2), to.text(2), to.text(3), to.text(1), header.text(5), body.bytes(1), body.bytes(2));
  }

  /** A packet that has nothing but a text. */
  static byte[] answer(String text) {
    return new Wire().put(2, new Wire().put(2, text)).encode();
  }

  /** A packet that has nothing but an operator. */
  static byte[] operator(String operator) {
    return new Wire().put(1, new Wire().put(5, operator)).encode();
  }
}
