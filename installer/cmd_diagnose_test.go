package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/redact"

	javaprops "github.com/magiconair/properties"
)

// untar reads a diagnosis: name below its directory -> text.
func untar(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for members := tar.NewReader(unzipped); ; {
		h, err := members.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(members)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(h.Name, "/")
		out[name] = string(text)
	}
}

// printedSettings has the lines that eggroll 2.5 prints when it starts: each setting of its file as Java's Properties
// read it.
func printedSettings(t *testing.T, root string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "data/projects/fate/eggroll/conf/eggroll.properties"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := javaprops.LoadString(string(data))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for key, value := range p.Map() {
		b.WriteString("config key " + key + "=" + value + "\n")
	}
	return b.String()
}

// TestDiagnoseHoldsNoSecret plants passwords wherever they might be and finds none of them in the file.
func TestDiagnoseHoldsNoSecret(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	const written = `p:a#s"s' w0rd` // in the cluster file
	cluster := "exchange: {ip: 192.168.0.88, rollsite: {route_table_key: '" + strings.ReplaceAll(written, "'", "''") +
		"'}}\n"
	if out, stderr, code := runCLI(t, root, cluster, "--payload", appliance, "--config", "-",
		"--ip", "192.168.0.88"); code != exit.OK {
		t.Fatalf("install: exit code %d\n%s%s", code, out, stderr)
	}
	stored, err := os.ReadFile(filepath.Join(root, "data/projects/common/fate-installer/secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	var generated map[string]string
	if err := json.Unmarshal(stored, &generated); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(root, "data/logs/fate/eggroll/rollsite.log")
	text := "jdbc:mysql://h/db?user=u&password=hunter2&x=1\nlogin with " + generated["mysql_root"] +
		"\n-----BEGIN PRIVATE KEY-----\nMIIabc\n" + strings.Repeat("line\n", 20_000) + "token: t0ps3cret, the reason\n"
	if err := errors.Join(os.WriteFile(log, []byte(text), 0o644),
		os.WriteFile(log+".1.gz", []byte("old"), 0o644)); err != nil {
		t.Fatal(err)
	}
	printed := printedSettings(t, root)
	if !strings.Contains(printed, written) {
		t.Fatalf("the program does not print the key:\n%s", printed)
	}
	// The part that is taken of the second begins within the value of the key.
	const name = "route.table.key="
	later := printed[strings.Index(printed, name)+len(name)+4:]
	bootstrap := filepath.Join(root, "data/logs/fate/eggroll/bootstrap.rollsite.out")
	fill := strings.Repeat("a line of the log\n", (logTail+redact.TailOverlap)/18)[:logTail+
		redact.TailOverlap-len(later)-1] + "\n"
	if err := errors.Join(os.WriteFile(bootstrap, []byte(printed), 0o640),
		os.WriteFile(bootstrap+".1", []byte(printed+later+fill), 0o640)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "out.tar.gz")
	out, stderr, code := runCLI(t, root, "", "diagnose", "--out", file, "-o", "json")
	if code != exit.OK {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	files := untar(t, file)
	forbidden := []string{written, written[4:], strings.ReplaceAll(written, "'", "''"), "hunter2",
		"t0ps3cret", "MIIabc"}
	for _, s := range generated {
		forbidden = append(forbidden, s)
	}
	for name, text := range files {
		for _, s := range forbidden {
			if s != "" && strings.Contains(text, s) {
				t.Errorf("%s has the secret %q", name, s)
			}
		}
	}
	for _, name := range []string{"README.txt", "version.json", "site.json", "facts.json", "check.json", "plan.json",
		"journal", "config/data/projects/fate/eggroll/conf/eggroll.properties", "logs/fate/eggroll/rollsite.log",
		"logs/fate/eggroll/bootstrap.rollsite.out", "logs/fate/eggroll/bootstrap.rollsite.out.1"} {
		if files[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if text := files["logs/fate/eggroll/bootstrap.rollsite.out"]; !strings.Contains(text,
		"config key eggroll.rollsite.route.table.key="+redact.Hidden+"\n") {
		t.Errorf("the printed settings are not there without the key:\n%s", text)
	}
	if text := files["logs/fate/eggroll/rollsite.log"]; len(text) > logTail+100 ||
		!strings.Contains(text, "the reason") {
		t.Errorf("the log has %d bytes and ends with %q", len(text), text[max(0, len(text)-50):])
	}
	var report struct {
		File     string
		Contents []diagnosisEntry
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.File != file ||
		len(report.Contents) != len(files) {
		t.Errorf("%v: %+v", err, report)
	}
}

// TestDiagnoseOfABrokenInstallation: what can be read is, what cannot is listed, and without the passwords nothing that
// might hold them is taken.
func TestDiagnoseOfABrokenInstallation(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	if _, stderr, code := runCLI(t, root, "", "diagnose"); code != exit.Usage {
		t.Errorf("nothing installed: exit code %d\n%s", code, stderr)
	}
	if _, stderr, code := runCLI(t, root, "", "--payload", appliance, "--role", "exchange",
		"--ip", "192.168.0.88"); code != exit.OK {
		t.Fatal(stderr)
	}
	state := filepath.Join(root, "data/projects/common/fate-installer")
	log := filepath.Join(root, "data/logs/fate/eggroll/rollsite.log")
	for _, tt := range []struct {
		broken     string
		want, gone []string
	}{
		// The cluster file is in it, which may have passwords that no other file has.
		{"site.json", []string{"version.json", "problems.txt"}, []string{"journal", "logs/fate/eggroll/rollsite.log"}},
		{"secrets.json", []string{"version.json", "problems.txt"},
			[]string{"journal", "logs/fate/eggroll/rollsite.log"}},
	} {
		if err := errors.Join(os.WriteFile(log, []byte("why\n"), 0o644),
			os.WriteFile(filepath.Join(state, tt.broken), []byte("{"), 0o600)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "out.tar.gz")
		out, stderr, code := runCLI(t, root, "", "diagnose", "--out", file)
		if code != exit.OK || !strings.Contains(out, "missing: ") {
			t.Fatalf("%s: exit code %d\n%s%s", tt.broken, code, out, stderr)
		}
		files := untar(t, file)
		for _, name := range slices.Concat(tt.want, tt.gone) {
			if want := slices.Contains(tt.want, name); (files[name] != "") != want {
				t.Errorf("broken %s: %s is there: %v", tt.broken, name, files[name] != "")
			}
		}
	}
}

// TestDiagnoseReadsNoPlantedFile puts in the place of what is collected what the service user can put there, and an
// archive in the place of the archive.
func TestDiagnoseReadsNoPlantedFile(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	if _, stderr, code := runCLI(t, root, "", "--payload", appliance, "--role", "exchange",
		"--ip", "192.168.0.88"); code != exit.OK {
		t.Fatal(stderr)
	}
	const canary = "c4nary-of-root"
	conf := filepath.Join(root, "data/projects/fate/eggroll/conf")
	logs := filepath.Join(root, "data/logs/fate/eggroll")
	steps := []error{
		os.WriteFile(filepath.Join(root, "etc/shadow"), []byte(canary), 0o600),
		os.Remove(filepath.Join(conf, "eggroll.properties")),
		os.Symlink("/etc/shadow", filepath.Join(conf, "eggroll.properties")),
		os.Remove(filepath.Join(conf, "route_table.json")),
		syscall.Mkfifo(filepath.Join(conf, "route_table.json"), 0o644),
		os.Symlink("/etc/shadow", filepath.Join(logs, "link.log")),
		os.Symlink("/etc", filepath.Join(logs, "dir")),
		syscall.Mkfifo(filepath.Join(logs, "pipe.log"), 0o644),
		os.WriteFile(filepath.Join(logs, "huge.log"), []byte("begin"), 0o644),
		os.Truncate(filepath.Join(logs, "huge.log"), 1<<42),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	deep := logs
	for range logDirDepth + 4 {
		deep = filepath.Join(deep, "d")
		if err := os.Mkdir(deep, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "out.tar.gz")
	out, stderr, code := runCLI(t, root, "", "diagnose", "--out", file)
	if code != exit.OK {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	for _, want := range []string{"eggroll.properties", "route_table.json", "nested too deep"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say what became of %s:\n%s", want, out)
		}
	}
	for name, text := range untar(t, file) {
		if strings.Contains(text, canary) {
			t.Errorf("%s has root's file", name)
		}
		if len(text) > configLimit {
			t.Errorf("%s has %d bytes", name, len(text))
		}
	}
	refuses := func(name string) {
		t.Helper()
		if _, stderr, code := runCLI(t, root, "", "diagnose", "--out", name); code != exit.Usage ||
			!strings.Contains(stderr, name) {
			t.Errorf("--out %s: exit code %d\n%s", name, code, stderr)
		}
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(root, "etc/planted"), link); err != nil {
		t.Fatal(err)
	}
	refuses(file)
	refuses(link)
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file that existed was changed: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(root, "etc/planted")); err == nil {
		t.Error("the link was followed")
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("password=", "x y", "z")
	f.Add(`{"passwd": "`, `"}`, `"`)
	f.Add("-----BEGIN PRIVATE KEY-----\n", "a", "\n")
	f.Fuzz(func(t *testing.T, before, between, after string) {
		const known = "kn0wn-p:a#s\"s'"
		r := redact.New([]cluster.Secret{cluster.NewSecret(known), cluster.NewSecret("short")})
		text := before + known + between + known + after
		for _, got := range []string{r.Text(text), r.Settings(text), r.Known(text)} {
			if strings.Contains(got, known) {
				t.Errorf("%q still has the secret: %q", text, got)
			}
		}
	})
}
