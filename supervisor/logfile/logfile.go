package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
)

// Paths are where a program's two streams go. Equal paths mean one file for both; "" means nowhere.
type Paths struct{ Out, Err string }

// PathsOf resolves AUTO and NONE. AUTO files lie in dir.
func PathsOf(p *config.Program, dir string) Paths {
	resolve := func(v, stream string) string {
		switch v {
		case "NONE":
			return ""
		case "AUTO", "":
			return filepath.Join(dir, p.Name+"-"+stream+".log")
		}
		return v
	}
	l := Paths{Out: resolve(p.StdoutLogfile, "stdout")}
	if p.RedirectStderr {
		l.Err = l.Out
	} else {
		l.Err = resolve(p.StderrLogfile, "stderr")
	}
	return l
}

// Distinct lists the files, without doubles.
func (l Paths) Distinct() []string {
	var out []string
	if l.Out != "" {
		out = append(out, l.Out)
	}
	if l.Err != "" && l.Err != l.Out {
		out = append(out, l.Err)
	}
	return out
}

// Open opens both files for a program to append to.
func (l Paths) Open(a account.User) (stdout, stderr *os.File, err error) {
	if stdout, err = Open(l.Out, a); err != nil {
		return nil, nil, err
	}
	if l.Err != l.Out {
		stderr, err = Open(l.Err, a)
	} else {
		stderr, err = beneath.Dup(stdout)
	}
	if err != nil {
		stdout.Close()
		return nil, nil, err
	}
	return stdout, stderr, nil
}

// Open opens a log file for a program to append to. O_APPEND makes two writers of one file, and rotation
// by truncation, safe.
func Open(path string, a account.User) (*os.File, error) {
	if path == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	return openWith(path, a, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
}

func openWith(path string, a account.User, flags int) (*os.File, error) {
	var f *os.File
	err := a.Do(func() (err error) {
		f, err = openFile(path, a, flags)
		return err
	})
	if errors.Is(err, os.ErrPermission) && !a.Self {
		// As supervisord does it: root opens /var/log/x.log for a program that may not.
		if f, err = openForRoot(path, flags, err); err == nil {
			err = f.Chown(a.UID, a.GID)
		}
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, fmt.Errorf("cannot open the log file %s%s: %w", path, asUser(a), beneath.WithoutPath(err))
	}
	info, err := f.Stat()
	if _, own := ownOutput(path); err == nil && !own && !info.Mode().IsRegular() && info.Mode()&os.ModeCharDevice == 0 {
		err = fmt.Errorf("cannot write the log to %s: it is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Empty truncates a program's log. A program that holds it open goes on writing to it.
func Empty(path string, a account.User) error {
	return a.Do(func() error {
		f, err := openFile(path, a, os.O_WRONLY)
		if err != nil {
			return err
		}
		return errors.Join(f.Truncate(0), f.Close())
	})
}

// asUser says in an error whose rights were not enough.
func asUser(a account.User) string {
	if a.Self {
		return ""
	}
	return " as user " + a.Name
}

// openForRoot opens a log with the daemon's own rights where none but root can have put anything on the way to it.
// Elsewhere it returns refused.
func openForRoot(path string, flag int, refused error) (*os.File, error) {
	var f *os.File
	err := beneath.At(path, func(p *beneath.Place) (err error) {
		if p.Writer() != "" {
			return refused
		}
		f, err = openPlace(p, account.User{Self: true}, flag)
		return err
	})
	return f, err
}

// onlyRootWrites reports whether the directory of a file and all above it belong to root and are closed to everyone
// else.
func onlyRootWrites(path string) bool {
	only := false
	err := beneath.At(path, func(p *beneath.Place) error {
		only = p.Writer() == ""
		return nil
	})
	return err == nil && only
}

// Mark is a place in a log file: what was written after it belongs to the run it was taken for.
type Mark struct {
	File   beneath.FileID `json:"file"`
	Offset int64          `json:"offset"`
}

// MarkEnd marks the end of an open log.
func MarkEnd(f *os.File) Mark {
	info, err := f.Stat()
	if err != nil {
		return Mark{}
	}
	return Mark{File: beneath.IDOf(info), Offset: info.Size()}
}

// OpenToRead opens a log file for reading with the rights of the program's user.
func OpenToRead(path string, a account.User) (*os.File, error) {
	if path == "" {
		return nil, os.ErrNotExist
	}
	var f *os.File
	err := a.Do(func() (err error) {
		f, err = openFile(path, a, os.O_RDONLY)
		return err
	})
	if errors.Is(err, os.ErrPermission) && !a.Self {
		f, err = openForRoot(path, os.O_RDONLY, err)
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return f, nil
}

// lastLogBytes is how much of a log is read for its last lines.
const lastLogBytes = 8 << 10

// LastLines returns the last lines of a log file, only what was written after the mark when the file is still the
// marked one.
func LastLines(path string, a account.User, mark Mark, lines int) []string {
	f, err := OpenToRead(path, a)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	from := max(0, info.Size()-lastLogBytes)
	cut := from > 0
	if mark.File == beneath.IDOf(info) && mark.Offset <= info.Size() && mark.Offset >= from {
		from, cut = mark.Offset, false
	}
	data, err := io.ReadAll(io.NewSectionReader(f, from, lastLogBytes))
	if err != nil {
		return nil
	}
	if cut {
		if nl := bytes.IndexByte(data, '\n'); nl >= 0 && nl+1 < len(data) {
			data = data[nl+1:]
		}
	}
	text := strings.TrimRight(string(data), "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	for i, line := range all {
		all[i] = Printable(strings.TrimRight(line, "\r"))
	}
	return all[max(0, len(all)-lines):]
}

// Printable replaces what could move the cursor of a terminal or break an XML document.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
