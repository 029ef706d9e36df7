package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fate-installer/supervisor/config"
)

// notifier speaks to the service manager that started the daemon; sd_notify(3). Without one it is silent.
type notifier struct{ addr string }

func newNotifier(environ []string) notifier {
	addr := envValue(environ, "NOTIFY_SOCKET")
	if strings.HasPrefix(addr, "@") {
		addr = "\x00" + addr[1:]
	}
	return notifier{addr}
}

// send is best effort: a service manager that does not listen is no reason to stop supervising.
func (n notifier) send(lines ...string) {
	if n.addr == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.addr, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
}

// restartJob reports whether systemd has asked this daemon to end in order to start it again. Then its programs go on,
// and the next daemon takes them over; in any other case, the end of the machine included, they are stopped.
func (d *Daemon) restartJob() bool {
	if d.notify.addr == "" || os.Getppid() != 1 {
		return false
	}
	unit := ownUnit()
	if unit == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(d.sup.ctx, 3*time.Second)
	defer cancel()
	out, err := d.sup.output(ctx, "systemctl", "show", "--property=Job", "--value", unit)
	job, e := strconv.Atoi(strings.TrimSpace(out))
	if err = errors.Join(err, e); err != nil || job == 0 {
		return false
	}
	out, err = d.sup.output(ctx, "systemctl", "list-jobs", "--no-legend", "--no-pager")
	if err != nil {
		return false
	}
	for line := range strings.Lines(out) {
		// JOB UNIT TYPE STATE
		f := strings.Fields(line)
		if len(f) >= 3 && f[0] == strconv.Itoa(job) {
			return f[2] == "restart"
		}
	}
	return false
}

// ownUnit is the systemd unit this process runs in, from its control group.
func ownUnit() string {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || parts[0] != "0" && parts[1] != "name=systemd" {
			continue
		}
		if unit := filepath.Base(parts[2]); strings.HasSuffix(unit, ".service") {
			return unit
		}
	}
	return ""
}

// output runs a command of the machine and returns what it wrote.
func (sup *Supervisor) output(ctx context.Context, argv ...string) (string, error) {
	p := config.NewProgram("supervisor", argv...)
	out, err := sup.runCommand(ctx, &p, argv)
	if err != nil {
		return out, fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	return out, nil
}
