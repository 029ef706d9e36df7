package state

import "fmt"

// Move is the action of a command on a host in a phase.
type Move int

// The moves.
const (
	refuse  Move = iota
	Start        // it begins a change of its own
	Resume       // it completes the interrupted change, which is its own
	Abandon      // it takes the interrupted change back: rollback of an upgrade
	Nothing      // it changes nothing that the state is about, and may run
	Missing      // nothing is installed that it could change; the command says so itself
)

// phaseOf is the phase in which a command does its change.
var phaseOf = map[Command]Phase{
	Install: Installing, Upgrade: Upgrading, Rollback: RollingBack, Uninstall: Uninstalling,
	Secrets: ChangingSecrets, Parties: ChangingParties, Keys: ChangingKeys,
	Restore: Restoring,
}

// table has the action of each command in each phase. What is not in a row is refused.
//
// uninstall is possible in every phase: it is the way out when a change can be completed no more. rollback takes back
// an upgrade that was not completed, since the upgrade may have stopped because the new release does not work.
var table = map[Phase]map[Command]Move{
	Absent: {
		Install: Start, Uninstall: Start, Prepare: Nothing, Keys: Nothing,
		Upgrade: Missing, Rollback: Missing, Secrets: Missing, Parties: Missing,
		Backup: Missing, Schedule: Missing, Restore: Missing, Clean: Missing,
	},
	Installed: {
		Install: Start, Upgrade: Start, Rollback: Start, Uninstall: Start, Secrets: Start, Parties: Start, Keys: Start,
		Prepare: Nothing, Backup: Nothing, Schedule: Nothing, Restore: Start, Clean: Nothing,
	},
	Installing:      {Install: Resume, Uninstall: Start, Prepare: Nothing},
	Upgrading:       {Upgrade: Resume, Rollback: Abandon, Uninstall: Start},
	RollingBack:     {Rollback: Resume, Uninstall: Start},
	Uninstalling:    {Uninstall: Resume},
	ChangingSecrets: {Secrets: Resume, Uninstall: Start},
	ChangingParties: {Parties: Resume, Uninstall: Start},
	ChangingKeys:    {Keys: Resume, Uninstall: Start},
	Restoring:       {Restore: Resume, Uninstall: Start},
}

// Decide says what a command does on the host, or refuses it with a [*RefusedError].
func (s State) Decide(c Command) (Move, error) {
	if move := table[s.Phase][c]; move != refuse {
		return move, nil
	}
	return refuse, &RefusedError{State: s, Command: c}
}

// RefusedError means that a command contradicts a change that was interrupted.
type RefusedError struct {
	State   State
	Command Command
}

// wanted is the command as what cannot be done.
var wanted = map[Command]string{
	Install: "install", Upgrade: "upgrade", Rollback: "roll back", Secrets: "change passwords",
	Parties: "change the parties",
	Keys:    "install keys", Prepare: "prepare the system", Backup: "back up", Schedule: "schedule backups",
	Restore: "restore", Clean: "remove files",
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("cannot %s: %s was interrupted, and has to be completed first",
		wanted[e.Command], e.State.Doing())
}

// Hint says which command to run.
func (e *RefusedError) Hint() string { return e.State.Remedy() }

// Doing names the change in progress, as in "an upgrade to FATE 1.11.4".
func (s State) Doing() string {
	to := ""
	if s.Change != nil && len(s.Change.To.Components) > 0 {
		to = s.Change.To.String()
	}
	switch s.Phase {
	case Installing:
		if len(s.Release.Components) > 0 {
			return "an install on the installed host"
		}
		return joined("an installation", "of", to)
	case Upgrading:
		return joined("an upgrade", "to", to)
	case RollingBack:
		return joined("a rollback", "to", to)
	case Uninstalling:
		return "an uninstall"
	case ChangingSecrets:
		return "a change of passwords"
	case ChangingParties:
		return "a change of the parties"
	case ChangingKeys:
		return "an installation of keys"
	case Restoring:
		return "a restore"
	}
	return "no change"
}

func joined(what, preposition, to string) string {
	if to == "" {
		return what
	}
	return what + " " + preposition + " " + to
}

// Remedy says which command completes the interrupted change, and which takes it back.
func (s State) Remedy() string {
	if s.Change == nil {
		return ""
	}
	text := "complete it: " + s.Change.Command
	if s.Phase == Upgrading {
		text += "\nor take it back: fate-installer rollback"
	}
	return text
}
