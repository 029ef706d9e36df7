"""The little of protobuf's encoding that eggroll's Packet needs."""


def _varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, value):
    """One field: bytes or text; a message is the bytes of its fields joined."""
    if isinstance(value, str):
        value = value.encode()
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def parse(data):
    """The fields of a message by number; of a repeated one the last."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def take(n):
        nonlocal at
        if at + n > len(data):
            raise ValueError("a truncated protobuf message")
        at += n
        return data[at - n:at]

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            fields[key >> 3] = varint()
        elif kind == 2:
            fields[key >> 3] = take(varint())
        elif kind in (1, 5):
            take(8 if kind == 1 else 4)
        else:
            raise ValueError("not a protobuf message")
    return fields


def topic(name, party, role):
    return field(1, name) + field(2, str(party)) + field(3, role)


def packet(source, destination, job_id, operator, key, value):
    """A Packet from one topic to another."""
    header = field(1, field(1, job_id)) + field(2, source) + field(3, destination) + field(4, field(1, "fateflow")) + field(5, operator)
    return field(1, header) + field(2, field(1, key) + field(2, value))


def body(data):
    """Key and value of a Packet."""
    fields = parse(parse(data).get(2, b""))
    return fields.get(1, b"").decode(), fields.get(2, b"")
