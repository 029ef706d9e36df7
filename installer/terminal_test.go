package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShownOnATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain, 日本, \ttabs\r\n":                    "plain, 日本, \ttabs\r\n",
		"\x1b[31mred\x1b[0m \x1b[H\x1b[2J\r\x1b[K": "\x1b[31mred\x1b[0m \x1b[H\x1b[2J\r\x1b[K",
		"\x1b]0;title\x07":                         "^[]0;title^G",           // sets the title,
		"\x1b[21t":                                 "^[[21t",                 // which this has typed
		"\x1bP$q\"p\x1b\\":                         "^[P$q\"p^[\\",           // asks for settings
		"\x1b]52;c;cm0=\x07\x05":                   "^[]52;c;cm0=^G^E",       // sets the clipboard, asks who is there
		"\u009b21t\x9b21t\x7f\x00":                 "\ufffd21t\ufffd21t^?^@", // the same in one character
		"\x1b[" + strings.Repeat("1;", 40) + "m":   "^[[" + strings.Repeat("1;", 40) + "m",
		"\x1b[6n\x1b[c\x1b[>c":                     "^[[6n^[[c^[[>c",
	} {
		if out, rest := shown([]byte(in)); string(out) != want || len(rest) > 0 {
			t.Errorf("%q is shown as %q, want %q", in, out, want)
		}
	}
	out, rest := shown([]byte("日本")[:4])
	if string(out) != "日" || len(rest) != 1 {
		t.Errorf("a character that is cut off: %q, %q", out, rest)
	}
}

func FuzzShown(f *testing.F) {
	for _, seed := range []string{"\x1b[21t", "\x1b]0;a\x07", "\x1b[0m日\x9b", "\u009b"} {
		f.Add([]byte(seed), 2)
	}
	obeyed := regexp.MustCompile("\x1b(\\[[0-9;]*[^0-9;mABCDHJK]|[^\\[]|\\[?[0-9;]*$)|" +
		"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f\u0080-\u009f]")
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		cut = max(0, min(cut, len(data)))
		first, rest := shown(data[:cut])
		second, last := shown(append(rest, data[cut:]...))
		for _, out := range [][]byte{first, second} {
			if !utf8.Valid(out) || obeyed.Match(out) {
				t.Errorf("%q is shown as %q", data, out)
			}
		}
		if len(last) >= utf8.UTFMax || len(last) > 0 && !bytes.HasSuffix(data, last) {
			t.Errorf("%q is left of %q", last, data)
		}
	})
}
