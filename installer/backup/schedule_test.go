package backup

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func newSchedule() *Schedule {
	return &Schedule{Schema: 1, Every: Daily, At: "02:30", Since: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		Out: "/var/backups/fate", Keep: 7, PassphraseFile: "/root/p"}
}

func TestScheduleFile(t *testing.T) {
	data, err := newSchedule().Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeSchedule(data)
	if err != nil || !reflect.DeepEqual(again, newSchedule()) || !again.Same(newSchedule()) {
		t.Errorf("%+v %v", again, err)
	}
	for want, change := range map[string]func(*Schedule){
		"newer":              func(s *Schedule) { s.Schema = 2 },
		"unknown interval":   func(s *Schedule) { s.Every = "hourly" },
		"hours and minutes":  func(s *Schedule) { s.At = "25:00" },
		"as 02:30":           func(s *Schedule) { s.At = "2:30" },
		"from 1":             func(s *Schedule) { s.Keep = 0 },
		"not both":           func(s *Schedule) { s.Recipients = []string{"age1"} },
		"or recipients":      func(s *Schedule) { s.PassphraseFile = "" },
		"no absolute path":   func(s *Schedule) { s.Out = "backups" },
		"control characters": func(s *Schedule) { s.PassphraseFile = "/root/p\nExecStartPre=/bin/sh" },
	} {
		s := newSchedule()
		change(s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}

func TestScheduleArguments(t *testing.T) {
	s := newSchedule()
	s.PassphraseFile, s.Recipients = "", []string{"age1a", "age1b"}
	got := strings.Join(s.Arguments(), " ")
	if got != "backup create --scheduled --out /var/backups/fate --keep 7 --recipient age1a --recipient age1b" {
		t.Error(got)
	}
}

func TestScheduleNext(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, zone) }
	for _, c := range []struct{ now, next time.Time }{
		{at(30, 1, 0), at(30, 2, 30)},
		{at(30, 2, 30), at(31, 2, 30)},
		{at(29, 23, 59), at(30, 2, 30)},
	} {
		if next := newSchedule().Next(c.now); !next.Equal(c.next) {
			t.Errorf("after %s: %s, want %s", c.now, next, c.next)
		}
	}
}

// TestOverdue: backups are overdue two periods after the last complete one, or after the schedule was made. What a
// clock that was ahead has dated later than now silences nothing.
func TestOverdue(t *testing.T) {
	day := func(n int) time.Time { return newSchedule().Since.AddDate(0, 0, n) }
	success, failure := func(n int) *Success { return &Success{Time: day(n)} },
		func(n int) *Failure { return &Failure{Time: day(n)} }
	for name, c := range map[string]struct {
		r                Record
		now              time.Time
		overdue, failing bool
	}{
		"no schedule":                {Record{Success: success(0)}, day(9), false, false},
		"new schedule":               {Record{Schedule: newSchedule()}, day(2), false, false},
		"never made":                 {Record{Schedule: newSchedule()}, day(2).Add(time.Second), true, false},
		"made before the schedule":   {Record{Schedule: newSchedule(), Success: success(-5)}, day(1), false, false},
		"made":                       {Record{Schedule: newSchedule(), Success: success(8)}, day(10), false, false},
		"made long ago":              {Record{Schedule: newSchedule(), Success: success(7)}, day(10), true, false},
		"failed since":               {Record{Success: success(7), Failure: failure(8)}, day(9), false, true},
		"failed before":              {Record{Success: success(7), Failure: failure(6)}, day(9), false, false},
		"never made, and has failed": {Record{Schedule: newSchedule(), Failure: failure(1)}, day(3), true, true},
		"success later than now": {Record{Schedule: newSchedule(), Success: success(5000), Failure: failure(8)},
			day(9),
			true, true},
		"success a bit later than now": {Record{Schedule: newSchedule(), Success: success(9), Failure: failure(8)},
			day(9).Add(-time.Hour), false, false},
		"schedule later than now": {Record{Schedule: newSchedule()}, day(-100), true, false},
		"schedule later than now, made since": {Record{Schedule: newSchedule(), Success: success(-101)},
			day(-100), false,
			false},
		"failure later than now, made since": {Record{Success: success(8), Failure: failure(5000)},
			day(9), false, false},
		"failure later than now, none made": {Record{Failure: failure(5000)}, day(9), false, true},
		"both later than now": {Record{Success: success(6000), Failure: failure(5000)},
			day(9), false, true},
	} {
		if c.r.Overdue(c.now) != c.overdue || c.r.Failing(c.now) != c.failing {
			t.Errorf("%s: overdue %v, failing %v", name, c.r.Overdue(c.now), c.r.Failing(c.now))
		}
	}
}
