package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/payload"
	"fate-installer/supervisor"
)

// Space that an installation needs besides its components.
const (
	databaseSpace = 400 * mebibyte // the files of an empty database; twice, while it is made
	logSpace      = 512 * mebibyte
	perFile       = 4 * kibibyte // what a filesystem's blocks cost on the average, rounded up
	spareInodes   = 10_000       // logs, jobs, the database's tables
)

// need is the space that will be used on one filesystem.
type need struct {
	fs     host.PathFact
	bytes  uint64
	inodes uint64
	what   []string
}

// needs sums up what goes where. A component that is unpacked already needs nothing, and one that replaces another
// needs its whole size, because the old tree is kept until the new one is in place.
func (p *preflight) needs() []need {
	var out []need
	add := func(path, what string, bytes, inodes uint64) {
		fs, ok := p.f.PathFact(path)
		if !ok || fs.Size == 0 || bytes == 0 {
			return
		}
		i := slices.IndexFunc(out, func(n need) bool { return n.fs.Device == fs.Device })
		if i < 0 {
			out, i = append(out, need{fs: fs}), len(out)
		}
		out[i].bytes += bytes
		out[i].inodes += inodes
		out[i].what = append(out[i].what, what)
	}
	for _, c := range p.missingComponents() {
		files := uint64(c.Files + c.Dirs + c.Links)
		add(p.s.UnpackTarget(c.Name), c.Name, uint64(c.Size)+files*perFile, files)
	}
	if mark, ok := p.f.PathFact(datadirMark(p.s)); p.s.Runs(cluster.MySQL) && (!ok || !mark.Exists) {
		add(p.s.Layout.DatabaseData(), "database", databaseSpace, 0)
	}
	if swap, ok := swapFile(p.s, p.f); ok && p.f.Container == "" && p.f.Memory.SwapTotal < uint64(swap.Size) {
		add(p.s.Layout.Base, "swap", uint64(swap.Size), 1)
	}
	if !p.in.Installed {
		add(p.s.Layout.Logs(), "logs", logSpace, spareInodes)
	}
	return out
}

// neededOn is the space that will be used on a filesystem, in bytes.
func (p *preflight) neededOn(fs host.PathFact) uint64 {
	for _, n := range p.needs() {
		if n.fs.Device == fs.Device {
			return n.bytes
		}
	}
	return 0
}

// missingComponents are those of the payload that this host needs and does not have.
func (p *preflight) missingComponents() []payload.Component {
	var out []payload.Component
	for _, c := range p.in.Components {
		if slices.Contains(p.s.Components(), c.Name) && (c.Digest == "" || p.in.Unpacked[c.Name] != c.Digest) {
			out = append(out, c)
		}
	}
	return out
}

func (p *preflight) space() {
	p.unmeasuredDisks()
	for _, n := range p.needs() {
		r := p.check("disk:"+n.fs.Mount, fmt.Sprintf("enough space on %s for %s", orRoot(n.fs.Mount),
			strings.Join(n.what, ", ")), size(n.bytes)).
			measured("%s free", size(n.fs.Free))
		if n.fs.Free < n.bytes {
			r.refuse("free %s more on %s, or move it all with --base", size(n.bytes-n.fs.Free), orRoot(n.fs.Mount))
		} else {
			r.ok()
		}
	}
	p.logSpace()
	p.recommended("disk-data", p.s.Layout.Base, "space for data and models", wantedDisk)
	p.recommended("disk-root", "/", "space on the root filesystem", wantedRoot)
}

// unmeasuredDisks names the directories whose file systems could not be looked at: their sizes, their room and their
// options are not known.
func (p *preflight) unmeasuredDisks() {
	l := p.s.Layout
	for _, dir := range []string{l.Base, l.Temp(), l.Projects(), l.Data(), l.Logs()} {
		p.notMeasured("disk:"+dir, "enough room on the file system of "+dir+", which programs can be started from",
			"path "+dir)
	}
}

// Space that jobs leave behind below the log directory, where only gc removes it: an allowance for a hundred jobs.
// FATE-Flow and the workers log at level DEBUG, into a directory for each job and session.
const (
	jobLogs     = 20 * mebibyte
	allowedJobs = 100
)

// rotatedShare is the part of its size that a rotated log takes once it is compressed.
const rotatedShare = 10

// logSpace compares the free space with what logs may grow to: those of the programs, which are bounded by rotation,
// and those of jobs, which are not.
func (p *preflight) logSpace() {
	logs := p.s.Layout.Logs()
	fs, ok := p.f.PathFact(logs)
	if !ok || fs.Size == 0 {
		return
	}
	var programs uint64
	for _, program := range render.Programs(p.s) {
		streams := [][2]int64{{program.StdoutLogfileMaxBytes, int64(program.StdoutLogfileBackups)}}
		if program.StderrLogfile != "NONE" && !program.RedirectStderr {
			streams = append(streams, [2]int64{program.StderrLogfileMaxBytes, int64(program.StderrLogfileBackups)})
		}
		for _, l := range streams {
			programs += uint64(l[0] + l[0]*l[1]/rotatedShare)
		}
	}
	var jobs uint64
	if p.s.Runs(cluster.FateFlow) || p.s.Runs(cluster.NodeManager) {
		jobs = allowedJobs * jobLogs
	}
	r := p.check("disk-logs", "space for logs of programs and jobs in "+logs, size(programs+jobs))
	free := fs.Free - min(fs.Free, p.neededOn(fs))
	r.measured("%s free, without what is still to be installed; programs may log %s, a hundred jobs about %s",
		size(free), size(programs), size(jobs))
	if free < programs+jobs {
		r.warn("put %s on a larger filesystem, or run fate-installer gc each night: nothing else removes the logs of jobs",
			logs)
		return
	}
	r.ok()
}

// reserve refuses a file system that would have less left than what the supervisor watches: programs on it are
// degraded, and jobs fail when it is full.
func (p *preflight) reserve() {
	l := p.s.Layout
	dirs := []string{l.Data(), l.Logs(), l.Temp(), l.Projects()}
	if p.s.Runs(cluster.MySQL) {
		dirs = append(dirs, l.DatabaseData())
	}
	seen := map[uint64]bool{}
	for _, dir := range dirs {
		fs, ok := p.f.PathFact(dir)
		if !ok || fs.Size == 0 || seen[fs.Device] {
			continue
		}
		seen[fs.Device] = true
		free, text := fs.Free, "%s free"
		needed := p.neededOn(fs)
		if needed > free {
			continue // the check of the space for it refuses already
		}
		if needed > 0 {
			free, text = free-needed, "%s free when all is installed"
		}
		wanted := supervisor.Reserve(fs.Size)
		r := p.check("reserve:"+cmp.Or(fs.Mount, "/"), "room in reserve for data, logs and database on "+
			orRoot(fs.Mount),
			size(wanted)+": 512 MiB, or 5 % of a small file system").measured(text, size(free))
		if free < wanted {
			r.refuse("free %s more on %s: below the reserve programs are degraded, and on a full disk every job fails",
				size(wanted-free), orRoot(fs.Mount))
			continue
		}
		r.ok()
	}
}

// filling warns of file systems that begin to be full, while there is time to remove something.
func (p *preflight) filling() {
	if !p.in.Installed {
		return
	}
	l := p.s.Layout
	seen := map[uint64]bool{}
	for _, dir := range []string{l.Data(), l.Logs(), l.Temp(), l.Projects()} {
		fs, ok := p.f.PathFact(dir)
		if !ok || fs.Size == 0 || seen[fs.Device] {
			continue
		}
		seen[fs.Device] = true
		r := p.check("filling:"+cmp.Or(fs.Mount, "/"), "less than 80 % in use on "+orRoot(fs.Mount), "less than 80 %").
			measured("%d %% in use, %s free", 100-100*fs.Free/fs.Size, size(fs.Free))
		if supervisor.Filling(fs.Size, fs.Free) {
			r.warn("fate-installer gc --dry-run shows which files of ended jobs and old logs can be removed")
			continue
		}
		r.ok()
	}
}

func orRoot(mount string) string {
	if mount == "" {
		return "the filesystem"
	}
	return mount
}

// recommended compares with FATE's guide, which nothing depends on.
func (p *preflight) recommended(id, path, title string, want uint64) {
	fs, ok := p.f.PathFact(path)
	if !ok || fs.Size == 0 {
		return
	}
	r := p.check(id, title, size(want)).measured("%s free of %s", size(fs.Free), size(fs.Size))
	// The guide's number is for the disk that one buys, so an installation that fills it is no reason to warn.
	if fs.Free < want && (id != "disk-data" || fs.Size < want*9/10) {
		r.warn("fine for a trial; real data needs more")
		return
	}
	r.ok()
}

func (p *preflight) inodes() {
	for _, n := range p.needs() {
		if n.fs.Inodes == 0 { // the filesystem makes them as needed
			continue
		}
		r := p.check("inodes:"+n.fs.Mount, "enough inodes on "+orRoot(n.fs.Mount),
			fmt.Sprint(n.inodes)).measured("%d free", n.fs.InodesFree)
		if n.fs.InodesFree < n.inodes {
			r.refuse("remove small files there, or move it all with --base")
		} else {
			r.ok()
		}
	}
}

// mountOptions refuses filesystems on which nothing can be written or started.
func (p *preflight) mountOptions() {
	if p.notMeasured("mount", "programs can be written to and started from "+p.s.Layout.Base, "mounts") {
		return
	}
	seen := map[string]bool{}
	for _, path := range []string{p.s.Layout.Projects(), p.s.Layout.Data(), p.s.Layout.Logs()} {
		fs, ok := p.f.PathFact(path)
		if !ok || fs.Mount == "" || seen[fs.Mount] {
			continue
		}
		seen[fs.Mount] = true
		r := p.check("mount:"+fs.Mount, "programs can be written to and started from "+fs.Mount,
			"rw, exec").measured("%s, %s", fs.Type, strings.Join(fs.Options, ","))
		switch {
		case fs.ReadOnly():
			r.final("mount -o remount,rw %s", fs.Mount)
		case fs.NoExec() && path == p.s.Layout.Projects():
			r.refuse("mount -o remount,exec %s (and in /etc/fstab), or choose another --base", fs.Mount)
		case fs.NoDType:
			r.measured("xfs made with ftype=0").warn("fine for FATE; container software on the same disk will not work")
		default:
			r.ok()
		}
	}
	if fs, ok := p.f.PathFact(p.s.Layout.Temp()); ok && fs.NoExec() && !seen[fs.Mount] && render.RunsJava(p.s) {
		p.check("mount:"+fs.Mount, "java can load its native libraries from "+p.s.Layout.Temp(),
			"exec").measured("noexec").
			warn("compression in eggroll and rollsite may fail: mount -o remount,exec %s", fs.Mount)
	}
}

// leastRun is the space that systemd needs on /run before it reads its units again (RELOAD_DISK_SPACE_MIN in its
// source): with less, both the installation of the boot unit and its removal fail.
const leastRun = 16 * mebibyte

// runSpace is only of interest where systemd starts the supervisor.
func (p *preflight) runSpace() {
	fs, ok := p.f.PathFact(systemdRun)
	if p.f.Init == "systemd" && !p.f.Rooted {
		p.notMeasured("disk-run", "systemd has room to read its units", "path "+systemdRun)
	}
	if !ok || fs.Size == 0 || p.f.Rooted || p.f.Init != "systemd" {
		return
	}
	r := p.check("disk-run", "systemd has room to read its units", "16 MiB free on /run").measured("%s free on %s",
		size(fs.Free), fs.Mount)
	if fs.Free >= leastRun {
		r.ok()
		return
	}
	r.refuse("systemd refuses daemon-reload otherwise: remove files from /run (du -xm /run | sort -n), or mount -o "+
		"remount,size=64m %s", fs.Mount)
}

const systemdRun = "/run"
