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
	for _, tt := range []struct {
		file, key, says string
		code            int
	}{
		{data, "", "was not checked", exit.Unproven},
		{data, public, "is unchanged: signed with key", exit.OK},
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
