package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/report"
	"fate-installer/payload"
)

// keyPair makes two files with a key pair, as bundle keygen does.
func keyPair(t *testing.T) (private, public string) {
	t.Helper()
	base := filepath.Join(t.TempDir(), "officer")
	mustRunCLI(t, t.TempDir(), "", "bundle", "keygen", "--no-password", "--out", base)
	return base + ".key", base + ".pub"
}

// TestCheckReport writes reports of a host that is refused, and verifies them.
func TestCheckReport(t *testing.T) {
	root, dir := machine(t), t.TempDir()
	private, public := keyPair(t)
	_, other := keyPair(t)
	links := filepath.Join(dir, "links.json")
	if err := os.WriteFile(links, []byte(`{"time":"2026-11-29T14:00:00Z","role":"exchange","ip":"192.168.0.88",
		"ok":true,"results":[{"party":"9999","direction":"out","address":"192.168.1.1:9370","check":"tcp",
		"status":"ok","measured":"<b>0.4 ms</b>"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	page, data, plain := filepath.Join(dir, "a.html"), filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	check := []string{"check", "--payload", smallAppliance(t), "--role", "exchange", "--ip", "192.168.0.88"}
	stdout, stderr, code := runCLI(t, root, "", append(check, "--report", page, "--report", data, "--report-key",
		private, "--report-links", links, "--report-lang", "zh")...)
	if code != exit.OK && code != exit.Preflight || !strings.Contains(stdout, "digest of its data ") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	for _, file := range []string{page, data} {
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
	text := readText(t, page)
	for _, want := range []string{`lang="zh-CN"`, "192.168.0.88", "&lt;b&gt;0.4 ms&lt;/b&gt;", "未签名", "JSON 报告已签名"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	stdout, _, code = runCLI(t, root, "", "check", "--verify-report", data, "--pubkey", public, "-o", "json")
	var got verifyReportOutput
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exit.OK || got.Signature != report.Good ||
		got.Address != "192.168.0.88" || !strings.Contains(text, got.Digest) {
		t.Errorf("exit %d, %v\n%s", code, err, stdout)
	}

	// a report is never written over another one, and none is left when one cannot be written
	_, stderr, code = runCLI(t, root, "", append(check, "--report", plain, "--report", page)...)
	if code != exit.Usage || !strings.Contains(stderr, "name a file that does not exist") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if _, err := os.Lstat(plain); err == nil {
		t.Errorf("half of the reports are left")
	}
	runCLI(t, root, "", append(check, "--report", plain)...)

	changed := filepath.Join(dir, "changed.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(readText(t, data), "192.168.0.88", "192.168.0.89", 1)),
		0o600); err != nil {
		t.Fatal(err)
	}
	format := filepath.Join(dir, "format.json")
	if err := os.WriteFile(format, []byte(strings.Replace(readText(t, data), `"format": 1`, `"format": 2`, 1)),
		0o600); err != nil {
		t.Fatal(err)
	}
	const compare = "compare the key with the fingerprint that its owner publishes"
	for _, tt := range []struct {
		file, key, says string
		code            int
	}{
		{data, other, compare, exit.Payload},
		{plain, public, "compare the digest with the one on the page that was signed by hand", exit.Payload},
		{plain, public, "the report is not proved: it is not signed", exit.Payload},
		{format, public, "the report is not proved: its format is 2", exit.Payload},
		{format, public, "of another version", exit.Payload},
		{changed, public, "get the report again", exit.Payload},
		{data, "", "was not checked", exit.Unproven},
		{data, public, "is unchanged: signed with key", exit.OK},
		{data, public, "host     name not known (a directory tree), exchange at 192.168.0.88", exit.OK},
		{data, other, "not with", exit.Payload},
		{plain, "", "is unsigned; its data has the digest", exit.Unproven},
		{plain, public, "it is not signed", exit.Payload},
		{changed, public, "the digest of its data is", exit.Payload},
		{changed, "", "the digest of its data is", exit.Payload},
		{page, public, "it is no JSON", exit.Payload},
		{filepath.Join(dir, "none"), public, "no such file", exit.Usage},
		{data, page, "cannot read the public key", exit.Usage},
	} {
		args := []string{"check", "--verify-report", tt.file}
		if tt.key != "" {
			args = append(args, "--pubkey", tt.key)
		}
		stdout, stderr, code := runCLI(t, root, "", args...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", args, code, tt.code, tt.says, stdout, stderr)
		}
	}
}

// TestReportOfASignedAppliance holds what a report says of the appliance's signature.
func TestReportOfASignedAppliance(t *testing.T) {
	key, private, err := payload.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := payload.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	root := machine(t)
	check := []string{"check", "--payload", signedAppliance(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.3"},
		&private, 3), "--role", "exchange", "--ip", "192.168.0.88"}
	for _, tt := range []struct {
		pubkey string
		want   report.Signature
	}{{"", report.Unchecked}, {key.String(), report.Good}} {
		file := filepath.Join(t.TempDir(), "a.json")
		args := append(check, "--report", file)
		if tt.pubkey != "" {
			args = append(args, "--pubkey", tt.pubkey)
		}
		runCLI(t, root, "", args...)
		var got report.File
		if err := json.Unmarshal([]byte(readText(t, file)), &got); err != nil {
			t.Fatal(err)
		}
		if a := got.Report.Appliance; a == nil || a.Signature != tt.want || a.KeyID != payload.KeyID(key) ||
			a.Revision != 3 || len(a.Digest) != 64 {
			t.Errorf("%q: %+v", tt.pubkey, a)
		}
	}
	if _, stderr, code := runCLI(t, root, "", append(check, "--pubkey", other.String())...); code != exit.Payload {
		t.Errorf("the key of another maker: exit %d: %s", code, stderr)
	}
}

// TestCheckJudgesTheApplianceAsInstallDoes: the report of an appliance that install would not use is written and says
// so, and check exits as install would, also without a report.
func TestCheckJudgesTheApplianceAsInstallDoes(t *testing.T) {
	public, private, err := payload.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, otherKey, err := payload.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{"jdk": "8u345", "eggroll": "2.5.3"}
	root := machine(t)
	side := []string{"--role", "exchange", "--ip", "192.168.0.88", "--waive", "port:9370=test"}
	installed := signedAppliance(t, versions, &private, 3)
	mustRunCLI(t, root, "", append(side, "install", "--payload", installed, "--pubkey", public.String())...)
	for _, tt := range []struct {
		name, appliance, says string
		code                  int
		signature             report.Signature
	}{
		{"installed", installed, "", exit.OK, report.Good},
		{"unsigned", applianceOf(t, versions), "it is not signed", exit.Payload, report.Unsigned},
		{"other key", signedAppliance(t, versions, &otherKey, 9), "cannot trust", exit.Payload, report.Wrong},
		{"lower revision", signedAppliance(t, versions, &private, 2), "revision 3 of the same maker", exit.Payload,
			report.Good},
	} {
		check := append([]string{"check", "--payload", tt.appliance}, side...)
		if tt.code != exit.OK {
			_, _, code := runCLI(t, root, "", append([]string{"install", "--payload", tt.appliance}, side...)...)
			if code != tt.code {
				t.Errorf("%s: install: exit %d, want %d", tt.name, code, tt.code)
			}
		}
		stdout, stderr, code := runCLI(t, root, "", check...)
		if code != tt.code || !strings.Contains(stderr, tt.says) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", tt.name, code, tt.code, tt.says, stdout, stderr)
		}
		base := filepath.Join(t.TempDir(), "a")
		stdout, stderr, code = runCLI(t, root, "", append(check, "--report", base+".json", "--report", base+".html",
			"--junit", base+".xml", "-o", "json")...)
		if code != tt.code || !strings.Contains(stderr, tt.says) {
			t.Errorf("%s: with a report: exit %d, want %d\n%s%s", tt.name, code, tt.code, stdout, stderr)
		}
		var printed checkReport
		var got report.File
		if err := json.Unmarshal([]byte(stdout), &printed); err != nil {
			t.Fatalf("%s: %v\n%s", tt.name, err, stdout)
		}
		if err := json.Unmarshal([]byte(readText(t, base+".json")), &got); err != nil {
			t.Fatal(err)
		}
		a, refused := got.Report.Appliance, tt.says != ""
		if a == nil || a.Signature != tt.signature || (a.Refused != "") != refused ||
			!strings.Contains(a.Refused, tt.says) || printed.Appliance != a.Refused {
			t.Errorf("%s: %+v, %q", tt.name, a, printed.Appliance)
		}
		if page := readText(t, base+".html"); strings.Contains(page, "verdict good") == refused ||
			!strings.Contains(page, tt.says) {
			t.Errorf("%s: the page has another verdict:\n%s", tt.name, page)
		}
		if text := readText(t, base+".xml"); strings.Contains(text, "<failure") != refused {
			t.Errorf("%s: the JUnit report:\n%s", tt.name, text)
		}
	}
	older := append(side, "check", "--payload", signedAppliance(t, versions, &private, 2), "--allow-older")
	if stdout, stderr, code := runCLI(t, root, "", older...); code != exit.OK {
		t.Errorf("--allow-older: exit %d\n%s%s", code, stdout, stderr)
	}
}

// TestCheckOfASignatureNeedsAnAppliance: a key without anything to check with it is an error, whatever it is.
func TestCheckOfASignatureNeedsAnAppliance(t *testing.T) {
	_, public := keyPair(t)
	for _, key := range []string{public, filepath.Join(t.TempDir(), "none.pub")} {
		stdout, stderr, code := runCLI(t, machine(t), "", "check", "--role", "exchange", "--ip", "192.168.0.88",
			"--pubkey", key)
		if code != exit.Usage || !strings.Contains(stderr, "this program carries no appliance") ||
			!strings.Contains(stderr, "name it with --payload FILE") {
			t.Errorf("exit %d\n%s%s", code, stdout, stderr)
		}
	}
}

// TestRequireSignature: check refuses as install does what nothing proves, and needs something to judge.
func TestRequireSignature(t *testing.T) {
	side := []string{"--role", "exchange", "--ip", "192.168.0.88", "--require-signature"}
	unsigned := smallAppliance(t)
	for _, command := range []string{"check", "install"} {
		_, stderr, code := runCLI(t, machine(t), "", append([]string{command, "--payload", unsigned}, side...)...)
		if code != exit.Usage || !strings.Contains(stderr, "no public key is known") {
			t.Errorf("%s: exit %d: %s", command, code, stderr)
		}
	}
	_, stderr, code := runCLI(t, machine(t), "", append([]string{"check"}, side...)...)
	if code != exit.Usage || !strings.Contains(stderr, "this program carries no appliance") {
		t.Errorf("without an appliance: exit %d: %s", code, stderr)
	}
}

// TestFixAfterTheReportsAreKnownToFit: check --fix changes nothing when a report cannot be written.
func TestFixAfterTheReportsAreKnownToFit(t *testing.T) {
	dir := t.TempDir()
	there, link, page := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.html"), filepath.Join(dir, "c.html")
	if err := os.WriteFile(there, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "none", "a.html")
	for _, tt := range []struct {
		says string // blank: the run is not refused
		args []string
	}{
		{"", nil},
		{"name a file that does not exist", []string{"--report", there}},
		{"name a file that does not exist", []string{"--report", link}},
		{"no such file or directory", []string{"--report", page, "--report", missing}},
		{"two reports", []string{"--report", page, "--report", page}},
		{"two reports", []string{"--report", page, "--junit", page}},
		{"no such file or directory", []string{"--junit", missing}},
		{"symbolic link", []string{"--junit", link}},
		{"directory", []string{"--junit", dir}},
	} {
		stdout, stderr, code := runCLI(t, machine(t), "", append([]string{"check", "--fix", "--payload",
			smallAppliance(t), "--role", "exchange", "--ip", "192.168.0.88"}, tt.args...)...)
		if (code == exit.Usage) != (tt.says != "") || !strings.Contains(stderr, tt.says) {
			t.Errorf("%v: exit %d, want %q\n%s%s", tt.args, code, tt.says, stdout, stderr)
		}
		if fixed := strings.Contains(stdout, "nothing that --fix could do"); fixed != (tt.says == "") {
			t.Errorf("%v: --fix was run: %v\n%s%s", tt.args, fixed, stdout, stderr)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 || readText(t, there) != "kept" {
		t.Errorf("a refused report left %v, %v", entries, err)
	}
}

func TestReportOptions(t *testing.T) {
	root, dir := machine(t), t.TempDir()
	private, _ := keyPair(t)
	link := filepath.Join(dir, "link.html")
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, "a.html")
	for _, tt := range []struct {
		says string
		args []string
	}{
		{"end in .html or .json", []string{"--report", "report.txt"}},
		{"--report FILE.json", []string{"--report", page, "--report-key", private}},
		{"--report FILE.html", []string{"--report-lang", "zh"}},
		{"--report FILE.html", []string{"--report-links", "x"}},
		{"en or zh", []string{"--report", page, "--report-lang", "fr"}},
		{"cannot read the private key", []string{"--report", page + ".json", "--report-key", page}},
		{"results of party test", []string{"--report", page, "--report-links", private}},
		{"does not exist", []string{"--report", link}},
		{"verify-report", []string{"--report", page, "--verify-report", page}},
		{"verify-report", []string{"--fix", "--verify-report", page}},
	} {
		stdout, stderr, code := runCLI(t, root, "", append([]string{"check", "--payload", smallAppliance(t), "--role",
			"exchange", "--ip", "192.168.0.88"}, tt.args...)...)
		if code != exit.Usage || !strings.Contains(stderr, tt.says) {
			t.Errorf("%v: exit %d, want %q\n%s%s", tt.args, code, tt.says, stdout, stderr)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("a refused report left %v, %v", entries, err)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
