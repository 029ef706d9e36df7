package host

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// KernelMessage is a record of the kernel's log.
type KernelMessage struct {
	Time time.Time
	Text string
}

// KernelLog returns the records of the kernel's log that keep accepts, oldest first: what dmesg prints. In a tree there
// are none. Only root may read it, and in most containers no user may.
func (h *Host) KernelLog(keep func(text string) bool) ([]KernelMessage, error) {
	if !h.IsSystem() {
		return nil, nil
	}
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read the kernel's log: %w", err)
	}
	defer unix.Close(fd)
	var uptime unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &uptime); err != nil {
		return nil, fmt.Errorf("cannot read the time since the start of this machine: %w", err)
	}
	boot := time.Now().Add(-time.Duration(uptime.Nano()))
	var out []KernelMessage
	const most = 1 << 17 // records; the kernel's buffer holds fewer
	record := make([]byte, 8192)
	for range most {
		n, err := unix.Read(fd, record)
		switch {
		case errors.Is(err, unix.EPIPE): // records were overwritten; the next read goes on with the oldest
			continue
		case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
			return out, nil
		case err != nil:
			return out, fmt.Errorf("cannot read the kernel's log: %w", err)
		}
		if m, ok := parseKernelRecord(string(record[:n]), boot); ok && keep(m.Text) {
			out = append(out, m)
		}
	}
	return out, nil
}

// parseKernelRecord reads one record as Documentation/ABI/testing/dev-kmsg of Linux describes it: priority, sequence
// number, microseconds since the start and flags, then the text and, indented, further lines.
func parseKernelRecord(record string, boot time.Time) (KernelMessage, bool) {
	head, text, ok := strings.Cut(record, ";")
	fields := strings.Split(head, ",")
	if !ok || len(fields) < 4 {
		return KernelMessage{}, false
	}
	micros, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || micros < 0 {
		return KernelMessage{}, false
	}
	text, _, _ = strings.Cut(text, "\n")
	return KernelMessage{boot.Add(time.Duration(micros) * time.Microsecond), text}, true
}

// Space is the room of a file system, in bytes and in files. Free is the part that a user without root's reserve may
// use. Files is 0 on file systems that make them as needed.
type Space struct{ Size, Free, Files, FilesFree uint64 }

// Space returns the room of the file system that abs is on.
func (h *Host) Space(abs string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(h.Path(abs), &st); err != nil {
		return Space{}, fmt.Errorf("cannot find the free space of %s: %w", abs, err)
	}
	block := uint64(st.Frsize)
	if block == 0 {
		block = uint64(st.Bsize)
	}
	space := Space{st.Blocks * block, st.Bavail * block, st.Files, st.Ffree}
	if h.room != nil {
		space = h.room(abs, space)
	}
	return space, nil
}
