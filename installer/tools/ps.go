package tools

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/host/procstat"
)

// ps prints all processes in the columns of procps's "ps aux". Lines are not cut: eggroll looks for a session's ID far
// to the right.
func ps(s streams, args []string) int {
	for _, a := range args {
		if form := strings.TrimPrefix(a, "-"); strings.Trim(form, "aux") != "" || form == "" && a != "" {
			return s.fail(1, "ps",
				"cannot show %q: this is fate-installer's own ps, which knows ps aux only; install procps for others",
				a)
		}
	}
	out := bufio.NewWriter(s.out)
	if err := (procFS{dir: "/proc", now: time.Now()}).list(out); err != nil {
		return s.fail(1, "ps", "%v", err)
	}
	if err := out.Flush(); err != nil {
		return s.fail(1, "ps", "%v", err)
	}
	return 0
}

// procFS is a mounted proc file system.
type procFS struct {
	dir    string
	now    time.Time
	booted time.Time // the zero of Unix time when it is not known
}

// list writes a heading and one line for each process. Processes that end in between are left out.
func (p procFS) list(out *bufio.Writer) error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("cannot list processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	names := accounts("/etc/passwd")
	memory := p.number("meminfo", "MemTotal:") << 10
	p.booted = time.Unix(p.number("stat", "btime"), 0)
	fmt.Fprintln(out, "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND")
	for _, pid := range pids {
		process, err := p.read(pid)
		if err != nil {
			continue
		}
		user := names[process.uid]
		if user == "" {
			user = process.uid
		}
		if len(user) > 8 {
			user = user[:7] + "+"
		}
		percent := 0.0
		if memory > 0 {
			percent = 100 * float64(process.rss) / float64(memory)
		}
		fmt.Fprintf(out, "%-8s %7d %4.1f %4.1f %6d %5d %-8s %-4s %5s %6s %s\n", user, pid, process.cpu(p.now), percent,
			process.size>>10,
			process.rss>>10, terminal(process.tty), process.state, clock(process.started, p.now),
			cpuTime(process.busy), process.command)
	}
	return nil
}

// process has the fields of a line.
type process struct {
	uid       string
	state     string
	command   string
	tty       int
	size, rss int64 // bytes
	busy      time.Duration
	started   time.Time
}

// read reads /proc/PID/stat, status and cmdline.
func (p procFS) read(pid int) (process, error) {
	dir := path.Join(p.dir, strconv.Itoa(pid))
	stat, err := os.ReadFile(path.Join(dir, "stat"))
	if err != nil {
		return process{}, err
	}
	st, err := procstat.Parse(stat)
	if err != nil {
		return process{}, fmt.Errorf("cannot read %s/stat: %w", dir, err)
	}
	const tick = time.Second / procstat.TicksPerSecond
	out := process{state: string(st.State), tty: st.TTY, size: st.Size, rss: st.Resident * int64(os.Getpagesize())}
	out.busy = time.Duration(st.Busy) * tick
	out.started = p.booted.Add(time.Duration(st.Start) * tick)
	out.uid = p.owner(dir)
	cmdline, _ := os.ReadFile(path.Join(dir, "cmdline")) // empty for kernel threads and the dead
	out.command = printable(strings.TrimRight(strings.ReplaceAll(string(cmdline), "\x00", " "), " "))
	if out.command == "" {
		out.command = "[" + printable(st.Name) + "]"
		if out.state == "Z" {
			out.command += " <defunct>"
		}
	}
	return out, nil
}

// owner is the effective user ID.
func (p procFS) owner(dir string) string {
	status, err := os.ReadFile(path.Join(dir, "status"))
	if err != nil {
		return "?"
	}
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			if fields := strings.Fields(ids); len(fields) > 1 {
				return fields[1]
			}
		}
	}
	return "?"
}

// number is the first number after a word at the start of a line, 0 when there is none.
func (p procFS) number(file, word string) int64 {
	data, _ := os.ReadFile(path.Join(p.dir, file))
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == word {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n
		}
	}
	return 0
}

// cpu is the share of one processor since the start, in percent.
func (p process) cpu(now time.Time) float64 {
	if lived := now.Sub(p.started); lived > time.Second {
		return min(100*float64(p.busy)/float64(lived), 999)
	}
	return 0
}

// terminal names a controlling terminal from its device number.
func terminal(device int) string {
	major, minor := device>>8&0xfff, device&0xff|device>>12&0xfff00
	switch {
	case device == 0:
		return "?"
	case major >= 136 && major <= 143:
		return "pts/" + strconv.Itoa((major-136)<<8+minor)
	case major == 4 && minor < 64:
		return "tty" + strconv.Itoa(minor)
	case major == 4:
		return "ttyS" + strconv.Itoa(minor-64)
	}
	return "?"
}

func clock(started, now time.Time) string {
	switch {
	case now.Sub(started) < 24*time.Hour:
		return started.Format("15:04")
	case now.Year() == started.Year():
		return started.Format("Jan02")
	}
	return started.Format("2006")
}

func cpuTime(d time.Duration) string {
	seconds := int(d / time.Second)
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// printable replaces what would break the line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

// accounts maps user IDs to names.
func accounts(file string) map[string]string {
	names := make(map[string]string)
	data, _ := os.ReadFile(file)
	for line := range strings.Lines(string(data)) {
		if fields := strings.Split(line, ":"); len(fields) > 2 && names[fields[2]] == "" {
			names[fields[2]] = fields[0]
		}
	}
	return names
}
