//go:build e2e

package lab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fate-installer/scripts/cache"

	"golang.org/x/sys/unix"
)

// A process started with this variable makes the lab named in it and then waits to
// be killed.
const callerEnv = "LAB_TEST_CALLER"

func TestMain(m *testing.M) {
	Main()
	if name := os.Getenv(callerEnv); name != "" {
		if _, err := Up(context.Background(), testConfig(name)); err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString("up\n")
		select {}
	}
	os.Exit(m.Run())
}

func testConfig(name string) Config {
	hosts, err := ParseHosts([]string{"a=192.168.0.1", "b=192.168.1.1"})
	if err != nil {
		panic(err)
	}
	return Config{Name: name, Hosts: hosts, Log: os.Stderr}
}

func labName(t *testing.T, suffix string) string {
	return "t" + strconv.Itoa(os.Getpid()) + "-" + suffix
}

func upForTest(t *testing.T) *Lab {
	t.Helper()
	l, err := Up(t.Context(), testConfig(labName(t, "lab")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
		checkNothingLeft(t, l.name)
	})
	return l
}

func output(t *testing.T, l *Lab, host string, args ...string) string {
	t.Helper()
	out, err := l.Output(t.Context(), host, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestHosts(t *testing.T) {
	l := upForTest(t)
	if _, err := Up(t.Context(), testConfig(l.name)); err == nil {
		t.Error("a second lab of the same name came up")
	}

	t.Run("systemd is up and whole", func(t *testing.T) {
		if got := output(t, l, "a", "systemctl", "is-system-running"); got != "running" {
			t.Errorf("system is %s:\n%s", got, output(t, l, "a", "systemctl", "--failed", "--no-pager"))
		}
	})
	t.Run("no way out", func(t *testing.T) {
		if got := output(t, l, "a", "ip", "route"); !strings.HasPrefix(got, "192.168.0.0/16 dev host0") ||
			strings.Contains(got, "\n") {
			t.Errorf("routes of host a:\n%s", got)
		}
	})
	t.Run("hosts see each other", func(t *testing.T) {
		// Refused means that the other host answered.
		_, err := l.Output(t.Context(), "a", "bash", "-c", "exec 3<>/dev/tcp/b/9")
		if err == nil || !strings.Contains(err.Error(), "Connection refused") {
			t.Errorf("connecting to a closed port of host b: %v, want it refused", err)
		}
	})
	t.Run("the caller's environment stays out", func(t *testing.T) {
		t.Setenv("SECRET", "x")
		if got := output(t, l, "a", "env"); strings.Contains(got, "SECRET") {
			t.Errorf("environment in host a:\n%s", got)
		}
	})
	t.Run("arguments arrive as they are", func(t *testing.T) {
		want := `$HOME ${X} $$ %n %% a\\b "q" 'p' *;` + "\n\ttwo lines"
		if got, err := l.Output(t.Context(), "a", "printf", "%s", want); err != nil || got != want {
			t.Errorf("argument %q arrived as %q (%v)", want, got, err)
		}
	})
	t.Run("exit status", func(t *testing.T) {
		_, err := l.Output(t.Context(), "a", "sh", "-c", "echo why >&2; exit 7")
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 7 ||
			!strings.Contains(err.Error(), "why") {
			t.Errorf("error = %v, want exit status 7 and what it said", err)
		}
	})
	t.Run("killed with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = read.Read(make([]byte, 1)) // the command runs
			cancel()
		}()
		if err := l.Run(ctx, "a", Cmd{Args: []string{"sh", "-c", "echo; exec sleep 4711"}, Stdout: write}); !errors.Is(
			err, context.Canceled) {
			t.Errorf("error = %v, want context.Canceled", err)
		}
		write.Close()
		waitUntil(t, "the command is gone", func() bool {
			// The pattern does not match its own argument.
			out, _ := l.Output(t.Context(), "a", "sh", "-c", "grep -lzx 471[1] /proc/[0-9]*/cmdline")
			return out == ""
		})
	})
	t.Run("killed before it has begun", func(t *testing.T) {
		for i := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*5*time.Millisecond)
			if err := l.Run(ctx, "a", Cmd{Args: []string{"sleep", "4712"}}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v, want context.DeadlineExceeded", err)
			}
			cancel()
		}
		if out, _ := l.Output(t.Context(), "a", "sh", "-c", "grep -lzx 471[2] /proc/[0-9]*/cmdline"); out != "" {
			t.Errorf("they run:\n%s", out)
		}
	})
	t.Run("killed before it has begun, on a slow host", func(t *testing.T) {
		const slow = "/usr/local/sbin/systemd-run"
		output(t, l, "a", "sh", "-c", "printf '#!/bin/sh\nsleep 3\nexec /usr/bin/systemd-run \"$@\"\n' >"+slow+
			" && chmod 755 "+slow)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := l.Run(ctx, "a", Cmd{Args: []string{"sleep", "4713"}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want context.DeadlineExceeded", err)
		}
		if out, _ := l.Output(t.Context(), "a", "sh", "-c", "grep -lzx 471[3] /proc/[0-9]*/cmdline"); out != "" {
			t.Errorf("it runs:\n%s", out)
		}
		output(t, l, "a", "rm", slow)
	})
	t.Run("swap of the machine is out of reach", func(t *testing.T) {
		const script = "dd if=/dev/zero of=/swap bs=1M count=1 status=none; chmod 600 /swap; mkswap -q /swap; swapon " +
			"/swap"
		if _, err := l.Output(t.Context(), "a", "sh", "-c", script); err == nil ||
			!strings.Contains(err.Error(), "not permitted") {
			t.Errorf("swapon: %v, want it not permitted", err)
		}
	})
}

func TestCopy(t *testing.T) {
	l := upForTest(t)
	dir := t.TempDir()
	data := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, data, 0o751); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o751); err != nil {
		t.Fatal(err)
	}
	if err := l.CopyTo(t.Context(), file, "a", "/root/"); err != nil {
		t.Fatal(err)
	}
	if got := output(t, l, "a", "stat", "-c", "%a %s", "/root/file"); got != "751 1048576" {
		t.Errorf("mode and size in the host: %s", got)
	}
	back := filepath.Join(dir, "back")
	if err := l.CopyFrom(t.Context(), "a", "/root/file", back); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the file came back changed (%v)", err)
	}
	if err := l.CopyTo(t.Context(), file, "a", "/nowhere/file"); err == nil ||
		!strings.Contains(err.Error(), "/nowhere/file") {
		t.Errorf("copy into a missing directory: %v", err)
	}
}

func TestPowerCut(t *testing.T) {
	l := upForTest(t)
	output(t, l, "a", "sh", "-c", "echo kept >/root/kept; sync")
	for _, tt := range []struct {
		name string
		do   func() error
	}{
		{"reboot", func() error { return l.Reboot(t.Context(), "a") }},
		{"power cut", func() error { return l.PowerCut("a") }},
		{"off and on", func() error {
			if err := l.Off("a"); err != nil {
				return err
			}
			if _, err := l.Output(t.Context(), "a", "true"); err == nil {
				t.Error("a command ran in a host that is off")
			}
			return l.On("a")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			boot := func() string {
				return output(t, l, "a", "stat", "-c", "%Z", "/proc/1") + output(t, l, "a", "journalctl",
					"--list-boots", "-q")
			}
			before := boot()
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
			if boot() == before {
				t.Error("the host has not booted again")
			}
			if got := output(t, l, "a", "cat", "/root/kept"); got != "kept" {
				t.Errorf("file is %q after boot", got)
			}
			if got := output(t, l, "a", "ip", "-brief", "-4", "address", "show", "host0"); !strings.Contains(got,
				"192.168.0.1/16") {
				t.Errorf("address after boot: %s", got)
			}
		})
	}
}

// A lab must not outlive the process that made it, however that one ends, nor anything of it
// a keeper that is killed.
func TestNothingOutlives(t *testing.T) {
	for _, victim := range []string{"caller", "keeper"} {
		t.Run(victim, func(t *testing.T) {
			name := labName(t, victim)
			caller := exec.Command(os.Args[0])
			caller.Env = append(os.Environ(), callerEnv+"="+name)
			caller.Stderr = os.Stderr
			out, err := caller.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := caller.Start(); err != nil {
				t.Fatal(err)
			}
			said := make([]byte, 200)
			if n, _ := out.Read(said); string(said[:n]) != "up\n" {
				t.Fatalf("the caller said %q", said[:n])
			}
			dir, err := labDir(name)
			if err != nil {
				t.Fatal(err)
			}
			_, keeper, err := ask(dir, request{Op: opStatus})
			if err != nil {
				t.Fatal(err)
			}
			namespaces := namespacesOf(keeper)
			pid := map[string]int{"caller": caller.Process.Pid, "keeper": keeper}[victim]
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			// The lock is free when the last process that had it, the keeper, is gone.
			lock, err := cache.Lock(dir+".lock", unix.LOCK_EX)
			if err != nil {
				t.Fatal(err)
			}
			if victim == "caller" {
				if err := os.Remove(lock.Name()); err != nil { // made again by us, the keeper has removed its own
					t.Error(err)
				}
			}
			lock.Close()
			waitUntil(t, "its processes are gone", func() bool { return !anyIn(namespaces) })
			if victim == "keeper" {
				if _, err := List(t.Context()); err != nil { // clears up
					t.Fatal(err)
				}
				if err := caller.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			_ = caller.Wait() // killed
			checkNothingLeft(t, name)
		})
	}
}

func namespacesOf(pid int) string {
	ns, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
	if err != nil {
		return err.Error()
	}
	return ns
}

func anyIn(namespace string) bool {
	for _, p := range processes() {
		if !p.dead && namespacesOf(p.pid) == namespace {
			return true
		}
	}
	return false
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited, and it is not so: %s", what)
}

func checkNothingLeft(t *testing.T, name string) {
	t.Helper()
	dir, err := labDir(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, dir + ".lock"} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left (%v)", path, err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), dir) {
		t.Errorf("a mount is left below %s", dir)
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/unified/" + cgroupName(name))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("/sys/fs/cgroup/" + cgroupName(name))
	if err != nil {
		t.Fatal(err)
	}
	if left := append(groups, more...); len(left) > 0 {
		t.Errorf("cgroups are left: %v", left)
	}
	for _, p := range processes() {
		line, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/cmdline")
		if err == nil && strings.Contains(string(line), dir) && !p.dead {
			t.Errorf("process %d is left: %s", p.pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
}
