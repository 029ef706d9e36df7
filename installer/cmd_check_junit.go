package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/preflight"
)

// JUnit's XML, as far as the servers that show it agree on it.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes a test case for each check. A warning passes, with its text as output.
func writeJUnit(file string, results []preflight.CheckResult, refused string) error {
	out, err := replaceOut(file)
	if err != nil {
		return exit.With(fmt.Errorf("cannot write the JUnit report: %w", err), exit.Usage)
	}
	if err := out.finish(encodeJUnit(out, results, refused)); err != nil {
		return fmt.Errorf("cannot write the JUnit report: %w", err)
	}
	return nil
}

// encodeJUnit adds a case that fails when install refuses the appliance for the reason refused.
func encodeJUnit(w io.Writer, results []preflight.CheckResult, refused string) error {
	number := countStatus(results)
	suite := junitSuite{Name: "fate-installer check", Tests: len(results), Failures: number[preflight.StatusRefused],
		Skipped: number[preflight.StatusSkipped] + number[preflight.StatusWaived]}
	for _, r := range results {
		kind, _, _ := strings.Cut(r.ID, ":")
		c := junitCase{Class: "preflight." + kind, Name: r.ID + ": " + r.Title}
		text := fmt.Sprintf("measured: %s\nwanted: %s\nremedy: %s", r.Measured, r.Wanted, r.Remedy)
		switch r.Status {
		case preflight.StatusRefused:
			c.Failure = &junitMessage{r.Measured, text}
		case preflight.StatusSkipped:
			c.Skipped = &junitMessage{Message: r.Measured}
		case preflight.StatusWaived:
			c.Skipped = &junitMessage{Message: "waived: " + r.Reason, Text: text}
		case preflight.StatusWarning, preflight.StatusPlanned:
			c.Output = string(r.Status) + "\n" + text
		}
		suite.Cases = append(suite.Cases, c)
	}
	if refused != "" {
		suite.Tests, suite.Failures = suite.Tests+1, suite.Failures+1
		suite.Cases = append(suite.Cases, junitCase{Class: "preflight.appliance",
			Name: "appliance: by the maker that is trusted", Failure: &junitMessage{refused, refused}})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
