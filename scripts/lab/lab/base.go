package lab

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"fate-installer/scripts/cache"

	"golang.org/x/sys/unix"
)

const (
	baseSuite = "bookworm" // of hosts, unless their lab says another
	// baseLayout changes when trim does, so that an older cached base is not used.
	baseLayout = "1"
)

// basePackages come on top of debootstrap's minbase: what a host needs to boot and
// to be given an address, and nothing that would hide a missing dependency of what
// is installed on it.
var basePackages = []string{"systemd", "systemd-sysv", "dbus", "iproute2"}

// ErrNoSuite means that the machine's package source does not have a release of Debian.
var ErrNoSuite = errors.New("the package source of this machine does not have it")

// Base returns the directory of the shared root file system of a release of Debian,
// blank for the common one, making it first when the cache has none (30 to 60 s). The
// directory is not to be changed. Progress goes to log. The returned lock keeps the base
// from being removed; close it when done.
func Base(ctx context.Context, suite string, log io.Writer) (dir string, lock io.Closer, err error) {
	f, dir, err := lockBase(ctx, cmp.Or(suite, baseSuite), log)
	if err != nil {
		return "", nil, err
	}
	return dir, f, nil
}

// basePrefix is how the directories of a suite begin. Each suite has one in the cache.
func basePrefix(suite string) string { return "rootfs-" + suite + "-" }

func lockBase(ctx context.Context, suite string, log io.Writer) (*os.File, string, error) {
	top, err := cache.Dir()
	if err != nil {
		return nil, "", err
	}
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(baseLayout+" "+strings.Join(basePackages, " "))))[:12]
	dir := filepath.Join(top, basePrefix(suite)+key)
	for {
		lock, err := cache.Lock(dir+".lock", unix.LOCK_SH)
		if err != nil {
			return nil, "", err
		}
		if _, err := os.Stat(dir); err == nil {
			return lock, dir, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			lock.Close()
			return nil, "", fmt.Errorf("cannot look at the base system: %w", err)
		}
		lock.Close()
		if err := makeBase(ctx, suite, dir, log); err != nil {
			return nil, "", err
		}
	}
}

func makeBase(ctx context.Context, suite, dir string, log io.Writer) error {
	lock, err := cache.Lock(dir+".lock", unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(dir); err == nil {
		return nil // another process made it while we waited
	}
	if err := removeOldBases(filepath.Dir(dir), suite, dir); err != nil {
		return err
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("cannot remove a half-made base system: %w", err)
	}
	fmt.Fprintf(log, "making the base system of lab hosts with Debian %s (once, about a minute)\n", suite)
	if err := debootstrap(ctx, suite, part); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	if err := trim(part); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	if err := os.Rename(part, dir); err != nil {
		return fmt.Errorf("cannot put the base system in place: %w", err)
	}
	return nil
}

// removeOldBases keeps the cache at one base of a suite: those of other keys go unless a lab
// uses them.
func removeOldBases(top, suite, keep string) error {
	dirs, err := filepath.Glob(filepath.Join(top, basePrefix(suite)+"*"))
	if err != nil {
		return fmt.Errorf("cannot list the cache: %w", err)
	}
	for _, dir := range dirs {
		key := strings.TrimSuffix(strings.TrimSuffix(dir, ".lock"), ".part")
		if key == keep {
			continue
		}
		lock, err := cache.Lock(key+".lock", unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, cache.ErrBusy) {
			continue
		} else if err != nil {
			return err
		}
		err = errors.Join(os.RemoveAll(key), os.RemoveAll(key+".part"), os.Remove(key+".lock"))
		lock.Close()
		if err != nil {
			return fmt.Errorf("cannot remove an old base system: %w", err)
		}
	}
	return nil
}

// debootstrap runs in pid and mount namespaces of its own: it mounts /proc and /sys
// in its target, and interrupted it must not leave them on the machine.
func debootstrap(ctx context.Context, suite, dir string) error {
	mirror, keyring, err := mirrorFromApt(ctx)
	if err != nil {
		return err
	}
	proxy, err := aptProxy(ctx)
	if err != nil {
		return err
	}
	if suite != baseSuite {
		if err := served(ctx, mirror, proxy, suite); err != nil {
			return fmt.Errorf("cannot make hosts with Debian %s: %w", suite, err)
		}
	}
	cmd := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--force-check-gpg", "--keyring="+keyring,
		"--include="+strings.Join(basePackages, ","), suite, dir, mirror)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	if proxy != "" {
		cmd.Env = append(cmd.Env, "http_proxy="+proxy)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   unix.CLONE_NEWPID,
		Unshareflags: unix.CLONE_NEWNS, // makes / private too
		Pdeathsig:    syscall.SIGKILL,
		Setsid:       true,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// The parent-death signal is tied to the thread that starts the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("cannot make a base system with debootstrap: %w\n%s", err, lastLines(out.Bytes(), 20))
	}
	return nil
}

// mirrorFromApt finds the archive of the suite, and the keys that sign it, in the
// machine's own package sources.
func mirrorFromApt(ctx context.Context) (mirror, keyring string, err error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format",
		"$(COMPONENT)|$(RELEASE)|$(CODENAME)|$(REPO_URI)|$(SIGNED_BY)", "Created-By: Packages").Output()
	if err != nil {
		return "", "", fmt.Errorf("cannot list the package sources with apt-get: %w", err)
	}
	keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		f := strings.Split(lines.Text(), "|")
		if len(f) != 5 || f[0] != "main" || !slices.Contains(f[1:3], baseSuite) {
			continue
		}
		if _, err := os.Stat(f[4]); err == nil && filepath.IsAbs(f[4]) {
			keyring = f[4]
		}
		return strings.TrimSuffix(f[3], "/"), keyring, nil
	}
	return "", "", fmt.Errorf(
		"cannot find a package source with Debian %s main in /etc/apt (the lab's hosts are made from it)", baseSuite)
}

// served asks an archive whether it has a suite.
func served(ctx context.Context, mirror, proxy, suite string) error {
	through := &http.Transport{}
	if proxy != "" {
		address, err := url.Parse(proxy)
		if err != nil {
			return fmt.Errorf("cannot read apt's proxy: %w", err)
		}
		through.Proxy = http.ProxyURL(address)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, mirror+"/dists/"+suite+"/InRelease", nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: through}).Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSuite, err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: %s", ErrNoSuite, request.URL, answer.Status)
	}
	return nil
}

func aptProxy(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "--format", "%v%n", "dump", "Acquire::http::Proxy").Output()
	if err != nil {
		return "", fmt.Errorf("cannot read apt's proxy: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// trim turns what debootstrap made into the common ground of many hosts: no
// identity, network on, none of Debian's own periodic jobs, no downloaded packages.
func trim(root string) error {
	for _, glob := range []string{"var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/lib/apt/lists/*_*",
		"var/log/*.log",
		"etc/machine-id", "var/lib/dbus/machine-id", "etc/hostname", "usr/share/doc/*", "usr/share/man/*",
		"usr/share/locale/*"} {
		paths, err := filepath.Glob(filepath.Join(root, glob))
		if err != nil {
			return fmt.Errorf("cannot match %s: %w", glob, err)
		}
		for _, p := range paths {
			if err := os.RemoveAll(p); err != nil {
				return fmt.Errorf("cannot trim the base system: %w", err)
			}
		}
	}
	units := filepath.Join(root, "etc/systemd/system")
	for _, unit := range []string{"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
		"e2scrub_all.timer",
		"fstrim.timer", "console-getty.service", "systemd-networkd-wait-online.service"} {
		link := filepath.Join(units, unit)
		if err := errors.Join(os.RemoveAll(link), os.Symlink("/dev/null", link)); err != nil {
			return fmt.Errorf("cannot mask %s in the base system: %w", unit, err)
		}
	}
	wants := filepath.Join(units, "multi-user.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return fmt.Errorf("cannot enable the network in the base system: %w", err)
	}
	if err := os.Symlink("/lib/systemd/system/systemd-networkd.service",
		filepath.Join(wants, "systemd-networkd.service")); err != nil {
		return fmt.Errorf("cannot enable the network in the base system: %w", err)
	}
	return nil
}

func lastLines(b []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
