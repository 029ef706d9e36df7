package main

import (
	"testing"
	"time"
)

// TestPlace: what lies before the first step and after the last one, and which program was waited for.
func TestPlace(t *testing.T) {
	r := installReport{Elapsed: 6.5, Steps: []stepReport{{"start:fate-fateflow", 2 * time.Second, time.Second}, {"dir:/data", 0, 1}}}
	const log = `2026-11-30 12:51:14.949 INF supervising config=/data/supervisord.conf pid=3791 programs=0
2026-11-30 12:51:27.707 INF running: not ready yet: nodemanager 192.168.0.1:4671 is INIT pid=3948 program=fate-clustermanager ready=false state=RUNNING
2026-11-30 12:51:31.041 INF ready pid=4153 program=fate-fateflow ready=true state=RUNNING
2026-11-30 12:51:34.413 INF ready pid=3948 program=fate-clustermanager ready=true state=RUNNING
`
	at := func(text string) float64 {
		when, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return float64(when.UnixNano()) / 1e9
	}
	err := r.place(at("2026-11-30T12:51:28Z"),
		`{"op":"run","time":"2026-11-30T12:51:28.5Z"}`, log, "+0000")
	if err != nil {
		t.Fatal(err)
	}
	o := r.outside
	if o.before.Round(time.Millisecond) != 500*time.Millisecond || o.after.Round(time.Millisecond) != 3*time.Second {
		t.Errorf("before %v, after %v", o.before, o.after)
	}
	if len(o.late) != 1 || o.late[0].name != "fate-clustermanager" || o.late[0].after != 2913*time.Millisecond ||
		o.late[0].why != "running: not ready yet: nodemanager 192.168.0.1:4671 is INIT" {
		t.Errorf("waited for %+v", o.late)
	}
	if err := r.place(0, "", "", ""); err == nil {
		t.Error("a journal without a run is accepted")
	}
}
