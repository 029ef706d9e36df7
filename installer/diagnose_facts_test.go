package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/diagnosis"
	"fate-installer/installer/flow"
	"fate-installer/installer/host"
)

// noPrograms runs nothing: a host on which every command is missing.
type noPrograms struct{}

func (noPrograms) Run(context.Context, host.Cmd) (host.Result, error) {
	return host.Result{}, errors.New("no such program")
}

// TestCollectingOnARunningHost runs what is skipped in a tree, on a host with one FATE-Flow and without a supervisor.
// Nothing of it ends the diagnosis, and each document can be read.
func TestCollectingOnARunningHost(t *testing.T) {
	root, _, _ := partyTree(t)
	h, err := host.New(root, noPrograms{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	g := &globals{Base: deploy.StandardBase}
	x := &collector{g: g, host: h, layout: g.layout(), opts: &diagnoseOptions{bound: 10 << 20}, machine: "node1",
		bundle: &diagnosis.Bundle{Name: "fate-diagnose-node1-x", Made: time.Now().UTC()}}
	tree := &globals{Base: deploy.StandardBase, Root: root}
	d, err := tree.openDeployment(t.Context(), wantedOptions{}, deploy.Needs{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, add := range []func() error{
		x.addState,
		func() error { return x.addPrograms(ctx) },
		x.addCertificates,
		x.addKernel,
		func() error { return x.addVersions(d) },
		func() error { return x.addHosts(ctx, d) },
		x.addHistory,
		x.addLast,
	} {
		if err := add(); err != nil {
			t.Error(err)
		}
	}
	files := map[string]string{}
	for _, e := range x.bundle.Entries {
		files[e.Name] = strings.TrimSpace(e.Text)
	}
	if files[diagnosis.KernelName] != "[]" || files[diagnosis.HostsName] != "[]" {
		t.Errorf("the kernel says %q, other hosts %q", files[diagnosis.KernelName], files[diagnosis.HostsName])
	}
	if len(x.problems) != 1 || !strings.HasPrefix(x.problems[0], "state of the programs: ") {
		t.Errorf("problems: %q", x.problems) // the supervisor, which does not run
	}
	r, err := diagnosis.Analyze(t.Context(), x.bundle, "")
	if err != nil || len(r.Findings) > 0 {
		t.Errorf("%v: %+v", err, r)
	}
}

// TestAskHost: what another host answers, or does not, is said of it.
func TestAskHost(t *testing.T) {
	answers := func(status int, date, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = []string{date}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	const version = `{"retcode": 0, "retmsg": "success", "data": {"FATE": "1.11.4"}}`
	ahead := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, tt := range []struct {
		name, address string
		fate          string
		off, fails    bool
	}{
		{"a clock that is ahead", answers(200, ahead, version), "1.11.4", true, false},
		{"no version", answers(500, ahead, "oops"), "", true, false},
		{"no time", answers(200, "", "oops"), "", false, true},
		{"no answer", "127.0.0.1:1", "", false, true},
	} {
		h := diagnosis.OtherHost{Address: tt.address}
		askHost(t.Context(), &h, flow.Key{})
		if h.FATE != tt.fate || (h.Ahead > 3500 && h.Within < 120) != tt.off || (h.Error != "") != tt.fails {
			t.Errorf("%s: %+v", tt.name, h)
		}
	}
}
