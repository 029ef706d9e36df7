package preflight

import (
	"slices"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"

	"github.com/google/go-cmp/cmp"
)

// TestPreflightFixes checks that install and --fix repair what the finding names.
func TestPreflightFixes(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	s.OS.Swap = "96G"
	f := goodFacts(s)
	f.Memory.SwapTotal, f.SELinux, f.Firewall = 0, "enforcing", host.Firewall{Name: "ufw", Active: true}
	f.Hostname.Addresses = nil
	f.Sysctls["kernel.pid_max"], f.Sysctls["net.ipv4.ip_local_port_range"] = "32768", "9000 65535"
	delete(f.Libraries, "libssl.so.10")
	f.Libraries["libssl.so.1.0.0"] = "/usr/lib"
	var got []string
	for _, r := range Run(s, f, Input{Components: fatetest.Components, Platform: "linux/amd64"}) {
		if r.Fixable != (len(r.Fix) > 0) || r.Fixable && r.Status != StatusPlanned {
			t.Errorf("%+v", r)
		}
		for _, fix := range r.Fix {
			got = append(got, r.ID+" "+fix.ID())
		}
	}
	want := []string{
		"swap swap:/data/swapfile",
		"sysctl:kernel.pid_max sysctl:/etc/sysctl.d/90-fate-kernel-pid_max.conf",
		"hostname block:/etc/hosts#hostname",
		"port-range sysctl:/etc/sysctl.d/90-fate-net-ipv4-ip_local_reserved_ports.conf",
		"selinux selinux:permissive",
		"firewall firewall:open",
		"library:libssl.so.10 library:/usr/lib/libssl.so.10",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestKeptPoliciesWarn: what install is not to do is the operator's, with the command to type.
func TestKeptPoliciesWarn(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	s.OS = s.OS.Without(cluster.OSPolicies())
	f := goodFacts(s)
	f.Memory.SwapTotal, f.SELinux, f.Firewall, f.Hostname.Addresses = 0, "enforcing",
		host.Firewall{Name: "ufw", Active: true}, nil
	f.Sysctls["kernel.pid_max"], f.Limits[0].Hard = "32768", 4096
	results := Run(s, f, Input{Components: fatetest.Components, Platform: "linux/amd64"})
	for _, id := range []string{"swap", "limit:nofile", "sysctl:kernel.pid_max", "hostname", "selinux", "firewall"} {
		i := slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == id })
		if r := results[i]; r.Status != StatusWarning || r.Remedy == "" || r.Fixable {
			t.Errorf("%+v", r)
		}
	}
	if left := Preparations(s, f, fatetest.Components); len(left) > 0 {
		t.Errorf("still prepared: %+v", left)
	}
}

func TestSwapFile(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy string
		change func(*host.Facts)
		want   int64 // GiB; 0 is none
	}{
		{"what is missing", "auto", func(f *host.Facts) { f.Memory.SwapTotal = 0 }, 112},
		{"less with some swap", "auto", func(f *host.Facts) { f.Memory.SwapTotal = 8 << 30 }, 104},
		{"enough already", "auto", func(*host.Facts) {}, 0},
		{"small disk", "auto", func(f *host.Facts) {
			f.Memory.SwapTotal = 0
			eachPath(f, func(p *host.PathFact) { p.Free = 200 << 30 })
		}, 0},
		{"unfit file system", "auto", func(f *host.Facts) {
			f.Memory.SwapTotal = 0
			eachPath(f, func(p *host.PathFact) { p.Type = "overlay" })
		}, 0},
		{"container", "auto", func(f *host.Facts) { f.Memory.SwapTotal, f.Container = 0, "lxc" }, 0},
		{"asked for", "64G", func(*host.Facts) {}, 64},
		{"kept", "keep", func(f *host.Facts) { f.Memory.SwapTotal = 0 }, 0},
	} {
		s := fatetest.PreflightSpec(t, "192.168.0.1")
		s.OS.Swap = c.policy
		f := goodFacts(s)
		c.change(f)
		if got, ok := swapFile(s, f); ok != (c.want > 0) || ok && got.Size != c.want<<30 {
			t.Errorf("%s: %v %d GiB, want %d", c.name, ok, got.Size>>30, c.want)
		}
	}
}
