package main

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fate-installer/installer/language"
	"fate-installer/installer/output"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// useHelp makes the commands below root write their help for the width of the terminal, in groups.
func useHelp(g *globals, root *cobra.Command) {
	for _, group := range groups {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
	}
	for _, cmd := range root.Commands() {
		cmd.GroupID = commandTable[cmd.Name()].group
	}
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		w := cmd.OutOrStdout()
		columns := deviceOf(w).Columns
		if columns == 0 {
			columns = output.StandardColumns
		}
		_, _ = io.WriteString(w, helpText(g.language, cmd, min(columns, widestHelp))) // resultWriter keeps the error
	})
}

// groups are those of the root command.
//
//language:labels
var groups = []struct{ id, title string }{
	{groupInstall, "Prepare and install"}, {groupOperate, "Operate"}, {groupBuild, "Build appliances"},
}

// widestHelp is the width above which lines of help are hard to read.
const widestHelp = 120

// help is the help of a command that is being written.
type help struct {
	strings.Builder
	language *language.Language
	columns  int
}

// Titles of the sections of a help.
//
//language:labels
const (
	usageTitle    = "Usage"
	examplesTitle = "Examples"
	flagsTitle    = "Flags"
	commonTitle   = "Common flags"
	statusTitle   = "Exit status"
	commandsTitle = "Commands"
	othersTitle   = "Other commands"
)

// section begins a section. A colon ends its title in each language, so that it is seen to be one.
func (h *help) section(title string) {
	h.WriteString("\n" + h.language.Label(title) + strings.TrimSpace(h.language.Colon()) + "\n")
}

// helpText is the help of a command in lines of at most so many columns, but for the examples, which are copied.
func helpText(l *language.Language, cmd *cobra.Command, columns int) string {
	long, status, _ := strings.Cut(cmd.Long, exitStatus)
	if long == "" {
		long = cmd.Short + "\n"
	}
	out := &help{language: l, columns: columns}
	out.WriteString(reflow(l.Text(strings.TrimSpace(long)), columns) + "\n")
	out.section(usageTitle)
	usage := strings.TrimSuffix(cmd.UseLine(), " [flags]")
	if cmd.HasAvailableFlags() {
		usage += " [FLAGS]"
	}
	if !cmd.HasAvailableSubCommands() || !cmd.HasParent() { // the others only print this
		out.WriteString("  " + usage + "\n")
	}
	if cmd.HasAvailableSubCommands() {
		out.WriteString("  " + cmd.CommandPath() + " COMMAND\n")
	}
	if cmd.Example != "" {
		out.section(examplesTitle)
		out.WriteString(l.Text(cmd.Example) + "\n")
	}
	if cmd.HasAvailableSubCommands() {
		out.commands(cmd)
	}
	out.flags(flagsTitle, ownFlags(cmd))
	out.flags(commonTitle, sharedFlags(cmd))
	if status != "" {
		out.section(statusTitle)
		_, status, _ = strings.Cut(l.Text(exitStatus+strings.TrimRight(status, "\n")), "\n")
		out.WriteString(reflow(status, columns) + "\n")
	}
	if cmd.HasAvailableSubCommands() {
		more := l.Text(cmd.CommandPath() + " COMMAND --help says more about a command.")
		out.WriteString("\n" + output.Indented("", more, columns) + "\n")
	}
	return out.String()
}

const exitStatus = "EXIT STATUS\n"

// commands lists the subcommands, in groups where there are some.
func (h *help) commands(cmd *cobra.Command) {
	width := 0
	for _, sub := range cmd.Commands() {
		width = max(width, len(sub.Name()))
	}
	list := func(title, group string) {
		var lines strings.Builder
		for _, sub := range cmd.Commands() {
			if sub.GroupID == group && sub.IsAvailableCommand() {
				label := "  " + sub.Name() + strings.Repeat(" ", width-len(sub.Name())+2)
				lines.WriteString(output.Indented(label, h.language.Text(sub.Short), h.columns) + "\n")
			}
		}
		if lines.Len() > 0 {
			h.section(title)
			h.WriteString(lines.String())
		}
	}
	for _, group := range cmd.Groups() {
		list(group.Title, group.ID)
	}
	rest := commandsTitle
	if len(cmd.Groups()) > 0 {
		rest = othersTitle
	}
	list(rest, "")
}

// ownFlags are the flags that only this command, or those below it, has.
func ownFlags(cmd *cobra.Command) []*pflag.Flag {
	var flags []*pflag.Flag
	common := cmd.Root().PersistentFlags()
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && common.Lookup(f.Name) == nil {
			flags = append(flags, f)
		}
	})
	return flags
}

// sharedFlags are the common flags that mean something for the command.
func sharedFlags(cmd *cobra.Command) []*pflag.Flag {
	var flags []*pflag.Flag
	for _, name := range entryOf(cmd).shown() {
		flags = append(flags, cmd.Root().PersistentFlags().Lookup(name))
	}
	return flags
}

// flagColumn is where the texts of flags begin.
const flagColumn = 27

func (h *help) flags(title string, flags []*pflag.Flag) {
	if len(flags) == 0 {
		return
	}
	h.section(title)
	for _, f := range flags {
		name, usage := flagUsage(h.language, f)
		label := "      --"
		if f.Shorthand != "" {
			label = "  -" + f.Shorthand + ", --"
		}
		label += name
		if width := output.Width(label); width+2 > flagColumn {
			h.WriteString(label + "\n")
			label = strings.Repeat(" ", flagColumn)
		} else {
			label += strings.Repeat(" ", flagColumn-width)
		}
		h.WriteString(output.Indented(label, usage, h.columns) + "\n")
	}
}

// flagUsage is a flag with the name of its value, and its text with its default.
func flagUsage(l *language.Language, f *pflag.Flag) (name, usage string) {
	translated := *f
	if command, ok := strings.CutPrefix(f.Usage, "help for "); ok {
		translated.Usage = l.Sprintf("help for %s", command)
	} else {
		translated.Usage = l.Text(f.Usage)
	}
	value, usage := pflag.UnquoteUsage(&translated)
	if value = placeholder(f, value); value == "" {
		return f.Name, usage
	}
	name = f.Name + " " + value
	if f.NoOptDefVal != "" {
		name = f.Name + "[=" + strings.TrimSuffix(strings.TrimPrefix(value, "["), "]") + "]"
	}
	zero := []string{"", "0", "0s", "[]", "false"}
	if value := f.DefValue; !slices.Contains(zero, value) && !strings.Contains(f.Usage, "(default") {
		if strings.HasSuffix(value, "m0s") { // a duration in whole minutes
			value = strings.TrimSuffix(value, "0s")
		}
		usage += strings.TrimPrefix(l.Sprintf(" (default %v)", value), l.Glue())
	}
	return name, usage
}

// placeholder is the word for the value of a flag: in capitals, and by its kind where the flag has none.
func placeholder(f *pflag.Flag, word string) string {
	switch {
	case f.Value.Type() == "bool":
		return ""
	case f.Value.Type() == "duration":
		return "DURATION"
	case word == "int", word == "int64":
		return "N"
	case word == "string", word == "strings", word == "stringArray":
		return "TEXT"
	}
	if strings.ContainsAny(word, ":=[") { // a form, such as ID=reason
		return word
	}
	return strings.ToUpper(word)
}

// item is a line of a list: a label, two spaces or more, and a text.
var item = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^( +\S+(?: \S+)*  +)(\S.*)$`)
})

// reflow wraps the paragraphs of a text, and the items of its lists. Other lines that are indented stay as they are.
func reflow(text string, columns int) string {
	var out, paragraph []string
	label := ""
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, output.Indented(label, output.Join(paragraph), columns))
		}
		paragraph, label = nil, ""
	}
	for line := range strings.SplitSeq(text, "\n") {
		found := item().FindStringSubmatch(line)
		deep := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case line == "":
			end()
			out = append(out, "")
		case found != nil && (label == "" || deep < len(label)):
			end()
			label, paragraph = found[1], []string{found[2]}
		case deep > 0 && deep == len(label): // goes on
			paragraph = append(paragraph, strings.TrimSpace(line))
		case deep > 0:
			end()
			out = append(out, line)
		default:
			if label != "" {
				end()
			}
			paragraph = append(paragraph, line)
		}
	}
	end()
	return strings.Join(out, "\n")
}
