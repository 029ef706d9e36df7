package procstat

import (
	"fmt"
	"os"
	"testing"
)

const line = "123 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 21 18 4711 20 21\n"

func TestParse(t *testing.T) {
	got, err := Parse([]byte(line))
	want := Stat{PID: 123, Name: "a) b (c", PPID: 1, PGRP: 2, Session: 3, State: 'R', TTY: 4, Busy: 11 + 12,
		Threads: 21, Start: 4711, Size: 20, Resident: 21}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"", "1 (x", "1 (x)", "1 (x) R 1 2",
		"1 (x) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"x (y) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21",
		"1 (y) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -1 20 21", ")("} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	self, err := Parse(data)
	if err != nil || self.PID != os.Getpid() || self.PPID != os.Getppid() || self.Dead() || self.Size == 0 {
		t.Errorf("%+v %v", self, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(line))
	f.Fuzz(func(t *testing.T, line []byte) { _, _ = Parse(line) })
}
