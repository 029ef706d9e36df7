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
