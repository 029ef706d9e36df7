package main

import (
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manPage is the manual page of a command, in the macros of man(7). It says what the help says, in English.
func manPage(cmd *cobra.Command) string {
	p := &page{}
	long, status, _ := strings.Cut(cmd.Long, exitStatus)
	if long == "" {
		long = cmd.Short
	}
	p.request(`.TH`, strings.ToUpper(nameOfPage(cmd)), "1", "", "fate-installer", "User Commands")
	p.request(".nh") // commands and paths are copied
	p.request(".ad l")
	p.section("NAME")
	p.text(nameOfPage(cmd) + ` \- ` + roff(strings.TrimSuffix(cmd.Short, ".")))
	p.section("SYNOPSIS")
	p.synopsis(cmd)
	p.section("DESCRIPTION")
	p.prose(strings.TrimSpace(long))
	p.commands(cmd)
	p.flags("OPTIONS", ownFlags(cmd))
	p.flags("COMMON OPTIONS", sharedFlags(cmd))
	if cmd.Example != "" {
		p.section("EXAMPLES")
		p.verbatim(strings.Split(strings.Trim(cmd.Example, "\n"), "\n"))
	}
	if status = strings.Trim(status, "\n"); status != "" {
		p.section("EXIT STATUS")
		p.prose(status)
	}
	p.seeAlso(cmd)
	return p.out.String()
}

// page is a manual page that is being written.
type page struct{ out strings.Builder }

// text writes a line that has its escapes already.
func (p *page) text(line string) { p.out.WriteString(line + "\n") }

// request writes a request, with arguments that may be blank or have spaces.
func (p *page) request(name string, arguments ...string) {
	for _, a := range arguments {
		name += ` "` + strings.ReplaceAll(roff(a), `"`, `\(dq`) + `"`
	}
	p.text(name)
}

func (p *page) section(title string) { p.text(".SH " + title) }

// roffEscapes is built once: an installation writes 65 pages.
var roffEscapes = sync.OnceValue(func() *strings.Replacer {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", "\\(ga", `^`, `\(ha`, `~`, `\(ti`)
})

// roff escapes a text: a backslash, a hyphen that is copied as a minus sign, and what a request or a string begins
// with.
func roff(text string) string {
	text = roffEscapes().Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

func (p *page) synopsis(cmd *cobra.Command) {
	usage := strings.TrimSuffix(cmd.UseLine(), " [flags]")
	if cmd.HasAvailableFlags() {
		usage += " [FLAGS]"
	}
	if !cmd.HasAvailableSubCommands() || !cmd.HasParent() { // the others only print their help
		p.synopsisLine(cmd, strings.TrimPrefix(usage, cmd.CommandPath()))
	}
	if cmd.HasAvailableSubCommands() {
		if !cmd.HasParent() {
			p.text(".br")
		}
		p.synopsisLine(cmd, " COMMAND")
	}
}

func (p *page) synopsisLine(cmd *cobra.Command, rest string) {
	p.text(`\fB` + roff(cmd.CommandPath()) + `\fR` + roff(rest))
}

// prose writes the paragraphs of a text, the items of its lists, and lines that stay as they are because they are
// indented. It reads the same text as reflow.
func (p *page) prose(text string) {
	depth := 0        // of the text of the item at hand; 0: none
	var asIs []string // lines that are kept
	begins := false   // a paragraph
	flush := func() {
		if len(asIs) > 0 {
			p.verbatim(asIs)
			asIs = nil
			begins = true
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		found := item().FindStringSubmatch(line)
		deep := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case line == "":
			flush()
			begins, depth = true, 0
		case found != nil && len(asIs) == 0 && (depth == 0 || deep < depth):
			depth, begins = len(found[1]), false
			p.text(".TP 8n")
			p.text(roff(strings.TrimSpace(found[1])))
			p.text(roff(found[2]))
		case deep > 0 && deep == depth:
			p.text(roff(strings.TrimSpace(line)))
		case deep > 0:
			depth = 0
			asIs = append(asIs, line)
		default:
			flush()
			if begins || depth > 0 {
				p.text(".PP")
			}
			begins, depth = false, 0
			p.text(roff(line))
		}
	}
	flush()
}

// verbatim writes lines as they are.
func (p *page) verbatim(lines []string) {
	p.text(".PP")
	p.text(".nf")
	for _, line := range lines {
		if line == "" {
			p.text(".sp")
			continue
		}
		p.text(roff(line))
	}
	p.text(".fi")
}

func (p *page) commands(cmd *cobra.Command) {
	first := true
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() || sub.Name() == "help" {
			continue
		}
		if first {
			p.section("COMMANDS")
			first = false
		}
		p.text(".TP 12n")
		p.text(`\fB` + roff(sub.Name()) + `\fR`)
		p.text(roff(sub.Short))
	}
}

func (p *page) flags(title string, flags []*pflag.Flag) {
	if len(flags) == 0 {
		return
	}
	p.section(title)
	for _, f := range flags {
		name, usage := flagUsage(nil, f)
		label := `\fB\-\-` + roff(f.Name) + `\fR` + roff(strings.TrimPrefix(name, f.Name))
		if f.Shorthand != "" {
			label = `\fB\-` + f.Shorthand + `\fR, ` + label
		}
		p.text(".TP 8n")
		p.text(label)
		p.text(roff(usage))
	}
}

// seeAlso names the pages of the commands above, and of those below.
func (p *page) seeAlso(cmd *cobra.Command) {
	var names []string
	if cmd.HasParent() {
		names = append(names, nameOfPage(cmd.Parent()))
	}
	for _, sub := range cmd.Commands() {
		if isDocumented(sub) {
			names = append(names, nameOfPage(sub))
		}
	}
	if len(names) == 0 {
		return
	}
	p.section("SEE ALSO")
	for i, name := range names {
		end := `\fR(1),`
		if i == len(names)-1 {
			end = `\fR(1)`
		}
		p.text(`\fB` + roff(name) + end)
	}
}
