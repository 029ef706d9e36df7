package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/problem"
	"fate-installer/installer/redact"
	"fate-installer/installer/report"
	"fate-installer/payload"
	"fate-installer/payload/count"
)

// verifyReportOutput is the JSON document of check --verify-report.
type verifyReportOutput struct {
	Path      string           `json:"path"`             // of the report
	Digest    string           `json:"digest"`           // sha256 of its data
	Signature report.Signature `json:"signature"`        // none, unchecked or good
	KeyID     string           `json:"key_id,omitempty"` // of the key that the signature names
	Time      time.Time        `json:"time"`             // of the checks
	Host      string           `json:"host"`             // name of the host that was checked; blank: not known
	Tree      bool             `json:"tree,omitempty"`   // it was a directory tree, and no machine that runs
	Role      string           `json:"role"`             // of the host: host, guest or exchange
	Party     int              `json:"party"`            // party ID; 0 for an exchange without one
	Address   string           `json:"address"`          // of the host in the cluster
	By        string           `json:"by"`               // who made the checks
	Summary   report.Summary   `json:"summary"`          // numbers of checks
}

// runVerifyReport proves that the data of a JSON report is unchanged, as far as it can be proved.
func runVerifyReport(g *globals, o reportOptions) error {
	data, err := input(g, func() ([]byte, error) { return problem.ReadFile(o.verify, report.MaxSize) })
	if err != nil {
		return exit.With(fmt.Errorf("cannot read the report: %w", err), exit.Usage)
	}
	opened, err := report.Open(data)
	if err != nil {
		return untrusted(o.verify, err)
	}
	r := opened.Report
	out := verifyReportOutput{
		Path: o.verify, Digest: opened.Digest, Signature: report.Unsigned, KeyID: opened.KeyID, Time: r.Time,
		Host: r.Host.Name, Tree: r.Host.Tree, Role: r.Role, Party: r.Party, Address: r.Address, By: r.By.String(),
		Summary: r.Summary,
	}
	switch {
	case o.trust.Key != "":
		key, err := payload.ReadPublicKey(o.trust.Key)
		if err != nil {
			return exit.With(err, exit.Usage)
		}
		if err := opened.SignedBy(key); err != nil {
			return untrusted(o.verify, err)
		}
		out.Signature = report.Good
	case opened.KeyID != "":
		out.Signature = report.Unchecked
	}
	if g.Output == outputJSON {
		err = g.printJSON(out)
	} else {
		printVerified(g, out)
	}
	if err == nil && out.Signature != report.Good {
		err = exit.Silently(exit.Unproven)
	}
	return err
}

// untrusted is the error of a report that is not as it was made, or that nothing proves to be.
func untrusted(file string, err error) error {
	var damaged *report.DamagedError
	var unproven *report.UnprovenError
	hint := "compare the key with the fingerprint that its owner publishes"
	switch {
	case errors.As(err, &damaged):
		hint = "get the report again from where it was made, or repeat the check there"
	case !errors.As(err, &unproven):
		return err
	case unproven.NotSigned:
		hint = "leave --pubkey out, and compare the digest with the one on the page that was signed by hand"
	case unproven.Program:
		hint = "the report was made by a program of another version: verify it with that one"
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot trust %s: %w", file, err), hint), exit.Payload)
}

// describeSide is a role with its party, where it has one.
func describeSide(role string, party int) string {
	if party == 0 {
		return role
	}
	return fmt.Sprintf("%s of party %d", role, party)
}

// printVerified says first what is proved. What a report says of itself may have any characters.
func printVerified(g *globals, v verifyReportOutput) {
	switch v.Signature {
	case report.Good:
		g.printf("%s is unchanged: signed with key %s\n", v.Path, v.KeyID)
	case report.Unchecked:
		g.printf("%s has the digest that it names; its signature with key %s was not checked: give --pubkey\n", v.Path,
			v.KeyID)
	default:
		g.printf("%s is unsigned; its data has the digest that it names, which proves nothing by itself:\n"+
			"compare the digest with the one on the page that was signed by hand\n", v.Path)
	}
	side := describeSide(v.Role, v.Party)
	safe := redact.Printable
	name := cmp.Or(v.Host, "name not known")
	if v.Tree {
		name += " (a directory tree)"
	}
	g.printf("digest   %s\nhost     %s, %s at %s\nchecked  %s by %s\n", v.Digest, safe(name), safe(side),
		safe(v.Address), v.Time.UTC().Format("2006-01-02 15:04:05 MST"), safe(v.By))
	g.printf("result   %s: %d refused, %d waived, %s\n", count.Of(v.Summary.Total, "check"), v.Summary.Refused,
		v.Summary.Waived, count.Of(v.Summary.Warnings, "warning"))
}
