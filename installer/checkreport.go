package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/language"
	"fate-installer/installer/problem"
	"fate-installer/installer/report"
	"fate-installer/payload"
	"fate-installer/supervisor"
)

// reporter writes the reports of a check.
type reporter struct {
	d         *deploy.Deployment
	args      []string // the command line
	options   reportOptions
	key       *payload.PrivateKey
	links     *report.Links
	appliance *report.Appliance
	refusal   error        // why install does not use the appliance
	seal      *report.Seal // nil until the reports are written
}

// newReporter reads what the reports need, judges the appliance, and refuses files that could not be written.
func newReporter(g *globals, d *deploy.Deployment, o reportOptions, junit string) (*reporter, error) {
	o.language = cmp.Or(o.language, g.spoken, language.English)
	r := &reporter{d: d, args: g.args, options: o}
	if err := r.judge(); err != nil {
		return nil, err
	}
	var replaced []string
	if junit != "" {
		replaced = []string{junit}
	}
	err := checkOuts(o.files, replaced)
	if err != nil {
		return nil, fmt.Errorf("cannot write the report: %w", err)
	}
	if r.links, err = readLinks(g, o.links); err != nil {
		return nil, err
	}
	if r.key, err = o.key.read(g); err != nil {
		return nil, err
	}
	return r, nil
}

// judge says what the appliance is, what its signature proves, and whether install would use it: with a key that was
// given, kept with the installation, or built into this program.
func (r *reporter) judge() error {
	p, o := r.d.Payload(), r.options.trust
	switch {
	case p == nil && (o.Key != "" || o.Require):
		return exit.With(exit.Hint(errors.New("cannot check a signature: this program carries no appliance"),
			"name it with --payload FILE"), exit.Usage)
	case p == nil:
		return nil
	}
	t, _, refusal, err := r.d.JudgeMaker(o)
	if err != nil {
		return err
	}
	key, _ := t.PublicKey() // one that cannot be read is the refusal
	r.appliance, r.refusal = report.NewAppliance(p, key, refusal), refusal
	return nil
}

// refused is why install does not use the appliance, as text; blank: it does.
func (r *reporter) refused() string {
	if r.appliance == nil {
		return ""
	}
	return r.appliance.Refused
}

// linksLimit bounds the results of a party test, in bytes.
const linksLimit = 4 << 20

// readLinks reads what party test -o json has printed; nil when no file is named.
func readLinks(g *globals, file string) (*report.Links, error) {
	if file == "" {
		return nil, nil
	}
	data, err := input(g, func() ([]byte, error) { return problem.ReadFile(file, linksLimit) })
	if err != nil {
		return nil, exit.With(fmt.Errorf("cannot read the results of party test: %w", err), exit.Usage)
	}
	links, err := report.ParseLinks(data)
	if err != nil {
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot use the results of party test in %s: %w", file, err),
			"write them with fate-installer party test -o json"), exit.Usage)
	}
	return links, nil
}

// content is the report of these results.
func (r *reporter) content(results []preflight.CheckResult, hardening []preflight.Hardened,
	notes problem.Problems) *report.Report {
	spec, site, f := r.d.Spec(), r.d.Site(), r.d.Facts()
	who := supervisor.RequesterOf(os.Getuid(), os.Getpid())
	out := &report.Report{
		Kind: report.Kind, Time: time.Now().UTC().Truncate(time.Second), Version: buildVersion(),
		Command: supervisor.CommandText(append([]string{programName}, r.args...)),
		By:      report.Person{UID: who.UID, User: who.User, Login: who.Login},
		Host: report.Host{
			Name: f.Hostname.Name, OS: f.OS.Pretty, Kernel: f.Kernel, Arch: f.Arch, CPUs: f.CPU.Count,
			Memory: f.Memory.Total, Addresses: []string{}, Tree: f.Rooted,
		},
		Role: string(spec.Role), Party: spec.PartyID, Address: spec.IP, FATE: site.Env["FATE"],
		StandIns: site.HasStandIns(), Appliance: r.appliance, Installed: r.d.IsInstalled(), Checks: []report.Check{},
		Hardening: hardening, Links: r.links, Notes: notes.Texts(),
	}
	if out.Host.OS == "" {
		out.Host.OS = strings.TrimSpace(f.OS.ID + " " + f.OS.Version)
	}
	for _, a := range f.Addresses {
		out.Host.Addresses = append(out.Host.Addresses, a.IP.String())
	}
	out.Add(results, out.By)
	return out
}

// write writes the reports that were asked for: all of them, or none.
func (r *reporter) write(results []preflight.CheckResult, hardening []preflight.Hardened,
	notes problem.Problems) (err error) {
	if len(r.options.files) == 0 {
		return nil
	}
	content := r.content(results, hardening, notes)
	seal, err := report.NewSeal(content, r.key)
	if err != nil {
		return err
	}
	var outs []*outFile
	defer func() {
		for _, out := range outs {
			err = out.finish(err)
		}
		if err != nil {
			err = fmt.Errorf("cannot write the report: %w", err)
		}
	}()
	for _, file := range r.options.files {
		out, err := createOut(file)
		if err != nil {
			return exit.With(err, exit.Usage)
		}
		outs = append(outs, out)
		if kindOfReport(file) == ".json" {
			err = seal.WriteJSON(out)
		} else {
			err = report.WritePage(out, content, seal, r.options.language)
		}
		if err != nil {
			return err
		}
	}
	r.seal = seal
	return nil
}

// announce names the reports that were written.
func (r *reporter) announce(g *globals) {
	if r.seal == nil {
		return
	}
	signed := "not signed"
	if r.seal.KeyID != "" {
		signed = "signed with key " + r.seal.KeyID
	}
	for _, file := range r.options.files {
		g.printf("report %s\n", file)
	}
	g.printf("digest of its data %s, %s\n", r.seal.Digest, signed)
}
