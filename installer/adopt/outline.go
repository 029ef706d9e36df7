package adopt

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/redact"
)

// Origin is a value of the cluster file with the place that it comes from.
type Origin struct {
	Key   string `json:"key"`   // of the cluster file, with those above it, joined by dots
	Value string `json:"value"` // as the file has it
	From  string `json:"from"`  // file:line, or what it follows from
}

// outline is the cluster file while it is made: a tree of keys, each with the place its value comes from. It is
// written one value a line, so that a mistake in a line is a mistake in that value.
type outline struct {
	root  *item
	lines []*item // of what was written last, by line number
}

// item is a key with a value or with items below it.
type item struct {
	key    string
	value  string // a scalar or a flow collection in YAML; blank where there are items below
	from   string
	parent *item
	below  []*item
	inList bool // it is an element of a list, whose first key stands after a dash
	whole  bool // without it its parent means something else: they go together
}

func newOutline() *outline { return &outline{root: &item{}} }

// block adds a key for items below it.
func (i *item) block(key string) *item {
	b := &item{key: key, parent: i}
	i.below = append(i.below, b)
	return b
}

// set adds a value.
func (i *item) set(key, value, from string) *item {
	v := &item{key: key, value: value, from: from, parent: i}
	i.below = append(i.below, v)
	return v
}

// element adds an element to a list.
func (i *item) element(key, value, from string) *item {
	e := &item{key: key, value: value, from: from, parent: i, inList: true}
	i.below = append(i.below, e)
	return e
}

// drop takes a value out of the file.
func (o *outline) drop(i *item) {
	for i.whole && i.parent != o.root {
		i = i.parent
	}
	for p := i.parent; p != nil; i, p = p, p.parent {
		p.below = slices.DeleteFunc(p.below, func(x *item) bool { return x == i })
		if len(p.below) > 0 || p.inList {
			return // a block without a key is no block
		}
	}
}

// at finds the value in a line of what was written.
func (o *outline) at(line int) *item {
	if line < 1 || line > len(o.lines) {
		return nil
	}
	return o.lines[line-1]
}

// write gives the file, with the place of each value in a comment.
func (o *outline) write(head ...string) []byte {
	var b bytes.Buffer
	o.lines = nil
	for _, h := range head {
		fmt.Fprintf(&b, "# %s\n", h)
		o.lines = append(o.lines, nil)
	}
	for _, i := range o.root.below {
		o.writeItem(&b, i, "")
	}
	return b.Bytes()
}

func (o *outline) writeItem(b *bytes.Buffer, i *item, indent string) {
	o.lines = append(o.lines, i)
	lead := indent
	if i.inList {
		lead = indent + "- "
	}
	switch {
	case i.inList && i.key == "":
		b.WriteString(lead + i.value)
	case i.value == "":
		b.WriteString(lead + i.key + ":")
	default:
		b.WriteString(lead + i.key + ": " + i.value)
	}
	if i.from != "" {
		b.WriteString(" # " + redact.Printable(i.from)) // a name of a file may have the end of a line
	}
	b.WriteByte('\n')
	for _, sub := range i.below {
		o.writeItem(b, sub, indent+"  ")
	}
}

// origins lists the values with their places.
func (o *outline) origins() []Origin {
	out := []Origin{}
	var walk func(i *item, path string)
	walk = func(i *item, path string) {
		index := 0
		for _, sub := range i.below {
			key := joinKey(path, sub.key)
			if sub.inList {
				key = path + "[" + strconv.Itoa(index) + "]"
				index++
			}
			if sub.value != "" {
				shown := key
				if sub.inList && sub.key != "" {
					shown = joinKey(key, sub.key)
				}
				out = append(out, Origin{shown, sub.value, sub.from})
			}
			walk(sub, key)
		}
	}
	walk(o.root, "")
	return out
}

// text writes a text as one YAML scalar that no reader takes for a number or a word with a meaning.
func text(s string) string {
	plain := s != "" && !isNumber(s) && plainScalar(s) == s && strings.ContainsAny(s[:1],
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/") &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return r > '~' || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-", r)
		})
	if plain || isAddress(s) {
		return s
	}
	return strconv.Quote(s)
}

// isAddress reports an IPv4 address, which no reader takes for a number.
func isAddress(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return false
	}
	for _, p := range parts {
		if n, err := strconv.Atoi(p); err != nil || n < 0 || n > 255 || p != strconv.Itoa(n) {
			return false
		}
	}
	return true
}

// texts writes a list in one line.
func texts(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = text(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// at is a place in a file.
func at(file string, line int) string {
	if line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(line)
}
