package supervisor

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// explain says in one line why a program is not ready; nothing when it is, or when it is not requested.
func (st *Status) explain() string {
	switch st.State {
	case Waiting:
		return "waits for " + strings.Join(st.WaitsFor, ", ")
	case Starting:
		if st.Probe != "" {
			return "not ready yet: " + firstLine(st.Probe)
		}
		return ""
	case Running:
		switch {
		case st.Ready:
			return ""
		case st.TimedOut:
			return strings.TrimSuffix("not ready in time: "+firstLine(st.Probe), ": ")
		case st.Probe != "":
			return "not ready yet: " + firstLine(st.Probe)
		}
		return "not ready yet"
	case Backoff, Fatal:
		return st.failure()
	case Exited:
		if st.Exit != nil && !st.Exit.Expected {
			return st.Exit.String()
		}
	case Killing:
		return "what it left behind is being killed"
	}
	return ""
}

func (st *Status) failure() string {
	why := st.Error
	if why == "" {
		why = st.Exit.String()
	}
	return firstLine(why)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	if len(line) > 300 {
		line = line[:300] + "..."
	}
	return line
}

// line describes the status in a log.
func (st *Status) line() string {
	text := strings.ToLower(string(st.State))
	if st.Degraded {
		return st.Why
	}
	if st.Ready {
		text = "ready"
	}
	if st.Why != "" {
		text += ": " + st.Why
	}
	return text
}

// Description is the text that supervisorctl shows behind the state, in the form supervisor gives it where it has one.
func (st *Status) Description() string {
	switch st.State {
	case Running:
		text := fmt.Sprintf("pid %d, uptime %s", st.PID, uptime(st.Up()))
		if !st.Ready {
			text += ", " + st.Why
		}
		return text
	case Fatal, Backoff:
		if st.Error == "" && st.State == Backoff {
			return "Exited too quickly (process log may have details)"
		}
		return st.Why
	case Stopped, Exited:
		if st.Stopped.IsZero() {
			return "Not started"
		}
		return st.Stopped.Format("Jan 02 03:04 PM")
	}
	return st.Why
}

// uptime formats a duration as Python prints a timedelta: [N days, ]H:MM:SS.
func uptime(d time.Duration) string {
	d = max(0, d)
	text := fmt.Sprintf("%d:%02d:%02d", int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60)
	switch days := int(d.Hours()) / 24; {
	case days == 1:
		text = "1 day, " + text
	case days > 1:
		text = fmt.Sprintf("%d days, %s", days, text)
	}
	return text
}

func compareStatus(a, b Status) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name))
}

// kernelKilled looks in the kernel's log for the out-of-memory killer naming the pid. Without the right to read that
// log the answer is no.
func kernelKilled(pid int) bool {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	want := []byte("Killed process " + strconv.Itoa(pid) + " ")
	buf := make([]byte, 8<<10) // one read gives one message
	for {
		n, err := unix.Read(fd, buf)
		switch {
		// messages were overwritten; go on with the oldest left
		case errors.Is(err, unix.EPIPE) || errors.Is(err, unix.EINTR):
		case err != nil || n <= 0:
			return false
		case bytes.Contains(buf[:n], want):
			return true
		}
	}
}
