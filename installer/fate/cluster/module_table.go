package cluster

import (
	"slices"

	"fate-installer/installer/fate/yamltext"
	"fate-installer/installer/problem"
)

// Module is one kind of process of a side. A host runs any subset of them.
type Module string

// Program is the name of the module's process under the supervisor. Upstream's names, so that runbooks keep working.
func (m Module) Program() string { return "fate-" + string(m) }

// moduleEntry has all that is known of a module. Adding a module is adding an entry to moduleTable, and a field to Side
// when the cluster file has a block for it. A field that is not set says that there is none.
type moduleEntry struct {
	module Module

	// The block in the cluster file.
	key      string                             // name of the block
	group    string                             // name in setup.conf's modules and fate_init's deploy_modules
	conf     func(*Side) moduleSwitch           // its switch and addresses; nil when the block has others
	defaults func(*Side)                        // sets what the block has before a file is read
	block    func(*Cluster, *Side) yamltext.Map // the block that is written; nil when the side has none
	comment  string                             // stands above the block
	validate func(*checker, *Side)              // rules that concern the module alone, without an exchange
	several  bool                               // it may run on several hosts
	exchange bool                               // an exchange has it, too
	texts    func(*Side) []carried              // what its files have to carry, besides secrets

	// Where it runs.
	addresses func(*Side) []string   // where it is installed, when this does not follow from conf
	instances func(*Side) []Endpoint // where it is found, installed by us or not, when this does not follow from conf
	outside   bool                   // one that others run serves as well
	allEnds   bool                   // its clients use all of the instances, and not the first
	port      func(*Side) int        // of several the one that tells most
	listeners func(*Side) []listener // every port, when there are others besides port

	// What it is made of.
	components func(*Spec) []string // names in the payload
	unpacks    func(*Spec) []string // further components whose files its host needs
	main       *component           // the one that makes it this module; nil: the first of components

	// Its process.
	command  func(*Spec) []string // of a process that needs no more description than this table has
	home     func(*Spec) string   // working directory
	logs     string               // its directory below the log directory
	logLink  func(Layout) string  // the place that leads to its logs
	mark     processMark          // how a process of any installation is recognised
	dataDirs func(Layout) []string
	heap     heapShare            // of a JVM; zero: it is none
	memory   func(*Spec) Resident // what its process takes
	jobMiB   uint64               // what a running job takes besides, on its host

	// What it has to do with others.
	wants     func(*Spec) []Module           // what it cannot start without, wherever that runs
	jobsWant  []Module                       // what it needs for jobs, though not to start
	forJobs   bool                           // jobs need it
	bindsOwn  bool                           // it listens on its host's address alone
	outward   bool                           // hosts that are not of the side connect to it
	forPeople bool                           // only people connect to it, and no job needs it
	database  func(*Side) databaseUse        // the database that it logs into when it wants MySQL
	secrets   func(*Spec) []string           // what its program reads when it starts
	check     func(*Spec, *problem.Problems) // rules that depend on the host and the payload

	old OldModule // how AnsibleFATE installs it
}

// moduleSwitch is the switch of a module and the addresses that it runs on.
type moduleSwitch struct {
	enable *bool
	ips    *[]string
}

// processMark is an argument of a process, and the name of the software that has it.
type processMark struct{ argument, name string }

// databaseUse is a database, and the key that names it.
type databaseUse struct{ key, name string }

// listener is a port that a module listens on. Without addresses only the number is checked.
type listener struct {
	key  string // below the side
	port int
	ips  []string
}

// moduleTable has the modules in the order in which they start: a module needs only modules before it. It is set by
// init because what its entries name asks it, too.
var moduleTable []moduleEntry

func init() {
	moduleTable = []moduleEntry{mysqlModule(), clusterManagerModule(), nodeManagerModule(), rollsiteModule(),
		zooKeeperModule(), nginxModule(), rabbitMQModule(), flowModule(), boardModule()}
}

// Modules lists every module in start order.
func Modules() []Module {
	var out []Module
	for _, e := range moduleTable {
		out = append(out, e.module)
	}
	return out
}

// ModuleOf gives the module whose process has a name under the supervisor.
func ModuleOf(program string) (m Module, ok bool) {
	i := slices.IndexFunc(moduleTable, func(e moduleEntry) bool { return e.module.Program() == program })
	if i < 0 {
		return "", false
	}
	return moduleTable[i].module, true
}

// entry is the module's place in the table; a module that has none has an empty one.
func (m Module) entry() moduleEntry {
	i := slices.IndexFunc(moduleTable, func(e moduleEntry) bool { return e.module == m })
	if i < 0 {
		return moduleEntry{module: m}
	}
	return moduleTable[i]
}

// RabbitMQ is the message broker of the engine spark.
const RabbitMQ Module = "rabbitmq"

// rabbitMQModule has no address, because others start it.
func rabbitMQModule() moduleEntry {
	return moduleEntry{module: RabbitMQ, key: "rabbitmq", components: made("rabbitmq"),
		main: &component{name: "rabbitmq", home: Layout.RabbitMQHome}}
}

// inFileOrder has the modules in the order of their blocks in the cluster file, which is the one that people see.
func inFileOrder() []moduleEntry {
	keys := sideKeys()
	place := func(e moduleEntry) int {
		if i := slices.Index(keys, e.key); i >= 0 {
			return i
		}
		return len(keys)
	}
	out := slices.Clone(moduleTable)
	slices.SortStableFunc(out, func(a, b moduleEntry) int { return place(a) - place(b) })
	return out
}

// moduleConf is a module of a side whose block has a switch and a list of addresses.
type moduleConf struct {
	moduleEntry
	moduleSwitch
}

func (s *Side) moduleConfs() []moduleConf {
	var out []moduleConf
	for _, e := range inFileOrder() {
		if e.conf != nil && (s.Role != RoleExchange || e.exchange) {
			out = append(out, moduleConf{e, e.conf(s)})
		}
	}
	return out
}
