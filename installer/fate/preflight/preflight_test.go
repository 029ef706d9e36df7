package preflight

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/golden"
	"fate-installer/installer/host"
)

// TestPreflightOnMachines holds each machine against a party of all modules and compares the whole report.
func TestPreflightOnMachines(t *testing.T) {
	for machine, ip := range fatetest.Machines {
		t.Run(machine, func(t *testing.T) {
			s := fatetest.PreflightSpec(t, ip)
			results := Run(s, fatetest.GatherTree(t, machine, Questions(s)),
				Input{Components: fatetest.Components, Platform: "linux/amd64"})
			var b strings.Builder
			for _, r := range results {
				fmt.Fprintf(&b, "%-8s %s: %s\n", r.Status, r.ID, r.Measured)
				if r.Remedy != "" {
					fmt.Fprintf(&b, "         -> %s\n", r.Remedy)
				}
			}
			golden.Compare(t, filepath.Join("testdata/preflight", machine+".txt"), b.String())
		})
	}
}

// TestPreflight starts from a host on which all is well and changes one thing at a time.
func TestPreflight(t *testing.T) {
	const ip = "192.168.0.1"
	addr := netip.MustParseAddr
	s := fatetest.PreflightSpec(t, ip)
	in := Input{Components: fatetest.Components, Platform: "linux/amd64"}
	kept := in
	kept.Kept = map[string]bool{"/data/projects/fate/fateflow": true}
	installed := in
	installed.Installed, installed.Unpacked = true, map[string]string{"python": "p", "mysql": "old"}
	ourBoard := func(f *host.Facts) {
		f.Processes = append(f.Processes, host.Process{PID: 7, Name: "java",
			Exe: "/data/projects/fate/common/jdk/jdk-8u345/bin/java", Args: []string{"java", "-jar", "fateboard.jar"}})
		f.Listeners = append(f.Listeners, host.Listener{Addr: netip.MustParseAddrPort("[::]:8080"),
			PID: 7, Process: "java"})
		bindOf(f, "0.0.0.0:8080").Error, bindOf(f, "0.0.0.0:8080").InUse = "address already in use", true
	}
	for name, c := range map[string]struct {
		change   func(*host.Facts)
		in       Input
		id       string
		status   Status
		measured string
	}{
		"all is well": {func(*host.Facts) {}, in, "", "", ""},
		"not root":    {func(f *host.Facts) { f.UID = 1000 }, in, "root", StatusRefused, "uid 1000"},
		"other processor": {func(f *host.Facts) { f.Arch = "arm64" }, in, "platform",
			StatusRefused, "linux/arm64"},
		"no version": {func(f *host.Facts) { f.OS = host.OSRelease{ID: "debian", Pretty: "Debian sid"} }, in, "os",
			StatusWarning, "Debian sid"},
		"old distribution": {func(f *host.Facts) { f.OS = host.OSRelease{ID: "centos", Version: "7.1"} }, in, "os",
			StatusRefused, ""},
		"unknown distribution": {func(f *host.Facts) { f.OS = host.OSRelease{ID: "gentoo", Pretty: "Gentoo"} }, in,
			"os", StatusWarning, "Gentoo"},
		"derived distribution": {func(f *host.Facts) { f.OS = host.OSRelease{ID: "mine", Like: []string{"debian"}} },
			in, "os", StatusOK, ""},
		"old glibc": {func(f *host.Facts) { f.Glibc = "2.12" }, in, "glibc", StatusRefused, "2.12"},
		"old kernel": {func(f *host.Facts) { f.Kernel = "2.6.32-754.el6.x86_64" }, in, "kernel",
			StatusRefused, "2.6.32"},
		"no systemd": {func(f *host.Facts) { f.Init, f.Boot = "sleep", host.BootNone }, in, "init",
			StatusWarning, "sleep"},
		"two cores": {func(f *host.Facts) { f.CPU.Count = 2 }, in, "cpu", StatusWarning, "2"},
		"no avx":    {func(f *host.Facts) { f.CPU.Flags = nil }, in, "cpu-flags", StatusWarning, ""},
		"little memory": {func(f *host.Facts) { f.Memory.Total = 2 << 30 }, in, "memory", StatusWarning,
			"2.0 GiB; the programs of this host take"},
		"memory for no job": {func(f *host.Facts) { f.Memory.Total = 3 << 30 }, in, "memory", StatusWarning,
			"each running job 604 MiB more"},
		"memory not for idle": {func(f *host.Facts) { f.Memory = host.Memory{Total: 1 << 30} }, in, "memory",
			StatusRefused, "1.0 GiB; the programs of this host take"},
		"memory used by others": {func(f *host.Facts) { f.Memory = host.Memory{Total: 16 << 30, Available: 1 << 30} },
			in, "memory", StatusRefused, "16.0 GiB, 1.0 GiB of it free; the programs of this host take 1.6 GiB idle"},
		"memory of a group": {func(f *host.Facts) { f.Memory = host.Memory{Total: 1 << 30, Limit: 1 << 30} }, in,
			"memory", StatusRefused, "1.0 GiB granted by the control group; the programs"},
		"no space for logs": {func(f *host.Facts) {
			for i := range f.Paths {
				f.Paths[i].Free = 8 << 30
			}
		}, in, "disk-logs", StatusWarning, "a hundred jobs about 2.0 GiB"},
		"far too little memory": {func(f *host.Facts) { f.Memory.Total = 256 << 20 }, in, "memory",
			StatusRefused, "256 MiB"},
		"no swap": {func(f *host.Facts) { f.Memory.SwapTotal, f.Memory.Total = 0, 64<<30 }, in, "swap",
			StatusPlanned, ""},
		"no swap, small disk": {func(f *host.Facts) { f.Memory.SwapTotal = 0; pathOf(f, "/data").Free = 90 << 30 }, in,
			"swap", StatusWarning, ""},
		"no swap, container": {func(f *host.Facts) { f.Memory.SwapTotal, f.Container = 0, "lxc" }, in, "swap",
			StatusWarning, "this lxc container"},
		"low limits": {func(f *host.Facts) { f.Limits[0].Hard = 4096 }, in, "limit:nofile",
			StatusPlanned, "hard 4096"},
		"limits that are set": {func(f *host.Facts) { f.Limits[0].Hard = 4096 }, installed, "limit:nofile", StatusOK,
			"new ones of app have 65535"},
		"small setting": {func(f *host.Facts) { f.Sysctls["kernel.pid_max"] = "32768" }, in, "sysctl:kernel.pid_max",
			StatusPlanned, "32768"},
		"late keepalive": {func(f *host.Facts) { f.Sysctls["net.ipv4.tcp_keepalive_time"] = "7200" }, in,
			"sysctl:net.ipv4.tcp_keepalive_time", StatusPlanned, "7200"},
		"early keepalive": {func(f *host.Facts) { f.Sysctls["net.ipv4.tcp_keepalive_time"] = "30" }, in,
			"sysctl:net.ipv4.tcp_keepalive_time", StatusOK, "30"},
		"huge setting": {func(f *host.Facts) { f.Sysctls["fs.file-max"] = "18446744073709551615" }, in,
			"sysctl:fs.file-max", StatusOK, ""},
		"not our address": {func(f *host.Facts) { f.Addresses = []host.Address{{IP: addr("10.0.0.1")}} }, in, "address",
			StatusRefused, "10.0.0.1"},
		"unresolved name": {func(f *host.Facts) { f.Hostname.Addresses = nil }, in, "hostname",
			StatusPlanned, "has none"},
		"port taken": {func(f *host.Facts) {
			f.Listeners = []host.Listener{{Addr: netip.MustParseAddrPort("127.0.0.1:3306"), PID: 42, Process: "mysqld"}}
		}, in, "port:3306", StatusRefused, "mysqld (pid 42)"},
		"name on 127.0.1.1": {func(f *host.Facts) { f.Hostname.Addresses = []netip.Addr{addr("127.0.1.1")} }, in,
			"hostname", StatusPlanned, "h1 has 127.0.1.1, not the address of the cluster"},
		"dead name server": {func(f *host.Facts) { f.Reverse = []host.Reverse{{Addr: addr(ip), Late: true}} }, in,
			"name-service", StatusWarning, "no answer within two seconds for 192.168.0.1"},
		"name server": {func(f *host.Facts) { f.Reverse = []host.Reverse{{Addr: addr(ip)}} }, in, "name-service",
			StatusOK, "answers"},
		"limit that cannot be raised": {func(f *host.Facts) {
			f.Limits[0].Hard, f.Unraisable = 20000, map[string]string{"nofile": "operation not permitted"}
		}, installed,
			"limit:nofile", StatusWarning, "hard 20000; raising it is not allowed here (operation not permitted)"},
		"program with few files": {func(f *host.Facts) {
			f.Processes = append(f.Processes, host.Process{PID: 7, Name: "java",
				Exe: "/data/projects/fate/common/jdk/jdk-8u345/bin/java", Files: 20000})
		}, installed, "limit:nofile", StatusWarning, "java (pid 7) has 20000"},
		"small /run": {func(f *host.Facts) {
			*pathOf(f, "/run") = host.PathFact{Path: "/run", Mount: "/run", Size: 1 << 20, Free: 1 << 20}
		}, in, "disk-run", StatusRefused, "1 MiB free on /run"},
		"port of a connection": {func(f *host.Facts) {
			bindOf(f, "0.0.0.0:4670").InUse = true
			f.Connections = []host.Listener{{Addr: netip.MustParseAddrPort("192.168.0.1:4670"),
				Peer: netip.MustParseAddrPort("10.0.0.9:443"), PID: 42, Process: "agent"}}
		}, in, "port:4670", StatusRefused,
			"held by a connection to 10.0.0.9:443 of agent (pid 42) on 192.168.0.1:4670"},
		"port taken out of sight": {func(f *host.Facts) { bindOf(f, "0.0.0.0:4670").InUse = true }, in,
			"port:4670", StatusRefused, "cannot be seen"},
		"port taken by ourselves": {ourBoard, installed, "port:8080", StatusOK,
			"taken by this installation"},
		"port taken by an earlier installation": {ourBoard, in, "port:8080", StatusRefused, "java (pid 7)"},
		"earlier installation still runs":       {ourBoard, in, "processes", StatusRefused, "java (pid 7)"},
		"a container's processes": {func(f *host.Facts) {
			f.Processes = []host.Process{{PID: 9, Exe: "/data/projects/fate/common/jdk/bin/java", Contained: true}}
		}, in, "processes", StatusOK, "none"},
		"our own processes": {ourBoard, installed, "processes", StatusOK, "none"},
		"wide port range": {func(f *host.Facts) { f.Sysctls["net.ipv4.ip_local_port_range"] = "1024 65535" }, in,
			"port-range", StatusPlanned, "1024 to 65535"},
		"wide port range, reserved": {func(f *host.Facts) {
			f.Sysctls["net.ipv4.ip_local_port_range"] = "1024 65535"
			f.Sysctls["net.ipv4.ip_local_reserved_ports"] = "3306,4670-4671,8080,9360,9370-9380"
		}, in, "port-range", StatusOK, ""},
		"peer is down": {func(f *host.Facts) {
			f.Peers[0].Connected, f.Peers[0].Error = false,
				"connection refused"
		}, in, "reach:192.168.0.99:9371", StatusWarning, "connection refused"},
		"peer without TLS": {func(f *host.Facts) { f.Peers[0].Shaken = false }, in, "reach:192.168.0.99:9371",
			StatusWarning, "without TLS"},
		"disk full": {func(f *host.Facts) { eachPath(f, func(p *host.PathFact) { p.Free = 1 << 30 }) }, in,
			"disk:/", StatusRefused, "1.0 GiB free"},
		"datadir hidden": {func(
			f *host.Facts) {
			f.Unknown["path /data/projects/data/fate/mysql"] = "permission denied"
		}, in, "datadir",
			StatusSkipped, "not looked at: permission denied"},
		"trees hidden": {func(f *host.Facts) { f.Unknown["path /data/projects/fate/eggroll"] = "permission denied" },
			in, "directories", StatusSkipped, "not looked at: permission denied"},
		"program files hidden": {func(f *host.Facts) {
			f.Unknown["path /data/projects/common/supervisord/supervisord.d/fate-mysql.conf"] = "permission denied"
		}, in, "supervisor-conf", StatusSkipped, "not looked at: permission denied"},
		"links hidden": {func(f *host.Facts) { f.Unknown["path /data/projects"] = "permission denied" }, in,
			"links", StatusSkipped, "not looked at: permission denied"},
		"groups not known": {func(f *host.Facts) { f.Unknown["groups"] = "permission denied" }, in, "user",
			StatusSkipped, "permission denied"},
		"reserve gone": {func(f *host.Facts) { eachPath(f, func(p *host.PathFact) { p.Free = 2600 << 20 }) },
			installed, "reserve:/", StatusRefused, "MiB free when all is installed"},
		"small disk": {func(f *host.Facts) {
			eachPath(f,
				func(p *host.PathFact) { p.Size, p.Free = 40<<30, 30<<30 })
		}, in, "disk-data", StatusWarning, "30.0 GiB"},
		"no inodes": {func(f *host.Facts) { eachPath(f, func(p *host.PathFact) { p.InodesFree = 1000 }) }, in,
			"inodes:/", StatusRefused, "1000 free"},
		"btrfs has no inodes": {func(f *host.Facts) {
			eachPath(f,
				func(p *host.PathFact) { p.Inodes, p.InodesFree = 0, 0 })
		}, in, "", "", ""},
		"read-only": {func(f *host.Facts) {
			eachPath(f,
				func(p *host.PathFact) { p.Options = []string{"ro"} })
		}, in, "mount:/", StatusRefused, "ro"},
		"noexec": {func(f *host.Facts) { pathOf(f, "/data/projects").Options = []string{"rw", "noexec"} },
			in, "mount:/", StatusRefused, "noexec"},
		"xfs without types": {func(f *host.Facts) { pathOf(f, "/data/projects").NoDType = true }, in, "mount:/",
			StatusWarning, "ftype=0"},
		"noexec temp": {func(f *host.Facts) {
			temp := pathOf(f, "/data/temp")
			temp.Mount, temp.Options = "/data/temp", []string{"noexec"}
		}, in, "mount:/data/temp", StatusWarning, "noexec"},
		"user in another group": {func(f *host.Facts) {
			f.Users, f.Groups = []host.User{{Name: "app", UID: 1000, GID: 1000}},
				[]host.Group{{Name: "apps", GID: 6000}}
		}, in, "user", StatusWarning, "its group is 1000"},
		"user is root": {func(f *host.Facts) { f.Users = []host.User{{Name: "app"}} }, in, "user",
			StatusRefused, "uid 0"},
		"directory left": {func(f *host.Facts) { pathOf(f, "/data/projects/fate/eggroll").Exists = true }, in,
			"directories", StatusRefused, "/data/projects/fate/eggroll"},
		"models kept": {func(f *host.Facts) { pathOf(f, "/data/projects/fate/fateflow").Exists = true }, kept,
			"directories", StatusOK, "kept, in /data/projects/fate/fateflow"},
		"models and others": {func(f *host.Facts) {
			pathOf(f, "/data/projects/fate/fateflow").Exists, pathOf(f, "/data/projects/fate/eggroll").Exists = true,
				true
		}, kept, "directories", StatusRefused, "/data/projects/fate/eggroll"},
		"our own directory": {func(f *host.Facts) { pathOf(f, "/data/projects/fate/eggroll").Exists = true }, installed,
			"directories", StatusOK, ""},
		"a foreign datadir": {func(f *host.Facts) { pathOf(f, "/data/projects/data/fate/mysql").Exists = true }, in,
			"datadir", StatusRefused, "not ours"},
		"our own data": {func(f *host.Facts) {
			pathOf(f, "/data/projects/data/fate/mysql").Exists = true
			pathOf(f, "/data/projects/data/fate/mysql/fate-installer.json").Exists = true
		}, in, "datadir", StatusOK, "kept"},
		"my.cnf": {func(f *host.Facts) { pathOf(f, "/etc/my.cnf").Exists = true }, in, "my.cnf",
			StatusOK, "/etc/my.cnf"},
		"program file left": {func(f *host.Facts) {
			pathOf(f, "/data/projects/common/supervisord/supervisord.d/fate-mysql.conf").Exists = true
		}, in, "supervisor-conf", StatusRefused, "fate-mysql.conf"},
		"no locale": {func(f *host.Facts) { f.Locale = host.Locale{Lang: "POSIX"} }, in, "locale",
			StatusWarning, "POSIX"},
		"proxy of systemd": {func(f *host.Facts) { f.Environment = []string{"LANG", "PATH", "http_proxy"} }, in,
			"environment", StatusOK, "do not get http_proxy"},
		"enforcing": {func(f *host.Facts) { f.SELinux = "enforcing" }, in, "selinux",
			StatusPlanned, "enforcing"},
		"firewalld": {func(f *host.Facts) { f.Firewall = host.Firewall{Name: "firewalld", Active: true} },
			in, "firewall", StatusPlanned, "firewalld"},
		"filter not looked at": {func(f *host.Facts) { f.Unknown["filter"] = "no tool" }, in, "firewall", StatusSkipped,
			"not looked at: no tool"},
		"filter drops all": {func(f *host.Facts) {
			f.Filter.Chains = []host.FilterChain{{Tool: "nft", Table: "inet site", Name: "in",
				Base: true, Policy: "drop"}}
		}, in,
			"firewall", StatusRefused, "chain in of table inet site drops connections from other hosts to ports 9370"},
		"filter on lo": {func(f *host.Facts) {
			f.Dials = []host.Dial{{Addr: netip.MustParseAddrPort("127.0.0.1:9370"), Error: "no answer within 1s"}}
		}, in, "firewall", StatusRefused, "keeps this host from its own ports: 127.0.0.1:9370 (no answer within 1s)"},
		"clock": {func(f *host.Facts) { f.Time.Synchronized = false }, in, "time", StatusWarning,
			"not synchronized"},
		"no lsof": {func(f *host.Facts) { delete(f.Programs, "lsof") }, in, "programs", StatusOK,
			"without lsof upstream's own"},
		"no procps": {func(f *host.Facts) { delete(f.Programs, "ps"); delete(f.Programs, "kill") }, in,
			"programs", StatusOK, "kill, ps not on this host, fate-installer's own serve"},
		"no bash": {func(f *host.Facts) { delete(f.Programs, "bash") }, in, "programs",
			StatusRefused, "bash"},
		"no libaio": {func(f *host.Facts) { delete(f.Libraries, "libaio.so.1") }, in,
			"library:libaio.so.1", StatusRefused, "not found"},
		"libaio by another name": {func(f *host.Facts) {
			delete(f.Libraries,
				"libaio.so.1")
			f.Libraries["libaio.so.1t64"] = "/usr/lib"
		}, in, "library:libaio.so.1", StatusPlanned,
			"libaio.so.1t64"},
		"no OpenSSL 1.0": {func(f *host.Facts) { delete(f.Libraries, "libssl.so.10") }, in,
			"library:libssl.so.10", StatusWarning, "not found"},
		"memory not known": {func(f *host.Facts) { f.Memory = host.Memory{}; f.Unknown["memory"] = "no /proc" },
			in, "memory", StatusSkipped, "no /proc"},
		"sizes not known": {func(f *host.Facts) {}, Input{Platform: "linux/amd64"},
			"disk:/", StatusOK, ""},
		"unpacked needs no space": {func(f *host.Facts) { eachPath(f, func(p *host.PathFact) { p.Free = 5 << 29 }) },
			installed, "disk:/", StatusOK, "2.5 GiB"},
	} {
		t.Run(name, func(t *testing.T) {
			f := goodFacts(s)
			c.change(f)
			results := Run(s, f, c.in)
			if c.id == "" {
				for _, r := range results {
					if r.Status != StatusOK {
						t.Errorf("%+v", r)
					}
				}
				return
			}
			i := slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == c.id })
			if i < 0 {
				t.Fatalf("no check %s", c.id)
			}
			r := results[i]
			if name == "read-only" && !r.Final {
				t.Error("a waiver is offered, with which nothing could be written all the same")
			}
			if name == "not our address" && !strings.Contains(r.Remedy, "address translation (NAT)") {
				t.Errorf("the remedy does not say what to write behind NAT: %s", r.Remedy)
			}
			if r.Status != c.status || !strings.Contains(r.Measured, c.measured) || r.Bad() && r.Remedy == "" {
				t.Errorf("%+v; want %s with %q", r, c.status, c.measured)
			}
		})
	}
}
