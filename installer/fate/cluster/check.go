package cluster

import (
	"regexp"
	"slices"
	"sync"

	"fate-installer/installer/problem"
)

var accountName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
})

// IsAccountName reports whether a text can be the name of the user or the group that programs run as.
func IsAccountName(text string) bool { return accountName().MatchString(text) }

// check applies the rules that need to know which host it is and what the payload brings.
func (s *Spec) check(problems *problem.Problems) {
	if char, why := unfitPath(s.Layout.Base); char != "" {
		problems.Add(s.Cluster.At("base"), "choose another --base", "the base directory %q cannot be used: %s",
			s.Layout.Base, why)
	}
	for _, n := range []struct{ flag, value string }{{"--user", s.User}, {"--group", s.Group}} {
		if !IsAccountName(n.value) {
			problems.Add(problem.Pos{}, "use lower-case letters, digits, - and _", "%s cannot be %q", n.flag, n.value)
		}
		if n.value == "root" {
			problems.Add(problem.Pos{}, "name an account of its own, or leave it out: it is made",
				"%s cannot be root: FATE's programs and every job of other "+
					"parties would run with root's rights", n.flag)
		}
	}
	s.checkVersion(problems)
	s.checkJobDefaults(problems)
	if s.LogsIn() && !s.Side.MySQL.Ours() && s.Side.Secrets.MySQLUser.IsZero() {
		problems.Add(s.Cluster.At("%s.mysql", s.Role),
			"write mysql.dbpasswd, or secrets: {mysql_user: ...} in a further cluster file",
			"the database is not installed with the %s, and the password of its user %s is not given", s.Role,
			s.Side.MySQL.User)
	}
	for _, m := range s.modules {
		if check := m.entry().check; check != nil {
			check(s, problems)
		}
	}
	k := &checker{c: s.Cluster, problems: problems}
	for _, e := range secretTable {
		if e.generated != "" {
			k.carries(carried{string(s.Role), e.generated, e.of(&s.Secrets).Reveal(), e.files})
		}
	}
}

// checkVersion refuses a payload of another FATE than the one the var files were rendered for, and what that FATE
// lacks.
func (s *Spec) checkVersion(problems *problem.Problems) {
	if want, have := s.Cluster.Install.Version, string(s.Profile.FATE); want != "" && have != "" && want != have {
		problems.Add(s.Cluster.At("version"), "use the payload of FATE "+want+", or correct version",
			"the files are for FATE %s, and the payload has %s", want, have)
	}
	if s.Profile.FATE != "" && len(s.Side.FateFlow.IPs) > 1 && !s.Profile.FATE.AtLeast(1, 9) {
		problems.Add(s.Cluster.At("%s.fate_flow.ips", s.Role), "keep one",
			"several FATE-Flows need FATE 1.9, and the payload has %s", s.Profile.FATE)
	}
	if s.Runs(ZooKeeper) && !s.shipped("zookeeper") {
		problems.Add(s.Cluster.At("%s.zk", s.Role), "use a payload with zookeeper, or write type: outside",
			"ZooKeeper is to run here, and the payload has none")
	}
	if s.Runs(Nginx) && !s.shipped("nginx") {
		problems.Add(s.Cluster.At("%s.nginx", s.Role), "use a payload with nginx, or write type: outside",
			"nginx is to run here, and the payload has none")
	}
}

// shipped reports whether the payload brings a component; without a payload everything may be.
func (s *Spec) shipped(component string) bool {
	return len(s.Versions) == 0 || s.Versions[component] != ""
}

// Warnings are remarks about this host: the cluster's notes, and values of the var files that the payload overrules.
func (s *Spec) Warnings() problem.Problems {
	notes := slices.Clone(s.Cluster.notes)
	for _, v := range []struct{ path, component, meant string }{{"mysql.version", s.DatabaseEngine(), "mysql"},
		{"java.version", "jdk", "jdk"}} {
		want, have := s.Cluster.versions[v.path], s.Versions[v.component]
		if want != "" && have != "" && (want != have || v.component != v.meant) {
			notes.Add(s.Cluster.At("%s", v.path), "", "the payload's %s %s is installed, not %s",
				v.component, have, want)
		}
	}
	if major := s.JavaMajor(); major != 8 && s.Versions["jdk"] != "" {
		notes.Add(problem.Pos{}, "", "the payload has Java %d, and FATE's java programs are made for Java 8", major)
	}
	s.noteJobDefaults(&notes)
	return notes.Sorted()
}
