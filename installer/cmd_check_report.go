package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/language"
	"fate-installer/installer/problem"

	"github.com/spf13/cobra"
)

// reportOptions are the flags of check that are about its report.
type reportOptions struct {
	files    []string
	language string
	links    string
	verify   string
	key      signKeyOptions
	trust    deploy.TrustOptions
}

// reportHelp is about them in the help of check.
const reportHelp = `
--report writes the results, with the host, the appliance and the waivers, to a new file that its user alone can read: one
that ends in .html is a page for people, which needs no network and no script and has a block for signatures on paper, and
one that ends in .json has the same data. Both have a digest of the data. No key is kept on a host, so that a report is
not signed unless --report-key names a key of "fate-installer bundle keygen"; --verify-report with its public key then
proves on any machine that the data is unchanged. Without a key a digest that matches proves nothing by itself: compare
it with the one on a page that was signed by hand.
`

// reportKinds are the ends of names of reports.
var reportKinds = []string{".html", ".json"}

func (o *reportOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.files, "report", nil,
		"also write a report to the new `FILE`, whose name ends in .html or .json; repeatable")
	f.StringVar(&o.language, "report-lang", "", "`LANGUAGE` of the HTML report: "+problem.Or(language.Names)+
		" (default: that of messages)")
	f.StringVar(&o.links, "report-links", "",
		"add to the report what fate-installer party test -o json has printed to `FILE`")
	o.key.addFlags(f, "report-key", "private key `FILE` to sign the JSON report with")
	f.StringVar(&o.verify, "verify-report", "", "only prove that the JSON report in `FILE` is unchanged")
	f.StringVar(&o.trust.Key, "pubkey", "",
		"public `KEY`, or a file with one, that must have signed the appliance, or the report of --verify-report")
	addRequireSignature(f, &o.trust)
	addAllowOlder(f, &o.trust)
	takesWords(f, "report-lang", language.Names...)
	for _, other := range []string{"report", "report-lang", "report-links", "report-key", "fix", "all", "waive", "junit",
		"allow-older", "require-signature"} {
		cmd.MarkFlagsMutuallyExclusive("verify-report", other)
	}
}

// kindOfReport is the end of a report's name that says what it is; blank for another one.
func kindOfReport(file string) string {
	if end := strings.ToLower(filepath.Ext(file)); slices.Contains(reportKinds, end) {
		return end
	}
	return ""
}

// check refuses options that would have no effect, before anything is looked at.
func (o reportOptions) check() error {
	var html, data bool
	for _, file := range o.files {
		switch kindOfReport(file) {
		case ".html":
			html = true
		case ".json":
			data = true
		default:
			return exit.With(fmt.Errorf("cannot write the report %s: its name has to end in %s", file,
				problem.Or(reportKinds)), exit.Usage)
		}
	}
	needs := func(flag, kind string) error {
		return exit.With(exit.Hint(fmt.Errorf("cannot use --%s without a report that it is for", flag),
			"add --report FILE"+kind), exit.Usage)
	}
	switch {
	case o.key.file != "" && !data:
		return needs("report-key", ".json")
	case o.language != "" && !html:
		return needs("report-lang", ".html")
	case o.links != "" && len(o.files) == 0:
		return needs("report-links", ".html")
	}
	return nil
}
