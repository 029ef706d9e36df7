package host

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// OSRelease names the distribution, with the keys of os-release(5).
type OSRelease struct {
	ID      string   `json:"id"`         // centos, ubuntu, debian, openEuler, kylin
	Like    []string `json:"id_like"`    // ids of the distributions it derives from
	Version string   `json:"version_id"` // 7, 22.04; for CentOS 7 with the minor version of centos-release, 7.9
	Pretty  string   `json:"pretty_name"`
}

// Is reports whether the distribution is id or derives from it. Vendors differ in capitals (openEuler, Kylin).
func (o OSRelease) Is(id string) bool {
	return strings.EqualFold(o.ID, id) || slices.ContainsFunc(o.Like,
		func(like string) bool { return strings.EqualFold(like, id) })
}

// gatherer fills Facts; each method learns one group of facts.
type gatherer struct {
	h *Host
	f *Facts
}

// unknown records that the named fact could not be learned.
// It names paths as the host does, also in a tree.
func (g *gatherer) unknown(fact string, err error) {
	g.f.Unknown[fact] = strings.ReplaceAll(err.Error(), strings.TrimSuffix(g.h.Root(), "/")+"/", "/")
}

// unreadable records that the named fact could not be learned, unless err is that there is no such file: that is an
// answer.
func (g *gatherer) unreadable(fact string, err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		g.unknown(fact, err)
	}
}

// read gives the content of a file, or nil after recording why fact is not known.
func (g *gatherer) read(fact, file string) []byte {
	data, err := g.h.ReadFile(file)
	if err != nil {
		g.unknown(fact, err)
		return nil
	}
	return data
}

// line gives the trimmed content of a file that may be absent.
func (g *gatherer) line(file string) string {
	data, err := g.h.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func (g *gatherer) osRelease() {
	data, err := g.h.ReadFile("/etc/os-release")
	if err != nil {
		data, err = g.h.ReadFile("/usr/lib/os-release")
	}
	if err != nil {
		g.unknown("os", err)
		return
	}
	keys := assignments(data)
	o := &g.f.OS
	o.ID, o.Version, o.Pretty = keys["ID"], keys["VERSION_ID"], keys["PRETTY_NAME"]
	o.Like = strings.Fields(keys["ID_LIKE"])
	// os-release of CentOS 7 stops at the major version, but 7.0 and 7.1 are too old for what runs on 7.2.
	if minor := regexp.MustCompile(`release (\d+\.\d+)`).FindStringSubmatch(
		g.line("/etc/centos-release")); minor != nil && !strings.Contains(o.Version, ".") {
		o.Version = minor[1]
	}
}

// assignments reads KEY=value lines with shell quoting, as in os-release, locale.conf and ufw.conf. Expansions are not
// done: none of these files has any.
func assignments(data []byte) map[string]string {
	keys := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		keys[strings.TrimSpace(key)] = value
	}
	return keys
}

func (g *gatherer) kernel() {
	g.f.UID = os.Getuid()
	g.f.Kernel = g.line("/proc/sys/kernel/osrelease")
	if g.f.Kernel == "" {
		g.f.Unknown["kernel"] = "/proc/sys/kernel/osrelease cannot be read"
	}
	g.f.Arch = g.arch()
}

// goArch maps the machine names of uname to GOARCH's, which the payload's manifest uses.
var goArch = map[string]string{"x86_64": "amd64", "aarch64": "arm64", "loongarch64": "loong64", "ppc64le": "ppc64le",
	"riscv64": "riscv64", "s390x": "s390x", "i686": "386"}

// arch asks the kernel on the running machine; a directory tree gives itself away by its dynamic linker.
func (g *gatherer) arch() string {
	if !g.f.Rooted {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return runtime.GOARCH
		}
		machine := unix.ByteSliceToString(u.Machine[:])
		if arch, ok := goArch[machine]; ok {
			return arch
		}
		return machine
	}
	for linker, arch := range map[string]string{"/lib64/ld-linux-x86-64.so.2": "amd64",
		"/lib/ld-linux-aarch64.so.1": "arm64"} {
		if g.h.Exists(linker) {
			return arch
		}
	}
	g.f.Unknown["arch"] = "the tree has no dynamic linker known to us"
	return ""
}

// libcPaths are where distributions keep the C library, most specific first.
var libcPaths = []string{
	"/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6",
	"/usr/lib/aarch64-linux-gnu/libc.so.6",
	"/lib64/libc.so.6", "/usr/lib64/libc.so.6", "/usr/lib/libc.so.6", "/lib/libc.so.6",
}

// glibc finds the C library's version. Older ones tell it in the name their symbolic link points to (libc-2.17.so);
// newer ones only in the symbol versions they define.
func (g *gatherer) glibc() {
	for _, file := range libcPaths {
		target, err := g.h.Readlink(file)
		if version := libcLink().FindStringSubmatch(target); err == nil && version != nil {
			g.f.Glibc = version[1]
			return
		}
		data, err := g.h.ReadFile(file)
		if err != nil {
			continue
		}
		if version, err := definedGlibc(data); err == nil {
			g.f.Glibc = version
			return
		}
	}
	g.f.Unknown["glibc"] = "no GNU C library in the usual directories"
}

var libcLink = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`libc-(\d+\.\d+)\.so$`) })

// definedGlibc gives the highest GLIBC_x.y version that an ELF image defines.
func definedGlibc(image []byte) (string, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return "", fmt.Errorf("cannot read the C library: %w", err)
	}
	versions, err := f.DynamicVersions()
	if err != nil {
		return "", fmt.Errorf("cannot read the C library's symbol versions: %w", err)
	}
	best := ""
	for _, v := range versions {
		name, ok := strings.CutPrefix(v.Name, "GLIBC_")
		if ok && name[0] >= '0' && name[0] <= '9' && CompareVersions(name, best) > 0 {
			best = name
		}
	}
	if best == "" {
		return "", fmt.Errorf("cannot find a GLIBC version in the C library")
	}
	return best, nil
}

// CompareVersions compares dotted versions number by number, as in 2.9 < 2.17; what is not a number counts as 0.
func CompareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if c := number(as, i) - number(bs, i); c != 0 {
			return c
		}
	}
	return 0
}

func number(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	digits := strings.IndexFunc(parts[i], func(r rune) bool { return r < '0' || r > '9' })
	if digits >= 0 {
		parts[i] = parts[i][:digits]
	}
	n, _ := strconv.Atoi(parts[i]) // empty counts as 0
	return n
}

func (g *gatherer) init() {
	g.f.Container = g.h.Container()
	g.f.Boot = BootOf(g.h)
	if g.h.Exists("/run/systemd/system") {
		g.f.Init = "systemd"
		return
	}
	g.f.Init = g.line("/proc/1/comm")
	if g.f.Init == "" {
		g.f.Unknown["init"] = "/proc/1/comm cannot be read"
	}
}

// Locale is the character set that programs started at boot and by the user get.
type Locale struct {
	Lang   string `json:"lang"`   // of this process: LC_ALL, LC_CTYPE or LANG, the first that is set
	System string `json:"system"` // LANG of the machine's configuration
}

// locale knows this process's environment only on the running machine.
func (g *gatherer) locale() {
	for _, file := range []string{"/etc/locale.conf", "/etc/default/locale", "/etc/sysconfig/i18n"} {
		data, err := g.h.ReadFile(file)
		g.unreadable("locale", err)
		if lang := assignments(data)["LANG"]; err == nil && lang != "" {
			g.f.Locale.System = lang
			break
		}
	}
	if g.f.Rooted {
		return
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if g.f.Locale.Lang = os.Getenv(name); g.f.Locale.Lang != "" {
			return
		}
	}
}

// selinux prefers the running kernel's word to the configuration for the next boot.
func (g *gatherer) selinux() {
	enforce, err := g.h.ReadFile("/sys/fs/selinux/enforce")
	g.unreadable("selinux", err)
	switch strings.TrimSpace(string(enforce)) {
	case "1":
		g.f.SELinux = "enforcing"
		return
	case "0":
		g.f.SELinux = "permissive"
		return
	}
	data, err := g.h.ReadFile("/etc/selinux/config")
	g.unreadable("selinux", err)
	switch mode := assignments(data)["SELINUX"]; {
	case err != nil || mode == "":
		g.f.SELinux = "absent"
	case g.f.Rooted: // an image that has not booted yet will do what its configuration says
		g.f.SELinux = mode
	default:
		g.f.SELinux = "disabled"
	}
}

// Firewall is the packet filter that a distribution's own tool manages. Rules made by other means are not seen.
type Firewall struct {
	Name   string `json:"name"` // firewalld or ufw; empty for neither
	Active bool   `json:"active"`
}

func (g *gatherer) firewall() {
	data, err := g.h.ReadFile("/etc/ufw/ufw.conf")
	g.unreadable("firewall", err)
	if err == nil &&
		strings.EqualFold(assignments(data)["ENABLED"], "yes") {
		g.f.Firewall = Firewall{"ufw", true}
		return
	}
	if !g.h.Exists("/usr/sbin/firewalld") {
		return
	}
	g.f.Firewall = Firewall{Name: "firewalld"}
	g.f.Firewall.Active = g.h.Exists("/run/firewalld.pid") || g.h.Exists("/run/firewalld/firewalld.pid") ||
		g.runs("firewalld")
}

// runs reports whether a process of that name exists. It reads /proc itself, for facts gathered before the processes.
func (g *gatherer) runs(name string) bool {
	return slices.ContainsFunc(g.pids(),
		func(pid string) bool { return g.line(path.Join("/proc", pid, "comm")) == name })
}

// TimeSync says who keeps the clock right and whether the kernel believes that it is.
type TimeSync struct {
	Service      string `json:"service"`      // chronyd, ntpd, systemd-timesyncd; empty for none
	Synchronized bool   `json:"synchronized"` // only known on the running machine
}

func (g *gatherer) timeSync() {
	for comm, service := range map[string]string{"chronyd": "chronyd", "ntpd": "ntpd",
		"systemd-timesyn": "systemd-timesyncd", "ptp4l": "ptp4l"} {
		if g.runs(comm) {
			g.f.Time.Service = service
			break
		}
	}
	if g.f.Rooted {
		return
	}
	var t unix.Timex // Modes 0: only asks
	state, err := unix.Adjtimex(&t)
	if err != nil {
		g.unknown("time", err)
		return
	}
	g.f.Time.Synchronized = state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}

// sysctlsOfInterest are the settings that eggroll's own environment check looks at, and those that decide whether our
// limits and ports can be had.
var sysctlsOfInterest = []string{
	"kernel.threads-max", "kernel.pid_max", "vm.max_map_count", "vm.overcommit_memory", "vm.swappiness",
	"fs.file-max", "fs.nr_open", "fs.aio-max-nr", "fs.aio-nr", "net.core.somaxconn", "net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv6.conf.all.disable_ipv6", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
}

func (g *gatherer) sysctls() {
	g.f.Sysctls = Sysctls{}
	for _, key := range sysctlsOfInterest {
		data, err := g.h.ReadFile("/proc/sys/" + strings.ReplaceAll(key, ".", "/"))
		if err == nil {
			g.f.Sysctls[key] = strings.Join(strings.Fields(string(data)), " ")
		}
		g.unreadable("sysctl "+key, err)
	}
}

// programDirs is the search path of a system service, whatever PATH the operator has.
var programDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

func (g *gatherer) programs(names []string) {
	g.f.Programs = Programs{}
	for _, name := range names {
		if g.f.Programs[name] = findProgram(g.h, name); g.f.Programs[name] != "" {
			continue
		}
		for _, dir := range programDirs { // a program that was not found may be in one that cannot be looked at
			_, err := g.h.Lstat(path.Join(dir, name))
			g.unreadable("programs", err)
		}
	}
}

// findProgram looks for a program in programDirs; it returns nothing when it is in none.
func findProgram(h *Host, name string) string {
	for _, dir := range programDirs {
		// Lstat, not Stat: alternatives are absolute links that leave a directory tree.
		info, err := h.Lstat(path.Join(dir, name))
		if err == nil && (info.Mode()&0o111 != 0 || info.Mode().Type() == fs.ModeSymlink) {
			return path.Join(dir, name)
		}
	}
	return ""
}

// scan calls visit with the fields of every line of a file.
func (g *gatherer) scan(fact, file string, visit func(fields []string)) {
	s := bufio.NewScanner(bytes.NewReader(g.read(fact, file)))
	s.Buffer(nil, 1<<20) // /proc/cpuinfo and long process lines
	for s.Scan() {
		visit(strings.Fields(s.Text()))
	}
}
