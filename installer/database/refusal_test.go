package database

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

func TestInitLeavesForeignDataAlone(t *testing.T) {
	h, err := host.New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	env := &engine.Env{Host: h}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a foreign database":   {map[string]string{"mysql/ibdata1": "precious"}, "not made by this installer"},
		"root of a filesystem": {map[string]string{"mysql/lost+found/.keep": ""}, "root of a filesystem"},
		"the other flavour": {map[string]string{"mysql/fate-installer.json": `{"flavour": "mysql"}`,
			"mysql/ibdata1": "precious"}, "belongs to mysql"},
		"damaged": {map[string]string{"mysql/fate-installer.json": `{"flavour": "mariadb"}`,
			"mysql/ibdata1": "precious"}, "mysql is missing"},
		"staging is not ours":    {map[string]string{"mysql.initialising/precious": "precious"}, "in the way"},
		"file instead of a tree": {map[string]string{"mysql": "precious"}, "cannot look into"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range c.files {
				file = filepath.Join(dir, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755),
					os.WriteFile(file, []byte(content), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			d := Init{Server: Server{Flavour: FlavourMariaDB, Home: "/nonexistent", Data: filepath.Join(dir, "mysql")}}
			err := d.Apply(context.Background(), env)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			for file, content := range c.files {
				if now, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(now) != content {
					t.Errorf("%s is changed: %q, %v", file, now, err)
				}
			}
		})
	}
}

func TestInitExplainsAFailure(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		d := testInit(s)
		d.Accounts = []Account{{Name: strings.Repeat("too long for a name ", 10), Hosts: []string{"localhost"}}}
		err := d.Apply(context.Background(), env)
		if err == nil || !strings.Contains(err.Error(), "cannot create the account") {
			t.Errorf("got %v", err)
		}
		if env.Host.Exists(s.Data) || env.Host.Exists(s.Data+stagingSuffix) {
			t.Error("a failed attempt left something")
		}
		d.Home = t.TempDir()
		if err := d.Apply(context.Background(), env); err == nil || !strings.Contains(err.Error(), "cannot find") {
			t.Errorf("without server: %v", err)
		}
	})
}
