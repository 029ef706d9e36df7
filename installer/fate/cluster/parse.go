package cluster

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"fate-installer/installer/problem"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Source is one file as the operator gave it.
type Source struct {
	Name string // for messages: a path, or "-" for standard input
	Data []byte
}

// document is the union of what may stand at the top of a cluster file: our single file, AnsibleFATE's base_init and
// <project>_init, and its one file per role. Which of them a source is follows from its keys.
type document struct {
	Host     *Side        `yaml:"host"`
	Guest    *Side        `yaml:"guest"`
	Exchange *exchangeDoc `yaml:"exchange"`
	OS       OS           `yaml:"os"`
	Heal     Heal         `yaml:"heal"`
	Secrets  SecretsConf  `yaml:"secrets"`
	baseInit
	projectInit
}

// exchangeDoc is the exchange in both generations.
type exchangeDoc struct {
	Enable   bool         `yaml:"enable"` // 1.5
	PartyID  int          `yaml:"partyid"`
	IP       string       `yaml:"ip"`
	Rollsite RollsiteConf `yaml:"rollsite"`
	Secrets  SecretsConf  `yaml:"secrets"`
	Partys   []PartyRules `yaml:"partys"` // 1.5
}

// baseInit is AnsibleFATE's base_init: where things live.
type baseInit struct {
	BaseDir  string `yaml:"base_dir"`
	Base     string `yaml:"base"`
	PBase    string `yaml:"pbase"`
	DBase    string `yaml:"dbase"`
	CBase    string `yaml:"cbase"`
	SBase    string `yaml:"sbase"`
	LBase    string `yaml:"lbase"`
	TBase    string `yaml:"tbase"`
	BBase    string `yaml:"bbase"`
	EnvCheck bool   `yaml:"envCheck"`
	Init     struct {
		Dirs []string `yaml:"dirs"`
	} `yaml:"init"`
	Supervisord struct {
		Version string `yaml:"version"`
		Account struct {
			Name     string `yaml:"name"`
			Password Secret `yaml:"password"`
		} `yaml:"account"`
		Service struct {
			Owner string `yaml:"owner"`
			Group string `yaml:"group"`
			IP    string `yaml:"ip"`
			Port  int    `yaml:"port"`
		} `yaml:"service"`
	} `yaml:"supervisord"`
}

// projectInit is AnsibleFATE's <project>_init: what is deployed.
type projectInit struct {
	PName          string   `yaml:"pname"`
	DeployMode     string   `yaml:"deploy_mode"`
	DeployModules  []string `yaml:"deploy_modules"`
	DeployRoles    []string `yaml:"deploy_roles"`
	DefaultEngines string   `yaml:"default_engines"`
	Version        string   `yaml:"version"`
	SSLRoles       []string `yaml:"ssl_roles"`
	Python         struct {
		Version string `yaml:"version"`
		Dest    string `yaml:"dest"`
		Venv    string `yaml:"venv"`
	} `yaml:"python"`
	Java struct {
		Name    string `yaml:"name"`
		Version string `yaml:"version"`
		Path    string `yaml:"path"`
	} `yaml:"java"`
	MySQL struct {
		Version  string `yaml:"version"`
		Path     string `yaml:"path"`
		User     string `yaml:"user"`
		Password Secret `yaml:"passwd"`
	} `yaml:"mysql"`
	Redis    placed `yaml:"redis"`
	RabbitMQ placed `yaml:"rabbitmq"`
}

type placed struct {
	Version string `yaml:"version"`
	Path    string `yaml:"path"`
}

// Parse reads a cluster from any mix of AnsibleFATE's var files, setup.conf and our cluster file. The error, if any, is
// Problems: every mistake that can be seen without choosing a host.
func Parse(sources []Source) (*Cluster, error) { return parse(sources, nil) }

func parse(sources []Source, secrets map[Role]Secrets) (*Cluster, error) {
	r := &reading{
		doc: document{baseInit: baseInit{EnvCheck: true}}, origins: make(map[string]problem.Pos),
		failed: make(map[string]bool), listed: make(map[string]string), fields: make(map[reflect.Type]map[string][]int),
	}
	for _, src := range sources {
		r.read(src)
	}
	problems := r.problems
	c := newCluster(&r.doc, r.origins)
	c.failed, c.notes = r.failed, r.notes
	// What a file that is not YAML would have said is unknown: the rules that compare values would only guess.
	if !r.unreadable {
		if r.hasSetup {
			c.fromSetup(&r.setup, &r.doc, &problems)
		}
		c.complete(&r.doc, &problems)
		(&checker{c: c, problems: &problems}).installFiles(&r.doc, &r.setup)
		for _, side := range c.Sides() {
			side.Secrets = side.Secrets.or(secrets[side.Role])
		}
		if len(c.Sides()) == 0 && len(problems) == 0 {
			problems.Add(problem.Pos{File: firstName(sources)}, "describe at least one of host, guest and exchange",
				"no side is described")
		}
		c.validate(&problems)
	}
	if err := r.explainLookAlikes(sources, problems).Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// reading collects the values of several sources while they are read.
type reading struct {
	doc        document
	setup      setupDoc
	hasSetup   bool
	unreadable bool // a source is not YAML
	origins    map[string]problem.Pos
	failed     map[string]bool
	listed     map[string]string
	fields     map[reflect.Type]map[string][]int
	problems   problem.Problems
	notes      problem.Problems
}

func (r *reading) read(src Source) {
	if r.foreignText(src) {
		return
	}
	d := &decoder{
		file: src.Name, origins: r.origins, problems: &r.problems,
		anchors: make(map[string][]*ast.AnchorNode), fields: r.fields, failed: r.failed, listed: r.listed,
	}
	bodies, err := d.bodies(src.Data)
	if err != nil {
		r.unreadable = true
		return
	}
	for _, body := range bodies {
		d.collectAnchors(body)
		switch {
		case looksLikeKube(body):
			d.kube(body)
			r.unreadable = true
		case !looksLikeSetup(body):
			d.value(body, reflect.ValueOf(&r.doc).Elem(), "")
		case r.hasSetup:
			d.problem(body, "give one setup.conf", "a second setup.conf")
		default:
			r.hasSetup = true
			r.origins["setup"] = problem.Pos{File: src.Name}
			d.value(body, reflect.ValueOf(&r.setup).Elem(), "setup")
		}
	}
}

// inventory recognises ansible's hosts file, which lies next to the var files, by the title of its first section.
var inventory = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\s*([#;].*)?\n)*\[[\w:.-]+\][ \t]*\r?\n`)
})

func firstName(sources []Source) string {
	if len(sources) == 0 {
		return ""
	}
	return sources[0].Name
}

// bodies splits a source into its YAML documents. The error has been added to the problems.
func (d *decoder) bodies(data []byte) ([]ast.Node, error) {
	f, err := problem.ParseYAML(data, problem.ClusterLimits, parser.AllowDuplicateMapKey())
	if err != nil {
		at, message := problem.Pos{File: d.file}, err.Error()
		var syntax *problem.SyntaxError
		if errors.As(err, &syntax) {
			at.Line, at.Col, message = syntax.Line, syntax.Col, syntax.Message
		}
		d.problems.Add(at, "correct the YAML there", "not YAML: %s", message)
		return nil, err
	}
	var out []ast.Node
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if _, ok := mapping(doc.Body); !ok {
			if kindOf(doc.Body) != "nothing" {
				d.problem(doc.Body, "start with host:, guest: or exchange:", "%s is not a cluster file: it holds %s",
					d.file, kindOf(doc.Body))
			}
			continue
		}
		out = append(out, doc.Body)
	}
	return out, nil
}

// looksLikeSetup tells setup.conf from var files by keys that only it has.
func looksLikeSetup(body ast.Node) bool {
	entries, _ := mapping(body)
	for _, e := range entries {
		switch e.Key.GetToken().Value {
		case "modules", "roles", "host_ips", "guest_ips", "exchange_ips":
			return true
		}
	}
	return false
}

func newCluster(doc *document, origins map[string]problem.Pos) *Cluster {
	c := &Cluster{Host: doc.Host, Guest: doc.Guest, OS: doc.OS, Heal: doc.Heal, origins: origins}
	for role, side := range map[Role]*Side{RoleHost: doc.Host, RoleGuest: doc.Guest} {
		if side != nil {
			side.Role = role
		}
	}
	if e := doc.Exchange; e != nil && e.Enable {
		c.Exchange = &Side{}
		c.Exchange.setDefaults()
		c.Exchange.Role = RoleExchange
		c.Exchange.PartyID, c.Exchange.IP, c.Exchange.Rollsite, c.Exchange.Secrets = e.PartyID, e.IP, e.Rollsite,
			e.Secrets
	}
	return c
}

// At finds where the value of a path was written, or the nearest thing around it.
func (c *Cluster) At(format string, args ...any) problem.Pos {
	path := fmt.Sprintf(format, args...)
	for path != "" {
		if p, ok := c.origins[path]; ok {
			return p
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return problem.Pos{}
}

// unread reports whether the value at a path, or a part of it, could not be read.
func (c *Cluster) unread(path string) bool {
	if c.failed[path] {
		return true
	}
	for failed := range c.failed {
		if rest, below := strings.CutPrefix(failed, path); below && path != "" && (rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// written reports whether the operator wrote the value, blank values not counting.
func (c *Cluster) written(format string, args ...any) bool {
	_, ok := c.origins[fmt.Sprintf(format, args...)]
	return ok
}

// ParseWith is Parse for files that are to become a new cluster: passwords they leave out are taken from secrets.
func ParseWith(sources []Source, secrets map[Role]Secrets) (*Cluster, error) {
	return parse(sources, secrets)
}
