package deploy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/database/databasetest"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/schema"
	"fate-installer/scripts/mysqlserver"
)

// TestRefuseCarryOver refuses releases between which upstream has no way, with the reason.
func TestRefuseCarryOver(t *testing.T) {
	for _, c := range []struct {
		role     cluster.Role
		from, to [2]string // FATE, eggroll
		want     string
	}{
		{"host", [2]string{"1.9.1", "2.4.6"}, [2]string{"1.11.4", "2.5.3"}, ""},
		{"host", [2]string{"1.9.1", "2.4.6"}, [2]string{"1.9.1", "2.4.6"}, ""},
		{"host", [2]string{"1.5.0", "2.2.0"}, [2]string{"1.6.1", "2.2.2"}, ""},
		{"host", [2]string{"1.11.4", "2.5.3"}, [2]string{"2.0.0", "3.0.0"}, "nothing in common"},
		{"host", [2]string{"1.11.4", "2.5.3"}, [2]string{"1.9.1", "2.4.6"}, "to the older 1.9.1"},
		{"host", [2]string{"1.4.4", "2.0.2"}, [2]string{"1.11.4", "2.5.3"}, "oldest known release is 1.5.0"},
		{"host", [2]string{"1.6.1", "2.2.2"}, [2]string{"1.7.0", "2.4.0"},
			"kept models and jobs in FATE's own directory"},
		{"exchange", [2]string{"1.11.4", "2.5.3"}, [2]string{"2.0.0", "3.0.0"}, ""},
	} {
		d := &Deployment{place: openTree(t, t.TempDir()).place}
		site := func(versions [2]string) *Site {
			party := 10000
			if c.role == "exchange" {
				party = 0
			}
			return &Site{Role: c.role, Party: party, IP: "192.168.0.1",
				Env: map[string]string{"FATE": versions[0], "FATEFlow": versions[0], "EGGROLL": versions[1]}}
		}
		d.stored = site(c.from)
		var err error
		if d.spec, err = d.specOf(site(c.to)); err != nil {
			t.Fatal(err)
		}
		err = d.refuseCarryOver()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %v to %v: %v, want %q", c.role, c.from, c.to, err, c.want)
		}
		if err != nil && exit.HintOf(err) == "" {
			t.Errorf("%s %v to %v: no hint", c.role, c.from, c.to)
		}
	}
}

// TestSweepCopies removes the copies of the database that no slot has, and nothing else.
func TestSweepCopies(t *testing.T) {
	root := t.TempDir()
	d := openTree(t, root)
	data := filepath.Join(root, d.Layout().DatabaseData())
	for _, dir := range []string{"", ".before-20260101T000000.000Z", ".before-20260102T000000.000Z", ".initialising"} {
		if err := os.MkdirAll(data+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cutOff := filepath.Join(filepath.Dir(data), ".mysql.before-20260103T000000.000Z.fate-tmp")
	s := &slot{
		Schema: SiteSchema, ID: "20260102T000000.000Z", Database: d.Layout().DatabaseData() +
			".before-20260102T000000.000Z",
	}
	if err := errors.Join(os.Mkdir(cutOff, 0o755), os.MkdirAll(filepath.Join(root, s.dir(d.Layout())), 0o755),
		d.writeSlot(s, s.dir(d.Layout()))); err != nil {
		t.Fatal(err)
	}
	if err := d.sweepCopies(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(data))
	var names []string
	for _, e := range entries {
		if strings.Contains(e.Name(), "mysql") {
			names = append(names, e.Name())
		}
	}
	want := []string{"mysql", "mysql.before-20260102T000000.000Z", "mysql.initialising"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("left %q, want %q (%v)", names, want, err)
	}
}

func TestLossSaysWhatIsLost(t *testing.T) {
	var jobs []string
	for range lostShown + 2 {
		jobs = append(jobs, "202601020304")
	}
	for want, l := range map[string]loss{
		"no job was made since":                      {},
		"1 job and 0 models were made since: 1":      {Jobs: []string{"1"}},
		"0 jobs and 1 model were made since":         {Models: 1},
		"12 jobs and 3 models were made since: 2026": {Jobs: jobs, Models: 3},
		"202601020304 and 2 more":                    {Jobs: jobs},
	} {
		if got := l.String(); !strings.Contains(got, want) {
			t.Errorf("%+v: %q, want %q", l, got, want)
		}
	}
}

// TestFailedTestIsNoUndo: what failed only in the test stays, and the ways from there are said.
func TestFailedTestIsNoUndo(t *testing.T) {
	for verb, want := range map[string]string{
		verbUpgrade: "fate-installer rollback", verbRollBack: "second rollback returns to the newer",
	} {
		r := &Replacement{verb: verb}
		err := r.unproven(t.Context(), errors.New("no sum"))
		if exit.CodeOf(t.Context(), err) != exit.Unproven || !strings.Contains(exit.HintOf(err), want) ||
			!strings.Contains(err.Error(), "no sum") {
			t.Errorf("%s: %v, exit code %d, hint %q", verb, err, exit.CodeOf(t.Context(), err), exit.HintOf(err))
		}
	}
}

// TestOldTablesOfAnotherHost refuses to upgrade a host that uses tables which their own host has not brought to the new
// release, and lets it go on when they are right, were never made, or cannot be looked at.
func TestOldTablesOfAnotherHost(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "fo") // the address of a socket has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := mysqlserver.FreePort(t)
	db := databasetest.Start(t, filepath.Join(dir, "s"), "--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", port),
		"--skip-name-resolve")
	r := openUpgrade(t)
	site := &Site{
		Role: "host", Party: 10000, IP: "192.168.0.2",
		Env: map[string]string{"FATE": "1.11.4", "FATEFlow": "1.11.2", "EGGROLL": "2.5.3"},
		Sources: []Source{{Name: "cluster.yaml", Data: fmt.Sprintf("host: {partyid: 10000, ip: 192.168.0.1,\n"+
			"  mysql: {port: %d, dbpasswd: Service1}, fate_flow: {ips: [192.168.0.2]}}\n", port)}},
	}
	if r.d.spec, err = r.d.specOf(site); err != nil {
		t.Fatal(err)
	}
	r.d.spec.Side.MySQL.IPs = []string{"127.0.0.1"} // which a cluster file may not say
	for _, c := range []struct {
		name   string
		tables []string
		want   string
	}{
		{"no account yet", nil, ""},
		{"no schema yet", []string{
			"CREATE USER fate@'127.0.0.1' IDENTIFIED BY 'Service1'", "GRANT ALL ON fate_flow.* TO fate@'127.0.0.1'",
		}, ""},
		{"no tables yet", []string{"CREATE DATABASE fate_flow CHARACTER SET utf8", "USE fate_flow"}, ""},
		{"of 1.9.1", tablesOf(t, "1.9.1"), "the tables of fate_flow at 127.0.0.1:"},
		{"halfway", []string{"ALTER TABLE t_task ADD f_is_deepspeed tinyint(1) NOT NULL DEFAULT 0"},
			"1.11.4 needs others"},
		{"of 1.11.4", []string{"ALTER TABLE t_task ADD f_deepspeed_id varchar(200) DEFAULT ''"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, statement := range c.tables {
				if _, err := db.Exec(statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			err := r.refuseOldTables(t.Context())
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
			case err == nil || !strings.Contains(err.Error(), c.want) ||
				exit.CodeOf(t.Context(), err) != exit.Preflight ||
				!strings.Contains(exit.HintOf(err), "upgrade 127.0.0.1 first"):
				t.Errorf("%v, hint %q; want %q", err, exit.HintOf(err), c.want)
			}
		})
	}
}

func tablesOf(t *testing.T, release string) []string {
	t.Helper()
	v, err := schema.Of(schema.Flow, release)
	if err != nil {
		t.Fatal(err)
	}
	return v.Create("20260102")
}

// openUpgrade is an upgrade in a tree, of which only the place is known.
func openUpgrade(t *testing.T) *Replacement {
	t.Helper()
	p := openTree(t, t.TempDir()).place
	return &Replacement{transition: &transition{place: p}, d: &Deployment{place: p}, verb: verbUpgrade}
}

// replacementOf is an upgrade of a host of party 10000 from FATE 1.9.1 to 1.11.4, with a database server that does not
// run.
func replacementOf(t *testing.T, cluster string) *Replacement {
	t.Helper()
	r := openUpgrade(t)
	r.d.facts, r.copyDatabase = &host.Facts{}, true
	site := func(fateVersion, eggroll string) *Site {
		return &Site{Role: "host", Party: 10000, IP: "192.168.0.1",
			Sources: []Source{{Name: "cluster.yaml", Data: cluster}},
			Env:     map[string]string{"FATE": fateVersion, "FATEFlow": fateVersion, "EGGROLL": eggroll}}
	}
	r.d.stored = site("1.9.1", "2.4.6")
	r.d.site = *site("1.11.4", "2.5.3")
	var err error
	if r.d.spec, err = r.d.specOf(&r.d.site); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRefuseWithoutCopy refuses an upgrade that changes tables of which no copy can be kept: there is no room for it,
// or the server is not ours and --database-copied is not given.
func TestRefuseWithoutCopy(t *testing.T) {
	const size = 300 << 20
	room := func(free uint64) func(*Replacement) error {
		return func(r *Replacement) error {
			data := r.Layout().DatabaseData()
			r.d.facts.Paths = []host.PathFact{{Path: data, Mount: "/data", Size: 1 << 40, Free: free}}
			file := r.host.Path(data + "/fate_flow/t_job.ibd")
			return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o600),
				os.Truncate(file, size))
		}
	}
	for _, c := range []struct {
		name, cluster string
		prepare       func(*Replacement) error
		want, hint    string
	}{
		{"not made yet", oneParty, func(*Replacement) error { return nil }, "", ""},
		{"room", oneParty, room(size + copyReserve), "", ""},
		{"no room", oneParty, room(size + copyReserve - 1), "takes 300.0 MiB, and /data has 556.0 MiB free",
			"make room"},
		{"outside", outsideDatabase, func(*Replacement) error { return nil },
			"no copy can be made of a server that is not ours", "--database-copied"},
		{"outside, copied", outsideDatabase, func(r *Replacement) error { r.opts.DatabaseCopied = true; return nil }, "",
			""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := replacementOf(t, c.cluster)
			if err := c.prepare(r); err != nil {
				t.Fatal(err)
			}
			err := r.refuseWithoutCopy()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
			case err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(exit.HintOf(err), c.hint):
				t.Errorf("%v, hint %q; want %q and %q", err, exit.HintOf(err), c.want, c.hint)
			}
		})
	}
}

const oneParty = "host: {partyid: 10000, ip: 192.168.0.1}\n"

const outsideDatabase = "host: {partyid: 10000, ip: 192.168.0.1,\n" +
	"  mysql: {type: outside, ips: [192.168.0.77], dbpasswd: Service1}}\n"

// TestNeedsDatabaseCopy decides by the releases where the server does not answer.
func TestNeedsDatabaseCopy(t *testing.T) {
	for from, want := range map[string]bool{"1.9.1": true, "1.11.1": true, "1.11.2": false, "1.11.4": false} {
		r := replacementOf(t, oneParty)
		r.d.stored.Env["FATE"], r.d.stored.Env["EGGROLL"] = from, "2.5.3"
		if got, err := r.needsDatabaseCopy(t.Context()); err != nil || got != want {
			t.Errorf("from FATE %s: %v, %v; want %v", from, got, err, want)
		}
	}
}
