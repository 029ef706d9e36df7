package problem

import (
	"strings"
	"testing"
)

func TestNear(t *testing.T) {
	commands := strings.Fields("status start stop restart logs reload update why install uninstall upgrade-self")
	for word, want := range map[string]string{
		"statu": "did you mean status or start?",
		"updat": "did you mean update?",
		"up":    "did you mean update or upgrade-self?",
		"instl": "did you mean install?",
		"LOGS":  "did you mean logs?",
		"zzzz":  "",
		"x":     "",
		"":      "",
		"stop":  "",
	} {
		got := DidYouMean(Near(word, commands))
		if got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
