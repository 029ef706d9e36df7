package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
)

const outsideCluster = "host: {partyid: 10000, ip: 192.168.0.1,\n" +
	"  mysql: {type: outside, ips: [192.168.0.77], dbpasswd: Service1}}\n"

func TestConfigSQL(t *testing.T) {
	root := machine(t)
	args := []string{"config", "sql", "--config", "-", "--ip", "192.168.0.1", "--fate-version", "1.11.4"}
	out := mustRunCLI(t, root, outsideCluster, append(args, "--for-dba")...)
	if !strings.Contains(out, "IDENTIFIED BY 'PASSWORD OF fate';") || strings.Contains(out, "Service1") {
		t.Errorf("without --show-secrets:\n%s", out)
	}
	out = mustRunCLI(t, root, outsideCluster, append(args, "--for-dba", "--show-secrets")...)
	if !strings.Contains(out, "CREATE USER IF NOT EXISTS 'fate'@'192.168.0.1' IDENTIFIED BY 'Service1';") {
		t.Errorf("with --show-secrets:\n%s", out)
	}
	var document struct{ Statements []string }
	out = mustRunCLI(t, root, outsideCluster, append(args, "--drop", "-o", "json")...)
	err := json.Unmarshal([]byte(out), &document)
	if err != nil || !slices.Contains(document.Statements, "DROP DATABASE IF EXISTS `fate_flow`;") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, bad := range [][]string{{}, {"--for-dba", "--drop"}, {"--for-dba=false"}} {
		if _, _, code := runCLI(t, root, outsideCluster, append(args, bad...)...); code != exit.Usage {
			t.Errorf("%q: exit code %d", bad, code)
		}
	}
	_, stderr, code := runCLI(t, root, "host: {partyid: 10000, ip: 192.168.0.1}\n", append(args, "--for-dba")...)
	if code != exit.Usage || !strings.Contains(stderr, "no outside database") {
		t.Errorf("a database of ours: exit code %d\n%s", code, stderr)
	}
}

// TestUninstallNamesWhatStaysOutside removes an installation that used a database server of others.
func TestUninstallNamesWhatStaysOutside(t *testing.T) {
	for _, args := range [][]string{{"uninstall"}, {"uninstall", "-o", "json"}} {
		root := machine(t)
		s := deploy.Site{
			Schema: deploy.SiteSchema, Role: "host", Party: 10000, IP: "192.168.0.1", User: "app", Group: "apps",
			Sources: []deploy.Source{{Name: "cluster.yaml", Data: outsideCluster}},
			Env:     map[string]string{"FATE": "1.11.4"},
		}
		h, err := host.New(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		data, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		g := globals{Base: "/data"}
		state := g.layout().State()
		if err := h.MkdirAll(state, host.FileMode{Perm: 0o755}); err != nil {
			t.Fatal(err)
		}
		if err := h.WriteFile(filepath.Join(state, deploy.SiteName), data, host.FileMode{Perm: 0o600}); err != nil {
			t.Fatal(err)
		}
		journal, err := engine.OpenJournal(h, filepath.Join(state, "journal"))
		if err != nil {
			t.Fatal(err)
		}
		journal.Close()
		out := mustRunCLI(t, root, "", args...)
		for _, want := range []string{
			"192.168.0.77:3306", "DROP USER IF EXISTS 'fate'@'192.168.0.1';", "DROP DATABASE IF EXISTS `eggroll_meta`;",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%q: no %q in\n%s", args, want, out)
			}
		}
	}
}
