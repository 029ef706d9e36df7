package ansiblefate

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/fate/keys"
)

// Make lays out a host below dir, which must exist.
func Make(dir string, o Options) error {
	h, err := newHost(o)
	if err != nil {
		return fmt.Errorf("cannot lay out a host: %w", err)
	}
	files, err := h.files()
	if err != nil {
		return fmt.Errorf("cannot lay out a host: %w", err)
	}
	for _, d := range h.emptyDirs() {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	for _, component := range h.Linked {
		if err := h.link(dir, component); err != nil {
			return err
		}
	}
	for _, f := range files {
		if h.Laid && f.brought {
			continue
		}
		if err := f.write(dir); err != nil {
			return err
		}
	}
	return nil
}

func (h *host) files() ([]file, error) {
	files := slices.Concat(h.systemFiles(), h.supervisorFiles(), []file{h.environmentFile()})
	eggroll := []string{"clustermanager", "nodemanager", "rollsite", "fateflow"}
	if slices.ContainsFunc(eggroll, h.runs) {
		files = append(files, h.eggrollFiles()...)
	}
	if h.runs("fateflow") || h.runs("nodemanager") {
		files = append(files, h.flowFiles()...)
	}
	if h.runs("fateboard") {
		files = append(files, h.boardFiles()...)
	}
	if h.runs("mysql") {
		files = append(files, h.mysqlFiles()...)
	}
	if h.HA {
		files = append(files, h.balancerFiles()...)
	}
	if h.TLS && h.runs("rollsite") {
		set, err := keys.New(keys.Request{SharedCA: true, Now: time.Now(), Random: rand.Reader, Sides: []keys.Side{
			{Role: h.Role, Names: []string{h.IP}}, {Role: h.otherRole(), Names: []string{h.Peer}}}})
		if err != nil {
			return nil, err
		}
		for _, k := range set.Sides[h.Role] {
			files = append(files, file{path: path.Join(h.l.Keys(), k.Name), text: string(k.Content)})
		}
	}
	if h.Running {
		files = append(files, h.processFiles()...)
	}
	return files, nil
}

func (h *host) otherRole() string {
	if h.Role == "exchange" || h.Exchange == "" && h.Role == "guest" {
		return "host"
	}
	if h.Exchange != "" {
		return "exchange"
	}
	return "guest"
}

func (h *host) emptyDirs() []string {
	out := []string{path.Join(h.l.Projects(), "snmp"), h.l.Temp(), path.Dir(h.l.SupervisorLog()),
		path.Join(h.javaHome(), "bin"), path.Join(h.l.Backups(), "eggroll", "conf")}
	for _, component := range []string{"mysql", "eggroll/eggroll", "fateflow", "fateboard"} {
		out = append(out, h.l.ComponentLogs(component))
	}
	return out
}

// link puts a component's tree into BASE/trees and a link in its place, as sites do that moved one to a larger disk.
func (h *host) link(dir, component string) error {
	place := path.Join(h.l.Project(), component)
	tree := path.Join(h.l.Base, "trees", component)
	if err := os.MkdirAll(filepath.Join(dir, tree), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, place)), 0o755); err != nil {
		return err
	}
	rel, err := filepath.Rel(filepath.Dir(place), tree)
	if err != nil {
		return err
	}
	return os.Symlink(rel, filepath.Join(dir, place))
}

func (f file) write(dir string) error {
	name := filepath.Join(dir, f.path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if f.link != "" {
		return os.Symlink(f.link, name)
	}
	mode := fs.FileMode(0o644)
	if f.mode != 0 {
		mode = fs.FileMode(f.mode)
	}
	return os.WriteFile(name, []byte(f.text), mode)
}

// Edit replaces a text of a file of the tree, as an operator does by hand. A text that is not there is an error.
func Edit(dir, name, old, text string) error {
	file := filepath.Join(dir, name)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !strings.Contains(string(data), old) {
		return fmt.Errorf("cannot edit %s: it has no %q", name, old)
	}
	return os.WriteFile(file, []byte(strings.Replace(string(data), old, text, 1)), 0o644)
}
