package database

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// TestInitOnAFullFileSystem: a server that waits for room is ended, though it ignores the signal that asks it to end.
// Nothing of it is left, and the next run makes the database.
func TestInitOnAFullFileSystem(t *testing.T) {
	for name, runs := range map[string]string{
		"initialising":       "never", // no server does its work
		"a temporary server": "--bootstrap | --initialize-insecure",
	} {
		t.Run(name, func(t *testing.T) {
			eachServer(t, func(t *testing.T, s Server, env *engine.Env) { fillFileSystem(t, s, env, runs) })
		})
	}
}

// fillFileSystem makes a database while there is no room from the moment on that a server waits. Started with an
// argument that is among runs, a server does its work.
func fillFileSystem(t *testing.T, s Server, env *engine.Env, runs string) {
	w := newWaitingServer(t, &s, runs)
	env.Host.InjectSpace(t, func(_ string, s host.Space) host.Space {
		if w.pid() > 0 && !w.hasRoom() {
			s.Free = 0
		}
		return s
	})
	d := testInit(s)
	err := d.Apply(t.Context(), env)
	var full *FullError
	if !errors.As(err, &full) || full.Path != s.Data+stagingSuffix+"/"+stagingData {
		t.Fatalf("on a full file system: %v", err)
	}
	if err := syscall.Kill(w.pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the server runs still: %v", err)
	}
	if env.Host.Exists(s.Data) || env.Host.Exists(s.Data+stagingSuffix) {
		t.Error("something of the database is left")
	}
	w.makeRoom(t)
	applied(t, env, d)
}

// waitingServer stands in for a server that waits as long as there is no room.
type waitingServer struct{ dir string }

// newWaitingServer puts the stand-in before the program of s.
func newWaitingServer(t *testing.T, s *Server, runs string) waitingServer {
	t.Helper()
	w := waitingServer{filepath.Join(filepath.Dir(filepath.Dir(s.Data)), "stand-in")}
	must(t, os.Mkdir(w.dir, 0o755))
	must(t, os.Chmod(w.dir, 0o777)) // the server's user says there that it waits
	program := filepath.Join(w.dir, "server")
	// exec keeps the pid, and that a signal is ignored.
	script := `#!/bin/sh
dir=${0%/*}
[ ! -e "$dir/room" ] || exec "$REAL_SERVER" "$@"
for arg; do
	case $arg in ` + runs + `) exec "$REAL_SERVER" "$@";; esac
done
trap '' TERM
echo $$ > "$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
exec sleep 1000000
`
	must(t, os.WriteFile(program, []byte(script), 0o755))
	s.Env = append(s.Env, "REAL_SERVER="+filepath.Join(s.Home, s.Program))
	var err error
	s.Program, err = filepath.Rel(s.Home, program)
	must(t, err)
	return w
}

// pid is the process that waits, or 0.
func (w waitingServer) pid() int {
	text, _ := os.ReadFile(filepath.Join(w.dir, "pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

func (w waitingServer) hasRoom() bool {
	_, err := os.Stat(filepath.Join(w.dir, "room"))
	return err == nil
}

func (w waitingServer) makeRoom(t *testing.T) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(w.dir, "room"), nil, 0o644))
}

// TestServerOnAFullFileSystem: the work on a server that is ready ends as well, with the reason.
func TestServerOnAFullFileSystem(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		must(t, env.Host.MkdirAll(s.Data, host.FileMode{Perm: datadirMode, Owner: s.User}))
		must(t, s.initialise(t.Context(), env.Host, s.Data, nil))
		var isFull atomic.Bool
		env.Host.InjectSpace(t, func(_ string, s host.Space) host.Space {
			if isFull.Load() {
				s.Free = leastRoom - 1
			}
			return s
		})
		wait := func(ctx context.Context, db *sql.DB) error {
			isFull.Store(true)
			_, err := db.ExecContext(ctx, "SELECT SLEEP(1000000)")
			return err
		}
		err := s.withServer(t.Context(), env.Host, s.Data, nil, time.Minute, wait)
		var full *FullError
		if !errors.As(err, &full) || full.Path != s.Data {
			t.Errorf("on a full file system: %v", err)
		}
		// It removes the file when it ends well, for which it has some seconds only.
		text, err := os.ReadFile(filepath.Join(s.Data, temporaryPID))
		if pid, _ := strconv.Atoi(strings.TrimSpace(string(text))); err == nil &&
			!errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			t.Errorf("the server runs still as %d", pid)
		}
	})
}
