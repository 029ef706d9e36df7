package adopt

import (
	"path"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor/config"
)

// kind is a kind of configuration file that AnsibleFATE renders. That of the properties of a module is the module's
// name.
type kind string

const (
	kindEggroll    kind = "eggroll"
	kindRoutes     kind = "routes"
	kindFlow       kind = kind(cluster.FateFlow)
	kindDatabase   kind = "database"
	kindShell      kind = "environment"
	kindTest       kind = "test"
	kindSupervisor kind = "supervisor"
	kindProgram    kind = "program"

	kindLocal     kind = "local"     // it replaces blocks of FATE-Flow's own
	kindZooKeeper kind = "zookeeper" // set up by hand, as upstream's guide for high availability says
	kindNginx     kind = "nginx"     // likewise
	kindQueues    kind = "queues"    // routes of message queues, which FATE brings
	kindScript    kind = "script"    // starts a program with java
)

// given reports the kinds of which the cluster file renders none: FATE brings them, or operators have made them by
// hand from upstream's examples.
func (k kind) given() bool {
	return k == kindZooKeeper || k == kindNginx || k == kindQueues || k == kindScript
}

// parse is how each kind is read.
func (k kind) parse(data []byte) ([]entry, error) {
	switch k {
	case kindRoutes:
		return readJSON(data)
	case kindFlow, kindTest, kindLocal, kindQueues:
		return readYAML(data)
	case kindDatabase:
		return readOptions(data)
	case kindShell:
		return readShell(data)
	case kindNginx:
		return readNginx(data)
	case kindScript:
		return readScript(data)
	case kindSupervisor, kindProgram:
		return readSections(data)
	}
	return readProperties(data)
}

// readSections reads supervisord's dialect. The key of an entry is section.key.
func readSections(data []byte) ([]entry, error) {
	sections, problems := config.Sections("", data)
	if len(problems) > 0 {
		return nil, notAt(problems[0].Line, "%s", problems[0].Text)
	}
	var out []entry
	for _, s := range sections {
		if len(s.Keys) == 0 {
			out = append(out, entry{s.Name, "", s.Line})
		}
		for _, k := range s.Keys {
			out = append(out, entry{s.Name + "." + k.Name, k.Value, k.Line})
		}
	}
	return out, nil
}

// document is a configuration file of the installation.
type document struct {
	kind    kind
	file    string // as it is named; its directory may be a link
	program string // of a program file
	entries []entry
	index   map[string]int // key -> its last entry, which is the one that counts
}

// newDocument indexes entries. A key that a file has several times counts as its last value, as the programs that read
// such files take it.
func newDocument(k kind, file string, entries []entry) *document {
	d := &document{kind: k, file: file, entries: entries, index: make(map[string]int, len(entries))}
	for i, e := range entries {
		d.index[e.key] = i
	}
	return d
}

// get finds a key. A document that is not there has none.
func (d *document) get(key string) (entry, bool) {
	if d == nil {
		return entry{}, false
	}
	i, ok := d.index[key]
	if !ok {
		return entry{}, false
	}
	return d.entries[i], true
}

func (d *document) value(key string) string {
	e, _ := d.get(key)
	return e.value
}

// keys lists the keys in the order of the file.
func (d *document) keys() []string {
	if d == nil {
		return nil
	}
	var out []string
	for i, e := range d.entries {
		if d.index[e.key] == i {
			out = append(out, e.key)
		}
	}
	return out
}

// documents are the files of an installation that AnsibleFATE renders.
type documents struct {
	list    []*document
	skipped []Skipped
}

func (ds *documents) of(k kind) *document {
	i := slices.IndexFunc(ds.list, func(d *document) bool { return d.kind == k })
	if i < 0 {
		return nil
	}
	return ds.list[i]
}

// about is the document that decides on a key. FATE-Flow reads local.service_conf.yaml after service_conf.yaml, and
// each block of it replaces the whole block of that name.
func (ds *documents) about(k located) *document {
	if k.kind == kindFlow {
		if local := ds.of(kindLocal); slices.Contains(local.blocks(), topOf(k.key)) {
			return local
		}
	}
	return ds.of(k.kind)
}

// blocks lists the first parts of the keys.
func (d *document) blocks() []string {
	var out []string
	for _, key := range d.keys() {
		if top := topOf(key); !slices.Contains(out, top) {
			out = append(out, top)
		}
	}
	return out
}

func topOf(key string) string {
	if i := strings.IndexAny(key, ".["); i >= 0 {
		return key[:i]
	}
	return key
}

// programs lists the program files.
func (ds *documents) programs() []*document {
	var out []*document
	for _, d := range ds.list {
		if d.kind == kindProgram {
			out = append(out, d)
		}
	}
	return out
}

func (ds *documents) program(name string) *document {
	for _, d := range ds.programs() {
		if d.program == name {
			return d
		}
	}
	return nil
}

// get finds a key of a program file.
func (d *document) setting(key string) string {
	if d == nil {
		return ""
	}
	return d.value("program:" + d.program + "." + key)
}

// load reads a file if it is there.
func (ds *documents) load(r *reader, k kind, file string) *document {
	data, err := r.read(file)
	return ds.take(k, file, data, err)
}

// take parses what was read of a file.
func (ds *documents) take(k kind, file string, data []byte, err error) *document {
	if absent(err) {
		return nil
	}
	var entries []entry
	if err == nil {
		entries, err = k.parse(data)
	}
	if err != nil {
		ds.skipped = append(ds.skipped, Skipped{file, hideQuoted(k, (&secrets{}).message(rootCause(err).Error()))})
		return nil
	}
	d := newDocument(k, file, entries)
	ds.list = append(ds.list, d)
	return d
}

// standardFile is a configuration file that has the same path in every installation.
type standardFile struct {
	kind kind
	file string
}

// renderedFiles lists those that are rendered on a host that has the module.
func renderedFiles(l cluster.Layout) []standardFile {
	out := []standardFile{{kindEggroll, l.EggrollProperties()}, {kindRoutes, l.RouteTable()},
		{kindFlow, l.ServiceConf()}}
	for _, m := range cluster.Modules() {
		if conf := m.Old().Conf; conf != nil {
			out = append(out, standardFile{kind(m), conf(l)})
		}
	}
	return append(out, standardFile{kindShell, l.InitEnv()}, standardFile{kindTest, l.TestConfig()},
		standardFile{kindSupervisor, l.SupervisorConf()}, standardFile{kindZooKeeper, l.ZooKeeperConf()},
		standardFile{kindNginx, l.NginxConf()})
}

// standardFiles lists all of them.
func standardFiles(l cluster.Layout) []standardFile {
	out := renderedFiles(l)
	out = slices.Insert(out, len(out)-2, // before those that AnsibleFATE does not write
		standardFile{kindLocal, path.Join(l.ProjectConf(), "local.service_conf.yaml")},
		standardFile{kindQueues, path.Join(l.ProjectConf(), "rabbitmq_route_table.yaml")},
		standardFile{kindQueues, path.Join(l.ProjectConf(), "pulsar_route_table.yaml")})
	out = append(out, standardFile{kindScript, path.Join(l.Eggroll(), "bin", "fate-eggroll.sh")})
	for _, m := range cluster.Modules() {
		if home := m.Old().Home; home != nil {
			out = append(out, standardFile{kindScript, path.Join(home(l), "service.sh")})
		}
	}
	return out
}

// loadDocuments reads every file of the installation. l has the generation of its tree.
func loadDocuments(r *reader, l cluster.Layout) *documents {
	ds := &documents{}
	for _, f := range standardFiles(l) {
		ds.load(r, f.kind, f.file)
	}
	ds.loadPrograms(r, l.SupervisorPrograms())
	if conf := databaseConf(r, ds, l); conf != "" {
		ds.load(r, kindDatabase, conf)
	}
	return ds
}

// databaseConf is the option file of the database server: the one of its command line, or the one in its place.
func databaseConf(r *reader, ds *documents, l cluster.Layout) string {
	program := ds.program("fate-mysql")
	for _, word := range strings.Fields(program.setting("command")) {
		if file, ok := strings.CutPrefix(word, "--defaults-file="); ok && path.IsAbs(file) {
			if file, err := r.namedBy(program.file, file); err == nil {
				return file
			}
		}
	}
	dir := path.Join(l.ProjectCommon(), "mysql")
	names, err := r.names(dir)
	if err != nil {
		return ""
	}
	for _, name := range names {
		if file := path.Join(dir, name, "conf", "my.cnf"); r.exists(file) {
			return file
		}
	}
	return ""
}
