package adopt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
)

// Options are what the operator says of the installation.
type Options struct {
	Base  string       // blank: found
	Role  cluster.Role // blank: found, or assumed
	IP    string       // blank: found among Addresses
	Nodes []string     // addresses of the party's nodemanagers, which no file has
	Flows []string     // addresses of the party's FATE-Flows with high availability

	Addresses []string // of this host
	Memory    uint64   // of this host in bytes; 0: not known
	CPUs      int      // of this host; 0: not known
	Now       time.Time
}

// Plan is what taking the host over would do. It has no value of a secret.
type Plan struct {
	Base     string    `json:"base"`      // the base directory
	Found    []string  `json:"found"`     // what showed that an installation is there
	Role     string    `json:"role"`      // host, guest or exchange
	RoleFrom string    `json:"role_from"` // file:line, --role, or assumed
	Party    int       `json:"party"`     // 0: an exchange
	IP       string    `json:"ip"`        // of this host in the party
	IPFrom   string    `json:"ip_from"`   // file:line, or what it follows from
	Versions []Version `json:"versions"`  // of the components
	Upgrade  Upgrade   `json:"upgrade"`   // whether the data can be brought to a later FATE
	Links    []Link    `json:"links"`     // symbolic links that were followed

	Programs   []Program      `json:"programs"`   // of the old supervisor, in the order of starting
	Supervisor *OldSupervisor `json:"supervisor"` // the old one; null: it has no configuration
	Boot       []Boot         `json:"boot"`       // what starts the old supervisor, or calls its service.sh

	Differences []Difference  `json:"differences"` // kept edits: every key that would be rendered otherwise
	Files       []FileState   `json:"files"`       // what becomes of every configuration file
	Secrets     []FoundSecret `json:"secrets"`     // passwords and keys that would be taken over
	Leftovers   []string      `json:"leftovers"`   // scripts of the deployment with passwords of the administrator
	Keys        *Keys         `json:"keys"`        // the TLS keys; null: no TLS

	Values      []Origin     `json:"values"`       // of the cluster file
	ClusterFile string       `json:"cluster_file"` // without passwords
	Dropped     []Dropped    `json:"dropped"`      // values that a cluster file cannot have; they stay as kept edits
	Assumptions []Assumption `json:"assumptions"`  // what no file says
	Obstacles   []Obstacle   `json:"obstacles"`    // what cannot be taken over, and why
	Skipped     []Skipped    `json:"skipped"`      // files that were not read
	Notes       []string     `json:"notes"`        // remarks about the configuration

	spec      *cluster.Spec
	secrets   *secrets
	documents *documents
}

// Link is a symbolic link that was followed.
type Link struct {
	Path   string `json:"path"`   // of the link
	Target string `json:"target"` // where it leads
}

// Skipped is a file that was not read, with the reason.
type Skipped struct {
	File string `json:"file"` // its path
	Why  string `json:"why"`  // the error
}

// Assumption is a value that no file has.
type Assumption struct {
	What string `json:"what"` // the value
	Why  string `json:"why"`  // nothing says so
	Next string `json:"next"` // how to say another one
}

// Obstacle is a part of the installation that cannot be taken over as it is.
type Obstacle struct {
	What string `json:"what"` // what it is
	Next string `json:"next"` // what to do
}

// Dropped is a value that is in a file and that a cluster file cannot have.
type Dropped struct {
	Origin
	Why string `json:"why"` // the cluster file cannot have it
}

// Spec is the host as the cluster file describes it, with the secrets that were found.
func (p *Plan) Spec() *cluster.Spec { return p.spec }

// Operators lists the kept edits that an operator made; the others are AnsibleFATE's own.
func (p *Plan) Operators() []Difference {
	return slices.DeleteFunc(slices.Clone(p.Differences), func(d Difference) bool { return d.By != byOperator })
}

// New looks at the host and makes the plan. It changes nothing, and opens nothing for writing. An error is a *Refusal
// when the host is not to be taken over.
func New(h *host.Host, o Options) (*Plan, error) {
	r := &reader{h: h}
	processes, unknown := host.Processes(h)
	boot, unread := cronEntries(r)
	in, err := find(r, processes, boot, o.Base)
	if err != nil {
		return nil, err
	}
	l := cluster.Layout{Base: in.base}
	v, err := readVersions(r, l)
	if err != nil {
		return nil, err
	}
	l.Flat = flat(r, v, l)
	ds := loadDocuments(r, l)
	v.complete(r, l, ds)
	if refusal := v.checkVersion(); refusal != nil {
		return nil, refusal
	}
	if refusal := checkEngine(ds); refusal != nil {
		return nil, refusal
	}
	p, err := assemble(r, in, o, v, ds, l, processes, unknown)
	if err != nil {
		return nil, err
	}
	for _, b := range boot {
		b.Text = p.secrets.shown(b.Text)
		p.Boot = append(p.Boot, b)
	}
	p.Skipped = append(p.Skipped, unread...)
	return p, nil
}

// flat tells which generation the tree is of where fate.env does not.
func flat(r *reader, v *versions, l cluster.Layout) bool {
	if fate := v.env["FATE"]; fate != "" {
		return !cluster.Version(fate).AtLeast(1, 7)
	}
	return r.exists(cluster.Layout{Base: l.Base, Flat: true}.FlowServer())
}

// checkEngine refuses a party that computes with spark: Spark, HDFS and the message queue belong to others.
func checkEngine(ds *documents) *Refusal {
	doc := ds.about(flow("default_engines.computing"))
	if strings.EqualFold(doc.value("default_engines.computing"), "spark") {
		e, _ := doc.get("default_engines.computing")
		return &Refusal{Reason: OtherEngine, Next: "leave it with what installed it",
			What: "it computes with spark (" + at(doc.file, e.line) + "), and only parties with eggroll are taken over"}
	}
	return nil
}

func assemble(r *reader, in installation, o Options, v *versions, ds *documents, l cluster.Layout,
	processes []host.Process, unknown string) (*Plan, error) {
	d := &deriver{ds: ds, opts: o}
	d.secrets.find(r, ds)
	d.modules()
	d.decideRole()
	if refusal := d.decideAddress(); refusal != nil {
		return nil, refusal
	}
	d.derive(in.base)
	p := &Plan{Base: in.base, Found: in.found, Role: string(d.role), RoleFrom: d.roleFrom, IP: d.ip, IPFrom: d.ipFrom,
		Versions: v.list, Upgrade: v.upgrade(d.role), Skipped: []Skipped{}, Obstacles: []Obstacle{}, Links: []Link{},
		Notes: []string{}, Dropped: []Dropped{}, Differences: []Difference{}, Boot: []Boot{}, secrets: &d.secrets,
		documents: ds}
	if err := p.settle(d, v); err != nil {
		return nil, err
	}
	p.Party = p.spec.PartyID
	c, err := compare(r, ds, p.spec, p.secrets)
	if err != nil {
		return nil, err
	}
	p.Differences = append(p.Differences, c.differences...)
	p.Files = c.files
	w := newWatcher(r, processes, unknown, p.secrets)
	p.Programs, p.Supervisor = w.programs(ds, l), w.supervisor(ds)
	p.Secrets = append([]FoundSecret{}, d.secrets.list...)
	p.Leftovers = append([]string{}, leftovers(r, l)...)
	p.Assumptions = append([]Assumption{}, d.assumptions...)
	p.Skipped = append(p.Skipped, ds.skipped...)
	p.Keys = findKeys(r, p.spec, ds, o.Now)
	p.obstacles(ds)
	for _, n := range p.spec.Warnings() {
		if !strings.Contains(n.Message, "is published") { // the secrets say so, and are none of the cluster file's
			p.Notes = append(p.Notes, n.String())
		}
	}
	if local := ds.of(kindLocal); local != nil {
		p.Notes = append(p.Notes, fmt.Sprintf("%s replaces blocks of %s: %s", local.file, l.ServiceConf(),
			strings.Join(local.blocks(), ", ")))
	}
	for link, target := range r.links {
		p.Links = append(p.Links, Link{link, target})
	}
	slices.SortFunc(p.Links, func(a, b Link) int { return strings.Compare(a.Path, b.Path) })
	return p, nil
}

// FileName is the name that messages give to the cluster file.
const FileName = "adopted.yaml"

// maxDropped is how many values may be taken out of the cluster file before it is given up.
const maxDropped = 200

// settle reads the cluster file as install would. A value that it cannot have is taken out, and is a kept edit then.
func (p *Plan) settle(d *deriver, v *versions) error {
	for range maxDropped {
		data := d.o.write("The party of this host as AnsibleFATE installed it. After each value stands where it was found.",
			"Passwords are not in this file.")
		spec, err := d.spec(data, v)
		if err == nil {
			p.spec, p.ClusterFile, p.Values = spec, string(data), d.o.origins()
			return nil
		}
		var problems problem.Problems
		if !errors.As(err, &problems) || !p.drop(d, problems) {
			return &Refusal{Reason: NoCluster, Next: "correct the files that it names",
				What: "what was found does not make a cluster file: " + d.secrets.message(err.Error()) +
					p.withoutDropped()}
		}
	}
	return &Refusal{Reason: NoCluster, Next: "correct the files of the installation",
		What: fmt.Sprintf("more than %d values of the configuration are not ones of a cluster file", maxDropped)}
}

// withoutDropped names the values that were taken out before the rest made no cluster file either.
func (p *Plan) withoutDropped() string {
	out := ""
	for _, d := range p.Dropped {
		out += fmt.Sprintf("; without %s %s (%s): %s", d.Key, d.Value, d.From, d.Why)
	}
	return out
}

// drop takes out the value that the first problem is about.
func (p *Plan) drop(d *deriver, problems problem.Problems) bool {
	for _, x := range problems {
		i := d.o.at(x.Line)
		if i == nil || i.parent == nil || i.parent == d.o.root {
			continue
		}
		if i.isRoutes() || i.parent.isRoutes() && i.value == d.partyID().value {
			if !d.ownRoutes(i) { // they are as they have to be, and something else is wrong
				continue
			}
			return true
		}
		if i.value == "" || i.key == "partyid" {
			continue
		}
		p.Dropped = append(p.Dropped, Dropped{Origin{i.path(), d.secrets.shown(i.value), i.from},
			d.secrets.message(x.Message)})
		d.o.drop(i)
		return true
	}
	return false
}

// path is the key of an item with those above it.
func (i *item) path() string {
	if i.parent == nil {
		return ""
	}
	return joinKey(i.parent.path(), i.key)
}

// spec reads a cluster file and gives it the secrets that were found.
func (d *deriver) spec(data []byte, v *versions) (*cluster.Spec, error) {
	c, err := cluster.ParseWith([]cluster.Source{{Name: FileName, Data: data}},
		map[cluster.Role]cluster.Secrets{d.role: d.secrets.cluster()})
	if err != nil {
		return nil, err
	}
	if side := c.Side(d.role); side != nil {
		if secret := d.secrets.values[secretHTTP]; !secret.IsZero() {
			side.FateFlow.AppKey, side.FateFlow.SecretKey = d.secrets.appKey, secret
		}
	}
	return c.Spec(cluster.Selection{Role: d.role, IP: d.ip, Versions: v.components(), Env: v.env,
		Memory: d.opts.Memory, CPUs: d.opts.CPUs})
}

// obstacles lists what of the installation cannot be taken over as it is.
func (p *Plan) obstacles(ds *documents) {
	add := func(what, next string) { p.Obstacles = append(p.Obstacles, Obstacle{what, next}) }
	for _, s := range ds.skipped {
		add(fmt.Sprintf("%s cannot be read: %s", s.File, s.Why), "correct the file, and plan again")
	}
	if doc := ds.about(flow("encrypt_password")); doc.value("encrypt_password") == "true" {
		e, _ := doc.get("encrypt_password")
		add(at(doc.file, e.line)+" says that the passwords in it are encrypted",
			"write them in clear text, with encrypt_password: false")
	}
	l := p.spec.Layout
	if doc := ds.of(kindDatabase); doc != nil {
		if e, ok := doc.get("mysqld.datadir"); ok && strings.TrimRight(e.value, "/") != l.DatabaseData() {
			add(fmt.Sprintf("the database is in %s (%s), and fate-installer looks for it in %s", e.value,
				at(doc.file, e.line), l.DatabaseData()),
				"move it there, or mount it there: mount --bind "+e.value+" "+l.DatabaseData())
		}
	}
	if len(ds.programs()) == 0 {
		add("there are no program files in "+l.SupervisorPrograms(), "name the right base directory with --base")
	}
}
