// Package appliance builds the demo's appliance: the installer with real third-party
// software from Debian packages behind it, and stand-ins for FATE's own parts. It
// keeps what it downloads and builds in the cache.
package appliance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"fate-installer/bundle"
	"fate-installer/payload"
	"fate-installer/payload/count"
	"fate-installer/scripts/cache"
	"fate-installer/scripts/debian"
	"fate-installer/scripts/fatesim"
	"fate-installer/scripts/maven"

	"golang.org/x/sys/unix"
)

// Names in the demo's part of the cache, relative to the lock file.
const (
	debDir      = "debs"
	mutexName   = ".lock"
	lockComment = "Written by the demo. The digests of .deb files come from apt's signed package lists."
)

// Database is the database server of an appliance, by the name of its component.
type Database string

// The databases. Debian has MariaDB; a party with several FATE-Flows needs MySQL 8.
const (
	MariaDB Database = "mariadb"
	MySQL   Database = "mysql"
)

// variant is an appliance with a database and with stand-ins for the parts of a release.
type variant struct {
	database Database
	release  fatesim.Release
}

// mark is in the names of the files of a release that is not the newest.
func (v variant) mark() string {
	if v.release == fatesim.Newest {
		return ""
	}
	return "@" + v.release.FATE
}

// lockName and outPrefix name the lock file and the appliances, standInDir the stand-ins' trees, and standInKey the
// file that says what those were built from.
func (v variant) lockName() string { return "demo-" + string(v.database) + v.mark() + ".lock.yaml" }
func (v variant) outPrefix() string {
	return "fate-installer-demo-" + string(v.database) + v.mark() + "-"
}
func (v variant) standInDir() string { return "stand-ins" + v.mark() }
func (v variant) standInKey() string { return "stand-ins" + v.mark() + ".key" }

// Build returns the path of the demo's appliance for a program, bin/fate-installer,
// making what the cache lacks. Of each database only the last appliance is kept.
// Progress goes to log.
func Build(ctx context.Context, program string, database Database, log io.Writer) (string, error) {
	return BuildRelease(ctx, program, database, fatesim.Newest, log)
}

// BuildRelease is Build with stand-ins for the parts of another release.
func BuildRelease(ctx context.Context, program string, database Database,
	release fatesim.Release, log io.Writer) (string, error) {
	v := variant{database, release}
	dir, err := cache.Dir("demo")
	if err != nil {
		return "", err
	}
	lock, err := cache.Lock(filepath.Join(dir, mutexName), unix.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := sweep(dir); err != nil {
		return "", err
	}
	lockFile, err := v.writeLock(ctx, dir, log)
	if err != nil {
		return "", err
	}
	if err := run(ctx, log, program, "bundle", "lock", lockFile); err != nil {
		return "", fmt.Errorf("cannot complete the demo's lock file: %w", err)
	}
	key, err := digest(program, lockFile)
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, v.outPrefix()+key)
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	if err := removeOthers(dir, v.outPrefix(), out); err != nil {
		return "", err
	}
	if err := run(ctx, log, program, "bundle", "build", "--lock", lockFile, "--out", out); err != nil {
		return "", fmt.Errorf("cannot build the demo's appliance: %w", err)
	}
	return out, nil
}

// writeLock downloads the packages, builds the stand-ins and describes both in a lock
// file, which still lacks the digests of the stand-ins' trees.
func (v variant) writeLock(ctx context.Context, dir string, log io.Writer) (string, error) {
	all, packages, err := componentsWith(v.database, v.release)
	if err != nil {
		return "", err
	}
	debs, err := debian.Resolve(ctx, packages)
	if err != nil {
		return "", err
	}
	debPath := filepath.Join(dir, debDir)
	if err := os.MkdirAll(debPath, 0o755); err != nil {
		return "", fmt.Errorf("cannot make room for packages: %w", err)
	}
	fmt.Fprintf(log, "third-party software from %s\n", count.Of(len(debs), "Debian package"))
	if err := debian.Download(ctx, debPath, debs); err != nil {
		return "", err
	}
	fmt.Fprintf(log, "stand-ins for FATE's own parts\n")
	if err := v.buildStandIns(ctx, dir, debs); err != nil {
		return "", err
	}
	l := bundle.Lock{Release: payload.Release{FATE: v.release.FATE, Platform: "linux/" + runtime.GOARCH,
		Env: v.release.Env()}}
	if v.database == MySQL {
		fmt.Fprintf(log, "MySQL %s from a jar\n", mysqlVersion.Version)
		if err := v.placeMySQL(ctx, dir); err != nil {
			return "", err
		}
	}
	for _, c := range all {
		l.Components = append(l.Components, c.lock(debs, debDir, v.standInDir()))
	}
	file := filepath.Join(dir, v.lockName())
	if err := os.WriteFile(file, l.Encode(lockComment), 0o644); err != nil {
		return "", fmt.Errorf("cannot write the demo's lock file: %w", err)
	}
	return file, nil
}

// sweep removes what an interrupted build has left.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot look into the demo's cache: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && e.Name() != mutexName {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("cannot remove what an interrupted build has left: %w", err)
			}
		}
	}
	return nil
}

// buildStandIns makes the stand-ins' trees, unless those that are there are of the
// same sources and libraries.
func (v variant) buildStandIns(ctx context.Context, dir string, debs map[string]debian.Package) error {
	key, err := v.release.Digest()
	if err != nil {
		return err
	}
	for _, p := range eggrollJars() {
		key += " " + debs[p.name].SHA256
	}
	driver, err := maven.Connector(connectorVersion)
	if err != nil {
		return err
	}
	key += " " + driver.SHA256
	target, keyFile := filepath.Join(dir, v.standInDir()), filepath.Join(dir, v.standInKey())
	if was, err := os.ReadFile(keyFile); err == nil && string(was) == key {
		return nil
	}
	for _, old := range []string{keyFile, target} { // in this order: without its key a tree does not count
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("cannot remove the former stand-ins: %w", err)
		}
	}
	if err := v.compileStandIns(ctx, dir, target, debs); err != nil {
		return err
	}
	if err := addDriver(ctx, driver, filepath.Join(target, "eggroll/lib")); err != nil {
		return err
	}
	if err := os.WriteFile(keyFile, []byte(key), 0o644); err != nil {
		return fmt.Errorf("cannot note what the stand-ins are made of: %w", err)
	}
	return nil
}

func (v variant) compileStandIns(ctx context.Context, dir, target string, debs map[string]debian.Package) (err error) {
	scratch, err := os.MkdirTemp(dir, ".jars-")
	if err != nil {
		return fmt.Errorf("cannot unpack jars: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	var classpath []string
	for _, p := range eggrollJars() {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", filepath.Join(dir, debDir, debs[p.name].File),
			scratch).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot unpack %s: %w: %s", debs[p.name].File, err, out)
		}
		for _, pattern := range p.include {
			files, err := filepath.Glob(filepath.Join(scratch, pattern))
			if err != nil {
				return fmt.Errorf("cannot look for %s: %w", pattern, err)
			}
			classpath = append(classpath, files...)
		}
	}
	return v.release.Build(ctx, target, classpath)
}

// addDriver copies MySQL's JDBC driver to a directory.
func addDriver(ctx context.Context, driver maven.Artifact, dir string) error {
	jar, err := maven.Fetch(ctx, driver)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(jar)
	if err != nil {
		return fmt.Errorf("cannot read the JDBC driver: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, driver.File()), data, 0o644); err != nil {
		return fmt.Errorf("cannot add the JDBC driver to the stand-ins: %w", err)
	}
	return nil
}

// digest names an appliance by the program and the lock file it is built from.
func digest(files ...string) (string, error) {
	h := sha256.New()
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("cannot read what the appliance is made of: %w", err)
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", fmt.Errorf("cannot read what the appliance is made of: %w", err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:12], nil
}

func removeOthers(dir, prefix, keep string) error {
	files, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		return fmt.Errorf("cannot look for former appliances: %w", err)
	}
	for _, f := range files {
		if f != keep {
			if err := os.Remove(f); err != nil {
				return fmt.Errorf("cannot remove a former appliance: %w", err)
			}
		}
	}
	return nil
}

// run runs a command, which tells log what it does, and returns its errors.
func run(ctx context.Context, log io.Writer, name string, args ...string) error {
	var errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout = log
	cmd.Stderr = &errOut
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err,
			bytes.TrimSpace(errOut.Bytes()))
	}
	return nil
}
