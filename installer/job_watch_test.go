package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/flow"
)

func TestComponentsAreShownAsTheyStartAndEnd(t *testing.T) {
	var out bytes.Buffer
	v := newTaskView(&globals{Stdout: &out, Output: outputText})
	now := time.Unix(1_796_000_000, 0)
	v.now = func() time.Time { return now }
	begun := flow.Millis{Time: now}
	task := func(component, role, status string) flow.Task {
		return flow.Task{Component: component, Role: role, Party: "9", PartyStatus: status, Started: begun}
	}
	v.show("1", []flow.Task{task("reader_0", "guest", "running"), task("reader_0", "host", "waiting")})
	v.show("1", []flow.Task{task("reader_0", "guest", "success"), task("reader_0", "host", "running")})
	now = now.Add(70 * time.Second)
	v.show("1", []flow.Task{task("reader_0", "guest", "success"), task("reader_0", "host", "running")})
	now = now.Add(20 * time.Second)
	for range 2 {
		v.show("1", []flow.Task{task("reader_0", "guest", "success"), task("reader_0", "host", "success"),
			task("lr_0", "guest", "running")})
	}
	v.show("1", []flow.Task{task("reader_0", "guest", "success"), task("reader_0", "host", "success"), task("lr_0",
		"guest", "canceled"), task("lr_0", "host", "failed")})
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimSpace(line))
	}
	want := []string{"reader_0 running", "reader_0 running 1m10s", "reader_0 success 1m30s", "lr_0 running 1m30s",
		"lr_0 failed at host 9 1m30s"}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

func TestLiveLineIsTakenAwayBeforeOthers(t *testing.T) {
	var out bytes.Buffer
	v := newTaskView(&globals{Stdout: &out, Output: outputText})
	v.live = true
	v.show("1", []flow.Task{{Component: "a_0", Role: "guest", PartyStatus: "running"}})
	v.show("1", []flow.Task{{Component: "a_0", Role: "guest", PartyStatus: "success"}})
	if got := out.String(); !strings.Contains(got, "a_0 running 0s\r\x1b[K") || !strings.HasSuffix(got,
		"a_0 success\n") {
		t.Errorf("%q", got)
	}
}

func TestMergeRoles(t *testing.T) {
	rows := []flow.Job{
		{ID: "2", Role: "guest", Party: "9", Status: "running", Cores: 2, CoresInUse: true,
			Started: flow.Millis{Time: time.Unix(100, 0)}},
		{ID: "2", Role: "host", Party: "9", Status: "running", Cores: 2, CoresInUse: true},
		{ID: "1", Role: "local", Party: "0", Status: "success", Cores: 4},
		{ID: "0", Role: "local", Party: "0", Status: "success"},
	}
	got := mergeRoles(rows, 2, time.Unix(160, 0))
	if len(got) != 2 || got[0].Cores != 4 || !slices.Equal(got[0].Roles, []string{"guest 9", "host 9"}) ||
		got[0].Seconds != 60 || got[1].Cores != 0 {
		t.Errorf("%+v", got)
	}
}
