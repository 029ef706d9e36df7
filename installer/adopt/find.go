package adopt

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// Reason is why a host is not taken over.
type Reason string

// The reasons.
const (
	NothingFound Reason = "nothing-found"   // there is no installation
	Several      Reason = "several"         // there are several, and none was chosen
	Ours         Reason = "ours"            // the installation is fate-installer's own
	Containers   Reason = "containers"      // KubeFATE runs it in containers
	WrongVersion Reason = "version"         // of a FATE that is not taken over
	OtherEngine  Reason = "engine"          // it computes with spark
	Unreadable   Reason = "unreadable"      // a file that says what there is cannot be read
	NoAddress    Reason = "address"         // which of its addresses this host is, is not known
	NoCluster    Reason = "no-cluster-file" // what was found does not make a cluster file
)

// Refusal is an error: the host is not taken over, and why.
type Refusal struct {
	Reason Reason
	What   string   // what was found
	Next   string   // what to do
	Data   []string // of containers: directories with data that could be restored
}

func (e *Refusal) Error() string { return "cannot take this host over: " + e.What }

// Hint says what to do.
func (e *Refusal) Hint() string { return e.Next }

// installation is where AnsibleFATE put what, and how it was found.
type installation struct {
	base  string
	found []string // what showed that it is there
}

const supervisorSuffix = "/projects/common/supervisord/"

// find looks for the installation: below base, or where running processes, cron entries and the standard place show
// one.
func find(r *reader, processes []host.Process, boot []Boot, base string) (installation, error) {
	bases := candidates(processes, boot, base)
	var installed []installation
	for _, b := range bases {
		if r.exists(path.Join(cluster.Layout{Base: b}.State(), "state.json")) {
			return installation{}, &Refusal{Reason: Ours,
				What: "the installation below " + b + " is fate-installer's own",
				Next: "run fate-installer version to see it, or fate-installer upgrade to replace it by a later one"}
		}
		found, err := signs(r, b)
		if err != nil {
			return installation{}, err
		}
		if len(found) > 0 {
			installed = append(installed, installation{b, found})
		}
	}
	if refusal := containers(r, processes, bases, len(installed) > 0); refusal != nil {
		return installation{}, refusal
	}
	switch len(installed) {
	case 1:
		return installed[0], nil
	case 0:
		return installation{}, &Refusal{Reason: NothingFound,
			What: fmt.Sprintf("there is no installation of AnsibleFATE below %s", strings.Join(bases, " or ")),
			Next: "name the base directory with --base, if it is another one; or install: fate-installer install"}
	}
	var list []string
	for _, i := range installed {
		list = append(list, i.base)
	}
	return installation{}, &Refusal{Reason: Several,
		What: "there are installations below " + strings.Join(list, " and "), Next: "choose one with --base"}
}

// candidates lists the base directories in which an installation may be.
func candidates(processes []host.Process, boot []Boot, base string) []string {
	if base != "" {
		return []string{path.Clean(base)}
	}
	var out []string
	add := func(b string) {
		if b = path.Clean(b); path.IsAbs(b) && b != "/" && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	for _, p := range processes {
		if p.Contained {
			continue
		}
		for _, arg := range p.Args {
			if b, ok := baseOf(arg); ok {
				add(b)
			}
		}
	}
	for _, c := range boot {
		for _, word := range strings.Fields(c.Text) {
			if b, ok := baseOf(word); ok {
				add(b)
			}
		}
	}
	add("/data")
	return out
}

// baseOf finds the base directory in a path of an installation's files.
func baseOf(word string) (string, bool) {
	if i := strings.Index(word, "/"); i >= 0 {
		word = word[i:]
	}
	parts := []string{supervisorSuffix, "/projects/fate/eggroll/conf/", "/projects/fate/fateflow/",
		"/projects/fate/python/fate_flow/"}
	for _, m := range cluster.Modules() {
		if home := m.Old().Home; home != nil {
			parts = append(parts, home(cluster.Layout{Base: "/"})+"/")
		}
	}
	for _, part := range parts {
		if i := strings.Index(word, part); i > 0 {
			return word[:i], true
		}
	}
	return "", false
}

// signs lists what of an installation is below a base.
func signs(r *reader, base string) ([]string, error) {
	l := cluster.Layout{Base: base}
	var out []string
	programs, err := r.names(l.SupervisorPrograms())
	if err != nil {
		return nil, unreadable(l.SupervisorPrograms(), err)
	}
	if slices.ContainsFunc(programs, isProgramFile) {
		out = append(out, l.SupervisorPrograms())
	}
	for _, file := range []string{l.EggrollProperties(), l.ServiceConf(), l.FateEnv()} {
		if r.exists(file) {
			out = append(out, file)
		}
	}
	return out, nil
}

func isProgramFile(name string) bool {
	return strings.HasPrefix(name, "fate-") && strings.HasSuffix(name, ".conf")
}

// unreadable is the refusal for a file without which nothing can be said.
func unreadable(file string, err error) error {
	next := "run the command as root, and correct the file"
	if untrusted(err) {
		next = "a link leads to another owner's file; replace it by the file, or by a mount"
	}
	return &Refusal{Reason: Unreadable, What: fmt.Sprintf("%s cannot be read: %v", file, rootCause(err)), Next: next}
}

// rootCause is the innermost error, without the path that the message has already.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// containerData are the directories of a KubeFATE party that hold what it cannot make again.
var containerData = []string{"shared_dir/data/mysql", "shared_dir/data/model_local_cache",
	"shared_dir/data/nodemanager", "confs"}

// containers finds a party that KubeFATE's docker-compose files run: in its own directory, or as processes in
// containers. A host with an AnsibleFATE installation may run other containers.
func containers(r *reader, processes []host.Process, bases []string, installed bool) *Refusal {
	var compose, running, data []string
	for _, b := range bases {
		project := cluster.Layout{Base: b}.Project()
		names, err := r.names(project)
		if err != nil {
			continue
		}
		for _, name := range names {
			dir := path.Join(project, name)
			if !strings.HasPrefix(name, "confs-") || !r.exists(path.Join(dir, "docker-compose.yml")) {
				continue
			}
			compose = append(compose, path.Join(dir, "docker-compose.yml"))
			for _, sub := range containerData {
				if r.exists(path.Join(dir, sub)) {
					data = append(data, path.Join(dir, sub))
				}
			}
		}
	}
	for _, p := range processes {
		if p.Contained && !installed && slices.ContainsFunc(p.Args, isFATE) {
			running = append(running, strconv.Itoa(p.PID))
		}
	}
	what := "programs of FATE run here in containers (processes " + strings.Join(running, ", ") + ")"
	switch {
	case len(compose) > 0:
		what = "KubeFATE runs the party in containers (" + strings.Join(compose, ", ") + ")"
	case len(running) == 0:
		return nil
	}
	next := "install a party of its own on another host, and stop the containers when it works"
	if len(data) > 0 {
		next = "install on another host, and restore there what " + strings.Join(data, ", ") +
			" have: the databases by a dump, trained models by a copy of their directory"
	}
	return &Refusal{Reason: Containers, Data: data, Next: next,
		What: what + ", and such parties are not taken over"}
}

// isFATE reports whether an argument is one by which a program of FATE is started.
func isFATE(arg string) bool {
	return cluster.ProcessMark(arg) != "" || strings.Contains(arg, "com.webank.eggroll")
}
