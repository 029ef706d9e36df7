package host

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/golden"
)

// TestGatherOnMachines reads directory trees that stand for the machines we meet, and compares what is learned with the
// golden file next to each.
func TestGatherOnMachines(t *testing.T) {
	trees, err := filepath.Glob("testdata/hosts/*/etc")
	if err != nil || len(trees) < 6 {
		t.Fatalf("found %d machines, %v", len(trees), err)
	}
	for _, etc := range trees {
		tree := filepath.Dir(etc)
		t.Run(filepath.Base(tree), func(t *testing.T) {
			h, err := New(tree, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			f, err := Gather(context.Background(), h, FactsQuery{
				Paths:    []string{"/data/projects/fate", "/etc", "/tmp"},
				Programs: []string{"bash", "ps", "awk", "lsof", "getopt"},
				Binds:    []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := Identify(h), (Identity{f.Addresses, f.Memory.Total, f.CPU.Count}); !reflect.DeepEqual(got,
				want) {
				t.Errorf("Identify: %+v, want what Gather found: %+v", got, want)
			}
			golden.Compare(t, tree+".facts.json", stable(t, f))
		})
	}
}

// stable removes what belongs to the machine the test runs on: who runs it and how big its disk is.
func stable(t *testing.T, f *Facts) []byte {
	t.Helper()
	f.UID = 0
	for i := range f.Paths {
		p := &f.Paths[i]
		if p.Size == 0 || p.Free == 0 {
			t.Errorf("no size of %s", p.Path)
		}
		*p = PathFact{Path: p.Path, Exists: p.Exists, Directory: p.Directory, Empty: p.Empty, Ancestor: p.Ancestor,
			Mount: p.Mount, Type: p.Type, Options: p.Options}
	}
	data, err := json.MarshalIndent(struct {
		*Facts
		Flags     int
		Libraries []string
	}{f, len(f.CPU.Flags), slices.Sorted(maps.Keys(f.Libraries))}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func TestGatherThisMachine(t *testing.T) {
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := netip.MustParseAddrPort(l.Addr().String())
	dir := t.TempDir()
	f, err := Gather(context.Background(), h, FactsQuery{
		Paths: []string{dir, filepath.Join(dir, "a/b")},
		Binds: []netip.AddrPort{taken, netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("192.0.2.1:0")},
		Peers: []Target{{Name: "us", Addr: taken.String()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"arch":           f.Arch != "" && f.Kernel != "",
		"cpu and memory": f.CPU.Count > 0 && f.Memory.Total > f.Memory.Available && f.Memory.Available > 0,
		"own address":    f.HasAddress(netip.MustParseAddr("127.0.0.1")),
		"foreign one":    !f.HasAddress(netip.MustParseAddr("192.0.2.1")),
		"this process":   processIs(f, os.Getpid()),
		"limits":         len(f.Limits) == 3,
		"directory":      f.Paths[0].Exists && f.Paths[0].Empty && f.Paths[0].Free > 0,
		"missing path":   !f.Paths[1].Exists && f.Paths[1].Ancestor == dir && f.Paths[1].Device == f.Paths[0].Device,
		"taken port":     f.Binds[0].InUse && f.Binds[0].Error != "",
		"its owner":      len(f.ListenersOn(taken)) == 1 && f.ListenersOn(taken)[0].PID == os.Getpid(),
		"free port":      f.Binds[1].Error == "",
		"not our own":    f.Binds[2].Error != "" && !f.Binds[2].InUse,
		"reached":        f.Peers[0].Connected && f.Peers[0].Error == "",
	} {
		if !ok {
			t.Errorf("%s: wrong in %+v", name, f)
		}
	}
	owners := f.ListenersOn(taken)
	if len(owners) != 1 || owners[0].PID != os.Getpid() {
		t.Errorf("owner of %v: %+v", taken, owners)
	}
}

func processIs(f *Facts, pid int) bool {
	p, ok := f.Process(pid)
	return ok && p.UID == os.Getuid() && p.Exe != "" && len(p.Args) > 0
}

func TestGatherStopsWhenAsked(t *testing.T) {
	h, err := New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Gather(ctx, h, FactsQuery{}); err == nil {
		t.Error("gathered with an ended context")
	}
}

// TestGatherNothing makes sure that an empty tree yields reasons, not zeros that look like measurements.
func TestGatherNothing(t *testing.T) {
	h, err := New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f, err := Gather(context.Background(), h, FactsQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, fact := range []string{"os", "kernel", "arch", "glibc", "cpu", "memory", "limits", "listeners", "processes",
		"addresses", "hostname", "libraries", "init"} {
		if f.Unknown[fact] == "" {
			t.Errorf("%s is not reported as unknown", fact)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"2.9", "2.17", -1}, {"2.17", "2.17", 0}, {"2.17.1", "2.17", 1}, {"3.10.0-1160.el7", "3.10", 0}, {"", "1", -1},
		{"V10", "10", -1}} {
		if got := CompareVersions(c.a, c.b); sign(got) != c.want {
			t.Errorf("CompareVersions(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestListenersOn(t *testing.T) {
	f := &Facts{Listeners: []Listener{
		{Addr: netip.MustParseAddrPort("127.0.0.1:80"), PID: 1},
		{Addr: netip.MustParseAddrPort("[::]:81"), PID: 2},
		{Addr: netip.MustParseAddrPort("[::ffff:10.0.0.1]:82"), PID: 3},
	}}
	for _, c := range []struct {
		addr string
		pid  int
	}{
		{"127.0.0.1:80", 1}, {"0.0.0.0:80", 1}, {"10.0.0.1:80", 0}, {"127.0.0.1:81", 2}, {"10.0.0.1:82", 3},
		{"10.0.0.2:82", 0}, {"0.0.0.0:83", 0},
	} {
		got := f.ListenersOn(netip.MustParseAddrPort(c.addr))
		if (len(got) == 0) != (c.pid == 0) || (c.pid != 0 && got[0].PID != c.pid) {
			t.Errorf("ListenersOn(%s) = %+v, want pid %d", c.addr, got, c.pid)
		}
	}
}

func FuzzKernelTables(f *testing.F) {
	for _, file := range []string{"proc/net/tcp", "proc/net/tcp6", "proc/self/mountinfo",
		"etc/hosts", "etc/os-release"} {
		data, err := os.ReadFile("testdata/hosts/centos7/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range parseTCP(text) {
			if !l.Addr.IsValid() {
				t.Errorf("listener without an address: %+v", l)
			}
		}
		for _, m := range parseMountInfo(text) {
			if strings.Contains(m.point, `\040`) && !strings.Contains(text, `\134`) {
				t.Errorf("mount point keeps its escape: %q", m.point)
			}
		}
		parseHosts(text, "localhost")
		assignments([]byte(text))
	})
}

// TestOwnerUnknown: what makes Gather look again at a port, so that a program which begins or ends at that moment is no
// stranger.
func TestOwnerUnknown(t *testing.T) {
	addr := netip.MustParseAddrPort("192.168.0.1:4671")
	for name, c := range map[string]struct {
		inUse     bool
		listeners []Listener
		want      bool
	}{
		"free":                     {false, nil, false},
		"taken by a process":       {true, []Listener{{Addr: addr, PID: 1}}, false},
		"taken, no owner seen":     {true, nil, true},
		"taken by an unseen owner": {true, []Listener{{Addr: addr}}, true},
		"another port has an owner": {true, []Listener{{Addr: netip.MustParseAddrPort("192.168.0.1:4670"), PID: 1}},
			true},
		"one has all addresses": {true, []Listener{{Addr: netip.MustParseAddrPort("0.0.0.0:4671"), PID: 1}}, false},
	} {
		f := Facts{Listeners: c.listeners}
		if got := f.ownerUnknown(Bind{Addr: addr, InUse: c.inUse}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
