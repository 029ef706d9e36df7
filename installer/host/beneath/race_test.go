package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inMountNamespace runs a test on a thread with mounts of its own. The thread is not used again.
func inMountNamespace(t *testing.T, test func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		defer close(done)
		err := syscall.Unshare(syscall.CLONE_NEWNS | syscall.CLONE_FS)
		if err == nil {
			err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		}
		if err != nil {
			done <- err
			return
		}
		// The table of the mounts is that of the thread.
		table := mountTable
		mountTable = "/proc/thread-self/mountinfo"
		defer func() { mountTable = table }()
		test()
	}()
	if err := <-done; err != nil {
		t.Skipf("no mount namespace here: %v", err)
	}
}

// exchanging keeps exchanging two names until the returned function is called, which tells how often.
func exchanging(t *testing.T, a, b string) (stop func() int) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-quit:
				done <- n
				return
			default:
				if unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil {
					n++
				}
			}
		}
	}()
	return func() int { close(quit); return <-done }
}

// fingerprint describes everything below a directory.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		must(t, err)
		var st syscall.Stat_t
		must(t, syscall.Lstat(path, &st))
		content := ""
		if st.Mode&syscall.S_IFMT == syscall.S_IFREG {
			data, err := os.ReadFile(path)
			must(t, err)
			content = string(data)
		}
		out.WriteString(strings.Join([]string{path, fs.FileMode(st.Mode).String(), content}, " "))
		out.WriteByte('\n')
		return nil
	}))
	return out.String()
}

// TestNothingIsChangedThroughAnExchangedDirectory has a directory on the way exchanged with a link to another all the
// time, thousands of times, while everything that a place can do is done below it.
func TestNothingIsChangedThroughAnExchangedDirectory(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		dir := makeTree(t, "victim/sub/keep", "victim/file", "victim/other", "app/sub/keep", "app/file",
			"from/tree/file",
			"trap -> victim")
		victim := filepath.Join(dir, "victim")
		before := fingerprint(t, victim)
		r := open(t, dir, stranger())
		stop := exchanging(t, filepath.Join(dir, "app"), filepath.Join(dir, "trap"))
		rounds, refused := 3000, 0
		for range rounds {
			for _, err := range changeEverything(r) {
				if errors.Is(err, ErrUntrustedLink) {
					refused++
				}
			}
		}
		exchanges := stop()
		if after := fingerprint(t, victim); after != before {
			t.Errorf("the victim has changed:\n%s\nwas:\n%s", after, before)
		}
		t.Logf("%d rounds, %d exchanges, %d changes refused because of the link", rounds, exchanges, refused)
		if refused == 0 || exchanges == 0 {
			t.Error("nothing was exchanged while something was changed")
		}
	})
}

// changeEverything does each operation once, below /app.
func changeEverything(r *Root) []error {
	var errs []error
	at := func(path string, do func(p *Place) error) {
		p, err := r.Exact("change", path)
		if err == nil {
			err = do(p)
			p.Close()
		}
		errs = append(errs, err)
	}
	at("/app/new", func(p *Place) error {
		f, err := p.Open(os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	})
	at("/app/file", func(p *Place) error { return p.Chmod(0o600) })
	at("/app/file", func(p *Place) error { return p.Chown(-1, os.Getegid()) })
	at("/app/dir", func(p *Place) error { return p.Mkdir(0o755) })
	at("/app/link", func(p *Place) error { return p.Symlink("x") })
	at("/app/new", func(p *Place) error { return p.Rename(p.Sibling("newer")) })
	at("/app/file", func(p *Place) error { return p.Link(p.Sibling("hard")) })
	at("/app/newer", (*Place).Remove)
	at("/app/sub", (*Place).RemoveAll)
	at("/app/copy", func(to *Place) error {
		from, err := r.At("copy", "/from/tree")
		if err != nil {
			return err
		}
		defer from.Close()
		return from.CopyTree(to, CopyOptions{Interrupted: func() error { return nil }})
	})
	at("/app/copy", (*Place).RemoveAll)
	at("/app/dir", (*Place).RemoveAll)
	return errs
}

// TestRemovalOfAnExchangedDirectory: the directory under removal itself is exchanged with a link.
func TestRemovalOfAnExchangedDirectory(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		dir := makeTree(t, "victim/sub/keep", "app/", "app/trap -> ../victim")
		victim := filepath.Join(dir, "victim")
		before := fingerprint(t, victim)
		r := open(t, dir, stranger())
		for range 300 {
			must(t, os.RemoveAll(filepath.Join(dir, "app")))
			must(t, os.MkdirAll(filepath.Join(dir, "app/tree/sub/deep"), 0o755))
			must(t, os.Symlink("../victim", filepath.Join(dir, "app/trap")))
			stop := exchanging(t, filepath.Join(dir, "app/tree"), filepath.Join(dir, "app/trap"))
			p, err := r.At("remove", "/app/tree")
			must(t, err)
			_ = p.RemoveAll()
			p.Close()
			stop()
		}
		if after := fingerprint(t, victim); after != before {
			t.Errorf("the victim has changed:\n%s\nwas:\n%s", after, before)
		}
	})
}
