package host

import (
	"context"
	"errors"
	"testing"
)

// nameServiceOnly answers getent for a user and a group that no file of the machine has.
type nameServiceOnly struct{}

func (nameServiceOnly) Run(_ context.Context, c Cmd) (Result, error) {
	if len(c.Args) == 3 && c.Args[0] == "getent" {
		switch c.Args[1] + " " + c.Args[2] {
		case "passwd fate-of-ldap":
			return Result{Stdout: []byte("fate-of-ldap:x:7001:7002::/home/f:/bin/sh\n")}, nil
		case "group fates-of-ldap":
			return Result{Stdout: []byte("fates-of-ldap:x:7002:a,b\n")}, nil
		}
	}
	return Result{}, errors.New("exit status 2")
}

// TestGatherAsksTheNameService: accounts that only LDAP or sssd know are facts, too, and marked as such.
func TestGatherAsksTheNameService(t *testing.T) {
	h, err := New("/", nameServiceOnly{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f, err := Gather(t.Context(), h, FactsQuery{Users: []string{"fate-of-ldap", "nosuch-user", "root"},
		Groups: []string{"fates-of-ldap"}})
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := f.User("fate-of-ldap"); !ok || !u.Remote || u.UID != 7001 || u.GID != 7002 {
		t.Errorf("%+v %v", u, ok)
	}
	if g, ok := f.Group("fates-of-ldap"); !ok || !g.Remote || g.GID != 7002 || len(g.Members) != 2 {
		t.Errorf("%+v %v", g, ok)
	}
	if u, ok := f.User("root"); !ok || u.Remote {
		t.Errorf("%+v %v", u, ok)
	}
	if _, ok := f.User("nosuch-user"); ok {
		t.Error("a user that does not exist was found")
	}
}
