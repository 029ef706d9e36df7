package deploy

import (
	"path/filepath"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/supervisor/rpc"

	"github.com/rs/zerolog"
)

// Command is the command that runs an operation, as far as the operation depends on it.
type Command struct {
	Base       string // base directory
	User       string // of the service; blank: not said
	Line       string // the whole command, as a shell takes it, without secrets
	Program    string // this program, as a shell finds it
	Sudo       string // the whole command with sudo
	OwnCluster bool   // it names a cluster file
	Payload    string // file of the appliance; blank: the running program
	Executable string // file of this program; blank: the running one

	// Docs gives the manual pages and the completion of the program with a digest, if the running one knows them; nil:
	// it knows none.
	Docs func(digest string) (docs []step.Doc, known bool)

	Parallel int // how many steps run at once; 0: as many as the engine likes
	Log      zerolog.Logger

	// Adopted are passwords that a restored backup brings: they are used where none is stored.
	Adopted cluster.Secrets

	// Client returns a client of the supervisor at a socket of a host, which fails for a tree. It takes secrets out of
	// what it shows of logs: the given ones, and those of the installation on this host.
	Client func(h *host.Host, socket string, secrets ...cluster.Secret) (*rpc.Client, error)
}

// StandardBase is the base directory where none is named.
const StandardBase = "/data"

// Installation is what a host keeps of what is installed below a base directory: its records, its journal, and the
// state that changes of it go through.
type Installation struct{ *place }

// NewInstallation gives the installation on a host, which need not have one yet. It reads nothing. Operations on it
// show what they do to report.
func NewInstallation(h *host.Host, cmd Command, report Reporter) *Installation {
	return &Installation{&place{cmd, h, report}}
}

// HistoryDir is where the record of who changed what on a host is.
func HistoryDir(l cluster.Layout) string { return filepath.Join(l.State(), "history") }
