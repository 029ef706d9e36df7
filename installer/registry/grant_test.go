package registry

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// serverVariable names a ZooKeeper server, host:port, that this test may write to. It is a real one, because a stand-in
// would have to repeat ZooKeeper's rules about who may change an ACL.
const serverVariable = "FATE_TEST_ZOOKEEPER"

// TestGrantChangesThePassword changes the password of an account whose nodes two hosts use, as FATE-Flow makes them,
// cuts it off in the middle, and repeats it.
func TestGrantChangesThePassword(t *testing.T) {
	server := os.Getenv(serverVariable)
	if server == "" {
		t.Skipf("no ZooKeeper: set %s to the address of one", serverVariable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	config := func(password string) Config {
		return Config{Servers: []string{server}, User: "fate", Password: password}
	}
	open := func(password string) *Registry {
		t.Helper()
		r, err := Open(ctx, config(password))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	former := open("former")
	for _, node := range []string{flowRoot, Root} {
		_, err := former.conn.Create(node, nil, 0, former.acl)
		check(err)
	}
	_, err := former.conn.Create(Root+"/192.168.0.1%3A9360", []byte(`{"host": "192.168.0.1"}`),
		zk.FlagEphemeral, former.acl)
	check(err)
	if err := Grant(ctx, config("new"), nil); err == nil || !strings.Contains(err.Error(), "not authenticated") {
		t.Errorf("without the former password: %v", err)
	}
	cut, end := context.WithCancel(ctx)
	end()
	_ = Grant(cut, config("new"), []string{"former"}) // cut off
	for range 2 {
		check(Grant(ctx, config("new"), []string{"former", "never used"}))
	}
	for _, password := range []string{"former", "new"} {
		if list, err := open(password).Instances(); err != nil || len(list) != 1 {
			t.Errorf("between the hosts, with the %s password: %v, %v", password, list, err)
		}
	}
	hosts := []string{"192.168.0.1", "192.168.0.2"}
	missing, err := Confirm(ctx, config("new"), hosts[0], hosts)
	if err != nil || !slices.Equal(missing, hosts[1:]) {
		t.Errorf("after the first host: %q, %v", missing, err)
	}
	for range 2 {
		if missing, err = Confirm(ctx, config("new"), hosts[1], hosts); err != nil || len(missing) > 0 {
			t.Errorf("after the second host: %q, %v", missing, err)
		}
	}
	check(Grant(ctx, config("new"), nil))
	if list, err := open("new").Instances(); err != nil || len(list) != 1 {
		t.Errorf("the new password: %v, %v", list, err)
	}
	if _, err := open("former").Instances(); err == nil || !strings.Contains(err.Error(), "not authenticated") {
		t.Errorf("the former password is still let in: %v", err)
	}
	check(Grant(ctx, config("third"), []string{"new"}))
	if _, err := Confirm(ctx, config("third"), hosts[0], hosts); err != nil {
		t.Error(err)
	}
	if notes, _, err := open("third").conn.Children(confirmRoot); err != nil || len(notes) != 1 {
		t.Errorf("notes of a former change are left: %q, %v", notes, err)
	}
}
