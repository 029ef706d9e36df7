package cluster

import (
	"strconv"
	"strings"
)

// Profile is the generation of each part of FATE 1.x. It is taken from the component versions in the payload's
// fate.env and never guessed from FATE's own number: 1.11.1 carries eggroll 2.4.9, 1.11.2 carries 2.5.1.
type Profile struct {
	FATE    Version
	Flow    Version
	Board   Version
	Eggroll Version
}

// Version is a dotted number such as 2.5.3 or 1.7.2.2. The zero Version is unknown.
type Version string

// AtLeast compares number by number; missing numbers count as 0, text after a number is ignored.
func (v Version) AtLeast(min ...int) bool {
	parts := strings.Split(string(v), ".")
	for i, want := range min {
		have := 0
		if i < len(parts) {
			have, _ = strconv.Atoi(leadingDigits(parts[i]))
		}
		if have != want {
			return have > want
		}
	}
	return true
}

// Numbers are the numbers of the version, from the left; text after a number is ignored.
func (v Version) Numbers() []int {
	var out []int
	for _, part := range strings.Split(string(v), ".") {
		n, _ := strconv.Atoi(leadingDigits(part))
		out = append(out, n)
	}
	return out
}

func leadingDigits(s string) string {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}

// NodesRegister reports whether nodemanagers make themselves known to the clustermanager (eggroll 2.5). Before,
// their rows in the metadata database are all that it knows of them.
func (p Profile) NodesRegister() bool { return p.Eggroll.AtLeast(2, 5) }

// FlatPython reports the tree of FATE 1.5 and 1.6, with fate_flow inside FATE's python directory.
func (p Profile) FlatPython() bool { return !p.FATE.AtLeast(1, 7) }

// newProfile reads the generations from fate.env, and what it lacks from the versions of the payload's components.
func newProfile(env, versions map[string]string) Profile {
	of := func(name string) Version {
		for _, c := range allComponents() {
			if v := env[c.envKey]; c.name == name && v != "" {
				return Version(v)
			}
		}
		return Version(versions[name])
	}
	p := Profile{FATE: of("fate"), Flow: of("fateflow"), Board: of(boardComponent), Eggroll: of("eggroll")}
	if p.Flow == "" {
		p.Flow = p.FATE // one package until 1.7
	}
	return p
}

// JDBCTimeZone is the part of eggroll's JDBC URL that makes the driver and its database session both use UTC, whatever
// zone the host, the JVM and the server have. clustermanager compares created_at, a DATETIME that the server fills from
// the session's zone, with the JVM's clock; when the driver assumes another zone than the session's, sessions look
// hours old and are killed (upstream's serverTimezone=Asia/Shanghai on a server in UTC leaves a new session 20 s of 8 h
// 20 s).
//
// Which form works depends on the Connector/J in eggroll's lib (pom.xml of its tags): 8.0.16 in 2.2.0 to 2.4.2, 8.0.27
// in 2.4.3 and 2.4.4, 8.0.28 from 2.4.5 to 2.5.3. From 8.0.23 on the driver itself sets the session's zone. Before, it
// ignores these options, and the session's zone is set by a statement at connect; the literal is '+00:00' in
// hexadecimal because a plus sign in a URL is a blank, and a percent sign is an expression to python's configparser,
// which reads the file too. The zone's name would need the server's time zone tables. TestTimeZones tries both with the
// real drivers.
func (p Profile) JDBCTimeZone() string {
	if p.Eggroll.AtLeast(2, 4, 3) {
		return "connectionTimeZone=UTC&forceConnectionTimeZoneToSession=true"
	}
	return "serverTimezone=UTC&sessionVariables=time_zone=0x2B30303A3030"
}
