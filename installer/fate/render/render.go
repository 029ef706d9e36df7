package render

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
)

// File is one rendered file of a host. Rendering the same Spec again gives the same bytes.
type File struct {
	Path      string // absolute
	Content   []byte
	Perm      fs.FileMode
	Owner     string // user, or blank when the service user and group own it
	Group     string
	Secret    bool     // contains a password or key
	Given     bool     // its content was given, not rendered: it replaces whatever is there, edited or not
	Component string   // the component or area it belongs to, for reports
	Programs  []string // supervisor programs to restart when it changes
}

const (
	permConfig = fs.FileMode(0o644)
	PermSecret = fs.FileMode(0o600)
	permScript = fs.FileMode(0o755)
)

// Files gives every configuration file of a host in a fixed order. It is pure: no clock, no disk, no random source.
func Files(s *cluster.Spec) ([]File, error) {
	var files []File
	for _, render := range []func(*cluster.Spec) ([]File, error){
		renderEggroll, renderFlow, renderJobDefaults, renderBoard, renderDatabase, renderZooKeeper, renderNginx,
		renderQueues,
		renderEnvironment, renderClients, renderSupervisor,
	} {
		more, err := render(s)
		if err != nil {
			return nil, fmt.Errorf("cannot render the files of %s %s: %w", s.Role, s.IP, err)
		}
		files = append(files, more...)
	}
	if s.NeedsKeys() {
		files = append(files, InstalledKeys(s, s.Keys)...)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// running keeps the programs of those modules that run on this host.
func running(s *cluster.Spec, modules ...cluster.Module) []string {
	var out []string
	for _, m := range modules {
		if s.Runs(m) {
			out = append(out, m.Program())
		}
	}
	return out
}
