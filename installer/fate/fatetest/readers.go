package fatetest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// awkward are texts that some format on the way is known to mangle.
var awkward = []string{
	`plain`, `p:a#s"s'\`, `a=b`, `=`, `#x`, `!x`, `x#y`, `x # y`, `a b`, ` lead`, `trail `, `100%`, `%(x)s`, `$HOME`,
	`${HOME}`, `#{1+1}`,
	"`id`", `$(id)`, `'`, `''`, `"`, `""`, `\`, `\\`, `\n`, `C:\new`, `yes`, `no`, `on`, `null`, `~`, `true`, `0123`,
	`0x1F`, `1_000`, `1e3`, `12:30:45`,
	`2020-01-01`, `.5`, `-`, `- x`, `? x`, `: x`, `x: y`, `x:`, `{a}`, `[a]`, `{`, `]`, `,`, `&a`, `*a`, `!tag`, `|`,
	`>`, `@a`, `<<`, `---`, `...`,
	`密码`, `пароль`, `🔑`, `é`, `a;b`, `a;`, `;`, `user:pass@host/db?x=1&y=2`, `<script>`, `\u0041`, `{{ x }}`, `%%`,
	`a,b`, `end\`,
}

// printable generates texts of any printable characters, with the difficult ones more often than others.
func printable() *rapid.Generator[string] {
	char := rapid.OneOf(
		rapid.RuneFrom([]rune(`:#"'\$%=!;,{}[]()&*|<>?@~ -`+"`")),
		rapid.RuneFrom([]rune("abcXYZ0189_密é🔑")),
	)
	return rapid.StringOfN(char, 1, 24, -1)
}

// ManyTexts are the awkward texts and some hundred generated ones.
func ManyTexts() []string {
	out := append([]string{}, awkward...)
	for seed := range 300 {
		out = append(out, printable().Example(seed))
	}
	return out
}

// Readers has the programs that read files as the programs of FATE do.
var Readers = Repository("installer/fate/fatetest/testdata/readers")

// LookReader prefers Debian's own programs: they have the modules that scripts/deps.sh installs, which another python
// that comes first in PATH may lack.
func LookReader(name string) (string, error) {
	if program, err := exec.LookPath("/usr/bin/" + name); err == nil {
		return program, nil
	}
	return exec.LookPath(name)
}

// runReader runs a reader of another language, or skips the test where that language is not installed.
func runReader(t *testing.T, command ...string) []byte {
	t.Helper()
	program, err := LookReader(command[0])
	if err != nil {
		t.Skipf("no %s on this machine", command[0])
	}
	cmd := exec.Command(program, command[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if strings.Contains(stderr.String(), "No module named") || strings.Contains(stderr.String(), "jdk.compiler") {
			t.Skipf("%s lacks a module: %s", command[0], stderr.String())
		}
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, stderr.String())
	}
	return out
}

// Temporary is a new file with the data.
func Temporary(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// javaClasses compiles the java reader once for all tests, into javaDir, which Main removes.
var javaClasses = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "fate-test-java-"); err != nil {
		return "", err
	}
	javaDir = dir
	out, err := exec.Command("javac", "-d", dir, filepath.Join(Readers, "ReadProperties.java")).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return dir, err
})

var javaDir string

// Main runs the tests of a package and removes what they compiled.
func Main(m *testing.M) {
	code := m.Run()
	if javaDir != "" {
		os.RemoveAll(javaDir)
	}
	os.Exit(code)
}

// ReadJava reads a property file with java.util.Properties.
func ReadJava(t *testing.T, data []byte) map[string]string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	if _, err := exec.LookPath("javac"); err != nil {
		t.Skip("no java compiler on this machine")
	}
	classes, err := javaClasses()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for line := range strings.Lines(string(runReader(t, "java", "-XX:TieredStopAtLevel=1", "-cp", classes,
		"ReadProperties", Temporary(t, "x.properties", data)))) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		decode := func(s string) string {
			b, err := hex.DecodeString(strings.TrimPrefix(s, "x"))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		out[decode(key)] = decode(value)
	}
	return out
}

// ReadPython reads a file of a kind that read.py knows into v.
func ReadPython(t *testing.T, kind string, data []byte, v any) {
	t.Helper()
	out := runReader(t, "python3", filepath.Join(Readers, "read.py"), kind, Temporary(t, "x."+kind, data))
	if err := json.Unmarshal(out, v); err != nil {
		t.Fatal(err)
	}
}
