package payload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// ExtractFiles extracts some entries of a component, as Extract does, with the directories that they are in. It reads
// and proves the component's frames from the first until every entry has come; the format has no index of entries. A
// hard link comes with the file that it leads to. It is an error when the component lacks an entry.
func (p *Payload) ExtractFiles(ctx context.Context, t Target, names []string, o ExtractOptions) error {
	t.only = map[string]bool{}
	add := func(names []string) {
		for _, name := range names {
			for name = path.Clean(name); name != "." && name != "/"; name = path.Dir(name) {
				t.only[name] = true
			}
		}
	}
	add(names)
	for {
		err := p.ExtractAll(ctx, []Target{t}, o)
		var links *unmetLinksError
		if !errors.As(err, &links) {
			return err
		}
		add(links.files)
	}
}

// unmetLinksError means that hard links were extracted without the files that they lead to.
type unmetLinksError struct{ files []string }

func (e *unmetLinksError) Error() string {
	return "hard links lead to " + strings.Join(e.files, ", ") + ", which was not extracted"
}

// wants reports whether an entry is extracted.
func (d *destination) wants(name string) bool { return d.only == nil || d.only[name] }

// note takes an entry that came off what is left. The caller holds d.mu.
func (d *destination) note(e entry) {
	if d.only == nil {
		return
	}
	delete(d.left, e.name)
	if e.kind == kindLink && !d.only[e.target] {
		d.unmet = append(d.unmet, e.target)
	}
}

// hasAll reports whether everything that was asked for has come, when that is not the whole component.
func (d *destination) hasAll() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.only != nil && len(d.left) == 0
}

// checkPart reports what is missing of a part of a component.
func (d *destination) checkPart() error {
	if len(d.unmet) > 0 {
		return &unmetLinksError{d.unmet}
	}
	if len(d.left) > 0 {
		return fmt.Errorf("the component has no %s", strings.Join(slices.Sorted(maps.Keys(d.left)), ", "))
	}
	return nil
}
