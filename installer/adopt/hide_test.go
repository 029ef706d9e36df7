package adopt

import (
	"encoding/json"
	"strings"
	"testing"

	"fate-installer/scripts/ansiblefate"
)

const programDir = "data/projects/common/supervisord/supervisord.d/"

// TestHiddenValues gives a password in every way that command lines, URLs, crontabs and scripts have.
func TestHiddenValues(t *testing.T) {
	for text, want := range map[string]string{
		"/opt/backup --pass=hunter2 --all":           "/opt/backup --pass=[redacted] --all",
		"/opt/backup --password hunter2 --all":       "/opt/backup --password [redacted] --all",
		`/opt/backup --pass="hun ter2" --all`:        "/opt/backup --pass=[redacted] --all",
		`/opt/backup --pass=hun\ ter2 --all`:         "/opt/backup --pass=[redacted] --all",
		"jdbc:mysql://h:3306/d?password=hun,ter2":    "jdbc:mysql://h:3306/d?password=[redacted]",
		"PASS=hunter4 /bin/bash /x/check.sh":         "PASS=[redacted] /bin/bash /x/check.sh",
		"MYSQL_PWD='hun ter2' mysqldump d":           "MYSQL_PWD=[redacted] mysqldump d",
		"mysql -uapp -phunter2 d":                    "mysql -uapp -p[redacted] d",
		"/x/bin/mysqldump -uroot -sNp'hun ter2' d":   "/x/bin/mysqldump -uroot -sNp[redacted] d",
		"curl -u admin:hunter2 http://h/":            "curl -u admin:[redacted] http://h/",
		"http://admin:hunter2@h:3128/":               "http://admin:[redacted]@h:3128/",
		"curl -H 'Authorization: Bearer hunter2'":    "curl -H 'Authorization: Bearer [redacted]",
		"api.key: hunter2":                           "api.key: [redacted]",
		"java -Dx.token=hunter2 -jar a.jar":          "java -Dx.token=[redacted] -jar a.jar",
		"export A=1 DB_SECRET=hunter2":               "export A=1 DB_SECRET=[redacted]",
		`{"passwd": "hun ter2", "user": "u"}`:        `{"passwd": [redacted] "user": "u"}`,
		"/bin/bash /data/projects/x.sh starting":     "/bin/bash /data/projects/x.sh starting",
		"jdbc:mysql://h/d?allowPublicKeyRetrieval=1": "jdbc:mysql://h/d?allowPublicKeyRetrieval=1",
		"mkdir -p /data/key.path":                    "mkdir -p /data/key.path",
	} {
		if got := (&secrets{}).shown(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	args := (&secrets{}).arguments([]string{"mysql", "--password", "hunter2", "-phunter2", "-u", "app", "--token=hunter2"})
	if got := strings.Join(args, " "); got != "mysql --password [redacted] -p[redacted] -u app --token=[redacted]" {
		t.Errorf("the arguments are %q", got)
	}
}

// TestForeignSecrets has passwords of other software on the host, and finds none of them in the plan.
func TestForeignSecrets(t *testing.T) {
	h, dir := tree(t, ansiblefate.Options{Running: true, TLS: true})
	put(t, dir, programDir+"backup.conf", "[program:backup]\ncommand=/opt/backup --pass=hunter2 -x hunter3\n"+
		"environment=A=\"hunter3\"\n")
	put(t, dir, programDir+"broken.conf", "[program:broken]\nhunter3\n")
	edit(t, dir, programDir+"fate-fateflow.conf", "user=app",
		"user=app\nenvironment=DB_PASS=\"hunter5\"\n[program:second]\ncommand=/opt/second hunter3\n[program:fate-fateflow]")
	edit(t, dir, programDir+"fate-fateboard.conf", "starting", "starting --token hunter5")
	edit(t, dir, "data/projects/fate/conf/service_conf.yaml", "max_connections: 100",
		"max_connections: 100\n  replica: jdbc:mysql://h/d?user=u&password=hunter5\n  backup_pwd: hunter5")
	edit(t, dir, "data/projects/fate/bin/init_env.sh", "venv=", "mysql -uapp -phunter5 d\nvenv=")
	edit(t, dir, "var/spool/cron/app", "/bin/bash", "PASS=hunter4 /bin/bash")
	data, err := json.Marshal(mustPlan(t, h, options()))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i++ {
		at := strings.Index(string(data[i:]), "hunter")
		if at < 0 {
			break
		}
		i += at
		t.Errorf("a password is shown: %s", data[max(0, i-150):i+10])
	}
	p := mustPlan(t, h, options())
	if got := program(t, p, "backup"); got.Takeover != TakeoverLeave || got.Command != "" {
		t.Errorf("another software's program is %+v", got)
	}
	for _, key := range []string{"program:backup.command", "database.replica", "database.backup_pwd",
		"mysql -uapp -p[redacted] d"} {
		if !strings.Contains(string(data), key) {
			t.Errorf("the key %s is not listed", key)
		}
	}
}
