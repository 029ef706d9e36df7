package main

import (
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/language"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// langFlag is the flag that chooses the language.
const langFlag = "lang"

// chooseLanguage makes the command speak the language of --lang, else that of the locale. It is called before the
// command line is parsed: what is wrong with that is to be said in the language, too. JSON and XML are English, and so
// is what is said with them; and so are the commands of other programs, whose output goes to logs.
func (g *globals) chooseLanguage(root *cobra.Command, args []string) {
	name := language.English
	if g.getenv != nil {
		name = language.FromEnvironment(g.getenv)
	}
	if asked, given := lastValue(args, langFlag); given && slices.Contains(language.Names, asked) {
		name = asked
	}
	g.spoken = name
	if format := formatOf(args); format == outputJSON || format == outputJUnit || forPrograms(root, args) {
		name = language.English
	}
	g.language = language.Of(name)
	if g.speech != nil {
		g.language = g.speech(g.language)
	}
}

// describe translates what the shell shows next to the words that it completes.
func (g *globals) describe(root *cobra.Command, args []string) {
	if g.language == nil || len(args) == 0 || args[0] != cobra.ShellCompRequestCmd {
		return
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Short = g.language.Text(cmd.Short)
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			f.Usage = g.language.Text(f.Usage)
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// forPrograms reports whether a command line is one that other programs write: those of the supervisor and its probes.
func forPrograms(root *cobra.Command, args []string) bool {
	if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		return false
	}
	cmd, _, err := root.Find(args)
	return err == nil && (cmd.Hidden || wordsOf(cmd) == "svc run")
}

// lastValue is the value of the last flag of that name on a command line that may have wrong flags.
func lastValue(args []string, flag string) (value string, given bool) {
	for i, arg := range args {
		switch {
		case arg == "--":
			return value, given
		case arg == "--"+flag && i+1 < len(args):
			value, given = args[i+1], true
		case strings.HasPrefix(arg, "--"+flag+"="):
			value, given = strings.TrimPrefix(arg, "--"+flag+"="), true
		}
	}
	return value, given
}

// text is a text in the language of the command. Commands in it may have been made such that they can be pasted, see
// runnable: they stay so.
func (g *globals) text(text string) string {
	if g.language == nil {
		return text
	}
	call := g.call()
	if call == programName || !strings.Contains(text, call+" ") {
		return g.language.Text(text)
	}
	return runnableAs(call, g.language.Text(strings.ReplaceAll(text, call+" ", programName+" ")))
}

// advice is a text with commands, in the language and such that the commands can be pasted.
func (g *globals) advice(text string) string { return g.runnable(g.text(text)) }

// word is a word that is a label, or else a text, in the language.
func (g *globals) word(word string) string {
	if label := g.language.Label(word); label != word {
		return label
	}
	return g.text(word)
}

// texts are several texts in the language.
func (g *globals) texts(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = g.text(text)
	}
	return out
}

// raw prints what is no text: contents of files, and what another command has printed.
func (g *globals) raw(text string) {
	if g.Output != outputJSON && g.Output != outputJUnit {
		fmt.Fprint(g.Stdout, text)
	}
}

// errorf writes a line, such as a warning, to standard error, which scripts do not parse.
func (g *globals) errorf(format string, args ...any) {
	fmt.Fprint(g.Stderr, g.language.Sprintf(format, args...))
}
