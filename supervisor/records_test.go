package supervisor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// TestClockJump adopts a program whose record says it was started in the future, as after the clock was set back.
func TestClockJump(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "sleep", func(p *config.Program) { p.StartSecs = 1 }))
	b.start("a")
	pid := b.status("a").PID
	r := b.sup.service("a").record()
	b.sup.Close()
	r.Started, r.Since = time.Now().Add(100*24*time.Hour), time.Now().Add(100*24*time.Hour)
	if err := b.sup.records.save(r); err != nil {
		t.Fatal(err)
	}
	b.open()
	st := b.until("a", "ready", func(st Status) bool { return st.Ready })
	if st.PID != pid || time.Since(st.Started) < 0 || time.Since(st.Started) > time.Minute {
		t.Errorf("%+v", st)
	}
}

// TestDamagedRecords starts in a state directory full of rubbish.
func TestDamagedRecords(t *testing.T) {
	b := newBench(t)
	state := b.opts.StateDir
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	boot, _ := process.BootID()
	for name, text := range map[string]string{
		"a.json": "{", "b.json": "", "c.json": `{"version":99,"name":"c","boot":"` + boot + `"}`,
		"d.json": `{"version":1,"name":"other","boot":"` + boot + `"}`, "e.txt": "x",
		"init.json": `{"version":1,"name":"init","boot":"` + boot + `","state":"RUNNING","identity":{"pid":1,"boot":"` +
			boot + `"}}`,
		"f.json": `{"version":1,"name":"f","boot":"another boot","identity":{"pid":` + strconv.Itoa(os.Getpid()) + `}}`,
	} {
		if err := os.WriteFile(filepath.Join(state, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.run(b.child("a", "sleep"))
	b.start("a")
}

// TestOldNames reads the key of unready starts as supervisors before this one wrote it.
func TestOldNames(t *testing.T) {
	var st Status
	if err := json.Unmarshal([]byte(`{"name":"a","vain":4,"restarts":2}`), &st); err != nil || st.UnreadyStarts != 4 ||
		st.Restarts != 2 {
		t.Errorf("a status: %+v, %v", st, err)
	}
	b := newBench(t)
	b.run(b.child("a", "sleep"))
	r := b.sup.service("a").record()
	r.Vain = 3
	b.sup.Close()
	if err := b.sup.records.save(r); err != nil {
		t.Fatal(err)
	}
	b.open()
	if st := b.status("a"); st.UnreadyStarts != 3 {
		t.Errorf("a record: %+v", st)
	}
}

// TestUntrustedState refuses a state directory that another user can write: what is in it says which processes may be
// killed.
func TestUntrustedState(t *testing.T) {
	b := newBench(t)
	b.write(b.child("a", "sleep"))
	cfg, _, err := config.Load(filepath.Join(b.dir, "supervisord.conf"), b.opts.Environ)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(b.opts.StateDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(b.opts.StateDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, b.opts); err == nil || !strings.Contains(err.Error(), "cannot trust the state directory") {
		t.Errorf("%v", err)
	}
}
