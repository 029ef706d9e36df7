package gc

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host"
)

// TestAttack has the owner of the directories exchange them for links while gc works. Only on a machine, and for root,
// no link of others is followed; all that it changes is in a temporary directory.
func TestAttack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root follows no link of others")
	}
	p := newParty(t)
	h, err := host.New("/", nil)
	p.check(err)
	defer h.Close()
	p.h, p.Host, p.Spec.Layout.Base = h, h, filepath.Join(p.root, "data")
	p.write("/victim/file", 10, 90*day)
	p.write("/victim/guest/10000/job_dsl.json", 10, 90*day)
	for n := range 100 {
		p.write(path.Join("/victim", id(n), "guest/10000/job_dsl.json"), 10, 90*day)
	}
	victim := filepath.Join(p.root, "victim")
	before := filesOf(t, victim)
	jobs := filepath.Join(p.root, flowJobs)
	for n := range 100 {
		p.oldJob(id(n), 40)
	}
	p.check(os.Symlink("../../../../victim", jobs+".trap"))
	p.check(os.Symlink("../../../../../victim", filepath.Join(jobs, "trap")))
	quit, stopped := make(chan struct{}), make(chan int)
	go func() {
		swaps := 0
		swap := func(a, b string) {
			if unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil {
				swaps++
			}
		}
		for n := 0; ; n++ {
			select {
			case <-quit:
				stopped <- swaps
				return
			default:
				swap(jobs, jobs+".trap")
				swap(jobs, jobs+".trap")
				swap(filepath.Join(jobs, id(n%100)), filepath.Join(jobs, "trap"))
				swap(filepath.Join(jobs, id(n%100)), filepath.Join(jobs, "trap"))
			}
		}
	}()
	removed, left := 0, 0
	for range 8 {
		found, err := p.Find(t.Context())
		p.check(err)
		done := p.remove(found.Choose(Limits{Older: 30 * day}, p.now))
		removed, left = removed+len(done.Removed), left+len(done.Left)+len(found.Left)
	}
	close(quit)
	swaps := <-stopped
	t.Logf("%d exchanges, %d removed, %d times something was left", swaps, removed, left)
	if swaps == 0 || removed == 0 {
		t.Error("nothing was exchanged, or nothing was removed")
	}
	after := filesOf(t, victim)
	if !slices.Equal(before, after) {
		t.Errorf("the victim has %d files, had %d", len(after), len(before))
	}
}

func filesOf(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(at string, _ fs.DirEntry, err error) error {
		out = append(out, at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
