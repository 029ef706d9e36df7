package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/adopt"
	"fate-installer/installer/redact"
	"fate-installer/payload/count"
)

// printAdoption prints a plan for people. It reaches root's terminal, and the service user chose many of its texts.
func printAdoption(g *globals, p *adopt.Plan, o *adoptOptions) error {
	p.Clean(redact.Printable)
	party := fmt.Sprintf("%s of party %d", p.Role, p.Party)
	if p.Party == 0 {
		party = p.Role
	}
	g.printf("AnsibleFATE installed the %s below %s; this host is %s\n", party, p.Base, p.IP)
	var versions []string
	for _, v := range p.Versions {
		versions = append(versions, v.Component+" "+v.Version)
	}
	g.printf("versions: %s\n", strings.Join(versions, ", "))
	if !p.Upgrade.Possible {
		g.printf("a later upgrade is not possible: %s\n", p.Upgrade.Why)
	}
	for _, a := range p.Assumptions {
		g.printf("assumed: %s: %s\n  -> %s\n", a.What, a.Why, a.Next)
	}
	for _, l := range p.Links {
		g.printf("link: %s leads to %s\n", l.Path, l.Target)
	}
	for _, print := range []func(*globals, *adopt.Plan) error{printTakeover, printSecretsFound, printKeysFound} {
		if err := print(g, p); err != nil {
			return err
		}
	}
	if err := printEdits(g, p, o.all); err != nil {
		return err
	}
	for _, n := range p.Notes {
		g.printf("note: %s\n", n)
	}
	printObstacles(g, p)
	if o.out != "" {
		g.printf("\nthe cluster file is in %s\n", o.out)
	}
	g.printf("\nnothing was changed; this release plans a take-over, and does not make it yet\n")
	return nil
}

func printTakeover(g *globals, p *adopt.Plan) error {
	g.printf("\n")
	t := g.newTable("PROGRAM", "TAKE-OVER", "WHY")
	for _, x := range p.Programs {
		t.row(x.Name, x.Takeover, x.Why)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if s := p.Supervisor; s != nil {
		running := "does not run"
		if s.PID != 0 {
			running = "is process " + strconv.Itoa(s.PID)
		}
		g.printf("the old supervisor %s; its configuration is %s\n", running, s.Conf)
	}
	for _, b := range p.Boot {
		becomes := "stays"
		if b.Starts {
			becomes = "would be disabled"
		}
		g.printf("%s:%d %s: %s\n", b.File, b.Line, becomes, b.Text)
	}
	return nil
}

func printSecretsFound(g *globals, p *adopt.Plan) error {
	if len(p.Secrets) == 0 {
		return nil
	}
	g.printf("\n")
	t := g.newTable("PASSWORD", "FOUND IN", "REMARK")
	for _, s := range p.Secrets {
		var remarks []string
		if !s.Taken {
			remarks = append(remarks, "another value than the one taken over")
		}
		if s.Published {
			remarks = append(remarks, "the published one")
		}
		t.row(s.Name, fmt.Sprintf("%s:%d", s.File, s.Line), strings.Join(remarks, ", "))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if len(p.Leftovers) > 0 {
		g.printf("scripts of the deployment with passwords in them: %s\n", strings.Join(p.Leftovers, ", "))
	}
	return nil
}

func printKeysFound(g *globals, p *adopt.Plan) error {
	if p.Keys == nil {
		return nil
	}
	g.printf("\n")
	t := g.newTable("KEY FILE", "EXPIRES")
	for _, k := range p.Keys.Files {
		expires := ""
		if !k.Expires.IsZero() {
			expires = k.Expires.Format(time.DateOnly)
		}
		t.row(k.File, expires)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, text := range p.Keys.Problems {
		g.printf("keys: %s\n", text)
	}
	for _, text := range p.Keys.Remarks {
		g.printf("keys, later: %s\n", text)
	}
	return nil
}

// printEdits lists what is kept in files: the edits of operators, and with all those that the templates make.
func printEdits(g *globals, p *adopt.Plan, all bool) error {
	shown := p.Operators()
	others := len(p.Differences) - len(shown)
	if all {
		shown = p.Differences
	}
	g.printf("\n")
	if len(shown) == 0 {
		g.printf("no file was edited by hand\n")
	} else {
		value := func(v *string) string {
			switch {
			case v == nil:
				return "(none)"
			case *v == "":
				return "(blank)"
			}
			return *v
		}
		t := g.newTable("KEPT IN", "KEY", "THERE", "RENDERED", "BY")
		for _, d := range shown {
			place := d.File
			if d.Line > 0 {
				place += ":" + strconv.Itoa(d.Line)
			}
			t.row(place, d.Key, value(d.Theirs), value(d.Ours), d.By)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if others > 0 && !all {
		g.printf("%s that AnsibleFATE's own templates make stay, too (--all lists them)\n",
			count.Of(others, "difference", "differences"))
	}
	replaced := 0
	for _, f := range p.Files {
		if f.Action == "replace" {
			replaced++
		}
	}
	if replaced > 0 {
		g.printf("%s of the old supervisor would be replaced by ours, with a copy kept\n",
			count.Of(replaced, "file", "files"))
	}
	return nil
}

func printObstacles(g *globals, p *adopt.Plan) {
	for _, d := range p.Dropped {
		g.printf("kept in its file alone: %s %s (%s): %s\n", d.Key, d.Value, d.From, d.Why)
	}
	for _, s := range p.Skipped {
		g.printf("not read: %s: %s\n", s.File, s.Why)
	}
	for _, x := range p.Obstacles {
		g.printf("cannot be taken over: %s\n  -> %s\n", x.What, x.Next)
	}
}
