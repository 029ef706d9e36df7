// Package state is the state of a host as one explicit value: what is installed completely, which change is in
// progress, and in which direction. The value is stored before the first and after the last write of every changing
// command, so that a command that was interrupted is completed in its own direction, and one that contradicts it is
// refused.
//
//	absent ── install ──> installing ──> installed ── upgrade ───> upgrading ────────────┐
//	   ^                                     ^ │ ── rollback ──> rolling back ───────────┤
//	   │                                     │ │ ── install, secrets, party, keys, … ──> ┤
//	   └──── uninstalling <── uninstall ─────┼─┘                                         │
//	                                         └───────────────────────────────────────────┘
//
// The package is pure: [State.Decide] and the methods of [State] compute values, and reading and writing the file is
// the caller's. The table of what each command does in each phase is in table.go.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Schema is the version of the format that this program writes. A newer one is refused rather than misread.
const Schema = 1

// FileName is the name of the file in the installer's state directory, mode 0600.
const FileName = "state.json"

// Phase is the phase of a host.
type Phase string

// The phases. All but Absent and Installed have a change that is in progress or was interrupted.
const (
	Absent          Phase = "absent" // nothing is installed; data of an earlier installation may be kept
	Installed       Phase = "installed"
	Installing      Phase = "installing" // for the first time, or repairing and changing what is installed
	Upgrading       Phase = "upgrading"
	RollingBack     Phase = "rolling back"
	Uninstalling    Phase = "uninstalling"
	ChangingSecrets Phase = "changing passwords"
	ChangingParties Phase = "changing parties"
	ChangingKeys    Phase = "changing keys"
	Restoring       Phase = "restoring a backup"
)

// Command is a kind of command that changes the host.
type Command string

// The commands.
const (
	Install   Command = "install"
	Upgrade   Command = "upgrade"
	Rollback  Command = "rollback"
	Uninstall Command = "uninstall"
	Secrets   Command = "secrets rotate"
	Parties   Command = "party"
	Keys      Command = "keys install"
	Prepare   Command = "check --fix"
	Backup    Command = "backup create"
	Schedule  Command = "backup schedule"
	Restore   Command = "restore"
	Clean     Command = "gc"
)

// Component identifies the content of a component.
type Component struct {
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// Release is a set of components.
type Release struct {
	FATE       string               `json:"fate,omitempty"`
	Components map[string]Component `json:"components,omitempty"`
}

// String names the release for a message.
func (r Release) String() string {
	if r.FATE != "" {
		return "FATE " + r.FATE
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.Components)) {
		names = append(names, name+" "+r.Components[name].Version)
	}
	return strings.Join(names, ", ")
}

// Equal reports whether two releases have the same components with the same content.
func (r Release) Equal(other Release) bool { return maps.Equal(r.Components, other.Components) }

// State is the state of a host.
type State struct {
	Schema int    `json:"schema"`
	Phase  Phase  `json:"phase"`
	Role   string `json:"role,omitempty"`  // of the side that is installed, or being installed
	Party  int    `json:"party,omitempty"` // 0: an exchange without an ID

	Release Release `json:"release,omitzero"` // what is installed completely; without components: nothing is
	Data    Release `json:"data,omitzero"`    // what kept data was last used by, while nothing is installed

	// Slot is the ID of the earlier state that rollback brings back; blank: none.
	Slot string `json:"slot,omitempty"`

	Change *Change `json:"change,omitempty"` // in progress, or interrupted

	// Unreported is the command that completed its change and may have ended before it said so. Run again, it says so,
	// instead of beginning another change.
	Unreported Command `json:"unreported,omitempty"`
}

// Change is the change that a command makes.
type Change struct {
	Command string    `json:"command"` // the command line that completes it
	Since   time.Time `json:"since"`

	To        Release  `json:"to,omitzero"`         // of install, upgrade and rollback
	Slot      string   `json:"slot,omitempty"`      // of rollback: the slot that is brought back
	Kept      string   `json:"kept,omitempty"`      // of upgrade and rollback: the slot with the state before
	From      Release  `json:"from,omitzero"`       // of a rollback that abandons: what the upgrade was to lead to
	Abandons  bool     `json:"abandons,omitempty"`  // of rollback: it takes back an upgrade that was not completed
	Consented bool     `json:"consented,omitempty"` // of rollback: to the loss of what was written since
	Programs  []string `json:"programs,omitempty"`  // of upgrade and rollback: programs that ran before
	Parties   []string `json:"parties,omitempty"`   // of party: the changes, as JSON
	Backup    string   `json:"backup,omitempty"`    // of restore: the digest of the backup
	Restored  Restored `json:"restored,omitempty"`  // of restore: how far it is
}

// Restored is how far a restore is.
type Restored string

// How far a restore is; blank: what is in use was not touched.
const (
	Staged  Restored = "staged"  // everything is loaded, and takes the place of what is in use
	Swapped Restored = "swapped" // what was restored is in use, and what was in use before is removed
)

// Interrupted reports whether a change is in progress.
func (s State) Interrupted() bool { return s.Change != nil }

// Decode reads a stored state.
func Decode(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, err
	}
	if s.Schema > Schema {
		return State{}, fmt.Errorf("it was written by a newer fate-installer (schema %d, this one knows %d)", s.Schema,
			Schema)
	}
	if s.Schema < 1 {
		return State{}, errors.New("it has no schema")
	}
	if _, known := table[s.Phase]; !known {
		return State{}, fmt.Errorf("it has the unknown phase %q", s.Phase)
	}
	if settled := s.Phase == Absent || s.Phase == Installed; settled != (s.Change == nil) {
		return State{}, fmt.Errorf("phase %q and its change contradict each other", s.Phase)
	}
	return s, nil
}

// Encode gives the file's content; the same state gives the same bytes.
func (s State) Encode() ([]byte, error) {
	s.Schema = Schema
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the state of the host: %w", err)
	}
	return append(data, '\n'), nil
}

// Traces are the signs of an installation without a stored state: one made by a release that wrote none.
type Traces struct {
	Site      bool // the file that says what was asked for is there
	Role      string
	Party     int
	Release   Release // of the site
	Succeeded bool    // a run of the engine succeeded once
	Slots     []string
}

// Derive gives the state of a host without a stored one.
func Derive(t Traces) State {
	s := State{Schema: Schema, Phase: Absent}
	if !t.Site {
		return s
	}
	s.Role, s.Party = t.Role, t.Party
	if len(t.Slots) > 0 {
		s.Slot = slices.Max(t.Slots) // also of an interrupted run: what no state names is removed in the end
	}
	if !t.Succeeded {
		s.Phase = Installing
		s.Change = &Change{Command: "fate-installer install", To: t.Release}
		return s
	}
	s.Phase, s.Release = Installed, t.Release
	return s
}

// Begin is the state in which a command makes its change. The move is the result of [State.Decide].
func (s State) Begin(c Command, m Move, change Change) State {
	if m == Resume {
		if len(change.Parties) > 0 {
			resumed := *s.Change
			resumed.Parties = change.Parties
			s.Change = &resumed
		}
		return s
	}
	s.Phase, s.Change, s.Unreported = phaseOf[c], &change, ""
	return s
}

// Done is the state after a change: with the release that it led to.
func (s State) Done(release Release, slot string) State {
	s.Phase, s.Release, s.Slot, s.Change, s.Data, s.Unreported = Installed, release, slot, nil, Release{}, ""
	return s
}

// Gone is the state after an uninstall. With the data the release that it was used by is remembered.
func (s State) Gone(keepsData bool) State {
	out := State{Schema: Schema, Phase: Absent}
	if !keepsData {
		return out
	}
	out.Data = s.InUse()
	return out
}

// InUse is the release that may have written the data: the one that the change in progress leads to, the one that is
// installed, or the one that last was.
func (s State) InUse() Release {
	out := s.Data
	if len(s.Release.Components) > 0 {
		out = s.Release
	}
	if s.Change != nil && len(s.Change.To.Components) > 0 {
		out = s.Change.To
	}
	return out
}

// Undone is the state after a change that was taken back. The data that a first install made stays.
func (s State) Undone() State {
	if len(s.Release.Components) == 0 {
		return s.Gone(true)
	}
	s.Phase, s.Change = Installed, nil
	return s
}
