package render

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
)

// readOptions reads an option file by the rules of MySQL's my_default.c: quotes at both ends go, a backslash escapes,
// and a # outside quotes begins a comment.
func readOptions(data []byte) map[string]string {
	out := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(stripOptionComment(line))
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		out[key] = unescapeOption(value)
	}
	return out
}

func stripOptionComment(line string) string {
	var quote byte
	escaped := false
	for i := range len(line) {
		c := line[i]
		if (c == '"' || c == '\'') && !escaped {
			if quote == 0 {
				quote = c
			} else if quote == c {
				quote = 0
			}
		}
		if quote == 0 && c == '#' {
			return line[:i]
		}
		escaped = quote != 0 && c == '\\' && !escaped
	}
	return line
}

func unescapeOption(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 's':
			b.WriteByte(' ')
		case '"', '\'', '\\':
			b.WriteByte(s[i])
		default:
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// TestOptionFileCarriesEverything holds the encoder against the parser above, and against the server's own where one
// is on the PATH.
func TestOptionFileCarriesEverything(t *testing.T) {
	o := &optionFile{}
	o.section("mysqld")
	for i, s := range fatetest.ManyTexts() {
		o.text(fmt.Sprintf("key%d", i), s)
	}
	got := readOptions([]byte(o.b.String()))
	for i, s := range fatetest.ManyTexts() {
		if key := fmt.Sprintf("key%d", i); got[key] != s {
			t.Errorf("%q is read as %q", s, got[key])
		}
	}
	for _, server := range []string{"my_print_defaults", "mariadbd", "mysqld"} {
		program, err := exec.LookPath(server)
		if err != nil {
			continue
		}
		args := []string{"--defaults-file=" + fatetest.Temporary(t, "my.cnf", []byte(o.b.String())), "--print-defaults"}
		if server == "my_print_defaults" {
			args = []string{args[0], "mysqld"}
		}
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", server, err, out)
		}
		for i, s := range fatetest.ManyTexts() {
			if !strings.Contains(string(out), fmt.Sprintf("--key%d=%s", i, s)) {
				t.Errorf("%s does not read %q unchanged", server, s)
			}
		}
	}
}
