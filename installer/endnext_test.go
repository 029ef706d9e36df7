package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"

	"github.com/google/go-cmp/cmp"
)

// partyEnd is the end of an install of a party with a second host.
func partyEnd() endReport {
	var programs []engine.ServiceStatus
	for _, name := range []string{"fate-mysql", "fate-clustermanager", "fate-fateflow", "fate-fateboard"} {
		programs = append(programs, engine.ServiceStatus{Name: name, State: "RUNNING", Ready: true})
	}
	party := []string{"192.168.0.2"}
	return endReport{
		Role: cluster.RoleHost, Party: 10000, IP: "192.168.0.1", Changed: 81, Unchanged: 3, Elapsed: 94.2,
		Programs: programs, Board: "http://192.168.0.1:8080", Login: showLogin, Logs: "/data/logs",
		Next: "fate-installer test toy", OtherHosts: party,
		Ports: []openPort{
			{3306, cluster.MySQL, forParty, party}, {4670, cluster.ClusterManager, forParty, party},
			{9360, cluster.FateFlow, forParty, party}, {9380, cluster.FateFlow, forParty, party},
			{9380, cluster.FateFlow, forJobs, nil}, {8080, cluster.FateBoard, forViewers, nil},
			{9371, cluster.Rollsite, forOthers, []string{"192.168.1.1", "192.168.2.1", "192.168.3.1", "192.168.4.1"}},
		},
		Client: &client{User: "app", InitEnv: "/data/projects/fate/bin/init_env.sh", IP: "192.168.0.1", Port: 9380,
			Files: []string{"settings.yaml"}},
	}
}

func init() {
	screens["end"] = func(g *globals) error { printEndText(g, partyEnd()); return nil }
	screens["end-alone"] = func(g *globals) error {
		end := partyEnd()
		end.Role, end.Party, end.Board, end.Client, end.OtherHosts = cluster.RoleExchange, 0, "", nil, nil
		end.Programs, end.Ports, end.Next = nil, []openPort{}, "fate-installer svc status"
		printEndText(g, end)
		return nil
	}
}

// TestPortsToOpen says for whom each port is: with one host and with several, plain and with TLS.
func TestPortsToOpen(t *testing.T) {
	alone := mustRunCLI(t, t.TempDir(), "", "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.1.1")
	lone := mustRunCLI(t, t.TempDir(), "", "init", "--host", "10000:192.168.0.1")
	two := mustRunCLI(t, t.TempDir(), "", "init", "--host", "10000:192.168.0.1", "--host-database", "192.168.0.2",
		"--guest", "9999:192.168.1.1")
	secure := mustRunCLI(t, t.TempDir(), "", "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.1.1",
		"--exchange", "192.168.9.9", "--tls", "host,guest,exchange")
	for _, tt := range []struct{ text, ip, want string }{
		{alone, "192.168.0.1", `open these TCP ports, to these only:
9370: other parties (192.168.1.1)
9380: those who submit jobs
8080: those who look at jobs`},
		{two, "192.168.0.1", `open these TCP ports, to these only:
4670, 4671, 9370, 9360, 9380: hosts of this party (192.168.0.2)
9370: other parties (192.168.1.1)
9380: those who submit jobs
8080: those who look at jobs`},
		{two, "192.168.0.2", `open these TCP ports, to these only:
3306: hosts of this party (192.168.0.1)`},
		{secure, "192.168.0.1", `open these TCP ports, to these only:
9371: other parties (192.168.9.9)
9380: those who submit jobs
8080: those who look at jobs`},
		{secure, "192.168.9.9", `open these TCP ports, to these only:
9371: other parties (192.168.0.1, 192.168.1.1)`},
		{lone, "192.168.0.1", `open these TCP ports, to these only:
9370: other parties
9380: those who submit jobs
8080: those who look at jobs`},
	} {
		s := specOfFile(t, tt.text, tt.ip)
		if diff := cmp.Diff(tt.want, strings.Join(portLines(portsToOpen(s)), "\n")); diff != "" {
			t.Errorf("%s: %s", tt.ip, diff)
		}
		for _, p := range portsToOpen(s) {
			if p.Hosts == nil {
				t.Errorf("%s: the JSON of port %d for %s has no list of hosts", tt.ip, p.Port, p.For)
			}
		}
		c, err := clientOf(s)
		if flow := s.Runs(cluster.FateFlow); err != nil || (c != nil) != flow || flow && len(c.Files) != 2 {
			t.Errorf("%s: %+v, %v", tt.ip, c, err)
		}
	}
}

// specOfFile is the Spec of a host of a cluster file.
func specOfFile(t *testing.T, text, ip string) *cluster.Spec {
	t.Helper()
	c, err := cluster.Parse([]cluster.Source{{Name: "cluster.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	env, versions, err := cluster.Release("1.11.4")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: ip, Env: env, Versions: versions})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSecretsShow(t *testing.T) {
	root, _, _ := partyTree(t)
	board := filepath.Join(root, (cluster.Layout{Base: "/data"}).BoardProperties())
	out := mustRunCLI(t, root, "", "secrets", "show", "fateboard")
	password := keptSecrets(t, root).FateBoardAdmin.Reveal()
	if want := "address   http://192.168.0.1:8080\nuser      admin\npassword  " + password + "\n"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
	var got secretsShowOutput
	document := mustRunCLI(t, root, "", "secrets", "show", "fateboard", "-o", "json")
	if err := json.Unmarshal([]byte(document), &got); err != nil || got.Password != password ||
		got.User != "admin" || got.Note != "" {
		t.Errorf("%+v, %v", got, err)
	}
	edited := strings.Replace(readText(t, board), "username=admin", "username=wang", 1)
	if err := os.WriteFile(board, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := mustRunCLI(t, root, "", "secrets", "show", "fateboard"); !strings.Contains(out, "it was edited") {
		t.Errorf("after an edit:\n%s", out)
	}
	if err := os.Remove(board); err != nil {
		t.Fatal(err)
	}
	out = mustRunCLI(t, root, "", "secrets", "show", "fateboard")
	if !strings.Contains(out, password) || !strings.Contains(out, "application.properties is missing: install puts it") {
		t.Errorf("without its file:\n%s", out)
	}
	for _, tt := range []struct {
		says string
		args []string
	}{
		{"missing argument: fateboard", nil},
		{"it is for programs", []string{"mysql_root"}},
		{"it is for programs", []string{"mysql_user"}},
		{`no secret "fatebord"`, []string{"fatebord"}},
		{"unexpected argument", []string{"fateboard", "x"}},
	} {
		_, stderr, code := runCLI(t, root, "", append([]string{"secrets", "show"}, tt.args...)...)
		if code != exit.Usage || !strings.Contains(stderr, tt.says) || strings.Contains(stderr, password) {
			t.Errorf("%q: exit %d\n%s", tt.args, code, stderr)
		}
	}
	exchange, _ := installedTree(t)
	for where, says := range map[string]string{exchange: "this side has none", t.TempDir(): "nothing is installed"} {
		if _, stderr, code := runCLI(t, where, "", "secrets", "show", "fateboard"); code != exit.Usage ||
			!strings.Contains(stderr, says) {
			t.Errorf("want %q: exit %d\n%s", says, code, stderr)
		}
	}
}

// TestSecretsShowElsewhere: a host without FATE-Board need not know its password.
func TestSecretsShowElsewhere(t *testing.T) {
	root := machine(t)
	addPrograms(t, root)
	text := mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--host-database", "192.168.0.2",
		"--guest", "9999:192.168.1.1")
	mustRunCLI(t, root, text, "install", "--config", "-", "--ip", "192.168.0.2", "--payload",
		applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.3", "mysql": "8.0.28", "python": "3.8.13",
			"fate": "1.11.4", "fateflow": "1.11.2", "fateboard": "1.11.2"}))
	_, stderr, code := runCLI(t, root, "", "secrets", "show", "fateboard")
	if code != exit.Usage || !strings.Contains(stderr, "it runs on 192.168.0.1") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

// TestShownPasswordIsNotInTheHistory: the history has that it was shown, and nothing is shown without a history.
func TestShownPasswordIsNotInTheHistory(t *testing.T) {
	l := cluster.Layout{Base: t.TempDir()}
	var out bytes.Buffer
	shown := func() error {
		g := &globals{Stdout: &out}
		r := &recording{g: g, log: historyOf(l), entry: audit.Entry{ID: audit.NewID(time.Now()), Began: time.Now(),
			Command: showLogin}}
		g.Stdout = &teeWriter{g.Stdout, r}
		err := g.unrecorded("it was shown\n", func() error {
			g.printf("secret\n")
			return nil
		})
		g.printf("after\n")
		r.end(exit.OK, err)
		return err
	}
	if err := shown(); err == nil || strings.Contains(out.String(), "secret") {
		t.Errorf("without a history: %v\n%s", err, out.String())
	}
	out.Reset()
	if err := errors.Join(os.MkdirAll(l.State(), 0o700), shown()); err != nil {
		t.Fatal(err)
	}
	entries, err := historyOf(l).Entries()
	if err != nil || len(entries) != 1 {
		t.Fatalf("%+v, %v", entries, err)
	}
	kept, err := historyOf(l).Output(entries[0].ID)
	if err != nil || string(kept) != "it was shown\nafter\n" || out.String() != "secret\nafter\n" {
		t.Errorf("%q %q %v", kept, out.String(), err)
	}
}
