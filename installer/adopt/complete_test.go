package adopt

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/scripts/ansiblefate"

	"pgregory.net/rapid"
)

// editable are the files that are edited, with how.
var editable = map[kind]func(t *rapid.T, d *document, lines []string) (key, value string, out []string){
	kindEggroll: editAssignment, kind(cluster.FateBoard): editAssignment, kindDatabase: editAssignment,
	kindShell:      editAssignment,
	kindSupervisor: editAssignment, kindProgram: editAssignment, kindFlow: editYAML, kindTest: editYAML,
	kindRoutes: editJSON, kindLocal: editYAML, kindQueues: editYAML, kindZooKeeper: editAssignment,
	kindNginx: editNginx, kindScript: editScript,
}

// awkwardValues are values that a key cannot have, or that a format writes in its own way.
var awkwardValues = []string{"", "0", "-1", "99999999", "127.0.0.1", "::1", "a b", "x=y", "${id}", "true", "0.0.0.0", "é"}

// newValue is a value that no file has yet, or an awkward one.
func newValue(t *rapid.T) string {
	if rapid.IntRange(0, 3).Draw(t, "awkward") == 0 {
		return rapid.SampledFrom(awkwardValues).Draw(t, "value")
	}
	if rapid.Bool().Draw(t, "number") {
		return fmt.Sprint(rapid.IntRange(20000, 60000).Draw(t, "value"))
	}
	return "z" + rapid.StringMatching(`[a-z0-9]{3,9}`).Draw(t, "value")
}

// editAssignment changes, removes or adds a line KEY=VALUE.
func editAssignment(t *rapid.T, d *document, lines []string) (key, value string, out []string) {
	var candidates []string
	for _, key := range d.keys() {
		if e, _ := d.get(key); strings.Contains(lines[e.line-1], "=") {
			candidates = append(candidates, key)
		}
	}
	key = rapid.SampledFrom(candidates).Draw(t, "key")
	e, _ := d.get(key)
	out, value = slices.Clone(lines), newValue(t)
	switch rapid.SampledFrom([]string{"change", "remove", "add"}).Draw(t, "what") {
	case "remove":
		return key, "", slices.Delete(out, e.line-1, e.line)
	case "add":
		section := ""
		if d.kind == kindDatabase || d.kind == kindSupervisor || d.kind == kindProgram {
			section = key[:strings.LastIndex(key, ".")+1]
			if d.kind == kindSupervisor && strings.HasPrefix(key, "rpcinterface") {
				section = "rpcinterface:supervisor."
			}
		}
		return section + "added_key", value, slices.Insert(out, e.line, "added_key="+value)
	}
	before, _, _ := strings.Cut(lines[e.line-1], "=")
	out[e.line-1] = before + "=" + value
	return key, value, out
}

var yamlLine = regexp.MustCompile(`^( *)([A-Za-z_]+):( .*)?$`)

// editYAML changes, removes or adds a line KEY: VALUE.
func editYAML(t *rapid.T, d *document, lines []string) (key, value string, out []string) {
	var candidates []string
	for _, key := range d.keys() {
		e, _ := d.get(key)
		if m := yamlLine.FindStringSubmatch(lines[e.line-1]); m != nil && strings.HasSuffix(key, m[2]) {
			candidates = append(candidates, key)
		}
	}
	key = rapid.SampledFrom(candidates).Draw(t, "key")
	e, _ := d.get(key)
	m := yamlLine.FindStringSubmatch(lines[e.line-1])
	out, value = slices.Clone(lines), newValue(t)
	switch rapid.SampledFrom([]string{"change", "remove", "add"}).Draw(t, "what") {
	case "remove":
		return key, "", slices.Delete(out, e.line-1, e.line)
	case "add":
		return strings.TrimSuffix(key, m[2]) + "added_key", value, slices.Insert(out, e.line, m[1]+"added_key: "+value)
	}
	out[e.line-1] = m[1] + m[2] + ": " + value
	return key, value, out
}

var jsonField = regexp.MustCompile(`"(ip|port)": ("[^"]*"|[0-9]+)`)

// editJSON changes a field of a route, adds a flag to one, or adds a party.
func editJSON(t *rapid.T, d *document, lines []string) (key, value string, out []string) {
	var candidates []string
	for _, key := range d.keys() {
		if strings.HasSuffix(key, ".ip") {
			candidates = append(candidates, key)
		}
	}
	key = rapid.SampledFrom(candidates).Draw(t, "key")
	e, _ := d.get(key)
	out = slices.Clone(lines)
	line := &out[e.line-1]
	switch rapid.SampledFrom([]string{"ip", "port", "flag", "party"}).Draw(t, "what") {
	case "ip":
		value = "10.1.2." + fmt.Sprint(rapid.IntRange(1, 250).Draw(t, "host"))
		*line = jsonField.ReplaceAllStringFunc(*line, func(s string) string {
			if strings.HasPrefix(s, `"ip"`) {
				return fmt.Sprintf(`"ip": %q`, value)
			}
			return s
		})
	case "port":
		value = fmt.Sprint(rapid.IntRange(10000, 20000).Draw(t, "port"))
		*line = regexp.MustCompile(`"port": [0-9]+`).ReplaceAllString(*line, `"port": `+value)
		key = strings.TrimSuffix(key, "ip") + "port"
	case "flag":
		value = "x"
		*line = strings.Replace(*line, `[{`, `[{"note": "x", `, 1)
		key = strings.TrimSuffix(key, "ip") + "note"
	default:
		value = "10.7.7.7"
		for i, l := range out {
			if strings.Contains(l, `"route_table"`) {
				out[i] += "\n    \"7777\": {\"default\": [{\"ip\": \"10.7.7.7\", \"port\": 9370}]},"
			}
		}
		key = "route_table.7777.default[0].ip"
	}
	return key, value, out
}

// editNginx changes, removes or adds a directive of a line.
func editNginx(t *rapid.T, d *document, lines []string) (key, value string, out []string) {
	e := rapid.SampledFrom(d.entries).Draw(t, "directive")
	out, value = slices.Clone(lines), "z"+rapid.StringMatching(`[a-z0-9]{3,9}`).Draw(t, "value")
	switch rapid.SampledFrom([]string{"change", "remove", "add"}).Draw(t, "what") {
	case "remove":
		return e.key, "", slices.Delete(out, e.line-1, e.line)
	case "add":
		block := e.key[:strings.LastIndexByte(e.key, '.')+1]
		return block + "added", value, slices.Insert(out, e.line, "added "+value+";")
	}
	name, _, _ := strings.Cut(strings.TrimSpace(lines[e.line-1]), " ")
	out[e.line-1] = name + " " + value + ";"
	return e.key, value, out
}

// editScript adds an option of java, or takes one out.
func editScript(t *rapid.T, d *document, lines []string) (key, value string, out []string) {
	e := rapid.SampledFrom(d.entries).Draw(t, "option")
	out, value = slices.Clone(lines), "z"+rapid.StringMatching(`[a-z0-9]{3,9}`).Draw(t, "value")
	if rapid.Bool().Draw(t, "add") {
		option, separator := "-Dadded.name", "="
		if rapid.Bool().Draw(t, "agent") {
			option, separator = "-javaagent", ":"
		}
		line := strings.Replace(out[e.line-1], e.key, option+separator+value+" "+e.key, 1)
		if strings.HasPrefix(e.key, "-XX:") {
			line = strings.Replace(out[e.line-1], "-XX:", option+separator+value+" -XX:", 1)
		}
		out[e.line-1] = line
		return option, value, out
	}
	for _, word := range scriptWords(out[e.line-1]) {
		if option, _, ok := splitOption(word); ok && option == e.key {
			out[e.line-1] = strings.Replace(strings.ReplaceAll(out[e.line-1], `"`, ""), word, "", 1)
		}
	}
	return e.key, "", out
}

// saying is a plan without what follows from where things stand in files.
type saying struct {
	differences map[string]string
	taken       string // what the cluster file, the versions and the secrets are
}

func say(p *Plan) saying {
	s := saying{differences: map[string]string{}}
	for _, d := range p.Differences {
		show := func(v *string) string {
			if v == nil {
				return "(none)"
			}
			return *v
		}
		s.differences[d.File+" "+d.Key] = show(d.Theirs) + " | " + show(d.Ours) + " by " + d.By
	}
	for _, v := range p.Values {
		s.taken += v.Key + "=" + v.Value + "\n"
	}
	for _, v := range p.Versions {
		s.taken += v.Component + " " + v.Version + "\n"
	}
	for _, name := range append(cluster.SecretNames(), secretHTTP) {
		s.taken += name + "=" + p.secrets.values[name].Reveal() + "\n"
	}
	return s
}

// TestEveryEditIsFound edits a random key of a random file by hand. The edit is in the list of kept edits, or what is
// taken over is another one, and nothing else is in the list that was not there before.
func TestEveryEditIsFound(t *testing.T) {
	for name, o := range map[string]ansiblefate.Options{
		"1.5": {Version: "1.5.1"}, "1.9 with TLS": {Version: "1.9.2", TLS: true}, "1.11": {},
		"exchange": {Role: "exchange", IP: "192.168.0.88"}, "high availability": {HA: true},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "1.11" {
				t.Skip("with other layouts, too, in the long run")
			}
			h, dir := tree(t, o)
			say0 := options("192.168.0.1", "192.168.0.88")
			say0.IP = "192.168.0.1"
			if o.IP != "" {
				say0.IP = o.IP
			}
			before := mustPlan(t, h, say0)
			rapid.Check(t, func(rt *rapid.T) { checkEdit(rt, h, dir, say0, before) })
		})
	}
}

func checkEdit(t *rapid.T, h *host.Host, dir string, o Options, before *Plan) {
	var docs []*document
	for _, d := range before.documents.list {
		if d.kind != kindTest || len(d.entries) > 5 {
			docs = append(docs, d)
		}
	}
	doc := rapid.SampledFrom(docs).Draw(t, "file")
	name := filepath.Join(dir, doc.file)
	original, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	key, value, lines := editable[doc.kind](t, doc, strings.Split(string(original), "\n"))
	entries, err := doc.kind.parse([]byte(strings.Join(lines, "\n")))
	if err != nil || slices.EqualFunc(entries, doc.entries, func(a, b entry) bool {
		return a.key == b.key && a.value == b.value
	}) {
		return // the file is none any more, or says the same
	}
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(name, original, 0o644); err != nil {
			t.Fatal(err)
		}
	}()
	after, err := New(h, o)
	if err != nil && isSecret(key) && strings.Contains(err.Error(), "password") {
		return // one that FATE's files cannot carry: the host is refused for it
	}
	if err != nil {
		t.Fatalf("%s %s = %q: %v", doc.file, key, value, err)
	}
	was, is := say(before), say(after)
	place := doc.file + " " + key
	if was.differences[place] == is.differences[place] && was.taken == is.taken {
		t.Fatalf("%s = %q (was %q) is in neither the list nor the cluster file", place, value, doc.value(key))
	}
	if was.taken != is.taken {
		return // what follows from another value is another difference in each file that has it
	}
	for other, d := range is.differences {
		before := was.differences[other]
		if isSecret(key) && value != "" { // it is hidden wherever it is
			before = strings.ReplaceAll(before, value, hidden)
		}
		if other != place && d != before && d != was.differences[other] && !strings.HasPrefix(place, other+".") {
			t.Fatalf("the edit of %s to %q is also one of %s: %s", place, value, other, d)
		}
	}
	for other := range was.differences {
		if _, ok := is.differences[other]; !ok && other != place {
			t.Fatalf("with the edit of %s to %q, the difference of %s is gone", place, value, other)
		}
	}
}
