package messages

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/language"
)

// TestCatalogue holds that the catalogues have a translation of each text of the source, and no other entry, and that
// the translations fit their texts.
func TestCatalogue(t *testing.T) {
	for _, name := range language.Names {
		if name == language.English {
			continue
		}
		wrong, err := Check("../../..", name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range wrong {
			t.Errorf("installer/language/%s", line)
		}
		if len(wrong) > 0 {
			t.Error(`run "go run ./scripts/messages", which writes an entry for each text, and translate those with ` +
				`an empty msgstr; CONTRIBUTING.md says how, and what keeps a text out of the catalogues`)
		}
	}
}

// TestFind finds the texts of a small module.
func TestFind(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{
		"installer/a/a.go": `package a

import (
	"errors"
	"fmt"
	"regexp"

	"fate-installer/installer/b"
	"other.example/count"
)

const long = "a long text " + "in two parts"

//language:none
const statement = "SELECT all FROM table"

//language:labels
var statuses = map[string]string{"ok": "", "not found": ""}

var pattern = regexp.MustCompile("a pattern of words")

type T struct {
	A string ` + "`json:\"a b c\"`" + `
}

func f(name string, n int) error {
	newTable(nil, "NAME", "STATE")
	_ = count.Of(n, "entry", "entries")
	_ = "not for people" //language:none
	_ = name + " is " + b.State + ": " + fmt.Sprint("called ", name, " by")
	_ = fmt.Sprintf("%s starting", name)
	_ = "word" + "s/and/paths"
	return errors.New(long + "\n\nanother paragraph\n")
}
`,
		"installer/a/a_test.go":          "package a\n\nvar x = \"a text of a test\"\n",
		"installer/a/a_windows.go":       "package a\n\nvar x = \"a text for another system\"\n",
		"installer/a/atest/a.go":         "package atest\n\nvar x = \"a text for tests\"\n",
		"installer/a/testdata/a.go":      "package x\n\nvar x = \"a text of test data\"\n",
		"installer/b/b.go":               "package b\n\nconst State = \"out of order\"\n\nvar again = \"a long text in two parts\"\n",
		"installer/language/language.go": "package language\n\nvar x = \"a text about languages\"\n",
		"bundle/b.go":                    "package bundle\n", "payload/p.go": "package payload\n",
		"supervisor/s.go": "package supervisor\n", "scripts/s.go": "package scripts\n\nvar x = \"a text of a script\"\n",
	}
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Find(root)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]Key{
		"installer-a.po": {
			{"", "%d entries"}, {"", "%d entry"}, {"", "%s starting"}, {"", "%v is out of order: %v"},
			{"", "a long text in two parts"}, {"", "another paragraph"},
			{language.Label, "NAME"}, {language.Label, "STATE"}, {language.Label, "not found"}, {language.Label, "ok"},
		},
		"installer-b.po": {{"", "out of order"}},
	}
	if len(found) != len(want) {
		t.Errorf("files: %v", found)
	}
	for file := range want {
		if !slices.Equal(found[file], want[file]) {
			t.Errorf("%s: %q, want %q", file, found[file], want[file])
		}
	}
}

// TestCheck: each fault of a catalogue is found, with its file and line; what Merged makes of it has only texts
// without a translation.
func TestCheck(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tree := range trees {
		write(tree+"/x.go", "package x\n")
	}
	write("payload/x.go", "package payload\n\n"+
		"var x = []string{\"a text\", \"text of %s\", \"text %d of %s\", \"the new text\"}\n")
	write("installer/language/zh/payload.po", "msgid \"a text\"\nmsgstr \"文\"\n\n"+
		"msgid \"text of %s\"\nmsgstr \"文\"\n\n"+
		"msgid \"text %d of %s\"\nmsgstr \"%[2]s 的文 %[1]d\"\n\nmsgid \"an old text\"\nmsgstr \"旧\"\n")
	write("installer/language/zh/outside.po", "msgid \"no such thing\"\nmsgstr \"没有\"\n\n"+
		"msgid \"a text\"\nmsgstr \"\"\n")
	wrong, err := Check(root, "zh")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(wrong)
	want := []string{
		`zh/payload.po:0: "the new text" is missing`,
		`zh/payload.po:10: no text of the source is "an old text"`,
		`zh/payload.po:1: "a text" is here or in another file twice`,
		`zh/payload.po:4: "text of %s": the translation has the verbs "", not "0s"`,
		`zh/outside.po:4: "a text" belongs to payload.po`,
	}
	slices.Sort(want)
	if !slices.Equal(wrong, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(wrong, "\n"), strings.Join(want, "\n"))
	}
	merged, err := Merged(root, "zh")
	if err != nil {
		t.Fatal(err)
	}
	if got := merged["payload.po"]; !strings.Contains(got, "msgid \"the new text\"\nmsgstr \"\"\n") ||
		!strings.Contains(got, "msgid \"a text\"\nmsgstr \"文\"\n") || strings.Contains(got, "old") {
		t.Error(got)
	}
}
