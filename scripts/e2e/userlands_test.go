//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"
)

// userland is what a host has besides its kernel.
type userland struct {
	name    string
	suite   string   // of Debian; blank: the one that all lab hosts have
	make    string   // shell text that takes something away
	chroot  string   // where a party is installed without systemd; blank: on the host itself
	refused []string // what check says where FATE, or the stand-ins that are built for Debian 12, cannot run
}

// withoutSystemd makes a root file system without systemd. What is written there is in memory.
const withoutSystemd = `mkdir -p /mnt/one && mount -t tmpfs -o size=6g tmpfs /mnt/one
cd /mnt/one && mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/one/upper,workdir=/mnt/one/work root
chroot root dpkg --purge --force-all systemd systemd-sysv dbus
rm -rf root/lib/systemd root/etc/systemd root/run
mkdir root/run && mount -t tmpfs tmpfs root/run
mount --rbind /dev root/dev && mount -t sysfs sysfs root/sys
[ ! -e root/bin/systemctl ] && [ ! -e root/sbin/init ]`

var userlands = []userland{
	{name: "Debian 11", suite: "bullseye", refused: []string{"glibc: 2.31; wanted: GNU C library 2.36 or later",
		"libraries:mariadb: not found: libcrypto.so.3"}},
	{name: "Debian 12"},
	{name: "Debian 12 without bash", make: `dpkg --purge --force-all bash && [ ! -e /bin/bash ]`,
		refused: []string{"programs: missing: bash"}},
	{name: "Debian 12 without systemd", make: withoutSystemd, chroot: "/mnt/one/root"},
	{name: "Debian 13", suite: "trixie"},
	{name: "Debian sid", suite: "sid"},
}

// TestUserlands runs check, install, the toy job, the same install again and uninstall on each userland.
func TestUserlands(t *testing.T) {
	if !long() && os.Getenv("FATE_E2E_HOSTS") == "" {
		t.Skip("makes root file systems of other releases: run make test-hosts")
	}
	for _, u := range userlands {
		t.Run(u.name, func(t *testing.T) {
			b := newBenchOn(t, u.suite, demoAppliance, installerFile, "host=192.168.0.1")
			if u.make != "" {
				b.run("host", "sh", "-ec", u.make)
			}
			if u.chroot != "" {
				u.inChroot(b)
				return
			}
			u.journey(b)
		})
	}
}

func (u userland) journey(b bench) {
	party := []string{"--role", "host", "--party", "10000"}
	before := b.contents("host", []string{"/"}, notOurs...)
	check, code, err := b.try("host", append([]string{installerFile, "check"}, party...)...)
	b.t.Logf("check: exit status %d (%v)\n%s", code, err, check)
	if u.refused != nil {
		for _, text := range u.refused {
			if code != 3 || !strings.Contains(check, text) {
				b.t.Errorf("check does not refuse with %q", text)
			}
		}
		b.refusedInstall("host", 3, u.refused)
		b.checkSame("root file system after a refusal", before, b.contents("host", []string{"/"}, notOurs...))
		return
	}
	if code != 0 {
		b.t.Fatal("check refuses the host")
	}
	b.install("host", party...)
	b.awaitReady("host", modulesOfParty...)
	out := b.run("host", "fate-installer", "test", "toy")
	b.t.Logf("test toy: %s", out)
	again := b.run("host", append([]string{installerFile}, party...)...)
	b.t.Logf("the same again: %s", lastLines(again, 3))
	if !strings.Contains(again, "nothing to do") {
		b.t.Errorf("the same command again has something to do:\n%s", again)
	}
	out = b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
	b.t.Logf("uninstall: %s", lastLines(out, 3))
	b.checkSame("root file system", before, b.contents("host", []string{"/"}, notOurs...))
}

// inChroot is the journey below a directory, whose process 1 is a shell.
func (u userland) inChroot(b bench) {
	const journey = installerFile + ` check --role host --party 10000 || exit 1
` + installerFile + ` --role host --party 10000 || exit 2
` + programFile + ` test toy || exit 3
` + installerFile + ` --role host --party 10000 || exit 4
` + programFile + ` uninstall --yes --purge-data || exit 5
[ ! -e /data ] && ! pgrep -f 'svc run' || exit 6
`
	b.run("host", "cp", installerFile, u.chroot+"/root/")
	b.write("host", u.chroot+"/root/journey", journey)
	out, code, err := b.try("host", "unshare", "--fork", "--pid", "--mount", "--mount-proc="+u.chroot+"/proc", "chroot",
		u.chroot, "/bin/sh", "/root/journey")
	b.t.Logf("exit status %d (%v)\n%s", code, err, out)
	if code != 0 || err != nil || !strings.Contains(out, "nothing to do") {
		b.t.Errorf("the journey ended at its part %d", code)
	}
}
