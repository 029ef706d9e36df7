package state

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	older = Release{FATE: "1.10.0", Components: map[string]Component{"eggroll": {"2.5.2", "a"}}}
	newer = Release{FATE: "1.11.4", Components: map[string]Component{"eggroll": {"2.5.3", "b"}}}
)

// inPhase is a state in a phase, as a command leaves it that began on a host with the older release.
func inPhase(p Phase) State {
	s := State{Schema: Schema, Phase: p, Role: "host", Party: 10000, Release: older, Slot: "1"}
	switch p {
	case Absent:
		return State{Schema: Schema, Phase: p, Data: older}
	case Installed:
		return s
	}
	s.Change = &Change{Command: "./newer do", Since: time.Unix(1, 0).UTC(), To: newer, Kept: "2",
		Parties: []string{"{}"}}
	return s
}

// TestTable: every command has one answer in every phase. A refusal names the interrupted change and the command that
// completes it, and nothing is refused on a host without one.
func TestTable(t *testing.T) {
	commands := []Command{Install, Upgrade, Rollback, Uninstall, Secrets, Parties, Keys, Prepare, Backup, Schedule,
		Restore, Clean}
	want := map[Phase]string{ // a letter for each command
		Absent:          "SMMSMMNNMMMM",
		Installed:       "SSSSSSSNNNSN",
		Installing:      "R--S---N----",
		Upgrading:       "-RAS--------",
		RollingBack:     "--RS--------",
		Uninstalling:    "---R--------",
		ChangingSecrets: "---SR-------",
		ChangingParties: "---S-R------",
		ChangingKeys:    "---S--R-----",
		Restoring:       "---S------R-",
	}
	if len(want) != len(table) {
		t.Errorf("%d phases, the table has %d", len(want), len(table))
	}
	letters := map[Move]string{refuse: "-", Start: "S", Resume: "R", Abandon: "A", Nothing: "N", Missing: "M"}
	for phase, row := range want {
		got := ""
		for _, c := range commands {
			s := inPhase(phase)
			move, err := s.Decide(c)
			got += letters[move]
			if (err != nil) != (move == refuse) {
				t.Errorf("%s, %s: %v", phase, c, err)
			}
			if err == nil {
				continue
			}
			hint := err.(*RefusedError).Hint()
			if !strings.Contains(err.Error(), s.Doing()+" was interrupted") || !strings.Contains(hint, "./newer do") {
				t.Errorf("%s, %s: %v; %s", phase, c, err, hint)
			}
		}
		if got != row {
			t.Errorf("%s: %s, want %s", phase, got, row)
		}
	}
}

// TestEveryChangeCanBeCompleted: from every phase that a command makes, the command itself resumes, and an uninstall
// leads to a host on which an install starts.
func TestEveryChangeCanBeCompleted(t *testing.T) {
	for command, phase := range phaseOf {
		s := inPhase(Installed)
		move, err := s.Decide(command)
		if err != nil {
			t.Fatal(err)
		}
		begun := s.Begin(command, move, Change{Command: "x", To: newer})
		if begun.Phase != phase || !begun.Interrupted() || begun.Release.FATE != older.FATE {
			t.Errorf("%s begins %+v", command, begun)
		}
		again, err := begun.Decide(command)
		if err != nil || again != Resume || !reflect.DeepEqual(begun.Begin(command, again, Change{Command: "y"}),
			begun) {
			t.Errorf("%s again: %v, %v", command, again, err)
		}
		if undone := begun.Undone(); !reflect.DeepEqual(undone, s) {
			t.Errorf("%s undone: %+v", command, undone)
		}
		if done := begun.Done(newer, "2"); done.Phase != Installed || done.Interrupted() || done.Slot != "2" ||
			!done.Release.Equal(newer) {
			t.Errorf("%s done: %+v", command, done)
		}
		if gone := begun.Gone(true); gone.Phase != Absent || gone.Interrupted() || !gone.Data.Equal(newer) {
			t.Errorf("uninstall after %s: %+v", command, gone)
		}
		if gone := begun.Gone(false); !reflect.DeepEqual(gone, State{Schema: Schema, Phase: Absent}) {
			t.Errorf("purge after %s: %+v", command, gone)
		}
	}
}

// TestFirstInstallUndone: nothing is installed then, and the data that it may have made is that of its release.
func TestFirstInstallUndone(t *testing.T) {
	s := State{Schema: Schema, Phase: Absent}.Begin(Install, Start, Change{To: newer})
	if undone := s.Undone(); undone.Phase != Absent || len(undone.Release.Components) > 0 || !undone.Data.Equal(newer) {
		t.Errorf("%+v", undone)
	}
}

// TestDerive reads what a release left that stored no state.
func TestDerive(t *testing.T) {
	for name, c := range map[string]struct {
		traces Traces
		phase  Phase
		slot   string
	}{
		"nothing":   {Traces{}, Absent, ""},
		"installed": {Traces{Site: true, Succeeded: true, Release: older}, Installed, ""},
		"upgraded": {Traces{Site: true, Succeeded: true, Release: older, Slots: []string{"2", "1"}},
			Installed, "2"},
		"first install was killed": {Traces{Site: true, Release: older}, Installing, ""},
		"without its journal":      {Traces{Site: true, Release: older, Slots: []string{"1", "2"}}, Installing, "2"},
	} {
		s := Derive(c.traces)
		if s.Phase != c.phase || s.Slot != c.slot || s.Interrupted() != (c.phase == Installing) {
			t.Errorf("%s: %+v", name, s)
		}
		if _, err := s.Encode(); err != nil {
			t.Error(err)
		}
	}
}

func TestEncodeAndDecode(t *testing.T) {
	for phase := range table {
		s := inPhase(phase)
		data, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(data); err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%s: %+v, %v", phase, got, err)
		}
	}
	for text, want := range map[string]string{
		``:                                          "unexpected end",
		`{"phase": "absent"}`:                       "no schema",
		`{"schema": 9, "phase": "absent"}`:          "newer fate-installer",
		`{"schema": 1, "phase": "asleep"}`:          `unknown phase "asleep"`,
		`{"schema": 1, "phase": "upgrading"}`:       "contradict",
		`{"schema":1,"phase":"absent","change":{}}`: "contradict",
	} {
		if _, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for phase := range table {
		data, err := inPhase(phase).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			return
		}
		_, _, _ = s.Doing(), s.Remedy(), s.InUse()
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(again); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}
