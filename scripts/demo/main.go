// Command demo shows the whole journey on one machine: it builds an appliance, boots a
// throw-away host without a network, installs a FATE party on it with one command and
// proves it with a job. The host stays up for looking around.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"fate-installer/scripts/demo/appliance"
	"fate-installer/scripts/lab/lab"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

const (
	labName  = "demo"
	hostName = "host"
	address  = "192.168.0.1"
	party    = "10000"
)

func main() {
	lab.Main()
	program := pflag.String("program", "bin/fate-installer", "the program to put the payload behind")
	keep := pflag.Bool("keep", true, "leave the host up")
	database := pflag.String("database", string(appliance.MariaDB),
		"the party's database: mariadb (Debian's) or mysql (8.0.15, Oracle's build)")
	pflag.Parse()
	if db := appliance.Database(*database); db != appliance.MariaDB && db != appliance.MySQL {
		fmt.Fprintf(os.Stderr, "error: --database is %q; want %s or %s\n", db, appliance.MariaDB, appliance.MySQL)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	d := demo{ctx: ctx, out: os.Stdout, start: time.Now(), database: appliance.Database(*database)}
	err := d.run(*program, *keep)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted; nothing is left of the demo's host")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type demo struct {
	ctx   context.Context
	out   io.Writer
	lab   *lab.Lab
	start time.Time

	database appliance.Database
}

// run leaves the lab up only after everything has gone well.
func (d *demo) run(program string, keep bool) (err error) {
	file, err := d.build(program)
	if err != nil {
		return err
	}
	if err := d.boot(); err != nil {
		return err
	}
	up := true
	defer func() {
		if up {
			err = errors.Join(err, d.lab.Down(context.WithoutCancel(d.ctx)))
		}
	}()
	if err := d.journey(file); err != nil {
		return err
	}
	if !keep {
		return nil
	}
	if err := d.lab.Detach(); err != nil {
		return err
	}
	up = false
	d.farewell()
	return nil
}

func (d *demo) build(program string) (string, error) {
	d.say("Build the appliance: one file with everything in it")
	file, err := appliance.Build(d.ctx, program, d.database, d.out)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("cannot look at the appliance: %w", err)
	}
	fmt.Fprintf(d.out, "%s (%d MB)\n", file, info.Size()>>20)
	return file, nil
}

func (d *demo) boot() error {
	d.say("Boot a bare host, %s, that can reach no network", address)
	// A demo that is still up from an earlier run.
	if err := lab.Remove(d.ctx, labName); err != nil {
		return err
	}
	hosts, err := lab.ParseHosts([]string{hostName + "=" + address})
	if err != nil {
		return err
	}
	d.lab, err = lab.Up(d.ctx, lab.Config{Name: labName, Hosts: hosts, Log: d.out})
	return err
}

func (d *demo) journey(file string) error {
	for _, args := range [][]string{{"cat", "/etc/debian_version"}, {"ip", "-brief", "address"}, {"ip", "route"}} {
		if err := d.show(args...); err != nil {
			return err
		}
	}
	d.say("Carry the one file there")
	if err := d.lab.CopyTo(d.ctx, file, hostName, "/root/fate-installer"); err != nil {
		return err
	}
	d.say("Install party %s: one command", party)
	if err := d.show("./fate-installer", "--role", "host", "--party", party); err != nil {
		return err
	}
	d.say("What runs there now")
	if err := d.show("fate-installer", "svc", "status"); err != nil {
		return err
	}
	d.say("Prove it: a job through flow, eggroll and rollsite")
	if err := d.show("fate-installer", "test", "toy"); err != nil {
		return err
	}
	d.say("The same command again changes nothing")
	return d.show("./fate-installer", "--role", "host", "--party", party)
}

// show runs a command in the host as a person there would see it.
func (d *demo) show(args ...string) error {
	fmt.Fprintf(d.out, "root@%s:~# %s\n", hostName, strings.Join(args, " "))
	c := lab.Cmd{Args: args, Stdout: d.out, Stderr: d.out}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		c.Stdin = os.Stdin // gives the command a terminal in the host, when standard output is one too
	}
	return d.lab.Run(d.ctx, hostName, c)
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "\n== %s  [%.0f s]\n\n", fmt.Sprintf(format, args...), time.Since(d.start).Seconds())
}

func (d *demo) farewell() {
	d.say("The host stays up")
	real := "MariaDB, the JRE and python are the real ones from Debian."
	if d.database == appliance.MySQL {
		real = "MySQL is Oracle's build, the JRE and python are the real ones from Debian."
	}
	fmt.Fprintf(d.out, `%[3]s FATE's own parts are STAND-INS: small
programs in the place of eggroll, FATE-Flow and FATE-Board that read the same files and say so in their logs.

  look around      bin/lab --name %[1]s run %[2]s bash
                   fate-installer svc why fate-rollsite; less /data/projects/fate/conf/service_conf.yaml
  reboot it        bin/lab --name %[1]s reboot %[2]s
  uninstall        bin/lab --name %[1]s run %[2]s fate-installer uninstall
  tear it down     make demo-down
`, labName, hostName, real)
}
