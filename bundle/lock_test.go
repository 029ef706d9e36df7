package bundle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fate-installer/payload"
)

// head is a lock up to its components.
const head = "schema: 1\nrelease: {fate: 1.11.4, platform: linux/amd64}\ncomponents:\n"

const digestA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestParseLock(t *testing.T) {
	got, err := ParseLock("release/x.yaml", []byte(`# a comment
schema: 1
release:
  fate: 1.10            # not the number 1.1
  platform: linux/arm64
  revision: 7
  env: {FATE: 1.10, JDK: 8}
components:
  - name: jdk
    version: 8
    license: GPL-2.0-only WITH Classpath-exception-2.0
    platform: any
    library_path: [lib, lib/server]
    host_libraries: [libaio.so.1, "libX*.so.?"]
    stand_in: true
    sources:
      - path: jdk.tar.xz
        member: a/b.tar
        format: tar
        sha256: `+digestA+`
        size: 12
        include: ["bin/**"]
        exclude: "*.pdf"
        strip: 1
        rename:
          - {from: usr/lib, to: .}
        into: sub/dir
        mode:
          - {match: "*.sh", mode: 0755}
        setuid: drop
        override: true
  - name: mysql
    version: 8.0.28
    sources:
      - url: https://example.org/a.tar?x=1
      - url:
          - https://example.org/b.deb
          - http://mirror.example.org/b.deb
        sha256:
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Lock{
		File: "release/x.yaml",
		Release: payload.Release{FATE: "1.10", Platform: "linux/arm64", Revision: 7,
			Env: map[string]string{"FATE": "1.10", "JDK": "8"}},
		Components: []Component{{
			Name: "jdk", Version: "8", License: "GPL-2.0-only WITH Classpath-exception-2.0", Platform: "any",
			LibraryPath: []string{"lib", "lib/server"}, HostLibraries: []string{"libaio.so.1", "libX*.so.?"},
			StandIn: true,
			Sources: []Source{{
				Path: "jdk.tar.xz", Member: "a/b.tar", Format: FormatTar, SHA256: digestA, Size: 12,
				Include: []string{"bin/**"}, Exclude: []string{"*.pdf"}, Strip: 1,
				Rename: []Rename{{"usr/lib", "."}}, Into: "sub/dir", Mode: []ModeRule{{"*.sh", 0o755}},
				Setuid: SetuidDrop, Override: true,
			}},
		}, {
			Name: "mysql", Version: "8.0.28",
			Sources: []Source{
				{URL: []string{"https://example.org/a.tar?x=1"}, Format: FormatAuto, Setuid: SetuidRefuse},
				{URL: []string{"https://example.org/b.deb", "http://mirror.example.org/b.deb"}, Format: FormatAuto,
					Setuid: SetuidRefuse},
			},
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Component{}, Source{})); diff != "" {
		t.Errorf("lock (-want +got):\n%s", diff)
	}
	if got := got.Components[1].Sources[1].line; got != 36 {
		t.Errorf("the last source is on line %d, want 36", got)
	}
	if got := got.Components[1].Sources[0].baseName(); got != "a.tar" {
		t.Errorf("base name %q, want a.tar", got)
	}
}

func TestParseLockProblems(t *testing.T) {
	source := func(s string) string {
		return head + "  - name: a\n    version: 1\n    sources:\n      - " + s + "\n"
	}
	tests := []struct {
		name, text string
		want       []string // one a problem: "line:column: message", by prefix
	}{
		{"empty", "", []string{"x.yaml: is empty"}},
		{"only a comment", "# nothing\n", []string{"x.yaml: is empty"}},
		{"not YAML", "a: [1,\n", []string{"x.yaml:1:"}},
		{"a list", "- 1\n", []string{"x.yaml:1:1: the lock must be a mapping of keys to values, not a list"}},
		{"two documents", head + "---\na: 1\n", []string{"x.yaml: has 2 YAML documents"}},
		{"a key twice", "schema: 1\nschema: 1\n", []string{`x.yaml:2:1: mapping key "schema" already defined`}},
		{"other schema", "schema: 2\n", []string{`x.yaml:1:9: schema "2" is not 1`}},
		{"no schema", "release: {fate: 1, platform: linux/amd64}\n", []string{"x.yaml:1:1: the lock has no schema"}},
		{"no release", "schema: 1\n", []string{"x.yaml:1:1: the lock must say which release"}},
		{"no components", head, []string{"x.yaml:1:1: the lock has no components"}},
		{"platform", "schema: 1\nrelease: {fate: 1, platform: amd64}\n",
			[]string{`x.yaml:2:30: release.platform "amd64" is not like linux/amd64`}},
		{"every mistake at once", head + "  - nme: a\n    version: a b\n    sources: x\n    stand_in: 1\n", []string{
			`x.yaml:4:5: unknown key "nme" in a component (did you mean "name"?)`,
			`x.yaml:4:5: a component needs a name`,
			`x.yaml:5:14: version "a b" is not a version`,
			`x.yaml:6:14: sources must be a list, not a single value`,
			`x.yaml:7:15: stand_in must be true or false`,
		}},
		{"unknown key far from all", source("zzzzzz: 1"),
			[]string{`x.yaml:7:9: unknown key "zzzzzz" in a source (known: exclude, format,`}},
		{"component twice", head +
			"  - {name: a, version: 1, sources: [{path: x}]}\n  - {name: a, version: 1, sources: [{path: x}]}\n",
			[]string{"x.yaml:5:5: component a is already on line 4"}},
		{"bad name", head + "  - {name: A/b, version: 1, sources: [{path: x}]}\n",
			[]string{`x.yaml:4:12: component name "A/b" must be lower-case`, "x.yaml:4:5: a component needs a name"}},
		{"neither path nor url", source("strip: 1"), []string{"x.yaml:7:9: a source needs either path or url"}},
		{"path and url", source("{path: a, url: http://h/x}"),
			[]string{"x.yaml:7:9: a source needs either path or url"}},
		{"anchor", source("path: &a x"), []string{"x.yaml:7:15: path must be a single value, not an anchor or alias"}},
		{"tag", source("path: !!str x"), []string{"x.yaml:7:15: path must be a single value, not a tag"}},
		{"digest in capitals", source("{path: a, sha256: " + strings.ToUpper(digestA) + "}"),
			[]string{"x.yaml:7:27: sha256 "}},
		{"size alone", source("{path: a, size: 1}"), []string{"x.yaml:7:9: size without sha256"}},
		{"negative size", source("{path: a, size: -1}"), []string{`x.yaml:7:25: size "-1" is not a whole number`}},
		{"absurd strip", source("{path: a, strip: 1000}"),
			[]string{"x.yaml:7:9: strip 1000 is more than any path has"}},
		{"parent in rename", source("{path: a, rename: [{from: ../x, to: y}]}"),
			[]string{`x.yaml:7:35: from "../x" has ".." in it`, "x.yaml:7:28: a rename needs from and to"}},
		{"unclean into", source("{path: a, into: b//c}"), []string{`x.yaml:7:25: into "b//c" must be written "b/c"`}},
		{"root into", source("{path: a, into: .}"), []string{`x.yaml:7:25: into "." is the whole tree`}},
		{"bad pattern", source(`{path: a, include: ["[a"]}`), []string{`x.yaml:7:29: include "[a" is not a pattern`}},
		{"setuid mode", source(`{path: a, mode: [{match: x, mode: "4755"}]}`),
			[]string{`x.yaml:7:43: mode "4755" is not like "0755"`, "x.yaml:7:26: a mode needs match and mode"}},
		{"unknown format", source("{path: a, format: rpm}"),
			[]string{`x.yaml:7:27: format "rpm" is not auto, tar, zip, deb, dir, file, wheels`}},
		{"wheels for no Python", source("{path: x, format: wheels}"),
			[]string{"x.yaml:7:9: format wheels and python: "}},
		{"Python without wheels", source("{path: x, python: 3.8}"), []string{"x.yaml:7:9: format wheels and python: "}},
		{"Python 2", source("{path: x, format: wheels, python: 2.7}"),
			[]string{`x.yaml:7:43: python "2.7" is not a version such as 3.8`}},
		{"strip of wheels", source("{path: x, format: wheels, python: 3.10, strip: 1}"),
			[]string{"x.yaml:7:9: strip has no meaning for wheels"}},
		{"member of a URL", source("{url: http://h/x, member: m}"), []string{"x.yaml:7:9: member needs a path"}},
		{"remote directory", source("{url: http://h/x, format: dir}"),
			[]string{"x.yaml:7:9: format dir needs a path and no member"}},
		{"password in a URL", source("url: https://me:secret@example.org/x"),
			[]string{`x.yaml:7:14: url "https://me:xxxxx@example.org/x" carries a user name or password`}},
		{"ftp", source("url: ftp://example.org/x"),
			[]string{`x.yaml:7:14: url "ftp://example.org/x" is not an http, https or file URL`}},
		{"control character", source(`path: "a\x07b"`),
			[]string{`x.yaml:7:15: path "a\ab" is empty or has control characters`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseLock("x.yaml", []byte(test.text))
			var got Problems
			if !errors.As(err, &got) {
				t.Fatalf("error %v, want Problems", err)
			}
			if len(got) != len(test.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(got), len(test.want), got)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(got[i].String(), want) {
					t.Errorf("problem %d is\n%s\nwant\n%s", i+1, got[i], want)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the message repeats the password: %v", err)
			}
		})
	}
}

func TestParseLockTooLarge(t *testing.T) {
	_, err := ParseLock("x.yaml", make([]byte, maxLockSize+1))
	if err == nil || !strings.Contains(err.Error(), "a lock has at most") {
		t.Errorf("error %v", err)
	}
}

func TestReadLockNotThere(t *testing.T) {
	_, err := ReadLock(filepath.Join(t.TempDir(), "no.yaml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want not exist", err)
	}
}

func TestUnlocked(t *testing.T) {
	l := &Lock{Components: []Component{{Name: "a", Sources: []Source{
		{Path: "x"},
		{Path: "y", SHA256: digestA},
		{Path: "whole", SHA256: digestA, Size: 1},
		{Path: "empty", SHA256: emptySHA256},
		{Path: "z", Member: "m"},
		{URL: []string{"http://h/z"}},
	}}}}
	want := []string{"a: x", "a: y", "a: z member m", "a: http://h/z"}
	if diff := cmp.Diff(want, l.Unlocked()); diff != "" {
		t.Errorf("unlocked (-want +got):\n%s", diff)
	}
}

// FuzzParseLock holds the parser to: no panic, and a lock it accepts satisfies what the builder relies on.
func FuzzParseLock(f *testing.F) {
	f.Add([]byte(head + "  - {name: a, version: 1, sources: [{path: x, strip: 1, rename: [{from: a, to: .}]}]}\n"))
	f.Add([]byte(head + "  - name: a\n    version: 1.10\n    sources:\n      - url: [http://h/x]\n        sha256:\n"))
	f.Add([]byte("{a: &x [*x]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock("x.yaml", data)
		if err != nil {
			return
		}
		for _, c := range l.Components {
			for i := range c.Sources {
				s := &c.Sources[i]
				if s.baseName() == "" && s.Path == "" {
					t.Errorf("source without a name: %+v", s)
				}
				for _, r := range s.Rename {
					if _, err := cleanPath(r.From); err != nil {
						t.Errorf("rename from %q: %v", r.From, err)
					}
				}
			}
		}
	})
}
