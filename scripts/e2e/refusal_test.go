//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/scripts/debian"
)

// TestHostsThatCannotWork makes one thing of a host unfit at a time. Each is refused before anything is touched, and
// each made an installation fail that had passed the checks. Then accounts come from the name service alone, and work.
func TestHostsThatCannotWork(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1")
	bare := b.contents("host", []string{"/"}, notOurs...)
	const confDir = "/data/projects/common/supervisord/supervisord.d"
	for _, tt := range []struct {
		name, spoil, mend string
		says              string
		args              []string
	}{
		{"a base directory that the service user cannot pass", "mkdir -m 700 /data", "rmdir /data",
			"refused  base-access: /data belongs to root, mode 0700", nil},
		{"a link whose disk is not mounted", "ln -s /disk2/data /data", "rm /data",
			"refused  links: /data is a link to /disk2/data, which does not exist", nil},
		{"a link through a closed directory", "mkdir -p /own/data && chmod 700 /own && ln -s /own/data /data",
			"rm -r /data /own",
			"refused  base-access: /data leads through /own, which belongs to root, mode 0700", nil},
		{"a base directory that is too long", "true", "true", "refused  socket-path: ",
			[]string{"--base", "/" + strings.Repeat("long", 20)}},
		{"a read-only /usr/local/bin",
			"mount --bind /usr/local/bin /usr/local/bin && mount -o remount,bind,ro /usr/local/bin",
			"umount /usr/local/bin",
			"refused  writable:/usr/local/bin: ", nil},
		{"a read-only directory of limits",
			"mount --bind /etc/security/limits.d /etc/security/limits.d && mount -o remount,bind,ro " +
				"/etc/security/limits.d",
			"umount /etc/security/limits.d", "refused  writable:/etc/security/limits.d: ", nil},
		{"a program of ours in another's file", "mkdir -p " + confDir +
			" && printf '[program:fate-mysql]\\ncommand=/bin/true\\n' >" + confDir + "/old.conf",
			"rm -r /data", "refused  supervisor-load: " + confDir + "/old.conf:1: [program:fate-mysql] is given twice",
			nil},
	} {
		b.step(tt.name, func(b bench) {
			b.run("host", "sh", "-c", tt.spoil)
			b.refusedInstall("host", 3, []string{tt.says}, tt.args...)
			b.run("host", "sh", "-c", tt.mend)
			b.checkSame("root file system", bare, b.contents("host", []string{"/"}, notOurs...))
		})
	}
	b.step("a limit that wins over ours is named", func(b bench) {
		b.write("host", "/etc/security/limits.d/zz-site.conf", "app - nofile 4096\n")
		out, _, err := b.try("host", installerFile, "check", "--role", "host", "--party", "10000")
		if err != nil || !strings.Contains(out,
			`warning  limit:nofile: "app - nofile 4096" in /etc/security/limits.d/zz-site.conf, line 1, wins`) {
			b.t.Errorf("%v\n%s", err, out)
		}
		b.run("host", "rm", "/etc/security/limits.d/zz-site.conf")
	})
	b.step("accounts that only the name service knows run the programs", func(b bench) {
		const name = "libnss-extrausers"
		packages, err := debian.Resolve(b.t.Context(), []string{name})
		if err != nil {
			b.t.Fatal(err)
		}
		dir := b.t.TempDir()
		if err := debian.Download(b.t.Context(), dir, packages); err != nil {
			b.t.Fatal(err)
		}
		if err := b.CopyTo(b.t.Context(), filepath.Join(dir, packages[name].File), "host",
			"/root/extrausers.deb"); err != nil {
			b.t.Fatal(err)
		}
		b.run("host", "dpkg", "-i", "/root/extrausers.deb")
		b.run("host", "sed", "-i", "s/^\\(passwd\\|group\\): *files/& extrausers/", "/etc/nsswitch.conf")
		b.run("host", "mkdir", "-p", "/var/lib/extrausers", "/home/app")
		b.write("host", "/var/lib/extrausers/passwd", "app:x:23456:23457::/home/app:/bin/bash\n")
		b.write("host", "/var/lib/extrausers/group", "apps:x:23457:\n")
		b.run("host", "chown", "app:apps", "/home/app")
		if b.succeeds("host", "grep -q ^app /etc/passwd /etc/group") {
			b.t.Fatal("the accounts are local")
		}
		out := b.run("host", installerFile, "--role", "host", "--party", "10000")
		if !strings.Contains(out, "user app and group apps is known to the name service only") {
			b.t.Errorf("install says nothing of it:\n%s", out)
		}
		for name, p := range b.awaitReady("host", modulesOfParty...) {
			if owner := b.run("host", "stat", "-c", "%u:%g", fmt.Sprintf("/proc/%d", p.PID)); owner != "23456:23457\n" {
				b.t.Errorf("%s runs as %s", name, owner)
			}
		}
		b.toy("host")
		b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
		if !b.succeeds("host", "getent passwd app") {
			b.t.Error("the account is gone")
		}
	})
}
