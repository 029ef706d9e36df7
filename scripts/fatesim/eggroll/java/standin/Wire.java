package standin;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** The little of protobuf's encoding that eggroll's messages need: numbers, and fields of bytes, text and messages. */
public final class Wire {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;
  private static final byte[] NOTHING = {};

  private final Map<Integer, byte[]> bytes = new HashMap<>();
  private final Map<Integer, Long> numbers = new HashMap<>();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  private byte[] in = NOTHING;
  private int at;

  /** Reads a message; of a repeated field the last value counts. */
  public static Wire parse(byte[] data) {
    Wire w = new Wire();
    w.in = data;
    while (w.at < data.length) {
      long key = w.varint();
      int field = (int) (key >>> 3);
      switch ((int) (key & 7)) {
        case VARINT -> w.numbers.put(field, w.varint());
        case FIXED64 -> w.skip(8);
        case BYTES -> w.bytes.put(field, w.take(w.varint()));
        case FIXED32 -> w.skip(4);
        default -> throw new IllegalArgumentException("not a protobuf message");
      }
    }
    return w;
  }

  public byte[] bytes(int field) {
    return bytes.getOrDefault(field, NOTHING);
  }

  public String text(int field) {
    return new String(bytes(field), StandardCharsets.UTF_8);
  }

  public Wire message(int field) {
    return parse(bytes(field));
  }

  public long number(int field) {
    return numbers.getOrDefault(field, 0L);
  }

  public Wire put(int field, byte[] value) {
    putVarint(((long) field << 3) | BYTES);
    putVarint(value.length);
    out.writeBytes(value);
    return this;
  }

  public Wire put(int field, String value) {
    return put(field, value.getBytes(StandardCharsets.UTF_8));
  }

  public Wire put(int field, Wire value) {
    return put(field, value.encode());
  }

  public Wire put(int field, long value) {
    putVarint((long) field << 3);
    putVarint(value);
    return this;
  }

  public byte[] encode() {
    return out.toByteArray();
  }

  private long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      byte b = take(1)[0];
      value |= (long) (b & 0x7f) << shift;
      if (b >= 0) {
        return value;
      }
    }
    throw new IllegalArgumentException("not a protobuf number");
  }

  private void putVarint(long value) {
    while ((value & ~0x7fL) != 0) {
      out.write((int) (value & 0x7f) | 0x80);
      value >>>= 7;
    }
    out.write((int) value);
  }

  private byte[] take(long n) {
    if (n < 0 || n > in.length - at) {
      throw new IllegalArgumentException("a truncated protobuf message");
    }
    byte[] part = java.util.Arrays.copyOfRange(in, at, at + (int) n);
    at += (int) n;
    return part;
  }

  private void skip(int n) {
    take(n);
  }
}
