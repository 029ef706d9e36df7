// Package bundle builds an appliance: it reads a lock file, fetches and checks the artifacts the lock names, lays each
// component out as one deterministic tar, and has package payload write them behind the program.
//
// # The lock file
//
// A lock is YAML. It says what goes into an appliance and, once filled, the exact bytes of every input, so that a
// reviewer can read it and a build from it gives the same file anywhere. Unknown keys, anchors, aliases and several
// documents are mistakes; every scalar is read as it is written (version: 1.10 is "1.10").
//
//	schema: 1
//	release:
//	  fate: 1.11.4                     # version of the FATE release
//	  platform: linux/amd64            # what the program part must be
//	  env: {FATE: 1.11.4, ...}         # optional: the release's fate.env, component versions by upstream's names
//	components:
//	  - name: jdk                      # [a-z0-9._-]; becomes jdk.tar.zst
//	    version: 8u345
//	    license: GPL-2.0-only          # SPDX expression; optional, goes into the SBOM
//	    platform: linux/amd64          # optional: default release.platform; "any" for what runs everywhere
//	    library_path: [lib]            # optional: directories for LD_LIBRARY_PATH of the component's programs (see Libraries)
//	    host_libraries: [libaio.so.1]  # optional: shared libraries that its programs need and every host is to have
//	    stand_in: true                 # optional: not the real software, and shown as such
//	    database: {template: no}       # optional: carry no data directory of a database server (see Databases)
//	    sources:                       # merged in this order into one tree
//	      - path: jdk-8u345.tar.xz     # file or directory, relative to the lock file
//	        member: a/b.tar.gz         # optional: take this member of the tar at path instead of all of it
//	        url: [https://…, …]        # instead of path: http, https or file; the later ones are mirrors
//	        format: auto               # auto (looks at the bytes), tar, zip, deb, dir, file or wheels
//	        python: "3.8"              # only with wheels, see there
//	        sha256: "…"                # of the file or member; of a directory: of its canonical tar
//	        size: 123456               # bytes of the same
//	        include: ["bin/**"]        # optional: only what matches (see Patterns)
//	        exclude: [share/doc]       # optional: not what matches
//	        strip: 1                   # optional: drop leading path elements
//	        rename:                    # optional, after strip: the first "from" that is the path or a parent of it applies
//	          - {from: usr/lib/jvm/java-17-openjdk-amd64, to: .}
//	        into: subdir               # optional, after rename: put everything below this directory
//	        mode:                      # optional: permissions of files that match (on the path as stored)
//	          - {match: "*.sh", mode: "0755"}
//	        setuid: refuse             # refuse (default), drop the bits, or allow them
//	        override: true             # optional: files replace different ones of earlier sources
//
// A directory has no format of its own: what include and exclude leave of it is read as a tar.
// A plain file is executable when it starts with "#!" or is an ELF program, whatever its mode on disk.
// A compressed file that holds no tar, and a ZIP named .jar, .war or .whl, is a plain file too.
//
// # Wheels
//
// With format wheels the source is a Python wheel, or a tar or directory of nothing else, and is installed as pip would
// into a Python environment of the version given by python: lib/python3.8/site-packages, bin, and so on below into. A
// wheel for another version or platform is refused. The programs in bin find the interpreter next to them, so the
// environment can be moved. include chooses wheels; exclude drops wheels, or files by their installed path.
//
// # Libraries
//
// Build looks for the shared libraries of every program as the dynamic loader of a host would that has the GNU C
// library and little else: by DT_RPATH and DT_RUNPATH with their tokens, and library_path. Without a library_path it
// finds out itself which directories of the tree are needed. It refuses a component with a program that would not find
// a library, names the two, and says what to do. host_libraries lists, with patterns of one path element, what is left
// to the host; libcrypt.so.1, libgcc_s.so.1, libstdc++.so.6 and libz.so.1 always are. Check looks for them there before
// anything is installed.
//
// # Databases
//
// Build starts the server of a component mysql or mariadb and has it make a data directory, which the component carries
// as share/fate-installer/datadir.tar.zst, and which hosts copy instead of making one. A server never makes the same
// bytes twice. What was made is kept in the cache under the digest of the component's tree: with that cache a second
// build gives the same bytes, and without it the component's digest is another one. A machine that cannot run the
// server, such as one of another platform, builds the component without, and says so.
//
// # Compiled code
//
// With a component python for this machine's platform, Build compiles the .py files of python, fate, fateflow and
// eggroll with its interpreter, to __pycache__/NAME.TAG.pyc of the kind that PEP 552 calls checked-hash, except tests
// and what else no program loads. The bytes depend on nothing but the sources and the interpreter.
//
// # Patterns
//
// A pattern is matched against the path as the source stores it, element by element: * ? [a-z] stay within an element,
// ** spans any number of them, a pattern without a slash matches a name at any depth, and a pattern that matches a
// directory covers all below it.
//
// # Trees
//
// The canonical tar of a component is sorted by path, owned by 0:0 and dated [Epoch]; parents come before children,
// hard links after the file they share, long names use PAX headers, and holes of sparse files are zeros. Device nodes,
// FIFOs, absolute and ".." paths, links that leave the tree, setuid and setgid bits, and two different files at one
// path are refused by name. Absolute symbolic links in a .deb are meant from the root of the installed system; they
// become relative links to where strip, rename and into have put their target.
package bundle

import (
	"strings"

	"fate-installer/payload"
)

// Schema is the version of the lock file format that this package reads and writes.
const Schema = 1

// PlatformAny is the platform of a component that runs everywhere: jars, scripts, data.
const PlatformAny = "any"

// Lock is the content of a lock file.
type Lock struct {
	File       string // name it was read from, for messages; relative source paths start at its directory
	Release    payload.Release
	Components []Component
}

// Component is one piece of software, unpacked as one tree.
type Component struct {
	Name        string
	Version     string
	License     string   // SPDX expression, may be empty
	Platform    string   // empty means the release's
	LibraryPath []string // directories of the tree for LD_LIBRARY_PATH; none means that Build computes them
	// HostLibraries are patterns for the shared libraries that its programs take from the host.
	HostLibraries []string
	StandIn       bool // replaces the real software in a demonstration
	NoTemplate    bool // Build adds no data directory to a database server
	Sources       []Source

	line int
}

// Source is one input of a component.
type Source struct {
	Path     string   // file or directory; empty when URL is set
	URL      []string // where to fetch the file, mirrors last
	Member   string   // the member of the tar at Path to take instead
	Format   Format
	Python   string // version of the environment that wheels go to: 3.8
	SHA256   string // lower-case hex; empty while not locked
	Size     int64  // bytes; 0 while not locked
	Include  []string
	Exclude  []string
	Strip    int
	Rename   []Rename
	Into     string
	Mode     []ModeRule
	Setuid   Setuid
	Override bool

	line int
}

// Rename moves one path and everything below it.
type Rename struct {
	From, To string // clean, relative; To may be "."
}

// ModeRule sets the permissions of the regular files that match.
type ModeRule struct {
	Match string
	Mode  uint32 // permission bits, at most 0777
}

// Format says how to read a source's bytes.
type Format string

// The formats a lock file can name. FormatAuto looks at the bytes.
const (
	FormatAuto   Format = "auto"
	FormatTar    Format = "tar"
	FormatZip    Format = "zip"
	FormatDeb    Format = "deb"
	FormatDir    Format = "dir"
	FormatFile   Format = "file"
	FormatWheels Format = "wheels"
)

// Setuid says what to do with setuid and setgid bits.
type Setuid string

// The zero value refuses, so that an unforeseen bit stops the build.
const (
	SetuidRefuse Setuid = "refuse"
	SetuidDrop   Setuid = "drop"
	SetuidAllow  Setuid = "allow"
)

// emptySHA256 is the digest of no bytes: the only source whose locked size is 0.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Locked reports whether the source's digest and size are known.
func (s *Source) Locked() bool {
	return s.SHA256 != "" && (s.Size > 0 || s.SHA256 == emptySHA256)
}

// String names the source the way its author did: path, first URL, and the member if there is one.
func (s *Source) String() string {
	name := s.Path
	if name == "" && len(s.URL) > 0 {
		name = s.URL[0]
	}
	if s.Member != "" {
		name += " member " + s.Member
	}
	return name
}

// platform has the system and architecture of the component's programs.
func (c *Component) platform(r payload.Release) string {
	if c.Platform == "" {
		return r.Platform
	}
	return c.Platform
}

// Unlocked lists the sources that still miss a digest or size.
func (l *Lock) Unlocked() []string {
	var missing []string
	for _, c := range l.Components {
		for i := range c.Sources {
			if !c.Sources[i].Locked() {
				missing = append(missing, c.Name+": "+c.Sources[i].String())
			}
		}
	}
	return missing
}

// baseName is the file name a plain file source has in the tree before renaming.
func (s *Source) baseName() string {
	name := s.Path
	switch {
	case s.Member != "":
		name = s.Member
	case name == "" && len(s.URL) > 0:
		name, _, _ = strings.Cut(s.URL[0], "?")
		name, _, _ = strings.Cut(name, "#")
	}
	name = strings.TrimRight(name, "/")
	return name[strings.LastIndex(name, "/")+1:]
}
