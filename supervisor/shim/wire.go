package shim

import (
	"strconv"
	"syscall"
)

// Orders and reports are sequences of fields, each ended by a NUL byte, which no argument, variable or path can
// contain. The last field of an order is a mark: without it, the daemon died while writing.
const lastField = "go"

// Encode writes the orders.
func (s *Spec) Encode() []byte {
	var e encoder
	e.text(s.Path)
	e.list(s.Argv)
	e.list(s.Env)
	e.text(s.Tasks)
	e.text(s.Dir)
	e.number(int64(s.Umask))
	e.number(int64(len(s.Limits)))
	for _, l := range s.Limits {
		e.text(l.Name)
		e.number(int64(l.Resource))
		e.number(int64(l.Soft))
		e.number(int64(l.Hard))
	}
	if s.OOMScoreAdj == nil {
		e.text("")
	} else {
		e.number(int64(*s.OOMScoreAdj))
	}
	e.flag(s.SetUser)
	e.number(int64(s.UID))
	e.number(int64(s.GID))
	e.number(int64(len(s.Groups)))
	for _, g := range s.Groups {
		e.number(int64(g))
	}
	e.text(lastField)
	return e
}

// decode reads orders; it reports false if they are not whole.
func decode(data []byte) (*Spec, bool) {
	d := decoder{rest: data, ok: true}
	s := &Spec{Path: d.text(), Argv: d.list(), Env: d.list(), Tasks: d.text(), Dir: d.text(),
		Umask: int(d.number())}
	for n := d.count(); n > 0; n-- {
		s.Limits = append(s.Limits, Limit{d.text(), int(d.number()), uint64(d.number()), uint64(d.number())})
	}
	if text := d.text(); text != "" {
		score, err := strconv.Atoi(text)
		s.OOMScoreAdj = &score
		d.ok = d.ok && err == nil
	}
	s.SetUser = d.text() == "1"
	s.UID, s.GID = int(d.number()), int(d.number())
	for n := d.count(); n > 0; n-- {
		s.Groups = append(s.Groups, int(d.number()))
	}
	d.ok = d.ok && d.text() == lastField && len(d.rest) == 0 && len(s.Argv) > 0
	return s, d.ok
}

// Outcome is what the shim reports.
type Outcome struct {
	Notes []string // what is not quite as ordered, in words for the daemon's log
	Last  bool     // all is done but to execute the program: without it, the shim ended before it could
	Err   *Error   // why there is no program; nil if there is
}

// What a message of a report is.
const (
	noteField  = "note"
	lastOrder  = "last"
	errorField = "error"
)

// Encode writes a report. Reports that follow one another are one report.
func (o *Outcome) Encode() []byte {
	var e encoder
	for _, n := range o.Notes {
		e.text(noteField)
		e.text(n)
	}
	if o.Last {
		e.text(lastOrder)
	}
	if o.Err != nil {
		e.text(errorField)
		e.text(o.Err.Step)
		e.number(int64(o.Err.Errno))
	}
	return e
}

// DecodeOutcome reads a report; it reports false if it is not one.
func DecodeOutcome(data []byte) (*Outcome, bool) {
	d := decoder{rest: data, ok: true}
	o := &Outcome{}
	for d.ok && len(d.rest) > 0 && o.Err == nil {
		switch d.text() {
		case noteField:
			o.Notes = append(o.Notes, d.text())
		case lastOrder:
			o.Last = true
		case errorField:
			o.Err = &Error{Step: d.text(), Errno: syscall.Errno(d.number())}
		default:
			d.ok = false
		}
	}
	return o, d.ok && len(d.rest) == 0
}

type encoder []byte

func (e *encoder) text(s string)  { *e = append(append(*e, s...), 0) }
func (e *encoder) number(n int64) { e.text(strconv.FormatInt(n, 10)) }

func (e *encoder) flag(b bool) {
	if b {
		e.text("1")
	} else {
		e.text("0")
	}
}

func (e *encoder) list(words []string) {
	e.number(int64(len(words)))
	for _, w := range words {
		e.text(w)
	}
}

type decoder struct {
	rest []byte
	ok   bool
}

func (d *decoder) text() string {
	for i, c := range d.rest {
		if c == 0 {
			s := string(d.rest[:i])
			d.rest = d.rest[i+1:]
			return s
		}
	}
	d.ok, d.rest = false, nil
	return ""
}

func (d *decoder) number() int64 {
	n, err := strconv.ParseInt(d.text(), 10, 64)
	d.ok = d.ok && err == nil
	return n
}

// count reads the length of a list. Each item takes a byte at least, which bounds what a damaged one can ask for.
func (d *decoder) count() int {
	n := d.number()
	if !d.ok || n < 0 || n > int64(len(d.rest)) {
		d.ok = false
		return 0
	}
	return int(n)
}

func (d *decoder) list() []string {
	n := d.count()
	words := make([]string, 0, n)
	for ; n > 0; n-- {
		words = append(words, d.text())
	}
	return words
}
