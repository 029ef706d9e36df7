// Package step holds the kinds of steps that plans are made of, one file each. A step is plain data; what it works with
// comes in [engine.Env].
//
// Every kind keeps the same promises, and one test suite holds them all to it: Check finds work to do, Apply does it,
// Check finds it done; Apply twice is Apply once; Undo brings back what was before; an end of the context and a
// failing disk leave nothing that the next Apply does not put right. In a directory tree without commands a step does
// the part of its work that is files.
package step

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"fate-installer/installer/engine"
)

// The kinds, as they begin an ID. They are written in journals and never change.
const (
	kindDir        = "dir"
	kindFile       = "file"
	kindSymlink    = "link"
	kindBlock      = "block"
	kindUser       = "user"
	kindGroup      = "group"
	kindUnpack     = "unpack"
	kindSelf       = "self"
	kindBootUnit   = "unit"
	kindBootScript = "boot"
	kindPrograms   = "start"
	kindLimits     = "limits"
	kindSysctl     = "sysctl"
	kindSwap       = "swap"
	kindSELinux    = "selinux"
	kindFirewall   = "firewall"
	kindSudoers    = "sudoers"
	kindLibrary    = "library"
	kindHostname   = "hostname"
	kindDocs       = "docs"
)

// Undoer is the [engine.Resolver] of this package: the zero value of the kind that the ID begins with. Kinds that
// hold data have none.
func Undoer(stepID string) (engine.Undoer, bool) {
	kind, _, _ := strings.Cut(stepID, ":")
	u, ok := undoers[kind]
	return u, ok
}

// undoers must have every kind that implements engine.Undoer; a test compares.
var undoers = map[string]engine.Undoer{
	kindDir:        Dir{},
	kindFile:       File{},
	kindSymlink:    Symlink{},
	kindBlock:      Block{},
	kindUser:       User{},
	kindGroup:      Group{},
	kindUnpack:     Unpack{},
	kindSelf:       Self{},
	kindBootUnit:   BootUnit{},
	kindBootScript: BootScript{},
	kindPrograms:   StartPrograms{},
	kindLimits:     Limits{},
	kindSysctl:     Sysctl{},
	kindSwap:       Swap{},
	kindSELinux:    SELinux{},
	kindFirewall:   Firewall{},
	kindSudoers:    Sudoers{},
	kindLibrary:    CompatLibrary{},
	kindHostname:   Hostname{},
	kindDocs:       Docs{},
}

// pack encodes what an Undo needs. The types given to it hold strings and numbers, so that it cannot fail.
func pack(before any) json.RawMessage {
	b, err := json.Marshal(before)
	if err != nil {
		panic(fmt.Sprintf("step: state before is not JSON: %v", err))
	}
	return b
}

// decode decodes what pack encoded, in an earlier run and maybe by an earlier release.
func decode[T any](before json.RawMessage) (T, error) {
	var t T
	if err := json.Unmarshal(before, &t); err != nil {
		return t, fmt.Errorf("cannot read the state before: %w", err)
	}
	return t, nil
}

// notExist reports whether err says that something is not there.
func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// todo is a finding that something has to be done.
func todo(why string, before any, mark string) engine.Finding {
	return engine.Finding{Why: why, Before: pack(before), Mark: mark}
}

// union returns the elements of both lists once, those of the first list first.
func union[T comparable](a, b []T) []T {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
