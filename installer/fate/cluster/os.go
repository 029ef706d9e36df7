package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// OS are the policies for what an installation changes on the machine itself: the keys of os: in the cluster file. A
// blank is the first word of each.
type OS struct {
	Limits    string            `yaml:"limits"`    // set, or keep
	Sysctl    string            `yaml:"sysctl"`    // set, or keep
	Swap      string            `yaml:"swap"`      // auto, keep, or a size such as 128G
	SELinux   string            `yaml:"selinux"`   // permissive, or keep
	Firewall  string            `yaml:"firewall"`  // open (our ports), disable, or keep
	Names     map[string]string `yaml:"names"`     // address -> host name, of any hosts of the cluster
	Hostname  string            `yaml:"hostname"`  // set (this host's of names), or keep
	Hosts     string            `yaml:"hosts"`     // set (/etc/hosts), or keep
	Libraries string            `yaml:"libraries"` // link (names that programs ask for, to what is installed), or keep
	Sudoers   string            `yaml:"sudoers"`   // keep, or grant

	// PassEnvironment names variables of systemd's manager that FATE's programs get; they get no others of it.
	PassEnvironment []string `yaml:"pass_environment"`
}

// policy is one key of os: that can be kept as it is.
type policy struct {
	key   string
	value *string
	words []string // that are understood; the first is the default
}

const (
	PolicyKeep = "keep"
	SwapAuto   = "auto"
)

func (o *OS) policies() []policy {
	return []policy{
		{"limits", &o.Limits, []string{"set", PolicyKeep}},
		{"sysctl", &o.Sysctl, []string{"set", PolicyKeep}},
		{"swap", &o.Swap, []string{SwapAuto, PolicyKeep}},
		{"selinux", &o.SELinux, []string{"permissive", PolicyKeep}},
		{"firewall", &o.Firewall, []string{"open", "disable", PolicyKeep}},
		{"hostname", &o.Hostname, []string{"set", PolicyKeep}},
		{"hosts", &o.Hosts, []string{"set", PolicyKeep}},
		{"libraries", &o.Libraries, []string{"link", PolicyKeep}},
		{"sudoers", &o.Sudoers, []string{PolicyKeep, "grant"}},
	}
}

// complete fills in the defaults.
func (o *OS) complete() {
	for _, p := range o.policies() {
		if *p.value == "" {
			*p.value = p.words[0]
		}
	}
}

// OSPolicies lists the keys of os: that --skip-os takes.
func OSPolicies() []string {
	var out []string
	for _, p := range new(OS).policies() {
		out = append(out, p.key)
	}
	return out
}

// Without is o with the named policies set to keep.
func (o OS) Without(skip []string) OS {
	for _, p := range o.policies() {
		if slices.Contains(skip, p.key) {
			*p.value = PolicyKeep
		}
	}
	return o
}

// machineName matches names that sethostname(2) accepts and /etc/hosts can hold. An underscore is in no domain name,
// and yet in the examples of FATE's guide.
var machineName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$`)
})

// variableName matches names that a shell accepts for a variable.
var variableName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
})

func (k *checker) osPolicies() {
	o := &k.c.OS
	for _, p := range o.policies() {
		at := "os." + p.key
		if p.value != &o.Swap {
			k.choice(at, *p.value, p.words...)
			continue
		}
		if _, ok := ParseSize(o.Swap); !ok && !slices.Contains(p.words, o.Swap) {
			k.bad(at, "write auto, keep, or a size such as 128G", "os.swap must be auto, keep or a size, not %q",
				o.Swap)
		}
	}
	for i, name := range o.PassEnvironment {
		if !variableName().MatchString(name) {
			k.bad(fmt.Sprintf("os.pass_environment[%d]", i), "write names of environment variables, as in [http_proxy]",
				"os.pass_environment has %q, which no variable is called", name)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(o.Names)) {
		at := "os.names." + address
		if _, err := netip.ParseAddr(address); err != nil {
			k.bad(at, "write the address of a host before its name, as in 192.168.0.1: party-a",
				"os.names has %q, which is no address", address)
		}
		if name := o.Names[address]; !machineName().MatchString(name) {
			k.bad(at, "use letters, digits, dots and hyphens", "os.names gives %s the name %q, which no host can have",
				address, name)
		}
	}
}

// Keeps reports whether the policy of a key of os: is to leave the machine as it is.
func (o *OS) Keeps(key string) bool {
	all := o.policies()
	return *all[slices.IndexFunc(all, func(p policy) bool { return p.key == key })].value == PolicyKeep
}

// ParseSize reads what sizeText allows: a number with an optional unit, as in 128G.
func ParseSize(text string) (bytes int64, ok bool) {
	if !sizeText().MatchString(text) {
		return 0, false
	}
	shift := 0
	switch text[len(text)-1] | 0x20 { // in lower case
	case 'k':
		shift = 10
	case 'm':
		shift = 20
	case 'g':
		shift = 30
	case 't':
		shift = 40
	}
	n, err := strconv.ParseInt(strings.TrimRight(text, "KMGTkmgt"), 10, 64)
	return n << shift, err == nil && n<<shift>>shift == n
}
