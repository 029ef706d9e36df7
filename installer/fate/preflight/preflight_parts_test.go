package preflight

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// goodFacts is a host that has all that FATE's guide asks for.
func goodFacts(s *cluster.Spec) *host.Facts {
	f := &host.Facts{
		OS: host.OSRelease{ID: "centos", Version: "7.9", Pretty: "CentOS Linux 7"}, Kernel: "3.10.0-1160.el7.x86_64",
		Arch: "amd64", Glibc: "2.17", Init: "systemd", Boot: host.BootSystemd,
		Hostname: host.Hostname{Name: "h1", Addresses: []netip.Addr{netip.MustParseAddr(s.IP)}},
		CPU:      host.CPU{Count: 8, Flags: []string{"avx"}},
		Memory:   host.Memory{Total: 16 << 30, SwapTotal: 128 << 30},
		Limits: []host.Limit{{Name: "nofile", Soft: 1024, Hard: 65535},
			{Name: "nproc", Soft: host.Unlimited, Hard: host.Unlimited}},
		Addresses: []host.Address{{Interface: "eth0", IP: netip.MustParseAddr(s.IP)}},
		Locale:    host.Locale{System: "en_US.UTF-8"}, SELinux: "absent",
		Time:     host.TimeSync{Service: "chronyd", Synchronized: true},
		Filter:   host.Filter{Looked: []string{"iptables-save", "nft"}},
		Sysctls:  host.Sysctls{"kernel.pid_max": "131072", "net.ipv4.ip_local_port_range": "32768 60999"},
		Programs: host.Programs{}, Unknown: host.Unknown{},
		Libraries: host.Libraries{"libaio.so.1": "/lib64", "libnuma.so.1": "/lib64", "libssl.so.10": "/lib64",
			"libcrypto.so.10": "/lib64"},
	}
	q := Questions(s)
	for _, path := range q.Paths {
		f.Paths = append(f.Paths, host.PathFact{Path: path, Mount: "/", Type: "xfs", Options: []string{"rw"},
			Size: 600 << 30, Free: 550 << 30, Inodes: 1e6, InodesFree: 9e5})
	}
	for _, addr := range q.Binds {
		f.Binds = append(f.Binds, host.Bind{Addr: addr})
	}
	for _, target := range q.Peers {
		f.Peers = append(f.Peers, host.Reach{Target: target, Connected: true, Shaken: target.TLS})
	}
	for _, program := range q.Programs {
		f.Programs[program] = "/usr/bin/" + program
	}
	return f
}

func TestPortsAsTheKernelPrintsThem(t *testing.T) {
	for _, c := range []struct {
		ranges string
		ports  []int
		want   string
	}{{"", []int{4671, 3306, 4670}, "3306,4670-4671"}, {"80,8080-8081", []int{8082, 80}, "80,8080-8082"},
		{"x,1-99999", nil, ""}} {
		if got := withPorts(c.ranges, c.ports); got != c.want {
			t.Errorf("%q with %v is %q, want %q", c.ranges, c.ports, got, c.want)
		}
	}
}

func bindOf(f *host.Facts, addr string) *host.Bind {
	i := slices.IndexFunc(f.Binds, func(b host.Bind) bool { return b.Addr.String() == addr })
	return &f.Binds[i]
}

func pathOf(f *host.Facts, path string) *host.PathFact {
	i := slices.IndexFunc(f.Paths, func(p host.PathFact) bool { return p.Path == path })
	return &f.Paths[i]
}

func eachPath(f *host.Facts, change func(*host.PathFact)) {
	for i := range f.Paths {
		change(&f.Paths[i])
	}
}

func TestWaive(t *testing.T) {
	results := []CheckResult{{ID: "port:3306", Status: StatusRefused}, {ID: "port:4670", Status: StatusOK},
		{ID: "root", Status: StatusRefused, Final: true}, {ID: "swap", Status: StatusWarning}}
	for _, c := range []struct {
		waiver  string
		refused int
		err     string
	}{
		{"port:3306=it stops at six", 1, ""}, {"port=they all stop", 1, ""}, {"swap=never", 2, ""},
		{"port:4670=free anyway", 2, ""},
		{"root=please", 0, "nothing would run"}, {"nothing=x", 0, "no such check"},
	} {
		w, err := ParseWaiver(c.waiver)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Waive(results, []Waiver{w})
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.waiver, err)
			}
		case err != nil || len(Refused(got)) != c.refused:
			t.Errorf("%s: %+v, %v", c.waiver, got, err)
		}
	}
	if results[0].Status != StatusRefused {
		t.Error("Waive changed its argument")
	}
	for _, text := range []string{"", "port", "port=", "=x"} {
		if _, err := ParseWaiver(text); err == nil {
			t.Errorf("took %q for a waiver", text)
		}
	}
}
