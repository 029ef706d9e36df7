package problem

import (
	"errors"
	"testing"
	"unicode/utf16"
)

func TestTextOfWindows(t *testing.T) {
	for _, text := range []string{"", "a: 1\n", "\ufeffa: 1\n", "\ufeff# c\na: 1\n", "\ufeff---\na: 1\n"} {
		got, err := Text([]byte(text))
		if err != nil || len(got) > 0 && got[0] == 0xef {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		if _, err := ParseYAML([]byte(text), ClusterLimits); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, mark := range []string{"", "\ufeff"} {
		var little, big []byte
		for _, unit := range utf16.Encode([]rune(mark + "host: {}\n")) {
			little = append(little, byte(unit), byte(unit>>8))
			big = append(big, byte(unit>>8), byte(unit))
		}
		for _, data := range [][]byte{little, big} {
			if _, err := Text(data); !errors.Is(err, ErrUTF16) {
				t.Errorf("%q: %v", data, err)
			}
			var syntax *SyntaxError
			if _, err := ParseYAML(data, ClusterLimits); !errors.As(err, &syntax) ||
				syntax.Message != ErrUTF16.Error() {
				t.Errorf("%q: %v", data, err)
			}
		}
	}
}

func TestFindLookAlike(t *testing.T) {
	for line, want := range map[string]int{
		"a: b":                     0,
		"a: 中文 # ：":                0,
		"  partyid：10000":          10,
		"a: b#：":                   6,
		"\u00a0 a: 1":              1,
		"ips: [10.0.0.1，10.0.0.2]": 15,
		"ip: “10.0.0.1”":           5,
		"port: ３306":               7,
		"ip: 10.0.0.1\u200b":       13,
		"# ：":                      0,
		"password: p# \u3000":      14,
	} {
		got, found := FindLookAlike(line)
		if got.Col != want || found != (want > 0) {
			t.Errorf("%q: %+v, want column %d", line, got, want)
		}
	}
}
