//go:build e2e

package e2e

import (
	"strings"
)

// operatorFiles are files that operators put into the trees of components, with their contents.
var operatorFiles = map[string]string{
	"/data/projects/fate/fate/examples/data/mine.csv":     "rows",
	"/data/projects/fate/fateflow/python/plugins/mine.py": "plug-in",
	"/data/projects/fate/eggroll/conf/whitelist.json":     "{}",
	"/data/projects/fate/fateboard/ssh/ssh.properties":    "host=1",
}

// putOperatorFiles writes them as the service user, and mounts a volume in a tree.
func (b bench) putOperatorFiles(host string) {
	b.t.Helper()
	for file, text := range operatorFiles {
		b.run(host, "su", "app", "-s", "/bin/sh", "-c", "mkdir -p $(dirname "+file+") && echo '"+text+"' > "+file+
			" && chmod 640 "+file)
	}
}

// checkOperatorFiles wants them to be as they were written, with owner and mode.
func (b bench) checkOperatorFiles(when, host string) {
	b.t.Helper()
	for file, text := range operatorFiles {
		out, _, err := b.try(host, "sh", "-c", "cat "+file+"; stat -c '%U:%G %a' "+file)
		if want := text + "\napp:apps 640\n"; err != nil || out != want {
			b.t.Errorf("%s: %s is %q, want %q (%v)", when, file, out, want, err)
		}
	}
}

// repairKeepsOperatorFiles removes one file of a component, next to what an operator added and to a volume.
func (b bench) repairKeepsOperatorFiles(host string) {
	b.t.Helper()
	const volume, lost = "/data/projects/fate/eggroll/volume",
		"/data/projects/fate/eggroll/conf/create-eggroll-meta-tables.sql"
	b.putOperatorFiles(host)
	b.run(host, "sh", "-c", "mkdir "+volume+" && mount -t tmpfs tmpfs "+volume+" && echo precious > "+volume+"/file")
	b.run(host, "rm", lost)
	out := b.run(host, installerFile, "install")
	for _, want := range []string{"kept, not from the appliance: conf/whitelist.json",
		"a mount point or a link: volume"} {
		if !strings.Contains(out, want) {
			b.t.Errorf("the repair does not say %q:\n%s", want, out)
		}
	}
	b.t.Logf("the repair:\n%s", out)
	b.run(host, "test", "-s", lost)
	if text := b.run(host, "cat", volume+"/file"); text != "precious\n" {
		b.t.Errorf("the volume has %q", text)
	}
	b.run(host, "umount", volume)
	b.checkOperatorFiles("after a repair", host)
	b.checkReady(host, modulesOfParty...)
}

// refusedPassword changes the database user's password behind the installer's back: the next start of the database ends
// at once, and the way out that it names works.
func (b bench) refusedPassword(host string) {
	b.t.Helper()
	const sql = `. /data/projects/fate/bin/init_env.sh >/dev/null 2>&1; cd /data/projects/fate/common/mysql/*-*/ || exit 1
		pw=$(sed -n 's/.*"mysql_root": *"\([^"]*\)".*/\1/p' /data/projects/common/fate-installer/secrets.json)
		client=$(ls bin/mariadb bin/mysql 2>/dev/null | head -1)
		$client --no-defaults -uroot -p"$pw" -S run/mysql.sock -e "SET PASSWORD FOR '$1'@'localhost' = PASSWORD('changed')"`
	if out, code, err := b.try(host, "sh", "-c", sql, "sh", "fate"); err != nil || code != 0 {
		b.t.Logf("no client to change a password with: %d, %v\n%s", code, err, out)
		return
	}
	b.run(host, "fate-installer", "svc", "stop", "fate-mysql")
	// A database that does not get ready is waited for during 5 minutes.
	out, code, err := b.try(host, "timeout", "240", installerFile, "install")
	if err != nil || code != 6 || !strings.Contains(out, "refuses the password") ||
		!strings.Contains(out, "secrets rotate mysql_root mysql_fate") {
		b.t.Errorf("install with a changed password: exit status %d, %v\n%s", code, err, out)
	}
	b.t.Logf("the refusal:\n%s", out)
	b.run(host, "fate-installer", "svc", "stop", "fate-mysql")
	b.run(host, "fate-installer", "secrets", "rotate", "mysql_root", "mysql_fate")
	b.checkReady(host, modulesOfParty...)
}

// uninstallToTheEnd wants an uninstall to name a purge that can be run, and nothing to be left after it.
func (b bench) uninstallToTheEnd(host string) {
	b.t.Helper()
	const later = "/data/projects/common/fate-installer/fate-installer"
	b.run(host, "fate-installer", "uninstall", "--dry-run")
	out := b.run(host, "fate-installer", "uninstall", "--yes")
	if !strings.Contains(out, later+" uninstall --purge-data --yes") {
		b.t.Errorf("uninstall names no way to the purge:\n%s", out)
	}
	b.checkOperatorFiles("after an uninstall", host)
	out, code, err := b.try(host, later, "uninstall", "--verify")
	if err != nil || code != 3 || !strings.Contains(out, "/data/projects/common/fate-installer/secrets.json") {
		b.t.Errorf("uninstall --verify does not tell that the passwords are kept: exit status %d, %v\n%s", code, err,
			out)
	}
	out = b.run(host, later, "uninstall", "--purge-data", "--yes")
	if strings.Contains(out, "  kept ") || !strings.Contains(out, ", 0 kept, 0 left") {
		b.t.Errorf("the purge kept something:\n%s", out)
	}
	if out := b.run(host, installerFile, "uninstall", "--verify"); !strings.Contains(out, "0 installed items remain") {
		b.t.Errorf("uninstall --verify after everything was removed:\n%s", out)
	}
	b.run(host, "sh", "-c", "! ls -d /tmp/hsperfdata_app /tmp/tomcat.8080.* /data/projects/common/supervisord "+
		"2>/dev/null")
}
