package supervisor_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
)

// Two programs, of which one waits for the other.
func Example() {
	dir, err := os.MkdirTemp("", "supervisor")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "supervisord.conf")
	text := `[supervisord]
logfile = %(here)s/daemon.log

[program:web]
command = /bin/sleep 600
depends_on = database
stdout_logfile = %(here)s/web.log
startsecs = 0

[program:database]
command = /bin/sleep 600
stdout_logfile = %(here)s/database.log
startsecs = 0
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	settings, problems, err := config.Load(file, os.Environ())
	if err != nil {
		log.Fatal(err, problems)
	}
	sup, err := supervisor.New(settings, supervisor.Options{
		StateDir: filepath.Join(dir, "state"), Environ: os.Environ(), NoCgroups: true, Log: zerolog.Nop(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sup.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()

	// Start waits until the program, and what it depends on, is ready.
	if err := sup.Start(ctx, []string{"database", "web"}, true); err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"database", "web"} {
		status, err := sup.Status(name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(status.Name, status.State, status.Ready)
	}
	// Shutdown stops them, dependants first.
	if err := sup.Shutdown(ctx, false); err != nil {
		log.Fatal(err)
	}
	status, err := sup.Status("web")
	fmt.Println(status.Name, status.State, err)
	// Output:
	// database RUNNING true
	// web RUNNING true
	// web STOPPED <nil>
}
