package bundle

import (
	"archive/tar"
	"bufio"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// official describes what AnsibleFATE's offline package has of a component. The package is a tar with one root
// directory; its layout is that of FATE-Builder's native-build (FATE 1.9 and later), whose archives carry no version
// in their names, and of AnsibleFATE 1.7 and 1.8, whose do. Each archive has one directory on top.
type official struct {
	component string
	files     *regexp.Regexp // of the path below the root; the first group, if it matches, is the version
	envKey    string         // of fate.env, where the version is when the name has none
	license   string         // SPDX, of the upstream project
	platform  string         // empty means the release's
	archive   bool           // an archive to unpack, not a plain file
	exclude   []string
	optional  bool     // not needed by every appliance, and only taken when asked for
	extra     bool     // one more source of a component that another row brings
	host      []string // shared libraries that upstream's guide has an operator install for it
}

// databases are the components of which a party needs one.
var databases = []string{"mysql", "mariadb"}

// required lists what a party needs, each with what can take its place.
var required = [][]string{{"jdk"}, databases, {"python"}, {"eggroll"}, {"fate"}, {"fateflow"}, {"fateboard"}}

// takesPlace reports whether a party needs no more than one of the two components.
func takesPlace(a, b string) bool {
	return a == b || slices.ContainsFunc(required, func(of []string) bool {
		return slices.Contains(of, a) &&
			slices.Contains(of, b)
	})
}

// mysqlHost are the libraries that builds of MySQL for any Linux leave to the host: those of the manual's chapter
// "Installing MySQL on Unix/Linux Using Generic Binaries", of which the last two are the client's.
var mysqlHost = []string{"libaio.so.1", "libnuma.so.1", "libncurses.so.5", "libtinfo.so.5"}

// officials lists the rows in the order a lock has its components when the package stores them in no better one. What
// is left out is AnsibleFATE itself and what its playbooks need: supervisor, PyMySQL, yq, cfssl.
var officials = sync.OnceValue(func() []official {
	return []official{
		// Miniconda has to be run to be installed, and pip after it; the installer does that on the host, when an
		// appliance has both of these and no python.
		{component: "miniconda", optional: true,
			files:   regexp.MustCompile(`^roles/python/files/Miniconda3-(.+)-Linux-[a-z0-9_]+\.sh$`),
			license: "BSD-3-Clause"},
		{component: "pypi", optional: true, files: regexp.MustCompile(`^roles/python/files/pypi\.tar\.gz$`),
			envKey: "FATE", archive: true},
		{component: "pypi", optional: true, files: regexp.MustCompile(`^roles/python/files/requirements\.txt$`),
			envKey: "FATE", extra: true},
		{component: "jdk", files: regexp.MustCompile(`^roles/java/files/jdk-(.+)\.tar\.[gx]z$`),
			license: "GPL-2.0-only WITH Classpath-exception-2.0", archive: true},
		{component: "mysql", files: regexp.MustCompile(`^roles/mysql/files/mysql-([0-9].*)\.tar\.[gx]z$`),
			license: "GPL-2.0-only", archive: true, host: mysqlHost},
		{component: "rabbitmq", optional: true,
			files:   regexp.MustCompile(`^roles/rabbitmq/files/rabbitmq-server-generic-unix-(.+)\.tar\.[gx]z$`),
			license: "MPL-2.0", platform: PlatformAny, archive: true},
		// The playbook replaces a logs directory in these by a link to the log directory; so does the installer.
		{component: "eggroll", files: regexp.MustCompile(`^roles/eggroll/files/eggroll(?:-([0-9].*))?\.tar\.gz$`),
			envKey: "EGGROLL", license: "Apache-2.0", platform: PlatformAny, archive: true, exclude: []string{"*/logs"}},
		{component: "fate", files: regexp.MustCompile(`^roles/fateflow/files/fate(?:-([0-9].*))?\.tar\.gz$`),
			envKey: "FATE", license: "Apache-2.0", platform: PlatformAny, archive: true},
		{component: "fate", files: regexp.MustCompile(`^roles/fateflow/files/(?:fate\.env|RELEASE\.md)$`),
			envKey: "FATE", extra: true},
		{component: "fateflow", files: regexp.MustCompile(`^roles/fateflow/files/fateflow(?:-([0-9].*))?\.tar\.gz$`),
			envKey: "FATEFlow", license: "Apache-2.0", platform: PlatformAny, archive: true, exclude: []string{"*/logs"}},
		{component: "fateboard", files: regexp.MustCompile(`^roles/fateboard/files/fateboard(?:-([0-9].*))?\.tar\.gz$`),
			envKey: "FATEBoard", license: "Apache-2.0", platform: PlatformAny, archive: true, exclude: []string{"*/logs"}},
	}
})

// findOfficial returns the row for a path of the package below its root, and the version its name has.
func findOfficial(name string) (row *official, version string) {
	rows := officials()
	for i := range rows {
		if m := rows[i].files.FindStringSubmatch(name); m != nil {
			if len(m) > 1 {
				version = m[1]
			}
			return &rows[i], version
		}
	}
	return nil, ""
}

// hasFateEnv reports whether the member of that row and name has the release's fate.env in it, or is it, as up to FATE
// 1.8.
func hasFateEnv(row *official, name string) bool {
	return row.component == "fate" && (row.archive || path.Base(name) == "fate.env")
}

// fateEnvOf reads fate.env from a member that [hasFateEnv], while that streams by; some bytes may be left in r.
func fateEnvOf(row *official, r io.Reader) (map[string]string, error) {
	if !row.archive {
		return readFateEnv(r)
	}
	plain, err := decompress(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	tr := tar.NewReader(plain)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if ok, _ := path.Match("*/fate.env", path.Clean(h.Name)); ok && h.Typeflag == tar.TypeReg {
			return readFateEnv(tr)
		}
	}
}

// maxFateEnv bounds what is read of fate.env; a real one has a dozen lines.
const maxFateEnv = 64 << 10

func readFateEnv(r io.Reader) (map[string]string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFateEnv))
	return parseFateEnv(string(text)), err
}

// parseFateEnv reads the lines KEY=VALUE that a FATE release states its parts' versions in.
func parseFateEnv(text string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		key, value = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"'`)
		if ok && key != "" && value != "" && !strings.HasPrefix(key, "#") && oneLine(key) == "" &&
			oneLine(value) == "" {
			env[key] = value
		}
	}
	return env
}

// pythonMinor is the part of a Python version that wheels are made for.
var pythonMinor = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^3\.[0-9]+`)
})

// packageVersion is in the name of the official package: AnsibleFATE_1.11.3_release_offline.tar.gz.
var packageVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`_([0-9]+(?:\.[0-9]+)+)_`)
})
