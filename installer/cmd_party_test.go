package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// exchangeTree is a tree with an exchange of a host and a guest installed.
func exchangeTree(t *testing.T) (root, appliance, cluster string) {
	t.Helper()
	root, appliance = machine(t), smallAppliance(t)
	cluster = mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.0.2",
		"--exchange", "192.168.0.88")
	mustRunCLI(t, root, cluster, "install", "--payload", appliance, "--config", "-", "--ip", "192.168.0.88")
	return root, appliance, cluster
}

// routesOf reads the rendered route table: party -> address of its default route.
func routesOf(t *testing.T, root string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "data/projects/fate/eggroll/conf/route_table.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Table map[string]map[string][]struct {
			IP      string `json:"ip"`
			Polling bool   `json:"is_polling"`
		} `json:"route_table"`
	}
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for party, routes := range table.Table {
		out[party] = routes["default"][0].IP
		if routes["default"][0].Polling {
			out[party] = "polling"
		}
	}
	return out
}

// TestPartiesComeAndGo changes the route table of an installed exchange, and installs again with the old file.
func TestPartiesComeAndGo(t *testing.T) {
	root, appliance, cluster := exchangeTree(t)
	out := mustRunCLI(t, root, "", "party", "add", "9998:192.168.2.1", "9997:192.168.3.1:9370")
	if !strings.Contains(out, "messages for party 9998 go to 192.168.2.1:9370") {
		t.Errorf("said %q", out)
	}
	check := func(when string, want map[string]string) {
		t.Helper()
		got := routesOf(t, root)
		for party, ip := range want {
			if got[party] != ip {
				t.Errorf("%s: party %s goes to %q, want %q", when, party, got[party], ip)
			}
		}
	}
	check("after add", map[string]string{"9998": "192.168.2.1", "9997": "192.168.3.1", "9999": "192.168.0.2",
		"10000": "192.168.0.1"})
	if list := mustRunCLI(t, root, "", "party", "list"); !strings.Contains(list, "party add") ||
		!strings.Contains(list, "9998") {
		t.Errorf("list:\n%s", list)
	}
	mustRunCLI(t, root, "", "party", "remove", "9997", "9999")
	check("after remove", map[string]string{"9998": "192.168.2.1", "9997": "", "9999": ""})
	notes := mustRunCLI(t, root, cluster, "install", "--payload", appliance, "--config", "-", "--ip", "192.168.0.88")
	check("after the old file", map[string]string{"9998": "192.168.2.1", "9999": ""})
	for _, want := range []string{"party 9999 is in the cluster file, and was removed on this host",
		"party 9998 is not in the cluster file"} {
		if !strings.Contains(notes, want) {
			t.Errorf("install does not tell that %s:\n%s", want, notes)
		}
	}
	mustRunCLI(t, root, "", "party", "add", "9999:192.168.0.2")
	mustRunCLI(t, root, "", "party", "add", "9996:192.168.4.1", "--polling")
	check("after it came back", map[string]string{"9999": "192.168.0.2", "9996": "polling"})
	props, err := os.ReadFile(filepath.Join(root, "data/projects/fate/eggroll/conf/eggroll.properties"))
	if err != nil || !strings.Contains(string(props), "eggroll.rollsite.polling.server.enabled=true") {
		t.Errorf("polling is not switched on (%v)", err)
	}
	again := mustRunCLI(t, root, "", "party", "add", "9996:192.168.4.1", "--polling", "-o", "json")
	if !strings.Contains(again, `"files": []`) || !strings.Contains(again, `"restarted": []`) {
		t.Errorf("the same again changes something:\n%s", again)
	}
}

// TestPartiesThatCannotBe are refused before anything is written.
func TestPartiesThatCannotBe(t *testing.T) {
	root, _, _ := exchangeTree(t)
	before := routesOf(t, root)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no party is named", []string{"add"}},
		{"is no IPv4 address and no host name", []string{"add", "9998:192.168.2.300"}},
		{"the party must be a number", []string{"add", "x:192.168.2.1"}},
		{"leads back to the exchange's own rollsite", []string{"add", "9998:192.168.0.88"}},
		{"the exchange has no TLS", []string{"add", "9998:192.168.2.1:9371:secure"}},
		{"FATE-Flow's own", []string{"add", "9998:192.168.2.1:9360"}},
		{"the guest 9999, which does not poll", []string{"add", "9999:192.168.0.2", "--polling"}},
		{"it has no route", []string{"remove", "777"}},
	} {
		_, stderr, code := runCLI(t, root, "", append([]string{"party"}, c.args...)...)
		if code != exit.Usage || !strings.Contains(stderr, c.want) {
			t.Errorf("party %v: exit code %d, no %q in\n%s", c.args, code, c.want, stderr)
		}
	}
	for party, ip := range routesOf(t, root) {
		if before[party] != ip {
			t.Errorf("party %s went to %q, and goes to %q", party, before[party], ip)
		}
	}
}

// TestEditedRouteTableIsNotOverwritten: an operator's work is in it.
func TestEditedRouteTableIsNotOverwritten(t *testing.T) {
	root, _, _ := exchangeTree(t)
	file := filepath.Join(root, "data/projects/fate/eggroll/conf/route_table.json")
	edited, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited = []byte(strings.Replace(string(edited), "192.168.0.1", "192.168.7.7", 1))
	if err := os.WriteFile(file, edited, 0o644); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := runCLI(t, root, "", "party", "add", "9998:192.168.2.1")
	if code != exit.Step || !strings.Contains(stderr, "it was edited on this host") ||
		!strings.Contains(stderr, "--force-config") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if now, _ := os.ReadFile(file); string(now) != string(edited) {
		t.Error("the edit is lost")
	}
	mustRunCLI(t, root, "", "party", "add", "9998:192.168.2.1", "--force-config")
	if routesOf(t, root)["9998"] != "192.168.2.1" {
		t.Error("the party was not added")
	}
}

// TestPartyChangeNeedsAnInstallation names what to do instead.
func TestPartyChangeNeedsAnInstallation(t *testing.T) {
	_, stderr, code := runCLI(t, machine(t), "", "party", "add", "9998:192.168.2.1")
	if code != exit.Usage || !strings.Contains(stderr, "nothing is installed here") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestAnEditedClusterFileWinsOverPartyAdd, but not without being asked; the file that was there all the time does not.
func TestAnEditedClusterFileWinsOverPartyAdd(t *testing.T) {
	root, appliance, cluster := exchangeTree(t)
	install := func(cluster string, args ...string) (stdout, stderr string, code int) {
		t.Helper()
		return runCLI(t, root, cluster, append([]string{"install", "--payload", appliance, "--config", "-",
			"--ip", "192.168.0.88"}, args...)...)
	}
	mustRunCLI(t, root, "", "party", "add", "9999:192.168.5.5")
	if _, stderr, code := install(cluster); code != exit.OK || routesOf(t, root)["9999"] != "192.168.5.5" {
		t.Errorf("the same file again: exit code %d, %v: %s", code, routesOf(t, root), stderr)
	}
	edited := cluster + "# looked at on Monday\n"
	_, stderr, code := install(edited)
	if code != exit.Usage || !strings.Contains(stderr,
		"party 9999 is routed to 192.168.5.5:9370 in plain here, and to 192.168.0.2:9370") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if _, stderr, code := install(edited, "--change-cluster"); code != exit.OK ||
		routesOf(t, root)["9999"] != "192.168.0.2" {
		t.Errorf("exit code %d, %v: %s", code, routesOf(t, root), stderr)
	}
}
