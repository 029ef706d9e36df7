package schema

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// made gives the tables of a release as a database has them, with a table for one day.
func made(t *testing.T, p Part, release string) []Table {
	t.Helper()
	v, err := Of(p, release)
	if err != nil {
		t.Fatal(err)
	}
	tables := clone(v.Tables)
	for i := range tables {
		tables[i].Name = strings.Replace(tables[i].Name, "*", "20260102", 1)
	}
	return tables
}

// releasesOf lists the known releases of a part, the oldest first.
func releasesOf(p Part) []string {
	var out []string
	for _, r := range versions()[p].releases {
		out = append(out, r.name)
	}
	return out
}

// TestEveryWay goes from each release to each later one: afterwards nothing is missing.
func TestEveryWay(t *testing.T) {
	for _, p := range []Part{Flow, Eggroll} {
		for i, from := range releasesOf(p) {
			for _, to := range releasesOf(p)[i:] {
				u, err := Between(p, from, to)
				if err != nil {
					t.Fatal(err)
				}
				have := made(t, p, from)
				statements := u.Missing(have)
				if got := len(statements) > 0; got != Changes(p, from, to) && !onlyNewTables(u) {
					t.Errorf("%s %s to %s: %d statements, and Changes is %v", p, from, to, len(statements), !got)
				}
				for _, r := range u.releases {
					for _, c := range r.changes {
						for _, table := range find(have, c.Table) {
							c.statement(table)
						}
					}
				}
				want, err := Of(p, to)
				if err != nil {
					t.Fatal(err)
				}
				if lacks := want.Compare(have, false); len(lacks) > 0 {
					t.Errorf("%s %s to %s: %v", p, from, to, lacks)
				}
			}
		}
	}
}

func onlyNewTables(u *Upgrade) bool {
	for _, r := range u.releases {
		if slices.ContainsFunc(r.changes, func(c Change) bool { return c.Kind != NewTable && c.Kind != LeaveTable }) {
			return false
		}
	}
	return true
}

// TestMissing lists what FATE 1.11.4 needs beyond the tables of 1.9.1.
func TestMissing(t *testing.T) {
	u, err := Between(Flow, "1.9.1", "1.11.4")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range u.Missing(made(t, Flow, "1.9.1")) {
		got = append(got, s.Release+" "+s.SQL)
	}
	want := []string{
		"1.11.2 ALTER TABLE `t_task` ADD `f_is_deepspeed` tinyint(1) NOT NULL DEFAULT 0",
		"1.11.2 ALTER TABLE `t_task` ADD `f_deepspeed_id` varchar(200) DEFAULT ''",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	half := made(t, Flow, "1.9.1")
	for i := range half {
		if half[i].Name == "t_task" {
			half[i].Columns = append(half[i].Columns, Column{Name: "F_IS_DEEPSPEED", Type: "tinyint(1)"})
		}
	}
	if left := u.Missing(half); len(left) != 1 || !strings.Contains(left[0].SQL, "f_deepspeed_id") {
		t.Errorf("with one of the two by hand: %v", left)
	}
}

// TestRecognise finds the oldest release with the tables of each.
func TestRecognise(t *testing.T) {
	for release, want := range map[string]string{
		"1.5.0": "1.5.0", "1.5.2": "1.5.1", "1.6.0": "1.5.1", "1.6.1": "1.6.1",
		"1.7.0": "1.7.0", "1.7.3": "1.7.2", "1.8.1": "1.8.0",
		"1.9.1": "1.9.0", "1.10.0": "1.9.0", "1.11.1": "1.9.0", "1.11.2": "1.11.2", "1.11.4": "1.11.2",
	} {
		if got, err := Recognise(Flow, made(t, Flow, release)); err != nil || got != want {
			t.Errorf("FATE %s: %q, %v; want %q", release, got, err, want)
		}
	}
	for release, want := range map[string]string{"2.2.0": "2.2.0", "2.4.0": "2.2.1",
		"2.4.6": "2.2.1", "2.5.3": "2.5.1"} {
		if got, err := Recognise(Eggroll, made(t, Eggroll, release)); err != nil || got != want {
			t.Errorf("eggroll %s: %q, %v; want %q", release, got, err, want)
		}
	}
	if got, err := Recognise(Flow, []Table{{Name: "something"}}); err != nil || got != "" {
		t.Errorf("a foreign table: %q, %v", got, err)
	}
	strange := made(t, Flow, "1.9.1")
	for i := range strange {
		if strange[i].Name == "t_job" {
			strange[i].Columns = slices.DeleteFunc(strange[i].Columns,
				func(c Column) bool { return c.Name == "f_job_id" })
		}
	}
	var found *StrangeError
	if _, err := Recognise(Flow, strange); !errors.As(err, &found) || found.Lacks[0].Column != "f_job_id" {
		t.Errorf("without t_job.f_job_id: %v", err)
	}
}

func TestCompare(t *testing.T) {
	v, err := Of(Flow, "1.11.4")
	if err != nil {
		t.Fatal(err)
	}
	change := func(column string, f func(*Table, *Column)) []Table {
		tables := made(t, Flow, "1.11.4")
		for i := range tables {
			if c, found := tables[i].column(column); found && tables[i].Name == "t_task" {
				f(&tables[i], c)
			}
		}
		return tables
	}
	for name, c := range map[string]struct {
		have []Table
		want string // of the only difference; blank: none
	}{
		"as it is":         {made(t, Flow, "1.11.4"), ""},
		"display width":    {change("f_run_pid", func(_ *Table, c *Column) { c.Type = "int(11)" }), ""},
		"larger":           {change("f_run_ip", func(_ *Table, c *Column) { c.Type = "varchar(200)" }), ""},
		"text for varchar": {change("f_run_ip", func(_ *Table, c *Column) { c.Type = "longtext" }), ""},
		"smaller": {change("f_run_ip", func(_ *Table, c *Column) { c.Type = "varchar(10)" }),
			"t_task.f_run_ip is varchar(10), want varchar(100)"},
		"other kind": {change("f_run_pid", func(_ *Table, c *Column) { c.Type = "datetime" }),
			"t_task.f_run_pid is datetime, want int"},
		"must be given": {change("f_cmd", func(_ *Table, c *Column) { c.NotNull = true }),
			"t_task.f_cmd is longtext NOT NULL, want longtext"},
		"may be left out": {change("f_error_report", func(_ *Table, c *Column) { c.NotNull = false }), ""},
		"of an older release": {change("f_cmd", func(t *Table, _ *Column) {
			t.Columns = append(t.Columns, Column{Name: "f_work_mode", Type: "int", NotNull: true})
		}), "f_work_mode (int NOT NULL) must be given"},
		"of a newer release": {change("f_cmd", func(t *Table, _ *Column) {
			t.Columns = append(t.Columns, Column{Name: "f_new", Type: "int", NotNull: true, Default: "0"})
		}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := v.Compare(c.have, true)
			if c.want == "" && len(got) > 0 || c.want != "" &&
				(len(got) != 1 || !strings.Contains(got[0].String(), c.want)) {
				t.Errorf("got %v, want %q", got, c.want)
			}
		})
	}
	added := func(d Difference) bool { return d.Column == "f_kill_status" }
	if got := v.Compare(made(t, Flow, "1.8.0"), false); !slices.ContainsFunc(got, added) {
		t.Errorf("the tables of 1.8.0: %v", got)
	}
	if got := v.Compare(nil, true); len(got) != 20 || got[0].Column != "" {
		t.Errorf("an empty database: %v", got)
	}
}

func TestCarryOver(t *testing.T) {
	for _, c := range []struct {
		part     Part
		from, to string
		refused  string
	}{
		{Flow, "1.9.1", "1.11.4", ""}, {Flow, "1.5.0", "1.11.4", ""},
		{Flow, "1.11.4", "1.11.4", ""}, {Flow, "1.11.4", "1.11.9", ""},
		{Eggroll, "2.2.0", "2.5.3", ""}, {Eggroll, "2.4.6", "2.5.4", ""},
		{Flow, "1.11.4", "1.9.1", "the older"}, {Flow, "1.11.4", "2.0.0", "nothing in common"},
		{Flow, "1.4.4", "1.11.4", "oldest known release is 1.5.0"},
		{Eggroll, "2.5.3", "3.0.0", "nothing in common"},
	} {
		err := CarryOver(c.part, c.from, c.to)
		if c.refused == "" && err != nil ||
			c.refused != "" && (!errors.Is(err, ErrCannotCarryOver) || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s %s to %s: %v", c.part, c.from, c.to, err)
		}
	}
	if !Changes(Flow, "1.9.1", "1.11.4") || !Changes(Flow, "1.11.4", "1.9.1") ||
		Changes(Flow, "1.9.1", "1.11.0") || Changes(Flow, "1.11.2", "1.11.9") {
		t.Error("Changes is wrong about FATE 1.9.1, 1.11.0, 1.11.2 or 1.11.4")
	}
}

func TestUpstream(t *testing.T) {
	files := []string{"1.9.0-1.11.1.sql", "1.6.0-1.6.1.sql", "1.6.1-1.7.0.sql", "1.8.0-1.9.0.sql", "1.7.2-1.8.0.sql",
		"README.md", "notes.sql", "1.11.1-2.0.0.sql"}
	for _, c := range []struct {
		part     Part
		from, to string
		want     []string
	}{
		{Flow, "1.9.0", "1.11.4", []string{"1.9.0-1.11.1.sql"}},
		{Flow, "1.7.2", "1.11.4", []string{"1.7.2-1.8.0.sql", "1.8.0-1.9.0.sql", "1.9.0-1.11.1.sql"}},
		{Flow, "1.7.2", "1.9.2", []string{"1.7.2-1.8.0.sql", "1.8.0-1.9.0.sql"}},
		{Flow, "1.11.2", "1.11.4", nil},
		{Eggroll, "2.4.0", "2.5.3", []string{"upgrade-to-2.5.X.sql"}},
		{Eggroll, "2.5.1", "2.5.3", nil},
	} {
		u, err := Between(c.part, c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		all := files
		if c.part == Eggroll {
			all = []string{"create-eggroll-meta-tables.sql", "upgrade-to-2.5.X.sql"}
		}
		if got := u.Upstream(all); !slices.Equal(got, c.want) {
			t.Errorf("%s %s to %s: %q, want %q", c.part, c.from, c.to, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                           "no release",
		"table t\n":                                  "line 1: no release",
		"release 1\n  a int\n":                       "line 2: no table",
		"release 1\ntable t\ntable t\n":              "there already",
		"release 1\nadd t a int\n":                   "no table t",
		"release 1\ntable t\n  a\n":                  "cannot understand the column",
		"release 1\ntable t\n  a int odd\n":          "cannot understand \"odd\"",
		"release 1\ntable t\ndrop t a\n":             "no column a",
		"release 1\nalter t\n":                       "cannot understand \"alter t\"",
		"release 1\ntable t\n  a int\nadd t a int\n": "already",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parse(%q): %v, want %q", text, err, want)
		}
	}
}
