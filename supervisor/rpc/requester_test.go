package rpc

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestEveryMethodIsRecordedOrReads keeps a new method from changing something without a record.
func TestEveryMethodIsRecordedOrReads(t *testing.T) {
	reads := strings.Fields(`supervisor.getAPIVersion supervisor.getVersion supervisor.getSupervisorVersion
		supervisor.getIdentification supervisor.getState supervisor.getPID supervisor.readLog supervisor.readMainLog
		supervisor.reloadConfig supervisor.getProcessInfo supervisor.getAllProcessInfo supervisor.getAllConfigInfo
		supervisor.sendProcessStdin supervisor.readProcessLog supervisor.readProcessStdoutLog supervisor.readProcessStderrLog
		supervisor.tailProcessLog supervisor.tailProcessStdoutLog supervisor.tailProcessStderrLog
		system.listMethods system.methodHelp system.methodSignature system.multicall
		fate.status fate.resolve fate.why fate.events fate.began`)
	only := map[string]bool{}
	for _, name := range reads {
		only[name] = true
	}
	for name := range methods {
		if _, changes := changing[name]; changes == only[name] {
			t.Errorf("%s has to be either among those that change something or among those that read", name)
		}
	}
	for name := range changing {
		if _, ok := methods[name]; !ok {
			t.Errorf("there is no method %s", name)
		}
	}
}

// TestRequestsAreRecorded: the record says who called by the kernel's word, for what, and how it ended.
func TestRequestsAreRecorded(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("a") })
	d.untilReady("a")
	check := func(want string) {
		t.Helper()
		data, err := os.ReadFile(d.conf + ".record")
		who := fmt.Sprintf("uid %d pid %d: ", os.Getuid(), os.Getpid())
		if text := string(data); err != nil || !strings.HasPrefix(text, who) || !strings.HasSuffix(text, want) {
			t.Errorf("the record says %q, %v; want %q at its end", text, err, want)
		}
	}
	if _, err := d.client.Stop(testContext(t), []string{"a"}, true); err != nil {
		t.Fatal(err)
	}
	check(": stop a: <nil>")
	if err := d.client.Call(testContext(t), nil, "supervisor.signalProcess", "a", "USR1"); err == nil {
		t.Error("a program that does not run was sent a signal")
	}
	check(": signal a USR1: NOT_RUNNING: a")
	chain, err := d.client.Why(testContext(t), "a")
	if err != nil || len(chain) != 1 || !strings.Contains(chain[0].Text, ", by ") {
		t.Errorf("%+v, %v", chain, err)
	}
}
