package adopt

import (
	"path"
	"strings"

	"fate-installer/installer/fate/cluster"
)

// Version is the version of a component that was found.
type Version struct {
	Component string `json:"component"` // its name in an appliance, such as fate, eggroll or mysql
	Version   string `json:"version"`   // its number
	From      string `json:"from"`      // file and line, or the name that it is part of
}

// versions are what the components are, by name.
type versions struct {
	list []Version
	env  map[string]string // fate.env, and what stands in for its lines where there is none
}

func (v *versions) of(component string) string {
	for _, found := range v.list {
		if found.Component == component {
			return found.Version
		}
	}
	return ""
}

func (v *versions) add(component, version, from string) {
	if version != "" && v.of(component) == "" {
		v.list = append(v.list, Version{component, version, from})
	}
}

// components gives the versions as a payload's are given.
func (v *versions) components() map[string]string {
	out := map[string]string{}
	for _, found := range v.list {
		out[found.Component] = found.Version
	}
	return out
}

// readVersions reads fate.env, and the names of jars and directories where it is missing or says nothing.
func readVersions(r *reader, l cluster.Layout) (*versions, error) {
	v := &versions{env: map[string]string{}}
	file := l.FateEnv()
	data, err := r.read(file)
	if err != nil && !absent(err) {
		return nil, unreadable(file, err)
	}
	if err == nil {
		entries, err := readShell(data)
		if err != nil {
			return nil, unreadable(file, err)
		}
		d := newDocument(kindShell, file, entries)
		for _, k := range cluster.VersionKeys() {
			if e, ok := d.get(k.Key); ok && e.value != "" {
				v.env[k.Key] = e.value
				v.add(k.Component, e.value, at(file, e.line))
			}
		}
	}
	return v, nil
}

// complete adds what fate.env does not say: eggroll and modules by their jars, the runtimes by the directories that
// the configuration names.
func (v *versions) complete(r *reader, l cluster.Layout, ds *documents) {
	lib := path.Join(l.Eggroll(), "lib")
	v.byName(r, lib, "eggroll-core-", ".jar", "eggroll")
	for _, m := range cluster.Modules() {
		if old := m.Old(); old.Jar != "" {
			v.byName(r, old.Home(l), old.Jar, ".jar", string(m))
		}
	}
	home := ds.of(kindEggroll).value("eggroll.resourcemanager.bootstrap.egg_frame.javahome")
	for _, dir := range []string{home, ds.of(kindShell).value("JAVA_HOME")} {
		if version, ok := strings.CutPrefix(path.Base(dir), "jdk-"); ok && path.IsAbs(dir) && r.exists(dir) {
			v.add("jdk", version, dir)
		}
	}
	v.byName(r, path.Join(l.ProjectCommon(), "jdk"), "jdk-", "", "jdk")
	if conf := ds.of(kindDatabase); conf != nil { // .../mysql/mysql-8.0.28/conf/my.cnf
		home := path.Dir(path.Dir(conf.file))
		engine, version, ok := strings.Cut(path.Base(home), "-")
		if ok && (engine == "mysql" || engine == "mariadb") {
			v.add(engine, version, home)
		}
	}
	if v.env["FATE"] == "" {
		v.fromEggroll()
	}
}

// byName takes a version from the name of an entry of a directory.
func (v *versions) byName(r *reader, dir, prefix, suffix, component string) {
	names, err := r.names(dir)
	if err != nil {
		return // what is in there is not known, and nothing else depends on it
	}
	for _, name := range names {
		version, ok := strings.CutPrefix(name, prefix)
		if version, ok2 := strings.CutSuffix(version, suffix); ok && ok2 && version != "" && version[0] >= '0' &&
			version[0] <= '9' {
			v.add(component, version, path.Join(dir, name))
			return
		}
	}
}

// fromEggroll names the release to which an eggroll belongs where there is no fate.env, as on the host of an exchange.
// The first of several is meant: what is rendered there depends on eggroll alone.
func (v *versions) fromEggroll() {
	eggroll := v.of("eggroll")
	for _, release := range cluster.Releases() {
		env, _, err := cluster.Release(release)
		if err == nil && env["EGGROLL"] == eggroll {
			v.env["FATE"], v.env["EGGROLL"] = release, eggroll
			v.add("fate", release, "the release of eggroll "+eggroll)
			return
		}
	}
}

// checkVersion refuses a FATE that is not of the generations that are known.
func (v *versions) checkVersion() *Refusal {
	fate := cluster.Version(v.of("fate"))
	switch {
	case fate == "":
		return &Refusal{Reason: WrongVersion, What: "its version is not known: there are no fate.env and no jars of eggroll",
			Next: "name the base directory of the installation with --base"}
	case fate.AtLeast(2):
		return &Refusal{Reason: WrongVersion,
			What: "it is FATE " + string(fate) + "; FATE 1.5 to 1.11 are taken over, and FATE 2 keeps other data",
			Next: "leave it with what installed it"}
	case !fate.AtLeast(1, 5):
		return &Refusal{Reason: WrongVersion,
			What: "it is FATE " + string(fate) + ", which has another layout and other databases than 1.5 and later",
			Next: "upgrade it to 1.5 or later by upstream's own means, or install on another host"}
	}
	return nil
}

// Upgrade tells whether the data of the installation can be brought to a later FATE.
type Upgrade struct {
	Possible bool   `json:"possible"` // there is a way
	Why      string `json:"why"`      // what upstream has for it
}

// upgrade judges by the SQL that FATE brings in deploy/upgrade/sql: it begins with the step from 1.6.0 to 1.6.1, and
// goes on from there to 1.11.
func (v *versions) upgrade(role cluster.Role) Upgrade {
	fate := cluster.Version(v.of("fate"))
	switch {
	case role == cluster.RoleExchange:
		return Upgrade{true, "an exchange has no database"}
	case !fate.AtLeast(1, 6):
		return Upgrade{false, "upstream has no migration of FATE-Flow's database from " + string(fate) +
			": its steps begin with 1.6.0"}
	}
	return Upgrade{true, "upstream has the SQL of each step from " + string(fate) + " to 1.11"}
}
