package account

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// newNameService is one whose getent knows what the given script says, and counts its calls.
func newNameService(t *testing.T, script string) (n *nameService, calls func() int) {
	t.Helper()
	dir := t.TempDir()
	program, count := filepath.Join(dir, "getent"), filepath.Join(dir, "calls")
	text := fmt.Sprintf("echo \"$1 $2\" >> %s\n%s\n", count, script)
	if err := os.WriteFile(program, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n = &nameService{
		programs: [][]string{{filepath.Join(dir, "missing")}, {"/bin/sh", program}}, timeout: time.Minute,
		fresh: time.Hour, answers: map[string]nssAnswer{},
	}
	return n, func() int {
		data, _ := os.ReadFile(count)
		return strings.Count(string(data), "\n")
	}
}

// ldap knows a user with two groups that are in no file of the machine.
const ldap = `case "$1 $2" in
"passwd fate-ldap"|"passwd 7654321") echo 'fate-ldap:x:7654321:7654300:FATE:/home/fate-ldap:/bin/bash';;
"initgroups fate-ldap") echo 'fate-ldap             7654301 7654302';;
"group fates-ldap") echo 'fates-ldap:x:7654301:fate-ldap';;
*) exit 2;;
esac`

func TestAccountsOfTheNameService(t *testing.T) {
	n, calls := newNameService(t, ldap)
	for _, name := range []string{"fate-ldap", "7654321"} {
		u, err := n.user(name)
		if err != nil || u.Username != "fate-ldap" || u.Uid != "7654321" || u.Gid != "7654300" ||
			u.HomeDir != "/home/fate-ldap" {
			t.Fatalf("%s: %+v, %v", name, u, err)
		}
		groups, err := n.groups(u)
		slices.Sort(groups)
		if err != nil || !slices.Equal(groups, []int{7654300, 7654301, 7654302}) {
			t.Errorf("%s: groups %v, %v", name, groups, err)
		}
	}
	if gid, err := n.group("fates-ldap"); err != nil || gid != 7654301 {
		t.Errorf("group %d, %v", gid, err)
	}
	before := calls()
	if _, err := n.user("fate-ldap"); err != nil || calls() != before {
		t.Errorf("asked again within the time: %d, %d calls, %v", before, calls(), err)
	}
	for _, name := range []string{"nosuch-ldap", "", "-h"} {
		if u, err := n.user(name); err == nil {
			t.Errorf("%q is %+v", name, u)
		}
	}
	if u, err := n.user("root"); err != nil || u.Uid != "0" {
		t.Errorf("root: %+v, %v", u, err)
	}
}

// A directory service that does not answer for a while is no reason to forget who a program runs as.
func TestNameServiceThatWentAway(t *testing.T) {
	n, _ := newNameService(t, ldap)
	n.fresh = 0
	if _, err := n.user("fate-ldap"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.programs[1][1], []byte("exit 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if u, err := n.user("fate-ldap"); err != nil || u.Uid != "7654321" {
		t.Errorf("%+v, %v", u, err)
	}
}

// TestNameOfTheNameService: a user is named although no file of the machine has it.
func TestNameOfTheNameService(t *testing.T) {
	files := machineAccounts
	t.Cleanup(func() { machineAccounts = files })
	machineAccounts, _ = newNameService(t, ldap)
	if name := Name(7654321); name != "fate-ldap" {
		t.Errorf("the name is %s", name)
	}
	if name := Name(7654399); name != "uid 7654399" {
		t.Errorf("a user that nothing knows is %s", name)
	}
}
