package render

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"

	"github.com/goccy/go-yaml"
	javaprops "github.com/magiconair/properties"
)

// difference is a row of differences.md.
type difference struct{ file, key string }

func readDifferences(t *testing.T) []difference {
	t.Helper()
	data, err := os.ReadFile("differences.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []difference
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[1]) == "file" {
			continue
		}
		if strings.TrimSpace(cells[3]) == "" {
			t.Errorf("no reason in %q", line)
		}
		out = append(out, difference{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])})
	}
	return out
}

func (d difference) matches(file, key string, role cluster.Role) bool {
	pattern, only, limited := strings.Cut(d.file, "@")
	if limited && string(role) != only {
		return false
	}
	ok, _ := path.Match(pattern, file)
	return ok && wildcard(d.key, key)
}

// wildcard matches a pattern in which * stands for any text, slashes and dots included.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(s, part)
		}
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return s == ""
}

func TestRenderedFilesAgreeWithUpstream(t *testing.T) {
	differences := readDifferences(t)
	used := make(map[difference]bool)
	for _, h := range []struct {
		dir, files string
		role       cluster.Role
		ip         string
	}{
		{"a-host-guest-plain/host-192.168.0.1", "extra-host-guest-plain", cluster.RoleHost, "192.168.0.1"},
		{"a-host-guest-plain/guest-192.168.1.1", "extra-host-guest-plain", cluster.RoleGuest, "192.168.1.1"},
		{"b-host-exchange-tls/host-192.168.0.1", "extra-host-exchange-tls", cluster.RoleHost, "192.168.0.1"},
		{"b-host-exchange-tls/exchange-192.168.0.88", "extra-host-exchange-tls", cluster.RoleExchange, "192.168.0.88"},
	} {
		t.Run(h.dir, func(t *testing.T) {
			c := fatetest.MustParse(t, fatetest.Upstream+"/setup-conf/"+h.files+"/expected-var-files")
			s, err := c.Spec(cluster.Selection{IP: h.ip, Versions: fatetest.Versions1113, Env: fatetest.Env1113})
			if err != nil {
				t.Fatal(err)
			}
			files, err := Files(s)
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]map[string]string)
			for _, f := range files {
				got[f.Path] = flatten(t, f.Path, f.Content)
			}
			want := readTree(t, fatetest.Upstream+"/rendered/"+h.dir)
			for _, name := range slices.Sorted(maps.Keys(fatetest.Merged(got, want))) {
				short := shortName(name)
				for _, key := range slices.Sorted(maps.Keys(fatetest.Merged(got[name], want[name]))) {
					have, inHave := got[name][key]
					ref, inRef := want[name][key]
					if inHave == inRef && have == ref {
						continue
					}
					explained := false
					for _, d := range differences {
						if d.matches(short, key, h.role) {
							explained, used[d] = true, true
						}
					}
					if !explained {
						t.Errorf("%s: %s is %q, upstream has %q: not in differences.md as file %q", name,
							key, have, ref, short)
					}
				}
			}
		})
	}
	for _, d := range differences {
		if !used[d] {
			t.Errorf("differences.md lists %s %s, but nothing differs there any more", d.file, d.key)
		}
	}
}

// shortName is the last two parts of a path.
func shortName(name string) string { return path.Join(path.Base(path.Dir(name)), path.Base(name)) }

func readTree(t *testing.T, root string) map[string]map[string]string {
	t.Helper()
	out := make(map[string]map[string]string)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		out[strings.TrimPrefix(name, root)] = flatten(t, name, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// flatten reads a configuration file of any format into dotted keys and texts.
func flatten(t *testing.T, name string, data []byte) map[string]string {
	t.Helper()
	out := make(map[string]string)
	switch path.Ext(name) {
	case ".properties":
		p, err := (&javaprops.Loader{Encoding: javaprops.ISO_8859_1, DisableExpansion: true}).LoadBytes(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, k := range p.Keys() {
			out[k] = p.GetString(k, "")
		}
	case ".json":
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		flattenValue(out, "", v)
	case ".yaml":
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		flattenValue(out, "", v)
	case ".cnf", ".conf":
		flattenINI(out, data)
	default:
		out["text"] = string(data)
	}
	return out
}

func flattenValue(out map[string]string, key string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			flattenValue(out, strings.TrimPrefix(key+"."+k, "."), inner)
		}
	case []any:
		if len(v) == 0 {
			out[key] = "[]"
		}
		for i, inner := range v {
			flattenValue(out, fmt.Sprintf("%s[%d]", key, i), inner)
		}
	case nil:
		out[key] = ""
	default:
		out[key] = fmt.Sprint(v)
	}
}

func flattenINI(out map[string]string, data []byte) {
	section := ""
	scan := bufio.NewScanner(strings.NewReader(string(data)))
	for scan.Scan() {
		line := strings.TrimSpace(scan.Text())
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		if k, v, ok := strings.Cut(line, "="); ok {
			out[section+"."+strings.TrimSpace(k)] = strings.Trim(strings.TrimSpace(v), `"'`)
		} else if line != "" && !strings.ContainsAny(line[:1], "#;") {
			out[section+"."+line] = "given" // an option without a value
		}
	}
}
