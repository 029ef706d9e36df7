package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/golden"
	"fate-installer/installer/language"
	"fate-installer/installer/peer"
)

// hostile acts on pages that insert it as it is.
const hostile = `</td><script src="http://192.0.2.1/x.js"></script><img src=//192.0.2.1/p onerror=alert(1)>"'{{.}}` +
	"\u202etxt\x1b[31m\x00"

// sample is a report with something in each of its parts.
func sample() *Report {
	r := &Report{
		Kind: Kind, Time: time.Date(2026, 11, 29, 14, 22, 33, 0, time.UTC), Version: "1.0.0",
		Command: "fate-installer check --config cluster.yaml --waive disk-data='a trial' --report check.html",
		By:      Person{UID: 0, User: "root", Login: "wang"},
		Host: Host{Name: "fate-host-1", OS: "CentOS Linux 7 (Core)", Kernel: "3.10.0-1160.el7.x86_64", Arch: "amd64",
			CPUs: 16, Memory: 64 << 30, Addresses: []string{"192.168.0.1", "fd00::1"}},
		Role: "host", Party: 10000, Address: "192.168.0.1", FATE: "1.11.4",
		Appliance: &Appliance{Path: "fate-installer-1.11.4-amd64", FATE: "1.11.4", Platform: "linux/amd64", Revision: 3,
			Digest: strings.Repeat("0a", 32), Signature: Good, KeyID: "F3B5A1C2D4E6F708", Comment: "FATE 1.11.4"},
		Hardening: []preflight.Hardened{
			{ID: "mounts", LookedAt: "noexec and nosuid of the file systems that are used", Finding: preflight.Found,
				Detail: "/tmp is noexec"},
			{ID: "fips", LookedAt: "FIPS mode of the kernel", Finding: preflight.NotFound},
			{ID: "packet-filter", LookedAt: "firewalld, ufw and the rules of the kernel's packet filter",
				Finding: preflight.NotLookedAt, Detail: "nft is not installed"},
		},
		Links: &Links{Time: time.Date(2026, 11, 29, 14, 0, 0, 0, time.UTC), Role: "host", Party: 10000, IP: "192.168.0.1",
			Version: "1.0.0", Results: []peer.Result{
				{Party: "9999", Direction: peer.Out, Address: "192.168.1.1:9370", Check: "tcp", Status: peer.OK,
					Measured: "0.4 ms"},
				{Party: "9999", Direction: peer.Out, Address: "192.168.1.1:9370", Check: "idle", Status: peer.Failed,
					Measured: "forgotten after 300 s", Remedy: "let the firewall keep idle connections for 2 h"},
			}},
		Notes: []string{"cluster.yaml:9:3: the guest has no FATE-Board"},
	}
	r.Add([]preflight.CheckResult{
		{ID: "os", Title: "a Linux distribution that FATE is known to run on", Status: preflight.StatusOK,
			Measured: "centos 7.9", Wanted: "CentOS 7.2 or later"},
		{ID: "memory", Title: "enough memory", Status: preflight.StatusWarning, Measured: "7.6 GiB", Wanted: "16 GiB",
			Remedy: "add memory, or run at most two jobs at a time"},
		{ID: "port:3306", Title: "port 3306 is free for mysql", Status: preflight.StatusRefused,
			Measured: "held by process 812 (mysqld, user mysql)", Wanted: "free",
			Remedy: "systemctl disable --now mysqld", Protects: "the data of that server"},
		{ID: "limit:nofile", Title: "open files", Status: preflight.StatusPlanned, Measured: "1024", Wanted: "65535",
			Remedy: "install writes /etc/security/limits.d/fate.conf", Fixable: true},
		{ID: "disk-data", Title: "space for data and models", Status: preflight.StatusWaived, Measured: "60.6 GiB free",
			Wanted: "500.0 GiB", Reason: "a trial"},
		{ID: "time", Title: "the clock is kept right", Status: preflight.StatusSkipped,
			Measured: "a directory tree has no clock", Wanted: "synchronized"},
	}, r.By)
	return r
}

// spoiled is a report whose host puts a text in each place that it can write.
func spoiled(text string) *Report {
	r := sample()
	r.Host = Host{Name: text, OS: text, Kernel: text, Arch: text, Addresses: []string{text}}
	r.Appliance = &Appliance{Path: text, FATE: text, Platform: text, Digest: text, Signature: Signature(text),
		KeyID: text, Comment: text, Refused: text}
	r.Command, r.Version, r.Role, r.Address, r.FATE, r.Notes = text, text, text, text, text, []string{text}
	r.By = Person{User: text, Login: text + text}
	for i := range r.Checks {
		c := &r.Checks[i]
		c.ID, c.Title, c.Measured, c.Wanted, c.Remedy, c.Reason, c.Protects = text, text, text, text, text, text, text
	}
	for i := range r.Hardening {
		r.Hardening[i] = preflight.Hardened{ID: text, LookedAt: text, Finding: preflight.Finding(text), Detail: text}
	}
	r.Links.IP, r.Links.Role, r.Links.Version = text, text, text
	for i := range r.Links.Results {
		r.Links.Results[i] = peer.Result{Party: text, Direction: peer.Direction(text), Address: text, Check: text,
			Status: peer.Status(text), Measured: text, Remedy: text}
	}
	return r
}

func pageOf(t *testing.T, r *Report, language string) string {
	t.Helper()
	s, err := NewSeal(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WritePage(&out, r, s, language); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	s, err := NewSeal(sample(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := s.WriteJSON(&file); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{
		"report.json":    file.String(),
		"report.en.html": pageOf(t, sample(), "en"),
		"report.zh.html": pageOf(t, sample(), "zh"),
	} {
		golden.Compare(t, filepath.Join("testdata", name), got)
	}
}

// TestPageStandsAlone parses the pages: they name nothing outside, have no script, and what a host writes into them is
// text.
func TestPageStandsAlone(t *testing.T) {
	clean := map[string]int{}
	for _, language := range language.Names {
		for _, r := range []*Report{sample(), spoiled(hostile)} {
			text := pageOf(t, r, language)
			elements := map[string]int{}
			parsePage(t, text, func(e xml.StartElement) {
				elements[e.Name.Local]++
				for _, a := range e.Attr {
					switch a.Name.Local {
					case "class", "charset", "lang", "name", "content", "http-equiv":
					default:
						t.Errorf("%s: <%s> has the attribute %s", language, e.Name.Local, a.Name.Local)
					}
				}
			})
			for _, element := range []string{"script", "img", "link", "iframe", "object", "a", "form", "base"} {
				if elements[element] > 0 {
					t.Errorf("%s: there is a <%s>", language, element)
				}
			}
			if strings.Contains(strings.ToLower(text), "url(") || strings.Contains(text, "@import") {
				t.Errorf("%s: the style names another file", language)
			}
			if strings.ContainsAny(text, "\x00\x1b\u202e") {
				t.Errorf("%s: a character that changes how others are displayed", language)
			}
			if r.Host.Name != hostile {
				clean = elements
			} else if elements["td"] != clean["td"] || elements["tr"] != clean["tr"] {
				t.Errorf("%s: what a host says changes the tables: %d cells in %d rows, want %d in %d", language,
					elements["td"], elements["tr"], clean["td"], clean["tr"])
			}
		}
	}
}

// parsePage calls element with each element of a page and returns its text.
func parsePage(t *testing.T, page string, element func(xml.StartElement)) string {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var text strings.Builder
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			element(token)
		case xml.CharData:
			text.Write(token)
		}
	}
}

// TestPageShowsEverything looks for each value of the report on the page.
func TestPageShowsEverything(t *testing.T) {
	for _, name := range language.Names {
		shown := parsePage(t, pageOf(t, sample(), name), func(xml.StartElement) {})
		l := language.Of(name)
		data, err := json.Marshal(sample())
		if err != nil {
			t.Fatal(err)
		}
		var values any
		if err := json.Unmarshal(data, &values); err != nil {
			t.Fatal(err)
		}
		var look func(key string, v any)
		look = func(key string, v any) {
			switch v := v.(type) {
			case map[string]any:
				for k, v := range v {
					look(k, v)
				}
			case []any:
				for _, v := range v {
					look(key, v)
				}
			case string:
				translated := []string{"kind", "time", "title", "looked_at", "status", "finding", "signature"}
				for _, k := range translated {
					if key == k {
						return
					}
				}
				if !strings.Contains(shown, v) && !strings.Contains(shown, l.Text(l.Label(v))) {
					t.Errorf("%s: the page does not show %s %q", name, key, v)
				}
			}
		}
		look("", values)
	}
	if err := WritePage(&bytes.Buffer{}, sample(), &Seal{}, "fr"); err == nil {
		t.Error("a page in a language that is not known")
	}
}

// TestPageCounts: one check and one warning, and several of them.
func TestPageCounts(t *testing.T) {
	one := preflight.CheckResult{ID: "memory", Status: preflight.StatusWarning}
	for _, tt := range []struct {
		results  []preflight.CheckResult
		language string
		says     []string
	}{
		{[]preflight.CheckResult{one}, "en", []string{"1 check: 0 ok", "1 warning, 0 refused"}},
		{[]preflight.CheckResult{one, one}, "en", []string{"2 checks: 0 ok", "2 warnings, 0 refused"}},
		{nil, "en", []string{"0 checks: 0 ok", "0 warnings, 0 refused", "Nothing forbids the installation."}},
		{[]preflight.CheckResult{one, one}, "zh", []string{"2 项检查: 0 通过", "2 警告, 0 不通过"}},
	} {
		r := sample()
		r.Checks, r.Summary = nil, Summary{}
		r.Add(tt.results, r.By)
		page := strings.Join(strings.Fields(parsePage(t, pageOf(t, r, tt.language), func(xml.StartElement) {})), " ")
		for _, want := range tt.says {
			if !strings.Contains(page, want) {
				t.Errorf("%s, %d results: the page does not say %q", tt.language, len(tt.results), want)
			}
		}
	}
}

// TestPageSaysWhatCannotBeWaived: only of refusals that are final.
func TestPageSaysWhatCannotBeWaived(t *testing.T) {
	for language, want := range map[string]string{"en": "Cannot be waived", "zh": "不能放行"} {
		for _, final := range []bool{false, true} {
			r := sample()
			r.Checks = nil
			r.Add([]preflight.CheckResult{{ID: "root", Status: preflight.StatusRefused, Final: final}}, r.By)
			if got := strings.Contains(pageOf(t, r, language), want); got != final {
				t.Errorf("%s: final %v: the page says %q: %v", language, final, want, got)
			}
		}
	}
}

// TestEveryTextIsTranslated holds the tables of Chinese texts against the template, the checks and the hardening.
func TestEveryTextIsTranslated(t *testing.T) {
	sources := readAll(t, "../fate/preflight/*.go")
	texts := found(pageText, `\{\{-?\s*(?:(?:if|with|if not) \S+\}\}\{\{)?t "([^"]+)"`)
	for _, text := range []string{"ok", "planned", "warning", "waived", "refused", "skipped", "failed", "found",
		"not found", "not looked at", "signature none", "signature unchecked", "signature good", "signature wrong",
		"checks", "warnings",
		"Operator", "Security officer"} {
		texts[text] = true
	}
	compareKeys(t, "texts of the page", texts, chinese)
	titles := found(sources, `p\.(?:check|notMeasured|recommended|load)\("([a-z.-]+)[":]`)
	for _, id := range []string{"base-owner", "cpu", "memory", "swap"} {
		titles[id] = true
	}
	for kind := range titles {
		if chineseTitles[kind] == "" {
			t.Errorf("the check %q has no Chinese title", kind)
		}
	}
	for kind := range chineseTitles {
		if !strings.Contains(sources, `"`+kind+`"`) && !strings.Contains(sources, `"`+kind+`:`) {
			t.Errorf("there is no check %q", kind)
		}
	}
	compareKeys(t, "hardening", found(sources, `(?m)^\t\{"([a-z-]+)", "[^"]+", (?:true|false),`), chineseHardening)
}

func readAll(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatal(pattern, err)
	}
	var all strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

func found(text, pattern string) map[string]bool {
	out := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out[m[1]] = true
	}
	return out
}

func compareKeys(t *testing.T, what string, want map[string]bool, have map[string]string) {
	t.Helper()
	if len(want) < 5 {
		t.Fatalf("%s: only %d were found", what, len(want))
	}
	for key := range want {
		if have[key] == "" {
			t.Errorf("%s: %q has no Chinese text", what, key)
		}
	}
	for key := range have {
		if !want[key] {
			t.Errorf("%s: the Chinese text of %q is not used", what, key)
		}
	}
}
