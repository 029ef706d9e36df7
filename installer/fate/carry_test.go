package fate

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

	"github.com/goccy/go-yaml"
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

// manyTexts are the awkward texts and some hundred generated ones.
func manyTexts() []string {
	out := append([]string{}, awkward...)
	for seed := range 300 {
		out = append(out, printable().Example(seed))
	}
	return out
}

// lookReader prefers Debian's own programs: they have the modules that scripts/deps.sh installs, which another python
// that comes first in PATH may lack.
func lookReader(name string) (string, error) {
	if program, err := exec.LookPath("/usr/bin/" + name); err == nil {
		return program, nil
	}
	return exec.LookPath(name)
}

// runReader runs a reader of another language, or skips the test where that language is not installed.
func runReader(t *testing.T, command ...string) []byte {
	t.Helper()
	program, err := lookReader(command[0])
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

func temporary(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// javaClasses compiles the java reader once for all tests, into javaDir, which TestMain removes.
var javaClasses = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "fate-test-java-"); err != nil {
		return "", err
	}
	javaDir = dir
	out, err := exec.Command("javac", "-d", dir, "testdata/readers/ReadProperties.java").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return dir, err
})

var javaDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if javaDir != "" {
		os.RemoveAll(javaDir)
	}
	os.Exit(code)
}

// readJava reads a property file with java.util.Properties.
func readJava(t *testing.T, data []byte) map[string]string {
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
		"ReadProperties", temporary(t, "x.properties", data)))) {
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

func readPython(t *testing.T, kind string, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(runReader(t, "python3", "testdata/readers/read.py", kind, temporary(t, "x."+kind, data)),
		v); err != nil {
		t.Fatal(err)
	}
}

// TestEggrollPropertiesCarryOrRefuse writes every text that validation lets into eggroll.properties, and reads it with
// both of the file's readers.
func TestEggrollPropertiesCarryOrRefuse(t *testing.T) {
	p := &properties{header: "[eggroll]\n"}
	want := make(map[string]string)
	for i, s := range manyTexts() {
		if char, _ := unfit("eggroll.properties", s); char == "" {
			key := fmt.Sprintf("key.%d", i)
			p.set(key, s)
			want[key] = s
		}
	}
	if len(want) < 40 {
		t.Fatalf("only %d texts are let through", len(want))
	}
	data := p.encodeBoth()
	java := readJava(t, data)
	var python map[string]string
	readPython(t, "properties", data, &python)
	for key, s := range want {
		if java[key] != s {
			t.Errorf("java reads %q as %q", s, java[key])
		}
		if python[key] != s {
			t.Errorf("python reads %q as %q", s, python[key])
		}
	}
}

// TestWhatEggrollPropertiesRefuseWouldBeMangled keeps the refusals honest: each refused text is really read wrongly by
// one of the readers.
func TestWhatEggrollPropertiesRefuseWouldBeMangled(t *testing.T) {
	texts := []string{`a\b`, `100%`, `密码`, ` lead`, `trail `}
	all := "[eggroll]\n"
	for i, s := range texts {
		if char, _ := unfit("eggroll.properties", s); char == "" {
			t.Errorf("%q is let through", s)
		}
		all += fmt.Sprintf("key.%d=%s\n", i, s)
	}
	java := readJava(t, []byte(all))
	program, err := lookReader("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	for i, s := range texts {
		// One file each: a percent sign keeps python from reading the file at all.
		one := temporary(t, "x.properties", []byte("[eggroll]\nkey="+s+"\n"))
		out, err := exec.Command(program, "testdata/readers/read.py", "properties", one).Output()
		var python map[string]string
		pythonRight := err == nil && json.Unmarshal(out, &python) == nil && python["key"] == s
		if pythonRight && java[fmt.Sprintf("key.%d", i)] == s {
			t.Errorf("%q is refused, but both readers take it", s)
		}
	}
}

// TestJavaPropertiesCarryEverything covers application.properties and zoo.cfg.
func TestJavaPropertiesCarryEverything(t *testing.T) {
	p := &properties{}
	for i, s := range manyTexts() {
		p.set(fmt.Sprintf("key.%d", i), s)
	}
	got := readJava(t, p.encodeJava())
	for _, e := range p.entries {
		if got[e.key] != e.value {
			t.Errorf("java reads %q as %q", e.value, got[e.key])
		}
	}
}

// TestYAMLCarriesEverything covers service_conf.yaml, read by PyYAML, and the cluster file, read by ourselves.
func TestYAMLCarriesEverything(t *testing.T) {
	var m yamlMap
	want := make(map[string]string)
	for i, s := range manyTexts() {
		key := fmt.Sprintf("key%d", i)
		m = append(m, item(key, s))
		want[key] = s
	}
	data, err := encodeYAML(m)
	if err != nil {
		t.Fatal(err)
	}
	var goccy map[string]any
	if err := yaml.Unmarshal(data, &goccy); err != nil {
		t.Fatal(err)
	}
	var python map[string]any
	readPython(t, "yaml", data, &python)
	for key, s := range want {
		if goccy[key] != s {
			t.Errorf("goccy reads %q as %v", s, goccy[key])
		}
		if python[key] != s {
			t.Errorf("PyYAML reads %q as %v", s, python[key])
		}
	}
}

// TestClusterFileCarriesEveryPassword sends awkward passwords through init's file.
func TestClusterFileCarriesEveryPassword(t *testing.T) {
	for _, s := range manyTexts() {
		if char, _ := unfit("eggroll.properties", s); char != "" {
			continue
		}
		if char, _ := unfit("application.properties", s); char != "" {
			continue
		}
		host, err := ParseInitSide(RoleHost, "10000:192.168.0.1")
		if err != nil {
			t.Fatal(err)
		}
		one := NewSecret(s)
		c, err := NewCluster(InitOptions{Host: host, Secrets: map[Role]Secrets{RoleHost: {one, one, one, one, one}}})
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if got := reparse(t, c).Host.Secrets.MySQLUser.Reveal(); got != s {
			t.Errorf("%q comes back as %q", s, got)
		}
	}
}

func TestRenderedFilesCarryPasswords(t *testing.T) {
	const password = `p:a#s"s';$x=[y]{z}!&*|>@,~^?<(` // everything printable that all of the files can carry
	c, err := parseText("host: {partyid: 10000, ip: 192.168.0.1, mysql: {dbpasswd: " + quoteYAML(password) +
		"}, fateboard: {passwd: " + quoteYAML(`\ü%`+password) + "}}")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(Selection{IP: "192.168.0.1", Versions: versions1113, Env: env1113})
	if err != nil {
		t.Fatal(err)
	}
	files := rendered(t, s)
	props := []byte(files["/data/projects/fate/eggroll/conf/eggroll.properties"])
	const key = "eggroll.resourcemanager.clustermanager.jdbc.password"
	if got := readJava(t, props)[key]; got != password {
		t.Errorf("java reads the password as %q", got)
	}
	var python map[string]string
	readPython(t, "properties", props, &python)
	if python[key] != password {
		t.Errorf("python reads the password as %q", python[key])
	}
	var all map[string]any
	readPython(t, "yaml", []byte(files["/data/projects/fate/conf/service_conf.yaml"]), &all)
	if got := all["database"].(map[string]any)["passwd"]; got != password {
		t.Errorf("PyYAML reads the password as %q", got)
	}
	board := []byte(files["/data/projects/fate/fateboard/conf/application.properties"])
	if got := readJava(t, board)["server.board.login.password"]; got != `\ü%`+password {
		t.Errorf("java reads the board's password as %q", got)
	}
	if got := readOptions([]byte(
		files["/data/projects/fate/common/mysql/mysql-8.0.28/conf/probe.cnf"]))["password"]; got != password {
		t.Errorf("MySQL reads the password as %q", got)
	}
}

// quoteYAML writes a text as a single-quoted YAML scalar.
func quoteYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
