package database

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/host"
)

// TestServerCommand looks at what is started, with the files where a distribution and where the makers put them. Only
// the program that the supervisor starts later initialises a database.
func TestServerCommand(t *testing.T) {
	home := t.TempDir()
	for _, file := range []string{"bin/mysqld", "sbin/mysqld", "share/english/errmsg.sys", "lib64/plugin/x.so"} {
		file = filepath.Join(home, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	h, err := host.New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := Server{
		Flavour: FlavourMySQL, Home: home, Program: "bin/mysqld", User: "65534", Group: "65533",
		LibraryPath: []string{"lib", "lib/private"}, Env: []string{"TZ=UTC"},
	}
	cmd, err := s.command(h, "/d", "--initialize-insecure")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{home + "/bin/mysqld", "--no-defaults", "--basedir=" + home, "--datadir=/d",
		"--lc-messages-dir=" + home + "/share", "--plugin-dir=" + home + "/lib64/plugin", "--tmpdir=/d",
		"--loose-mysqlx=OFF", "--secure-file-priv=NULL", "--loose-performance-schema=OFF",
		"--initialize-insecure"}
	if !slices.Equal(cmd.Args, args) {
		t.Errorf("arguments %q, want %q", cmd.Args, args)
	}
	if want := []string{"LD_LIBRARY_PATH=" + home + "/lib:" + home + "/lib/private", "TZ=UTC"}; !slices.Equal(cmd.Env,
		want) {
		t.Errorf("environment %q, want %q", cmd.Env, want)
	}
	if cmd.Credential == nil || *cmd.Credential != (host.Credential{UID: 65534, GID: 65533}) {
		t.Errorf("credential %+v", cmd.Credential)
	}
	const staging = "/data/mysql" + stagingSuffix
	if cmd, err = s.command(h, staging+"/data"); err != nil || !slices.Contains(cmd.Args, "--tmpdir="+staging) {
		t.Errorf("its temporary tables are among those of other servers: %q, %v", cmd.Args, err)
	}
	s.User = ""
	if cmd, err = s.command(h, "/d"); err != nil || cmd.Credential != nil || !slices.Contains(cmd.Args, "--user=root") {
		t.Errorf("as root: %+v, %v", cmd, err)
	}
}

func TestPasswordHidesItself(t *testing.T) {
	d := Contents{AdminPassword: "hush", Accounts: []Account{{Password: "hush"}}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, d); strings.Contains(text, "hush") {
			t.Errorf("%s prints %s", format, text)
		}
	}
}
