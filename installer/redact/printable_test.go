package redact

import "testing"

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"a\tb": "a b", "\x1b]0;x\a": "?]0;x?", "数据库": "数据库", "a\u202eb": "a?b",
		"\xff": "?"} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
