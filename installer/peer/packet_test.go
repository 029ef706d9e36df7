package peer

import (
	"bytes"
	"testing"
)

func TestPacketSurvivesARoundTrip(t *testing.T) {
	want := packet{From: topic{"10000", "default"}, To: topic{"9999", "default"}, Operator: "ping", Key: "k",
		Value: bytes.Repeat([]byte{0xff}, 300)}
	got, err := parsePacket(want.encode())
	if err != nil {
		t.Fatal(err)
	}
	if got.From != want.From || got.To != want.To || got.Operator != want.Operator || got.Key != want.Key ||
		!bytes.Equal(got.Value, want.Value) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestForeignFieldsAreSkipped: a real packet has numbers and messages that are of no interest here.
func TestForeignFieldsAreSkipped(t *testing.T) {
	header := append([]byte{6<<3 | wireVarint, 0x96, 0x01}, appendField(nil, fieldOperator, []byte("pong"))...)
	header = append(header, 9<<3|wireFixed64, 1, 2, 3, 4, 5, 6, 7, 8, 10<<3|wireFixed32, 1, 2, 3, 4)
	got, err := parsePacket(appendField(nil, fieldPacketHeader, header))
	if err != nil || got.Operator != "pong" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzParsePacket(f *testing.F) {
	f.Add(packet{Operator: "ping", Value: []byte("x")}.encode())
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePacket(data)
		if err != nil {
			return
		}
		if again, err := parsePacket(p.encode()); err != nil || again.Operator != p.Operator ||
			!bytes.Equal(again.Value, p.Value) {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
	})
}
