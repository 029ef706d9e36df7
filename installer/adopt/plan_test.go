package adopt

import (
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/scripts/ansiblefate"
)

// tree lays out a host and opens it.
func tree(t *testing.T, o ansiblefate.Options) (*host.Host, string) {
	t.Helper()
	dir := t.TempDir()
	if err := ansiblefate.Make(dir, o); err != nil {
		t.Fatal(err)
	}
	h, err := host.New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, dir
}

// options are those of a host with one address.
func options(addresses ...string) Options {
	if len(addresses) == 0 {
		addresses = []string{"192.168.0.1"}
	}
	return Options{Addresses: append([]string{"127.0.0.1"}, addresses...), Now: time.Now()}
}

func mustPlan(t *testing.T, h *host.Host, o Options) *Plan {
	t.Helper()
	p, err := New(h, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// edits lists the edits of operators, as FILE KEY.
func edits(p *Plan) []string {
	var out []string
	for _, d := range p.Operators() {
		out = append(out, path.Base(d.File)+" "+d.Key)
	}
	return out
}

// TestLayouts plans every kind of host that AnsibleFATE leaves. Nothing was edited on any, so that every difference is
// one that its templates make.
func TestLayouts(t *testing.T) {
	for name, c := range map[string]struct {
		fixture ansiblefate.Options
		say     func(*Options)
		role    string
		party   int
		want    []string // lines of the cluster file, without where they were found
		not     []string
	}{
		"1.5": {fixture: ansiblefate.Options{Version: "1.5.1"}, role: "host", party: 10000,
			want: []string{"egg: 2", "dbuser: fate"}},
		"1.7":    {fixture: ansiblefate.Options{Version: "1.7.2"}, role: "host", party: 10000},
		"1.9":    {fixture: ansiblefate.Options{Version: "1.9.2", Party: 9999}, role: "host", party: 9999},
		"1.11":   {fixture: ansiblefate.Options{Version: "1.11.4"}, role: "host", party: 10000},
		"1.11.1": {fixture: ansiblefate.Options{Version: "1.11.1"}, role: "host", party: 10000},
		"MariaDB and a later JDK": {fixture: ansiblefate.Options{Version: "1.11.4",
			Versions: map[string]string{"mariadb": "10.11.6", "jdk": "17.0.15"}}, role: "host", party: 10000},
		"guest said": {fixture: ansiblefate.Options{Role: "guest"}, role: "guest", party: 10000,
			say: func(o *Options) { o.Role = cluster.RoleGuest }},
		"tls": {fixture: ansiblefate.Options{Role: "guest", TLS: true}, role: "guest", party: 10000,
			want: []string{"server_secure: true", "client_secure: true", "secure_port: 9371",
				"{name: default, ip: 192.168.0.2, port: 9371, is_secure: true}"}},
		"tls with an exchange": {fixture: ansiblefate.Options{TLS: true, Exchange: "192.168.0.99"}, role: "host",
			party: 10000, want: []string{"{name: default, ip: 192.168.0.99, port: 9371, is_secure: true}"}},
		"exchange": {fixture: ansiblefate.Options{Role: "exchange", IP: "192.168.0.88"}, role: "exchange",
			say:  func(o *Options) { o.Addresses = []string{"192.168.0.88"} },
			want: []string{"id: 10000", "id: 9999", "{name: default, ip: 192.168.1.1, port: 9370}"},
			not:  []string{"mysql:", "partyid:"}},
		"exchange with tls": {fixture: ansiblefate.Options{Role: "exchange", TLS: true, IP: "192.168.0.88"}, role: "exchange",
			say:  func(o *Options) { o.Addresses = []string{"192.168.0.88"} },
			want: []string{"server_secure: true"}},
		"two nodemanagers, the first": {
			fixture: ansiblefate.Options{Nodes: []string{"192.168.0.1", "192.168.0.3"}}, role: "host", party: 10000,
			say:  func(o *Options) { o.Nodes = []string{"192.168.0.1", "192.168.0.3"} },
			want: []string{"ips: [192.168.0.1, 192.168.0.3]"}},
		"two nodemanagers, the second": {
			fixture: ansiblefate.Options{IP: "192.168.0.3", Main: "192.168.0.1", Modules: []string{"nodemanager"},
				Nodes: []string{"192.168.0.1", "192.168.0.3"}}, role: "host", party: 10000,
			say: func(o *Options) {
				o.Addresses, o.Nodes = []string{"192.168.0.3"}, []string{"192.168.0.1", "192.168.0.3"}
			},
			want: []string{"ips: [192.168.0.3, 192.168.0.1]", "type: inside"}},
		"database elsewhere": {fixture: ansiblefate.Options{IP: "192.168.0.3", Main: "192.168.0.1",
			Modules: []string{"fateflow", "fateboard"}}, role: "host", party: 10000,
			say: func(o *Options) { o.Addresses = []string{"192.168.0.3"} }},
		"high availability": {fixture: ansiblefate.Options{HA: true, Flows: []string{"192.168.0.5"}},
			role: "host", party: 10000,
			say: func(o *Options) { o.Flows = []string{"192.168.0.1", "192.168.0.5"} },
			want: []string{"ips: [192.168.0.1, 192.168.0.5]", "type: outside", "{ip: 192.168.0.1, port: 2181}",
				"http_port: 9998", "use_acl: true", "{name: fateflow, ip: 192.168.0.1, port: 9999}"}},
		"moved base": {fixture: ansiblefate.Options{Base: "/srv/fate", Running: true}, role: "host", party: 10000,
			want: []string{"base: /srv/fate"}},
		"linked components": {fixture: ansiblefate.Options{Linked: []string{"eggroll", "fateboard", "conf"}},
			role: "host", party: 10000},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := tree(t, c.fixture)
			o := options()
			if c.say != nil {
				c.say(&o)
			}
			p := mustPlan(t, h, o)
			if p.Role != c.role || p.Party != c.party {
				t.Errorf("the host is %s %d, want %s %d", p.Role, p.Party, c.role, c.party)
			}
			plain := comments.ReplaceAllString(p.ClusterFile, "\n")
			for _, line := range c.want {
				if !strings.Contains(plain, line+"\n") {
					t.Errorf("the cluster file lacks %q:\n%s", line, plain)
				}
			}
			for _, word := range c.not {
				if strings.Contains(plain, word) {
					t.Errorf("the cluster file has %q:\n%s", word, plain)
				}
			}
			if got := edits(p); len(got) > 0 {
				t.Errorf("edits were found where there are none: %q", got)
			}
			if len(p.Obstacles)+len(p.Dropped)+len(p.Skipped) > 0 {
				t.Errorf("obstacles %v, dropped %v, skipped %v", p.Obstacles, p.Dropped, p.Skipped)
			}
			checkComplete(t, p)
		})
	}
}

var comments = regexp.MustCompile(` # [^\n]*\n`)

// checkComplete holds that the list of differences is complete: the rendered files with the list applied are the files
// that are there.
func checkComplete(t *testing.T, p *Plan) {
	t.Helper()
	files, err := render.Files(p.spec)
	if err != nil {
		t.Fatal(err)
	}
	type place struct{ file, key string }
	changed := map[place]Difference{}
	for _, d := range p.Differences {
		changed[place{d.File, d.Key}] = d
	}
	ours := map[*document]*document{}
	for _, f := range files {
		if doc := p.documents.match(p.spec, f.Path); doc != nil {
			entries, err := doc.kind.parse(f.Content)
			if err != nil {
				t.Fatalf("%s: %v", f.Path, err)
			}
			ours[doc] = newDocument(doc.kind, f.Path, entries)
		}
	}
	same := func(shown *string, e entry, there bool) bool {
		if shown == nil || !there {
			return shown == nil && !there
		}
		return *shown == e.value || strings.Contains(*shown, hidden)
	}
	for _, doc := range p.documents.list {
		if doc.kind == kindTest && ours[doc] == nil {
			continue
		}
		for _, key := range append(doc.keys(), ours[doc].keys()...) {
			theirs, has := doc.get(key)
			mine, rendered := ours[doc].get(key)
			d, listed := changed[place{doc.file, key}]
			switch {
			case !listed && (has != rendered || theirs.value != mine.value):
				t.Errorf("%s %s is %q, would be %q, and is not listed", doc.file, key, theirs.value, mine.value)
			case listed && (!same(d.Theirs, theirs, has) || !same(d.Ours, mine, rendered)):
				t.Errorf("%s %s is %q (%v), would be %q (%v), and is listed as %+v", doc.file, key, theirs.value, has,
					mine.value, rendered, d)
			case listed && has == rendered && theirs.value == mine.value:
				t.Errorf("%s %s is listed and does not differ", doc.file, key)
			}
		}
	}
}
