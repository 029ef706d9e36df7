package diagnosis

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/fate/keys"
	"fate-installer/installer/host"
	"fate-installer/installer/job"
	"fate-installer/installer/state"
)

// Files that the collector adds, besides those of early releases.
const (
	CertificatesName = "certificates.json"
	StateName        = "state.json"
	KernelName       = "kernel.json"
	VersionsName     = "versions.json"
	HostsName        = "hosts.json"
	JobsName         = "jobs.json"
	HistoryName      = "history.json"
	EditsDir         = "edits"
)

// change looks for a command that was interrupted.
func (x *analysis) change() {
	x.notLookedAt(StateName, "whether a command was interrupted")
	type change struct {
		Command string    `json:"command"`
		Since   time.Time `json:"since"`
	}
	type interrupted struct {
		Phase  state.Phase `json:"phase"`
		Change *change     `json:"change"`
	}
	s, ok := document[interrupted](x, StateName)
	if !ok || s.Change == nil {
		return
	}
	remedy := "every command that changes the host says there which one completes it: fate-installer install"
	if command, known := completedBy[s.Phase]; known {
		remedy = "run it again, which completes it: fate-installer " + string(command)
	}
	if x.here {
		remedy = "run it again, which completes it: " + s.Change.Command
	}
	x.found(Finding{"change-interrupted", Fault, "a command that changes this host was interrupted",
		"What it was to change is half done. Programs may be stopped, or run with a configuration that does not fit.",
		remedy,
		[]Evidence{x.said(StateName, `"change"`, fmt.Sprintf("begun at %s UTC and not ended: %s",
			s.Change.Since.UTC().Format(time.DateTime), s.Change.Command))}})
}

// completedBy are the commands that complete a change, by the phase that it is in.
var completedBy = map[state.Phase]state.Command{
	state.Installing: state.Install, state.Upgrading: state.Upgrade, state.RollingBack: state.Rollback,
	state.Uninstalling: state.Uninstall, state.ChangingSecrets: state.Secrets, state.ChangingParties: state.Parties,
	state.ChangingKeys: state.Keys, state.Restoring: state.Restore,
}

// disks looks at the room of the file systems that programs write to.
func (x *analysis) disks() {
	const file = "facts.json"
	x.notLookedAt(file, "the host and its file systems")
	type paths struct {
		Paths []host.PathFact `json:"paths"`
	}
	facts, _ := document[paths](x, file)
	seen := map[uint64]bool{}
	for _, dir := range []string{x.layout.Data(), x.layout.Logs(), x.layout.Projects(), x.layout.Temp()} {
		for _, p := range facts.Paths {
			if p.Path != dir || seen[p.Device] {
				continue
			}
			seen[p.Device] = true
			needle := fmt.Sprintf("%q: %q", "path", dir)
			text := job.SpaceText(dir, host.Space{Size: p.Size, Free: p.Free, Files: p.Inodes, FilesFree: p.InodesFree})
			switch {
			case strings.Contains(text, "nearly full"):
				x.foundCause("disk-nearly-full", Fault, x.said(file, needle, text))
			case text != "":
				x.foundCause("disk-full", Fault, x.said(file, needle, text))
			}
		}
	}
}

// MostKernel is how many records of the kernel's log a bundle has, the newest ones.
const MostKernel = 200

// KernelMessage is a record of the kernel's log.
type KernelMessage struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// kernel looks for processes that the kernel killed, and for disks that fail.
func (x *analysis) kernel() {
	x.notLookedAt(KernelName, "what the kernel killed")
	messages, _ := document[[]KernelMessage](x, KernelName)
	for _, m := range slices.Backward(messages[max(0, len(messages)-MostKernel):]) { // the newest first
		severity := Warning
		if x.lately(m.Time) {
			severity = Fault
		}
		e := Evidence{File: KernelName, Text: m.Time.UTC().Format(time.DateTime) + " " + m.Text,
			needle: m.Time.Format(time.RFC3339Nano)}
		switch {
		case KernelKilled(m.Text):
			x.foundCause("out-of-memory", severity, e)
		case KernelDisk(m.Text):
			x.found(Finding{"disk-faulty", severity, "a disk or its file system has errors",
				"The kernel could not read or write. Files may be damaged, and a file system may have become read-only.",
				"look at dmesg and at the disk (smartctl -a DEVICE); replace it if need be, then restore a backup: " +
					"fate-installer restore FILE", []Evidence{e}})
		}
	}
}

// KernelKilled reports whether a record of the kernel says that it killed a process for lack of memory.
func KernelKilled(text string) bool {
	return strings.Contains(text, "ut of memory: Killed process") || strings.Contains(text, "oom-kill:")
}

// KernelDisk reports whether a record of the kernel is about a disk or file system that fails.
func KernelDisk(text string) bool {
	for _, sign := range []string{"I/O error, dev ", "Buffer I/O error", "EXT4-fs error",
		"Remounting filesystem read-only", "metadata I/O error", "Corruption of in-memory data"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// certificates looks at those that rollsite uses, by the clock of the host when the bundle was made.
func (x *analysis) certificates() {
	x.notLookedAt(CertificatesName, "the certificates of rollsite")
	list, _ := document[[]keys.Certificate](x, CertificatesName)
	const renew = "make new ones with fate-installer keys --renew CA, then fate-installer install --keys; the other party " +
		"needs its part of them, too"
	for _, c := range list {
		e := x.said(CertificatesName, fmt.Sprintf("%q", c.File), path.Base(c.File)+": "+c.String())
		switch {
		case c.Validity == keys.Valid:
		case c.Bad():
			x.found(Finding{"certificate-invalid", Fault, "a certificate of rollsite cannot be used",
				"Other parties refuse it, so that no message passes between this party and them.", renew,
				[]Evidence{e}})
		default:
			x.found(Finding{"certificate-expiring", Warning, "a certificate of rollsite expires within 30 days",
				"Other parties refuse it from that day on.", renew, []Evidence{e}})
		}
	}
}
