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
