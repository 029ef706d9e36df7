//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/scripts/debian"
)

// nftables is Debian's nft with the libraries that a minimal host lacks.
var nftables = []string{"nftables", "libnftables1", "libnftnl11", "libmnl0", "libjansson4", "libxtables12", "libedit2",
	"libbsd0", "libmd0", "libgmp10"}

// hostKind is a condition that hardening guides or public reports describe.
type hostKind struct {
	name     string
	packages []string // of Debian, put on the host first
	make     string   // shell text that makes the condition on a fresh host
	says     []string // lines of check
	refused  bool     // by check and install; nothing is changed
	mend     string   // shell text that does what the remedy says
	often    bool     // also in make test; the others take make test-hosts
}

var hostKinds = []hostKind{
	{
		name: "name servers never answer",
		make: `ip link add hole type veth peer name hole-end && ip link set hole arp off up && ip link set hole-end up
			ip route replace default dev hole
			printf 'nameserver 10.9.9.9\nnameserver 10.9.9.8\n' >/etc/resolv.conf
			printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$(hostname)" >/etc/hosts`,
		often: true,
	},
	{
		name: "a packet filter drops all but lo and ssh", packages: nftables,
		make: `nft add table inet site
			nft 'add chain inet site in { type filter hook input priority 0; policy drop; }'
			nft add rule inet site in iif lo accept
			nft add rule inet site in ct state established,related accept
			nft add rule inet site in tcp dport 22 accept`,
		refused: true, says: []string{"firewall: nft: chain in of table inet site drops connections from other hosts " +
			"to ports 9370, 9360, 9380, 8080"},
		mend: `nft add rule inet site in tcp dport '{ 9370, 9360, 9380, 8080 }' accept`,
	},
	{
		name: "a packet filter drops lo", packages: nftables,
		make: `nft add table inet site
			nft 'add chain inet site in { type filter hook input priority 0; policy drop; }'
			nft add rule inet site in ct state established,related accept
			nft add rule inet site in tcp dport '{ 22, 9370, 9360, 9380, 8080 }' accept`,
		refused: true, says: []string{"firewall: "},
		mend: `nft insert rule inet site in iif lo accept`, often: true,
	},
	{
		name: "systemd gives a proxy to every service",
		make: `mkdir -p /etc/systemd/system.conf.d
			printf '[Manager]\nDefaultEnvironment="http_proxy=http://192.168.0.77:3128" "https_proxy=http://192.168.0.77:3128"\n' \
				>/etc/systemd/system.conf.d/site.conf
			systemctl daemon-reexec`,
		says: []string{"http_proxy, https_proxy"},
	},
	{
		name: "systemd gives a monitoring agent's variables to every service",
		make: `mkdir -p /etc/systemd/system.conf.d
			printf '[Manager]\nDefaultEnvironment="JAVA_TOOL_OPTIONS=-javaagent:/opt/apm/agent.jar" "PYTHONHOME=/opt/python" "LD_LIBRARY_PATH=/opt/lib"\n' \
				>/etc/systemd/system.conf.d/site.conf
			systemctl daemon-reexec`,
		says: []string{"JAVA_TOOL_OPTIONS, LD_LIBRARY_PATH, PYTHONHOME"},
	},
	{
		name: "/tmp is mounted noexec, nosuid, nodev",
		make: `mount -t tmpfs -o noexec,nosuid,nodev,size=64m tmpfs /tmp`,
	},
	{
		name: "processes of others are hidden", make: `mount -o remount,hidepid=2 /proc`,
	},
	{
		name: "a umask of 077 in every login",
		make: `echo 'umask 077' >/etc/profile.d/site.sh && sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs`,
	},
	{
		name: "the shell of every account is nologin by default",
		make: `mkdir -p /etc/default && printf 'SHELL=/usr/sbin/nologin\n' >/etc/default/useradd`,
	},
	{
		name: "core dumps and file handles are limited for everybody",
		make: `printf '* hard core 0\n* hard nofile 4096\n* soft nofile 1024\n' >/etc/security/limits.d/10-site.conf`,
	},
	{
		name: "/data is a link to another disk",
		make: `mkdir -m 755 /disk && mount -t tmpfs -o size=4g tmpfs /disk && mkdir /disk/fate && ln -s /disk/fate /data`,
	},
}

// hostKindsWanted are those that this run makes.
func hostKindsWanted() []hostKind {
	if long() || os.Getenv("FATE_E2E_HOSTS") != "" {
		return hostKinds
	}
	return slices.DeleteFunc(slices.Clone(hostKinds), func(k hostKind) bool { return !k.often })
}

// TestHostKinds makes one condition of real hosts at a time, on a fresh host, and runs check, install, the toy job, the
// same install again, and uninstall. The party works, or the first refuses what cannot work, and its remedy is enough.
func TestHostKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range hostKindsWanted() {
		t.Run(kind.name, func(t *testing.T) { kind.journey(newBench(t, "host=192.168.0.1")) })
	}
}

func (k hostKind) journey(b bench) {
	b.addPackages("host", k.packages...)
	b.run("host", "sh", "-ec", k.make)
	before := b.contents("host", []string{"/"}, notOurs...)
	party := []string{"--role", "host", "--party", "10000"}

	check, code, err := b.try("host", append([]string{installerFile, "check"}, party...)...)
	if err != nil || code != map[bool]int{false: 0, true: 3}[k.refused] {
		b.t.Errorf("check: exit status %d (%v)\n%s", code, err, check)
	}
	for _, text := range k.says {
		if !strings.Contains(check, text) {
			b.t.Errorf("check does not say %q:\n%s", text, check)
		}
	}
	if k.refused {
		b.refusedInstall("host", 3, k.says)
		b.checkSame("root file system after a refusal", before, b.contents("host", []string{"/"}, notOurs...))
		b.run("host", "sh", "-ec", k.mend)
	}
	end := b.run("host", "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", installerFile, "--role", "host",
		"--party", "10000")
	if want := "next       /usr/local/bin/fate-installer test toy"; !strings.Contains(end, want) {
		b.t.Errorf("where /usr/local/bin is not searched, install does not say %q:\n%s", want, end)
	}
	b.awaitReady("host", modulesOfParty...)
	b.toy("host")
	out, code, err := b.try("host", "setpriv", "--reuid", "65534", "--clear-groups", programFile, "test", "toy")
	if err != nil || code != 2 || !strings.Contains(out, "run the same command with sudo") {
		b.t.Errorf("test toy without root: exit status %d (%v)\n%s", code, err, out)
	}
	again := b.run("host", append([]string{installerFile}, party...)...)
	if !strings.Contains(again, "nothing to do") {
		b.t.Errorf("the same command again has something to do:\n%s", again)
	}
	b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
	b.checkSame("root file system", before, b.contents("host", []string{"/"}, notOurs...))
}

// addPackages installs packages of Debian on a host.
func (b bench) addPackages(host string, names ...string) {
	b.t.Helper()
	if len(names) == 0 {
		return
	}
	packages, err := debian.Resolve(b.t.Context(), names)
	if err != nil {
		b.t.Fatal(err)
	}
	dir := b.t.TempDir()
	if err := debian.Download(b.t.Context(), dir, packages); err != nil {
		b.t.Fatal(err)
	}
	b.run(host, "mkdir", "-p", "/root/packages")
	for _, p := range packages {
		if err := b.CopyTo(b.t.Context(), filepath.Join(dir, p.File), host, "/root/packages/"); err != nil {
			b.t.Fatal(err)
		}
	}
	b.run(host, "sh", "-c", "dpkg -i /root/packages/*.deb")
}
