package bundle

import (
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"
)

// resolveLinks gives every symbolic link its final target and refuses those that lead out of the tree.
//
// A link says where its target is in the source. Strip and rename may have moved the two apart, and a .deb may mean an
// absolute path of the installed system that another .deb of the component provides. So the target is looked up where
// the sources say it is, and the link is rewritten as a relative path from its place to the target's place; a link
// that is right as it stands keeps its spelling.
func (t *tree) resolveLinks() error {
	links := make([]*node, 0, 64)
	for _, n := range t.nodes {
		if n.kind == kindSymlink {
			links = append(links, n)
		}
	}
	sort.Slice(links, func(i, j int) bool { return links[i].path < links[j].path })
	for _, n := range links {
		target, reason := t.moveLink(n)
		if reason != "" {
			return &ArchiveError{Archive: n.from.name, Entry: n.stored, Reason: reason, hint: excludeHint}
		}
		n.target = target
	}
	for _, n := range links {
		switch end, err := t.follow(n); {
		case err == nil && !climbsFirst(n.target):
			n.target = relative(n.path, end)
		case errors.Is(err, errEscapes), !climbsFirst(n.target):
			return &ArchiveError{
				Archive: n.from.name, Entry: n.stored, hint: excludeHint,
				Reason: fmt.Sprintf(
					"is a symbolic link to %q, which leads out of the component, or nowhere by a way that cannot be "+
						"checked", n.target),
			}
		case err != nil:
			t.warnings = append(t.warnings, fmt.Sprintf("%s is a symbolic link to %s: %v", n.path, n.target, err))
		}
	}
	return nil
}

// moveLink returns the target n must have at its place in the tree, or why there is none.
func (t *tree) moveLink(n *node) (target, reason string) {
	meant := n.target
	if strings.HasPrefix(meant, "/") {
		if !n.from.system {
			return "", fmt.Sprintf("is an absolute symbolic link to %q", n.target)
		}
		meant = path.Clean(meant)[1:]
	} else {
		meant = path.Join(path.Dir(n.stored), meant)
	}
	if meant == "" {
		meant = "."
	}
	if meant == ".." || strings.HasPrefix(meant, "../") {
		return "", fmt.Sprintf("is a symbolic link to %q, which leads out of the source", n.target)
	}
	at, ok := t.placeOf(n.from, meant)
	if !ok {
		return "", fmt.Sprintf("is a symbolic link to %q, which strip: %d removes", n.target, n.from.source.Strip)
	}
	if !strings.HasPrefix(n.target, "/") && path.Join(path.Dir(n.path), n.target) == at {
		return n.target, ""
	}
	return relative(n.path, at), ""
}

// placeOf returns where the path p of a source is in the tree, whether or not something is there.
func (t *tree) placeOf(o *origin, p string) (string, bool) {
	if at, ok := o.placed[p]; ok {
		return at, true
	}
	if o.system {
		if at, ok := t.packages[p]; ok {
			return at, true
		}
	}
	return o.place(p)
}

// climbsFirst reports whether every ".." of a target comes before its first name. Only such links does an appliance
// take: the program that unpacks it sees from the link alone that it does not lead out.
func climbsFirst(target string) bool {
	named := false
	for element := range strings.SplitSeq(target, "/") {
		switch element {
		case "", ".":
		case "..":
			if named {
				return false
			}
		default:
			named = true
		}
	}
	return true
}

// maxHops is how many links Linux follows in one path.
const maxHops = 40

var errEscapes = errors.New("leads out of the component")

// follow walks a link as the kernel would and returns the path it ends at. Text alone cannot tell: with x -> a/b, the
// target x/../.. is two levels up from a/b and not from x.
func (t *tree) follow(n *node) (string, error) {
	at := splitPath(path.Dir(n.path))
	todo := strings.Split(n.target, "/")
	missing := ""
	for hops := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return "", errEscapes
			}
			at = at[:len(at)-1]
			continue
		}
		next := path.Join(append(at[:len(at):len(at)], name)...)
		found := t.nodes[next]
		if found == nil && missing == "" {
			missing = next // but keep walking by name, so that a way out is still seen
		}
		if found == nil || found.kind != kindSymlink {
			at = splitPath(next)
			continue
		}
		if hops++; hops > maxHops {
			return "", errors.New("links go round in circles")
		}
		todo = append(strings.Split(found.target, "/"), todo...)
	}
	if missing != "" {
		return "", fmt.Errorf("%s is not in the component", missing)
	}
	return path.Join(at...), nil
}
