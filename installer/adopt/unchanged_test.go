package adopt

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/scripts/ansiblefate"
)

// snapshot has of every entry of a tree what a change would change: kind, mode, owner, size, times and content.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		text := fmt.Sprint(info.Mode(), st.Uid, st.Gid, st.Ino, st.Nlink, info.Size(), st.Mtim, st.Ctim)
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += string(data)
		}
		out[name] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPlanChangesNothing compares the tree before and after, times included.
func TestPlanChangesNothing(t *testing.T) {
	for _, o := range []ansiblefate.Options{{Running: true, TLS: true}, {HA: true}, {Role: "exchange", IP: "192.168.0.1"},
		{Version: "1.5.2", Linked: []string{"eggroll"}}} {
		h, dir := tree(t, o)
		before := snapshot(t, dir)
		mustPlan(t, h, options())
		after := snapshot(t, dir)
		for name, was := range before {
			if after[name] != was {
				t.Errorf("%s changed from %q to %q", name, was, after[name])
			}
		}
		for name := range after {
			if _, ok := before[name]; !ok {
				t.Errorf("%s is new", name)
			}
		}
	}
}

// TestNoSecretIsShown gives every place of a password another one, and finds none of them in the plan.
func TestNoSecretIsShown(t *testing.T) {
	h, dir := tree(t, ansiblefate.Options{Version: "1.7.2", Running: true})
	const project = "data/projects/fate/"
	places := []struct{ name, file, old string }{
		{"mysql_user", project + "eggroll/conf/eggroll.properties", "jdbc.password=fate_deV2999"},
		{"mysql_user", project + "conf/service_conf.yaml", "passwd: fate_deV2999"},
		{"mysql_user", project + "conf/service_conf.yaml", "passwd: fate_deV2999"},
		{"mysql_user", project + "fateboard/conf/application.properties", "datasource.password=fate_deV2999"},
		{"fateboard_admin", project + "fateboard/conf/application.properties", "login.password=admin"},
		{"route_table_key", project + "eggroll/conf/eggroll.properties", "route.table.key=fate"},
		{"zookeeper", project + "conf/service_conf.yaml", "password: fate"},
		{"fate_flow.http_secret_key", project + "conf/service_conf.yaml", "http_secret_key:"},
		{"mysql_root", project + "common/mysql/mysql-8.0.28/sql/grant.sql", "by 'fatE168dev'"},
		{"mysql_root", project + "common/mysql/mysql-8.0.28/.chpasswd", "fatE168dev"},
		{"supervisor", "data/projects/common/supervisord/supervisord.conf", "password=fate"},
		{"", "data/projects/common/supervisord/supervisord.d/fate-fateflow.conf", "user=app"},
		{"", "var/spool/cron/app", "/bin/bash"},
	}
	var values []string
	for i, p := range places {
		value := fmt.Sprintf("s3cretValue%dXq", i)
		values = append(values, value)
		at := strings.LastIndexAny(p.old, "=: '")
		switch {
		case p.name == "mysql_root" && at > 0:
			edit(t, dir, p.file, p.old, "by '"+value+"'")
		case strings.HasSuffix(p.old, ":"):
			edit(t, dir, p.file, p.old, p.old+" "+value)
		case strings.Contains(p.file, "fateflow.conf"):
			edit(t, dir, p.file, p.old, p.old+"\nnew_password="+value)
		case at < 0 && p.name == "mysql_root":
			edit(t, dir, p.file, p.old, value)
		case at < 0:
			edit(t, dir, p.file, p.old, "PASSWORD="+value+" "+p.old)
		default:
			edit(t, dir, p.file, p.old, p.old[:at+1]+value)
		}
	}
	p := mustPlan(t, h, options())
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, s := range p.Secrets {
		found[s.Name] = true
		if s.Published {
			t.Logf("%s in %s is still the published one", s.Name, s.File)
		}
	}
	for i, value := range values {
		if strings.Contains(string(data), value) {
			t.Errorf("the plan has the secret of %s %q", places[i].file, places[i].old)
		}
		if name := places[i].name; name != "" && !found[name] {
			t.Errorf("the secret %s was not found", name)
		}
	}
	if !p.secrets.is("mysql_user", values[0]) {
		t.Error("the database password that is taken over is not the one of eggroll.properties")
	}
	if text := fmt.Sprintf("%+v %#v", *p, *p); strings.Contains(text, values[0]) {
		t.Error("printing the plan shows a password")
	}
	if strings.Contains(p.ClusterFile, "passw") && !strings.Contains(p.ClusterFile, "Passwords are not") {
		t.Error("the cluster file has a password")
	}
}
