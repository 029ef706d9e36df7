package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
)

// awkward has a character of each kind that some file or protocol writes in its own way.
const awkward = `p:a#s"s'&<w>/0=r%d\ é$пароль` + "😀+~"

// encodings are the ways in which a secret can reach a file that is collected.
func encodings(clear string) map[string]string {
	quoted, _ := json.Marshal(clear)
	var loose strings.Builder
	e := json.NewEncoder(&loose)
	e.SetEscapeHTML(false)
	_ = e.Encode(clear)
	inner := strings.Trim(string(quoted), `"`)
	twice, _ := json.Marshal(inner)
	var latin []rune
	for _, b := range []byte(clear) {
		latin = append(latin, rune(b))
	}
	properties := strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`, " ", `\ `).Replace(clear)
	return map[string]string{
		"clear":               clear,
		"URL query":           url.QueryEscape(clear),
		"URL path":            url.PathEscape(clear),
		"URL, small letters":  regexp.MustCompile("%..").ReplaceAllStringFunc(url.QueryEscape(clear), strings.ToLower),
		"URL inside a URL":    url.QueryEscape(url.QueryEscape(clear)),
		"JSON":                inner,
		"JSON, not for HTML":  strings.Trim(strings.TrimSpace(loose.String()), `"`),
		"JSON, ASCII":         strings.Trim(strconv.QuoteToASCII(clear), `"`),
		"JSON inside JSON":    strings.Trim(string(twice), `"`),
		"URL inside JSON":     strings.ReplaceAll(url.QueryEscape(clear), "%", `%25`),
		"YAML, single quotes": strings.ReplaceAll(clear, "'", "''"),
		"shell":               strings.ReplaceAll(clear, "'", `'\''`),
		"properties":          properties,
		"option file":         strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clear),
		"python":              strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(clear),
		"HTML":                html.EscapeString(clear),
		"HTML inside HTML":    html.EscapeString(html.EscapeString(clear)),
		"read as Latin-1":     string(latin),
		"base64":              base64.StdEncoding.EncodeToString([]byte(clear)),
		"base64 of a URL":     base64.URLEncoding.EncodeToString([]byte(clear)),
		"HTTP basic":          base64.StdEncoding.EncodeToString([]byte("fate:" + clear)),
		"HTTP basic, root":    base64.StdEncoding.EncodeToString([]byte("root:" + clear + "\n")),
		"HTTP basic, admin":   base64.StdEncoding.EncodeToString([]byte("admin_:" + clear)),
		"hexadecimal":         fmt.Sprintf("%x", clear),
		"hexadecimal, large":  fmt.Sprintf("%X", clear),
	}
}

// TestRedactEncodings writes secrets in every encoding, without the name of a setting, and reads none of them back.
func TestRedactEncodings(t *testing.T) {
	for _, clear := range []string{awkward, "9kd_-Qpl0TrE4xWzAb1cD2eF", "pass word;drop", "%25%2525%25",
		`\\\\\\\\`, "''''''''"} {
		r := New([]cluster.Secret{cluster.NewSecret(clear)})
		for name, form := range encodings(clear) {
			text := "before [" + form + "] after"
			got := r.Known(text)
			from := 0
			if strings.HasPrefix(name, "HTTP") {
				// The user's name, and what it shares a group with, may stay.
				from = len(got)
				if !strings.Contains(got, Hidden) {
					t.Errorf("%q as %s stays: %s", clear, name, got)
				}
			}
			if from == 0 && got != "before ["+Hidden+"] after" && got != "before ["+Hidden+"=] after" &&
				got != "before ["+Hidden+"==] after" && !shortRest(got) {
				t.Errorf("%q as %s: %q became %q", clear, name, text, got)
			}
		}
	}
}

// shortRest reports whether all that is left of a base64 text is the group that the value shares with its end.
func shortRest(got string) bool {
	rest, ok := strings.CutPrefix(got, "before ["+Hidden)
	rest, _, _ = strings.Cut(rest, "]")
	return ok && len(strings.TrimRight(rest, "=")) <= 1
}

// TestRedactShort: a short value is found as a word of its own, one of letters only by the name of its setting alone.
func TestRedactShort(t *testing.T) {
	r := New([]cluster.Secret{cluster.NewSecret("Fa8#x"), cluster.NewSecret("fate"), cluster.NewSecret("12")})
	for text, want := range map[string]string{
		"login as u with Fa8#x failed":              "login as u with " + Hidden + " failed",
		"see xFa8#xy":                               "see xFa8#xy",
		"/data/projects/fate/12":                    "/data/projects/fate/12",
		"config key route.table.key=fate":           "config key route.table.key=" + Hidden,
		`{"passwd": "fate", "user": "fate"}`:        `{"passwd": ` + Hidden + `, "user": "fate"}`,
		`{\"passwd\": \"fa te\", \"user\": \"x\"}`:  `{\"passwd\": ` + Hidden + `, \"user\": \"x\"}`,
		"Map(a.jdbc.password -> fate, b -> c)":      "Map(a.jdbc.password -> " + Hidden + ", b -> c)",
		"jdbc:mysql://h/d?user=u&password=ab&x=1":   "jdbc:mysql://h/d?user=u&password=" + Hidden + "&x=1",
		"config key a.jdbc.password=a b, c;d\nnext": "config key a.jdbc.password=" + Hidden + "\nnext",
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestRedactTail cuts a log at every place around a secret: no half of it stays, wherever the cut is.
func TestRedactTail(t *testing.T) {
	const clear = "S3cr3t-that-is-not-known-by-value"
	key := "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("TUlJRXZRSUJBREFOQmdrcWhraUc5dzBC\n", 4) +
		"-----END PRIVATE KEY-----\n"
	for name, r := range map[string]Redactor{"by name": {}, "by value": New(
		[]cluster.Secret{cluster.NewSecret(clear)})} {
		for _, ends := range []string{"\n", ", "} { // lines, and one line that fills everything
			text := "eggroll.jdbc.password=" + clear + ends
			if ends == "\n" {
				text = "config key " + text + key
			}
			for cut := range len(text) {
				got := r.Tail(text[cut:] + strings.Repeat("x"+ends, TailOverlap/2) + "end")
				if strings.Contains(got, "known") || strings.Contains(got, "value") || strings.Contains(got, "TUlJ") ||
					!strings.HasSuffix(got, "end") {
					t.Fatalf("%s, cut at %d: %q", name, cut, got[:min(len(got), 200)])
				}
			}
		}
	}
}

func FuzzRedactTail(f *testing.F) {
	f.Add("config key password=", "\n", 3)
	f.Fuzz(func(t *testing.T, before, after string, cut int) {
		r := New([]cluster.Secret{cluster.NewSecret(awkward)})
		for name, form := range encodings(awkward) {
			if strings.HasPrefix(name, "HTTP") || strings.HasPrefix(name, "base64") {
				continue // a part of a group may stay
			}
			text := before + form + after
			got := r.Tail(text[min(max(cut, 0), len(text)):] + "\n" + text)
			if strings.Contains(got, form) {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// TestRedactEmptySetting: a setting without a value does not take the next line with it.
func TestRedactEmptySetting(t *testing.T) {
	const text = "config key jdbc.password=\nconfig key route.table.key=abc def\njdbc.password=\nport=1\n"
	if got := (Redactor{}).Text(text); got != "config key jdbc.password=\nconfig key route.table.key="+Hidden+
		"\njdbc.password=\nport=1\n" {
		t.Errorf("running text: %q", got)
	}
	if got := (Redactor{}).Settings(
		"jdbc.password=\nport=1\nroute.table.key=abc def\n"); got != "jdbc.password=\nport=1\nroute.table.key="+Hidden+
		"\n" {
		t.Errorf("settings: %q", got)
	}
}
