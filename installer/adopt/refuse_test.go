package adopt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/scripts/ansiblefate"
)

// put writes a file of a tree.
func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		fixture ansiblefate.Options
		change  func(t *testing.T, dir string)
		say     func(*Options)
		reason  Reason
		words   []string
	}{
		"nothing": {change: func(t *testing.T, dir string) {
			for _, d := range []string{"data", "var"} {
				if err := os.RemoveAll(filepath.Join(dir, d)); err != nil {
					t.Fatal(err)
				}
			}
		}, reason: NothingFound, words: []string{"below /data", "--base"}},
		"another base": {say: func(o *Options) { o.Base = "/srv" }, reason: NothingFound, words: []string{"below /srv"}},
		"ours": {change: func(t *testing.T, dir string) {
			put(t, dir, cluster.Layout{Base: "/data"}.State()+"/state.json", "{}")
		}, reason: Ours, words: []string{"fate-installer's own", "upgrade"}},
		"KubeFATE": {change: func(t *testing.T, dir string) {
			put(t, dir, "data/projects/fate/confs-10000/docker-compose.yml", "version: '3'\n")
			put(t, dir, "data/projects/fate/confs-10000/shared_dir/data/mysql/ibdata1", "")
			put(t, dir, "data/projects/fate/confs-10000/shared_dir/data/model_local_cache/m", "")
		}, reason: Containers, words: []string{"KubeFATE", "not taken over",
			"/data/projects/fate/confs-10000/shared_dir/data/mysql", "model_local_cache"}},
		"containers of others": {change: func(t *testing.T, dir string) {
			for _, d := range []string{"data", "var"} {
				if err := os.RemoveAll(filepath.Join(dir, d)); err != nil {
					t.Fatal(err)
				}
			}
			put(t, dir, "proc/1/cmdline", "init\x00")
			put(t, dir, "proc/70/cmdline", "java\x00com.webank.eggroll.rollsite.EggSiteBootstrap\x00")
			put(t, dir, "proc/70/status", "Name:\tjava\nPPid:\t1\nUid:\t0\t0\t0\t0\n")
			for name, target := range map[string]string{"proc/self": "1", "proc/1/ns/pid": "pid:[1]",
				"proc/70/ns/pid": "pid:[2]"} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}, reason: Containers, words: []string{"programs of FATE run here in containers (processes 70)"}},
		"FATE 2": {change: func(t *testing.T, dir string) {
			edit(t, dir, "data/projects/fate/fate/fate.env", "FATE=1.11.3", "FATE=2.0.0")
		}, reason: WrongVersion, words: []string{"FATE 2.0.0"}},
		"FATE 1.4": {fixture: ansiblefate.Options{Version: "1.5.0"}, change: func(t *testing.T, dir string) {
			edit(t, dir, "data/projects/fate/fate.env", "FATE=1.5.0", "FATE=1.4.5")
		}, reason: WrongVersion, words: []string{"FATE 1.4.5", "another layout"}},
		"spark": {change: func(t *testing.T, dir string) {
			edit(t, dir, "data/projects/fate/conf/service_conf.yaml", "computing: eggroll", "computing: SPARK")
		}, reason: OtherEngine, words: []string{"spark", "service_conf.yaml:44"}},
		"no own address": {say: func(o *Options) { o.Addresses = []string{"10.0.0.1", "10.0.0.2"} }, reason: NoAddress,
			words: []string{"192.168.0.1", "10.0.0.2", "--ip"}},
		"two installations": {fixture: ansiblefate.Options{Base: "/srv/fate", Running: true},
			change: func(t *testing.T, dir string) {
				if err := ansiblefate.Make(filepath.Join(dir, "other"), ansiblefate.Options{}); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(filepath.Join(dir, "other/data"), filepath.Join(dir, "data")); err != nil {
					t.Fatal(err)
				}
			}, reason: Several, words: []string{"/srv/fate", "/data", "--base"}},
		"a link to a file of another owner": {change: func(t *testing.T, dir string) {
			file := filepath.Join(dir, "data/projects/fate/fate/fate.env")
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/etc/shadow", file); err != nil {
				t.Fatal(err)
			}
			lchown(t, file, 1001)
		}, reason: Unreadable, words: []string{"fate.env", "does not belong to the owner of the link"}},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "another owner") && os.Geteuid() != 0 {
				t.Skip("only root can make a file of another user")
			}
			h, dir := tree(t, c.fixture)
			if c.change != nil {
				c.change(t, dir)
			}
			o := options()
			if c.say != nil {
				c.say(&o)
			}
			_, err := New(h, o)
			var refusal *Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("it is not refused: %v", err)
			}
			if refusal.Reason != c.reason {
				t.Errorf("the reason is %s, want %s", refusal.Reason, c.reason)
			}
			for _, word := range c.words {
				if !strings.Contains(refusal.Error()+"\n"+refusal.Hint(), word) {
					t.Errorf("%q is not in: %s\n%s", word, refusal, refusal.Hint())
				}
			}
		})
	}
}

func edit(t *testing.T, dir, name, old, text string) {
	t.Helper()
	if err := ansiblefate.Edit(dir, name, old, text); err != nil {
		t.Fatal(err)
	}
}

func lchown(t *testing.T, file string, uid int) {
	t.Helper()
	if err := os.Lchown(file, uid, uid); err != nil {
		t.Fatal(err)
	}
}

// TestLinksOfTheServiceUser reads through a link of the service user to its own file, and not to one of another user,
// wherever on the path the link is.
func TestLinksOfTheServiceUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of other users")
	}
	dir := t.TempDir()
	put(t, dir, "home/app/conf/a", "mine")
	put(t, dir, "etc/secret", "root's")
	put(t, dir, "etc/open", "root's")
	for _, l := range [][2]string{{"/home/app/conf/a", "app/good"}, {"/etc/secret", "app/bad"}, {"/etc", "app/etc"},
		{"../home/app/conf", "app/conf"}, {"loop", "app/loop"}} {
		if err := os.MkdirAll(filepath.Join(dir, "app"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(l[0], filepath.Join(dir, l[1])); err != nil {
			t.Fatal(err)
		}
		lchown(t, filepath.Join(dir, l[1]), 1001)
	}
	for _, f := range []string{"app", "home/app", "home/app/conf", "home/app/conf/a"} {
		lchown(t, filepath.Join(dir, f), 1001)
	}
	h, err := host.New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	r := &reader{h: h}
	for name, want := range map[string]string{"/app/good": "mine", "/app/conf/a": "mine", "/etc/open": "root's"} {
		if data, err := r.read(name); err != nil || string(data) != want {
			t.Errorf("%s is %q: %v", name, data, err)
		}
	}
	for _, name := range []string{"/app/bad", "/app/etc/open"} {
		if data, err := r.read(name); err == nil || !untrusted(err) {
			t.Errorf("%s is %q: %v", name, data, err)
		}
	}
	if _, err := r.read("/app/loop"); err == nil || !strings.Contains(err.Error(), "more than 40 links") {
		t.Errorf("a loop of links: %v", err)
	}
	if names, err := r.names("/app/etc"); err == nil {
		t.Errorf("another owner's directory is listed through a link: %q", names)
	}
}

// TestNamedFilesOfTheServiceUser reads the option file that a program file names when who may change the program file
// owns it, and not a file of root.
func TestNamedFilesOfTheServiceUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of other users")
	}
	dir := t.TempDir()
	for _, f := range []string{"app/fate-mysql.conf", "app/my.cnf", "root/my.cnf", "etc/mysql.conf"} {
		put(t, dir, f, "[mysqld]\nport=3306\n")
	}
	for _, f := range []string{"app", "app/fate-mysql.conf", "app/my.cnf"} {
		lchown(t, filepath.Join(dir, f), 1001)
	}
	h, err := host.New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, c := range []struct {
		by, file string
		refused  bool
	}{{"/app/fate-mysql.conf", "/app/my.cnf", false}, {"/app/fate-mysql.conf", "/root/my.cnf", true},
		{"/etc/mysql.conf", "/root/my.cnf", false}} {
		r := &reader{h: h}
		file, err := r.namedBy(c.by, c.file)
		if err != nil {
			t.Fatal(err)
		}
		ds := &documents{}
		ds.load(r, kindDatabase, file)
		if read := len(ds.list) > 0 && ds.list[0].value("mysqld.port") == "3306"; read == c.refused {
			t.Errorf("%s names %s: read %v, refused %v", c.by, c.file, read, c.refused)
		}
		if _, err := r.read(file); c.refused && (!untrusted(err) ||
			err.Error() != "cannot read /root/my.cnf: /app/fate-mysql.conf names it, and it belongs to another owner") {
			t.Errorf("%v", err)
		}
	}
}

// TestLimits refuses what no configuration file is, without reading it.
func TestLimits(t *testing.T) {
	h, dir := tree(t, ansiblefate.Options{})
	conf := filepath.Join(dir, "data/projects/fate/fateboard/conf/application.properties")
	if err := os.Truncate(conf, readLimit+1); err != nil {
		t.Fatal(err)
	}
	p := mustPlan(t, h, options())
	if len(p.Obstacles) != 1 || !strings.Contains(p.Obstacles[0].What, "application.properties cannot be read") {
		t.Errorf("a file that is too long: %+v", p.Obstacles)
	}
}
