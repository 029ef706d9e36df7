package cluster

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fate-installer/installer/fate/yamltext"
	"fate-installer/installer/problem"

	"github.com/goccy/go-yaml/ast"
)

// What people hand over that is no cluster file, or has values that only another tool understands, is named as what
// it is: "unknown key" and "not YAML" would be true and of no help.

// vaultHeader begins a file that ansible-vault has encrypted.
var vaultHeader = []byte("$ANSIBLE_VAULT;")

// vaultTag marks a single value that ansible-vault has encrypted.
const vaultTag = "!vault"

// jinja is a value that ansible would replace.
var jinja = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\{\{.*\}\}|\{%.*%\}`)
})

// foreignText recognises a text that is not to be parsed. It reports whether it did.
func (r *reading) foreignText(src Source) bool {
	text, err := problem.Text(src.Data)
	switch {
	case err != nil:
		return false // the parser says so
	case inventory().Match(text):
		r.notes.Add(problem.Pos{File: src.Name}, "",
			"an ansible inventory is not used: the addresses come from the other files")
		return true
	case bytes.HasPrefix(text, vaultHeader):
		r.unreadable = true
		r.problems.Add(problem.Pos{File: src.Name, Line: 1, Col: 1},
			"decrypt it first: ansible-vault view "+src.Name+" > plain.yaml, mode 0600",
			"the file is encrypted by ansible-vault")
		return true
	}
	return false
}

// tag is the tag of a value, blank without one.
func tag(n ast.Node) string {
	for {
		switch node := n.(type) {
		case *ast.AnchorNode:
			n = node.Value
		case *ast.TagNode:
			return node.Start.Value
		default:
			return ""
		}
	}
}

// ansibleOnly says why a value is one that only ansible understands; blank for others. A password may have braces
// in it.
func ansibleOnly(n ast.Node, text string, secret bool) (reason, fix string) {
	switch tag(n) {
	case yamltext.LiteralTag:
		return "", ""
	case vaultTag:
		return "is encrypted by ansible-vault",
			"write the value itself, for a password under secrets: in a further cluster file of mode 0600"
	}
	switch {
	case secret && yamltext.IsTemplate(text):
		return fmt.Sprintf("is %s, a template that only ansible fills in", text),
			"write the value itself, or " + yamltext.LiteralTag + " before a password that is so"
	case jinja().MatchString(text) && !secret:
		return fmt.Sprintf("is %s, a template that only ansible fills in", text), "write the value itself"
	}
	return "", ""
}

// kubeKeys are keys of KubeFATE's cluster.yaml.
var kubeKeys = []string{"chartName", "chartVersion"}

// kubeCluster is as much of KubeFATE's cluster.yaml as init has flags for.
type kubeCluster struct {
	party    string
	peers    []string // as party add takes them
	exchange string   // address:port
	without  []string // modules for people that are not among its own
}

// looksLikeKube tells KubeFATE's cluster.yaml by keys that only it has.
func looksLikeKube(body ast.Node) bool {
	entries, _ := mapping(body)
	for _, e := range entries {
		for _, key := range kubeKeys {
			if e.Key.GetToken().Value == key {
				return true
			}
		}
	}
	return false
}

// kube reports KubeFATE's cluster.yaml, with the command that makes a cluster file of its values.
func (d *decoder) kube(body ast.Node) {
	k := kubeCluster{party: "PARTY"}
	for _, e := range entriesOf(body) {
		switch e.Key.GetToken().Value {
		case "partyId":
			k.party, _ = scalarText(e.Value)
		case "modules":
			if list, ok := e.Value.(*ast.SequenceNode); ok {
				k.lacks(list)
			}
		case "rollsite":
			k.rollsite(e.Value)
		}
	}
	d.problem(body, k.advice(), "this is KubeFATE's cluster.yaml, which installs FATE into Kubernetes")
}

// lacks notes the modules for people that a list of modules does not have.
func (k *kubeCluster) lacks(list *ast.SequenceNode) {
	var names []string
	for _, item := range list.Values {
		name, _ := scalarText(item)
		names = append(names, name)
	}
	for _, m := range Modules() {
		if m.ForPeople() && !slices.Contains(names, string(m)) {
			k.without = append(k.without, string(m))
		}
	}
}

func entriesOf(n ast.Node) []*ast.MappingValueNode {
	entries, _ := mapping(n)
	return entries
}

// textsOf are the single values of a mapping by key.
func textsOf(n ast.Node) map[string]string {
	out := map[string]string{}
	for _, e := range entriesOf(n) {
		if text, ok := scalarText(e.Value); ok {
			out[e.Key.GetToken().Value] = text
		}
	}
	return out
}

func (k *kubeCluster) rollsite(n ast.Node) {
	for _, e := range entriesOf(n) {
		switch e.Key.GetToken().Value {
		case "partyList":
			list, _ := e.Value.(*ast.SequenceNode)
			if list == nil {
				continue
			}
			for _, item := range list.Values {
				p := textsOf(item)
				if id, ip, port := p["partyId"], p["partyIp"], p["partyPort"]; id != "" && ip != "" && port != "" {
					k.peers = append(k.peers, id+":"+ip+":"+port)
				}
			}
		case "exchange":
			x := textsOf(e.Value)
			if x["ip"] != "" && x["port"] != "" {
				k.exchange = x["ip"] + ":" + x["port"]
			}
		}
	}
}

// advice is the command with the values that were found, and what it cannot know.
func (k *kubeCluster) advice() string {
	command := "fate-installer init --guest " + k.party + ":ADDRESS"
	peers := k.peers
	switch {
	case k.exchange != "":
		command += " --guest-default " + k.exchange
	case len(peers) > 0:
		_, end, _ := strings.Cut(peers[0], ":")
		command += " --guest-default " + end
		peers = peers[1:]
	}
	for _, name := range k.without {
		command += " --no-" + name
	}
	command += " --out cluster.yaml"
	text := "make a cluster file of its values: " + command + ", with ADDRESS for this host's " +
		"and --host instead of --guest where the party is the host"
	if len(peers) > 0 {
		text += "; after the installation: fate-installer party add " + strings.Join(peers, " ")
	}
	return text
}

// explainLookAlikes replaces the problems of a line that has a character which only looks like YAML's by one that
// names it: what is said of such a line is a consequence. For a text that is no YAML the lines around the place
// count, too.
func (r *reading) explainLookAlikes(sources []Source, problems problem.Problems) problem.Problems {
	if len(problems) == 0 {
		return problems
	}
	lines := map[string][]string{}
	for _, src := range sources {
		if text, err := problem.Text(src.Data); err == nil {
			lines[src.Name] = strings.Split(string(text), "\n")
		}
	}
	lookAlikeAt := func(p problem.Problem, line int) (problem.Problem, bool) {
		text := lines[p.File]
		if line < 1 || line > len(text) {
			return p, false
		}
		found, ok := problem.FindLookAlike(text[line-1])
		if !ok {
			return p, false
		}
		return problem.Problem{
			Pos:     problem.Pos{File: p.File, Line: line, Col: found.Col},
			Message: fmt.Sprintf("there is %s (%q) here", found.Name, found.Char), Fix: "write " + found.Want,
		}, true
	}
	var out problem.Problems
	for _, p := range problems {
		near := []int{p.Line}
		if r.unreadable {
			near = append(near, p.Line-1, p.Line+1)
		}
		for _, line := range near {
			if explained, ok := lookAlikeAt(p, line); ok {
				p = explained
				break
			}
		}
		out = append(out, p)
	}
	return out
}
