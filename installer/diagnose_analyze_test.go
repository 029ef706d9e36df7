package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/diagnosis"
	"fate-installer/installer/exit"
)

// analysisOf makes a diagnosis of a host and analyses it.
func analysisOf(t *testing.T, root string, flags ...string) (report diagnosis.Report, code int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "d.tar.gz")
	mustRunCLI(t, root, "", append([]string{"diagnose", "--out", file}, flags...)...)
	out, stderr, code := run(t, "diagnose", "--analyze", file, "-o", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr)
	}
	return report, code
}

// TestAnalyzeFindsEachFault makes bundles with the collector on a host that has one fault each.
func TestAnalyzeFindsEachFault(t *testing.T) {
	root, _, _ := partyTree(t)
	now := time.Now().Format(time.DateTime)
	const flowLog, meta = "data/logs/fate/fateflow/fate_flow/ERROR.log", "data/logs/fate/eggroll/clustermanager.log"
	properties := filepath.Join(root, "data/projects/fate/eggroll/conf/eggroll.properties")
	state := filepath.Join(root, stateDir, "state.json")
	if report, code := analysisOf(t, root); code != exit.OK || len(report.Findings) > 0 {
		t.Fatalf("a host without a fault: exit code %d, %+v", code, report)
	}
	for _, tt := range []struct {
		name  string
		files map[string]string // to write
		edit  map[string][2]string
		first string // what is said first; blank: nothing is
		text  string // in its evidence
	}{
		{"a full disk", map[string]string{flowLog: "[ERROR] [" + now + ",001] OSError: [Errno 28] No space left on device\n"},
			nil, "disk-full", "No space left"},
		{"a full disk long ago", map[string]string{flowLog: "[ERROR] [2025-01-01 00:00:00,001] OSError: [Errno 28] No space\n"},
			nil, "disk-full", "Errno 28"},
		{"a refused password", map[string]string{flowLog: "[ERROR] [" + now + ",001] (1045, \"Access denied for user 'fate'\")\n"},
			nil, "wrong-password", "Access denied"},
		{"a worker out of memory", map[string]string{meta: now + " [ERROR] java.lang.OutOfMemoryError: Java heap space\n"},
			nil, "out-of-memory", "heap space"},
		{"a limit", map[string]string{meta: now + " [ERROR] java.io.IOException: Too many open files\n"}, nil,
			"limit-reached", "Too many"},
		{"a refused host", map[string]string{meta: now + " [ERROR] Host '192.168.0.1' is not allowed to connect\n"},
			nil, "database-refuses-host", "192.168.0.1"},
		{"a job without common ids", map[string]string{"data/logs/fate/fateflow/202611290938001234560/guest/9999/ERROR.log": "[ERROR] [" +
			now + ",001] ValueError: Count of data_instance is 0\n"}, nil, "ids-do-not-match", "Count of"},
		{"a file that was edited", nil, map[string][2]string{properties: {"eggroll.rollsite.port=9370",
			"eggroll.rollsite.port=9999"}}, "file-edited", "eggroll.rollsite.port=9999"},
		{"an interrupted upgrade", nil, map[string][2]string{state: {`"phase": "installed"`, `"phase": "upgrading", "change": ` +
			`{"command": "./new upgrade", "since": "2026-11-29T14:00:00Z"}`}}, "change-interrupted", "./new upgrade"},
		{"a record of another version", nil, map[string][2]string{filepath.Join(root, stateDir, "site.json"): {
			`"version": "2.5.3"`, `"version": "2.5.1"`}}, "versions-differ", "eggroll 2.5.1 is recorded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, text := range tt.files {
				name = filepath.Join(root, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755),
					os.WriteFile(name, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(name)
			}
			for name, change := range tt.edit {
				before, err := os.ReadFile(name)
				if err != nil || !strings.Contains(string(before), change[0]) {
					t.Fatalf("%v: %s is not in\n%s", err, change[0], before)
				}
				after := strings.ReplaceAll(string(before), change[0], change[1])
				if err := os.WriteFile(name, []byte(after), 0o600); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = os.WriteFile(name, before, 0o600) }()
			}
			report, code := analysisOf(t, root)
			if code != diagnosis.ExitFound || len(report.Findings) == 0 || report.Findings[0].ID != tt.first ||
				!strings.Contains(report.Findings[0].Evidence[0].Text, tt.text) {
				t.Errorf("exit code %d, want %s with %q first: %+v", code, tt.first, tt.text, report)
			}
		})
	}
}

// TestAnalyzeWithoutAFile looks at this host, and needs an installation there; with one it needs none.
func TestAnalyzeWithoutAFile(t *testing.T) {
	root, _, _ := partyTree(t)
	out, stderr, code := runCLI(t, root, "", "diagnose", "--analyze")
	if code != exit.OK || !strings.Contains(out, "nothing was found in what") {
		t.Errorf("exit code %d\n%s%s", code, out, stderr)
	}
	if files, err := filepath.Glob("fate-diagnose-*"); err != nil || len(files) > 0 {
		t.Errorf("it wrote %v", files)
	}
	for _, args := range [][]string{{"diagnose", "--analyze"}, {"diagnose", "--analyze", "nosuch.tar.gz"},
		{"diagnose", "x.tar.gz"}, {"diagnose", "--analyze", "--out", "x"},
		{"diagnose", "--analyze", "x", "--since", "1h"}, {"diagnose", "--max-size", "1K"},
		{"diagnose", "--split", "1"}, {"diagnose", "--analyze", "a", "b"}} {
		if _, stderr, code := runCLI(t, machine(t), "", args...); code != exit.Usage {
			t.Errorf("%v: exit code %d\n%s", args, code, stderr)
		}
	}
	hello := &diagnosis.Bundle{Name: "x", Made: time.Now()}
	hello.Add("hello", "hello\n", time.Time{})
	newer := &diagnosis.Bundle{Name: "x", Made: time.Now()}
	newer.Add(diagnosis.AboutName, `{"schema": 99}`, time.Time{})
	for want, b := range map[string]*diagnosis.Bundle{"no file of diagnose": hello, "a newer fate-installer": newer} {
		name := filepath.Join(t.TempDir(), "b.tar.gz")
		f, err := os.Create(name)
		if err == nil {
			err = errors.Join(b.WriteCompressed(f), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		_, stderr, code := run(t, "diagnose", "--analyze", name)
		if code != exit.Payload || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d\n%s", want, code, stderr)
		}
	}
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := run(t, "diagnose", "--analyze", file); code != exit.Payload ||
		!strings.Contains(stderr, file) {
		t.Errorf("no bundle: exit code %d\n%s", code, stderr)
	}
}

// TestDiagnoseIsBounded: --max-size keeps the newest lines, --since those of a time, and both say what they left out.
func TestDiagnoseIsBounded(t *testing.T) {
	root, _, _ := partyTree(t)
	logs := filepath.Join(root, "data/logs/fate/eggroll")
	hour := time.Now().Add(-30 * time.Minute).Format(time.DateTime)
	old := time.Now().Add(-30 * time.Hour)
	var lines strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&lines, "%s old line %d of the log\n", old.Format(time.DateTime), i)
	}
	for i := range 4_000 {
		fmt.Fprintf(&lines, "%s new line %d of the log\n", hour, i)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(logs, "a.log"), []byte(lines.String()), 0o644),
		os.WriteFile(filepath.Join(logs, "b.log"), []byte("of yesterday\n"), 0o644),
		os.Chtimes(filepath.Join(logs, "b.log"), old, old)); err != nil {
		t.Fatal(err)
	}
	collect := func(flags ...string) (map[string]string, diagnoseReport) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "d.tar.gz")
		out := mustRunCLI(t, root, "", append([]string{"diagnose", "--out", file, "-o", "json"}, flags...)...)
		var r diagnoseReport
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		return untar(t, file), r
	}
	const a, b = "logs/fate/eggroll/a.log", "logs/fate/eggroll/b.log"
	left := func(r diagnoseReport, name string) string {
		var out []string
		for _, l := range r.LeftOut {
			if l.Name == name && l.Bytes > 0 {
				out = append(out, l.Why)
			}
		}
		return strings.Join(out, "; ")
	}
	files, r := collect()
	if n := len(files[a]); n > logTail || n < logTail/2 || !strings.HasSuffix(files[a], "new line 3999 of the log\n") ||
		left(r, a) != leftEnds || files[b] == "" {
		t.Errorf("by itself: %d bytes of a, left out %q", n, left(r, a))
	}
	files, r = collect("--since", "2h")
	if !strings.HasPrefix(files[a], hour+" new line 0 ") || strings.Count(files[a], "\n") != 4000 || files[b] != "" ||
		left(r, a) != leftOlder || left(r, b) != leftOlder {
		t.Errorf("--since: %d lines of a, left out %q and %q", strings.Count(files[a], "\n"), left(r, a), left(r, b))
	}
	files, r = collect("--since", "72h", "--max-size", "1M")
	total := 0
	for _, text := range files {
		total += len(text)
	}
	if total > 1<<20 || !strings.HasSuffix(files[a], "new line 3999 of the log\n") ||
		!strings.Contains(left(r, a), leftNoRoom) {
		t.Errorf("--max-size: %d bytes, left out %q", total, left(r, a))
	}
	var about diagnosis.About
	if err := json.Unmarshal([]byte(files[diagnosis.AboutName]), &about); err != nil || len(about.LeftOut) == 0 ||
		about.Since != "72h0m0s" || about.MaxSize != 1<<20 {
		t.Errorf("%v: %+v", err, about)
	}
}

// TestDiagnoseInParts: parts are private, are read by any of their names, and none is left when one cannot be written.
func TestDiagnoseInParts(t *testing.T) {
	root, _, _ := partyTree(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "d.tar.gz")
	noise := make([]string, 20_000)
	for i := range noise {
		noise[i] = fmt.Sprintf("%x", i*7919*104729)
	}
	log := filepath.Join(root, "data/logs/fate/eggroll/a.log")
	if err := os.WriteFile(log, []byte(strings.Join(noise, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"diagnose", "--out", file, "--split", "64K", "--since", "1h", "-o", "json"}
	var r diagnoseReport
	if err := json.Unmarshal([]byte(mustRunCLI(t, root, "", args...)), &r); err != nil || len(r.Parts) < 2 {
		t.Fatalf("%v: %+v", err, r)
	}
	for _, part := range r.Parts {
		if info, err := os.Stat(part); err != nil || info.Mode().Perm() != 0o600 || info.Size() > 64<<10 {
			t.Errorf("%s: %v, %v", part, info, err)
		}
	}
	for _, name := range []string{file, r.Parts[0], r.Parts[1]} {
		if out, stderr, code := run(t, "diagnose", "--analyze", name); code != exit.OK {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, stderr)
		}
	}
	if err := os.Remove(r.Parts[0]); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := run(t, "diagnose", "--analyze", r.Parts[1]); code != exit.Payload ||
		!strings.Contains(stderr, r.Parts[0]) {
		t.Errorf("a missing part: exit code %d\n%s", code, stderr)
	}
	if out, _, code := runCLI(t, root, "", args...); code != exit.Usage || !strings.Contains(out, r.Parts[1]) {
		t.Errorf("a name that is taken: exit code %d\n%s", code, out)
	}
	if _, err := os.Lstat(r.Parts[0]); err == nil {
		t.Error("half of the parts are left")
	}
}

// TestDiagnosisNamesItsFiles: the README of a bundle has every file and directory that the collector makes.
func TestDiagnosisNamesItsFiles(t *testing.T) {
	root, _, _ := partyTree(t)
	file := filepath.Join(t.TempDir(), "d.tar.gz")
	mustRunCLI(t, root, "", "diagnose", "--out", file)
	for _, name := range slices.Sorted(maps.Keys(untar(t, file))) {
		top, _, below := strings.Cut(name, "/")
		if below {
			top += "/"
		}
		if top != "README.txt" && !strings.Contains(diagnoseReadme, "\n"+top) {
			t.Errorf("the README does not say what %s is", name)
		}
	}
}

// analysisOfAHost is what an analysis of a host with several faults says.
func analysisOfAHost() *diagnosis.Report {
	const log = "logs/fate/fateflow/fate_flow/ERROR.log"
	b := &diagnosis.Bundle{Name: "fate-diagnose-node1-20261129T142233Z", Made: exampleTime}
	add := func(name, text string) { b.Add(name, text, exampleTime) }
	add(diagnosis.AboutName, `{"schema": 1, "made": "2026-11-29T14:22:33Z", "host": "node1", "base": "/data", `+
		`"version": "1.0.0", "live": true}`)
	add("facts.json", `{"paths": [{"path": "/data/logs", "size": 107374182400, "free": 1048576, "device": 1}]}`)
	add(diagnosis.StateName, `{"phase": "upgrading",
"change": {"command": "./fate-installer-1.11.4 upgrade", "since": "2026-11-29T14:00:00Z"}}`)
	add(diagnosis.KernelName, "[]")
	add(diagnosis.VersionsName, `{"fate": "1.11.4"}`)
	add(diagnosis.HostsName, `[{"address": "192.168.0.2:9380", "fate": "1.11.2", "ahead": -200, "within": 1}]`)
	add(diagnosis.CertificatesName, `[{"file": "/data/projects/data/fate/keys/host-server.pem", "validity": "expiring",
"not_after": "2026-12-20T00:00:00Z"}]`)
	add("status.json", `[{"name": "fate-mysql", "state": "FATAL", "wanted": true, "why": "exited with status 1"},
{"name": "fate-fateflow", "state": "RUNNING", "wanted": true, "why": "degraded: fate-mysql has failed too often"}]`)
	add("why/fate-mysql.json", `[{"name": "fate-mysql", "state": "FATAL", "text": "exited with status 1",
"exit": "exited with status 1 at 2026-11-29 14:20:00",
"last_log": ["[ERROR] Can't start server: Bind on TCP/IP port: Address already in use"],
"ports": [{"port": 3306, "pid": 812, "command": "mysqld"}],
"advice": "port 3306 is held by another process: as root, ss -ltnp 'sport = :3306' tells which"}]`)
	add("why/fate-fateflow.json", `[{"name": "fate-fateflow"}, {"name": "fate-mysql"}]`)
	add("edits/data/projects/fate/conf/service_conf.yaml.diff", "--- install\n+++ host\n-  port: 3306\n+  port: 3307\n")
	add(log, "[ERROR] [2026-11-29 14:10:00,123] (1045, \"Access denied for user 'fate'@'192.168.0.1'\")\n")
	r, err := diagnosis.Analyze(context.Background(), b, "fate-diagnose-node1-20261129T142233Z.tar.gz")
	if err != nil {
		panic(err) // its context does not end
	}
	return r
}

func init() {
	screens["analyze"] = func(g *globals) error { printAnalysis(g, analysisOfAHost()); return nil }
	screens["analyze-all-well"] = func(g *globals) error {
		printAnalysis(g, &diagnosis.Report{Host: "node1", Made: exampleTime})
		return nil
	}
	screens["analyze-nothing"] = func(g *globals) error {
		printAnalysis(g, &diagnosis.Report{Host: "node1", Made: exampleTime, Missing: []string{
			"what the kernel killed (the bundle has no kernel.json)"}})
		return nil
	}
}
