package count

import "testing"

func TestOf(t *testing.T) {
	for got, want := range map[string]string{
		Of(0, "component"):               "0 components",
		Of(1, "component"):               "1 component",
		Of(int64(2), "component"):        "2 components",
		Of(1, "library", "libraries"):    "1 library",
		Of(3, "library", "libraries"):    "3 libraries",
		Noun(uint64(1), "is", "are"):     "is",
		Noun(uint64(5), "needs", "need"): "need",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	tests := []struct {
		text string
		want int64
		ok   bool
	}{
		{"", 0, true}, {"0", 0, true}, {"17", 17, true}, {"4G", 4 << 30, true}, {"700m", 700 << 20, true},
		{"1KiB", 1 << 10, true},
		{"2TB", 2 << 40, true}, {"-1", 0, false}, {"G", 0, false}, {"1.5G", 0, false}, {"99999999T", 0, false},
		{"4X", 0, false},
	}
	for _, test := range tests {
		got, err := ParseBytes(test.text)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", test.text, got, err, test.want)
		}
	}
}
