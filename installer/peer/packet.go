package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// packet is the part of eggroll's Packet (proto/roll_site/proxy.proto) that questions to a rollsite need. The fields
// that are not here keep their zero values, which protobuf does not write.
type packet struct {
	From, To topic
	Operator string
	Key      string
	Value    []byte
}

// topic is a sender or receiver.
type topic struct{ Party, Role string }

// Field numbers of proxy.proto.
const (
	fieldPacketHeader = 1
	fieldPacketBody   = 2
	fieldHeaderSource = 2
	fieldHeaderTarget = 3
	fieldOperator     = 5
	fieldTopicParty   = 2
	fieldTopicRole    = 3
	fieldDataKey      = 1
	fieldDataValue    = 2
)

// Wire types of protobuf (https://protobuf.dev/programming-guides/encoding).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

func (p packet) encode() []byte {
	header := appendField(nil, fieldHeaderSource, p.From.encode())
	header = appendField(header, fieldHeaderTarget, p.To.encode())
	header = appendField(header, fieldOperator, []byte(p.Operator))
	body := appendField(nil, fieldDataKey, []byte(p.Key))
	body = appendField(body, fieldDataValue, p.Value)
	return appendField(appendField(nil, fieldPacketHeader, header), fieldPacketBody, body)
}

func (t topic) encode() []byte {
	return appendField(appendField(nil, fieldTopicParty, []byte(t.Party)), fieldTopicRole, []byte(t.Role))
}

func appendField(b []byte, number int, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(number)<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

func parsePacket(data []byte) (packet, error) {
	var p packet
	outer, err := fields(data)
	if err != nil {
		return p, err
	}
	header, err := fields(outer[fieldPacketHeader])
	if err != nil {
		return p, err
	}
	body, err := fields(outer[fieldPacketBody])
	if err != nil {
		return p, err
	}
	p.Operator, p.Key, p.Value = string(header[fieldOperator]), string(body[fieldDataKey]), body[fieldDataValue]
	for _, t := range []struct {
		field int
		into  *topic
	}{{fieldHeaderSource, &p.From}, {fieldHeaderTarget, &p.To}} {
		inner, err := fields(header[t.field])
		if err != nil {
			return p, err
		}
		t.into.Party, t.into.Role = string(inner[fieldTopicParty]), string(inner[fieldTopicRole])
	}
	return p, nil
}

var errTruncated = errors.New("the message is cut off")

// fields reads the fields of a message that hold bytes; of a repeated one the last counts. Numbers are skipped.
func fields(data []byte) (map[int][]byte, error) {
	out := map[int][]byte{}
	for len(data) > 0 {
		key, n := binary.Uvarint(data)
		if n <= 0 || key>>3 == 0 || key>>3 > 1<<29 {
			return nil, errTruncated
		}
		data = data[n:]
		size := uint64(0)
		switch key & 7 {
		case wireVarint:
			if _, n = binary.Uvarint(data); n <= 0 {
				return nil, errTruncated
			}
			size = uint64(n)
		case wireFixed64:
			size = 8
		case wireFixed32:
			size = 4
		case wireBytes:
			if size, n = binary.Uvarint(data); n <= 0 {
				return nil, errTruncated
			}
			data = data[n:]
		default:
			return nil, fmt.Errorf("the message has a field of wire type %d", key&7)
		}
		if size > uint64(len(data)) {
			return nil, errTruncated
		}
		if key&7 == wireBytes {
			out[int(key>>3)] = data[:size]
		}
		data = data[size:]
	}
	return out, nil
}
