// Package fatesim makes stand-ins for FATE's own parts, for demonstrations and tests:
// small programs that are started by the command lines of the real ones, read the
// files that are rendered for the real ones and are as strict about them, need the
// services that the real ones need, listen where they listen, and pass the messages
// of the toy job and of the minimal test's jobs from party to party. They say in every
// log that they are stand-ins.
//
// The sources are laid out as the trees they become: eggroll and fateboard in Java,
// fateflow, the workers of eggroll and the flow client in python. Parties speak gRPC
// with eggroll's own method names and packets.
package fatesim

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed all:eggroll all:fate all:fateflow all:fateboard all:python
var sources embed.FS

// Component is a part of FATE that a stand-in replaces.
type Component struct {
	Name    string
	Version string // of the real one whose behaviour is copied
}

// Release is a release of FATE whose parts are copied: the columns that they read and write, and how they fail without
// them.
type Release struct {
	FATE, Flow, Board, Eggroll string
}

// The releases that there are stand-ins for. Between them lies the change of generation: of eggroll, whose nodes
// register themselves since 2.5, and of the tables of both databases.
var (
	Newest = Release{FATE: "1.11.4", Flow: "1.11.2", Board: "1.11.2", Eggroll: "2.5.3"}
	Former = Release{FATE: "1.9.1", Flow: "1.9.1", Board: "1.9.1", Eggroll: "2.4.6"}
)

// Components lists the stand-ins. Build makes a directory for each, and one more
// called python with what belongs into FATE's python environment.
func (r Release) Components() []Component {
	return []Component{{"eggroll", r.Eggroll}, {"fate", r.FATE}, {"fateflow", r.Flow}, {"fateboard", r.Board}}
}

// envFile is fate.env, which says what versions a release is made of.
const envFile = "fate/fate.env"

func (r Release) env() []byte {
	return []byte(strings.Join([]string{
		"FATE=" + r.FATE, "FATEFlow=" + r.Flow, "FATEBoard=" + r.Board, "EGGROLL=" + r.Eggroll,
		"CENTOS=7.2", "UBUNTU=16.04", "PYTHON=3.8", "MAVEN=3.6.3", "JDK=8", "SPARK=3.4.0", "",
	}, "\n"))
}

// Env is the content of fate.env.
func (r Release) Env() map[string]string {
	env := make(map[string]string)
	for line := range strings.Lines(string(r.env())) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[key] = value
		}
	}
	return env
}

// jars are the Java sources and what becomes of them.
var jars = []struct{ source, target, mainClass string }{
	{"eggroll/java", "eggroll/lib/eggroll-stand-in.jar", ""},
	{"fateboard/java", "fateboard/fateboard.jar", "standin.Board"},
}

// Build writes the trees of all components below dir, which must not exist. The
// classpath is that of eggroll's stand-in: gRPC and Gson. The same
// sources and compiler give the same bytes.
func (r Release) Build(ctx context.Context, dir string, classpath []string) error {
	files, err := r.files()
	if err != nil {
		return fmt.Errorf("cannot write the stand-ins: %w", err)
	}
	for name, data := range files {
		if strings.Contains(name, "/java/") {
			continue
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(target), 0o755)
		if err == nil {
			err = os.WriteFile(target, data, mode(name, data))
		}
		if err != nil {
			return fmt.Errorf("cannot write the stand-ins: %w", err)
		}
	}
	// The interpreter itself is python's own package.
	for _, name := range []string{"python", "python3"} {
		if err := os.Symlink("python3.11", filepath.Join(dir, "python/bin", name)); err != nil {
			return fmt.Errorf("cannot write the stand-ins: %w", err)
		}
	}
	for _, j := range jars {
		if err := buildJar(ctx, j.source, filepath.Join(dir, j.target),
			r.manifest(j.mainClass), classpath); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return fmt.Errorf("cannot build %s: %w", path.Base(j.target), err)
		}
	}
	return nil
}

// Digest identifies what Build works on.
func (r Release) Digest() (string, error) {
	files, err := r.files()
	if err != nil {
		return "", fmt.Errorf("cannot read the stand-ins' sources: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%+v\n", r)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%s %d\n%s", name, len(files[name]), files[name])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// mode gives scripts back the permission that embedding has taken from them.
func mode(name string, data []byte) fs.FileMode {
	if bytes.HasPrefix(data, []byte("#!")) {
		return 0o755
	}
	return 0o644
}

// manifest is that of a jar. The programs read from it which release they copy.
func (r Release) manifest(mainClass string) string {
	manifest := "Manifest-Version: 1.0\r\nImplementation-Title: STAND-IN\r\nImplementation-Version: " + r.Eggroll +
		"\r\n"
	if mainClass != "" {
		manifest += "Main-Class: " + mainClass + "\r\n"
	}
	return manifest
}

// buildJar compiles the sources below source. The class files are for Java 17, the
// oldest that the demo brings.
func buildJar(ctx context.Context, source, target, manifest string, classpath []string) error {
	scratch := target + ".build"
	defer os.RemoveAll(scratch)
	tree, err := fs.Sub(sources, source)
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(scratch, "src"), tree); err != nil {
		return err
	}
	args := []string{"--release", "17", "-encoding", "UTF-8", "-Xlint:all,-classfile", "-Werror",
		"-classpath", strings.Join(classpath, ":"), "-d", filepath.Join(scratch, "classes")}
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			args = append(args, filepath.Join(scratch, "src", name))
		}
		return err
	})
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "javac", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("javac: %w: %s", err, out)
	}
	return writeJar(target, os.DirFS(filepath.Join(scratch, "classes")), manifest)
}

// jarTime is the earliest that a ZIP can express.
var jarTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func writeJar(target string, classes fs.FS, manifest string) error {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	add := func(name string, data []byte) error {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: jarTime})
		if err == nil {
			_, err = f.Write(data)
		}
		return err
	}
	if err := add("META-INF/MANIFEST.MF", []byte(manifest+"\r\n")); err != nil {
		return err
	}
	err := fs.WalkDir(classes, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(classes, name)
		if err != nil {
			return err
		}
		return add(name, data)
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, b.Bytes(), 0o644)
}
