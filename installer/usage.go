package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/problem"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a command line that cannot be used: exit code 2, and how the command is called as its hint.
func usageError(cmd *cobra.Command, err error) error {
	return exit.With(exit.DefaultHint(err, "usage: "+strings.TrimSuffix(cmd.UseLine(), " [flags]")+
		"; see "+cmd.CommandPath()+" --help"), exit.Usage)
}

// refuseMistypedCommands makes every wrong command line of the tree below root an error with exit code 2. cobra
// returns plain errors for some, and prints the help of the parent, with success, for an unknown subcommand.
func refuseMistypedCommands(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetFlagErrorFunc(flagError)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		accepts := cmd.Args
		switch {
		case cmd.HasParent() && !cmd.Parent().HasParent() && cmd.Name() == "help":
			accepts = knownTopic
		case cmd.HasSubCommands():
			accepts = knownSubcommand
			if !cmd.Runnable() {
				cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			}
		case accepts == nil:
			accepts = cobra.ArbitraryArgs
		}
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := accepts(cmd, args); err != nil {
				return usageError(cmd, explainArguments(cmd, args, err))
			}
			return nil
		}
		completeWords(cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// flagError explains flags that cannot be parsed.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				known = append(known, f.Name)
			}
		})
		err = withNear(err, "--", unknown.GetSpecifiedName(), known)
	case errors.As(err, &value):
		err = fmt.Errorf("cannot use --%s %s: it takes %s", value.GetFlag().Name, value.GetValue(),
			valueKind(value.GetFlag()))
		if errors.Is(value, strconv.ErrRange) {
			err = fmt.Errorf("cannot use --%s %s: the number is too large", value.GetFlag().Name, value.GetValue())
		}
	}
	return usageError(cmd, err)
}

// explainArguments says which arguments a command takes, in place of cobra's numbers of them.
func explainArguments(cmd *cobra.Command, args []string, err error) error {
	if text := err.Error(); !strings.HasPrefix(text, "accepts ") && !strings.HasPrefix(text, "requires at least ") {
		return err
	}
	var takes []string
	optional := 0
	words := strings.Fields(cmd.Use)[1:]
	for i := 0; i < len(words); i++ {
		switch {
		case strings.HasPrefix(words[i], "[") && !strings.HasPrefix(words[i], "[-"):
			takes = append(takes, strings.Trim(words[i], "[]"))
			optional++
		case strings.HasPrefix(words[i], "["): // an option with its value
			for i < len(words)-1 && !strings.HasSuffix(words[i], "]") {
				i++
			}
		case strings.HasPrefix(words[i], "--"):
			i++
		default:
			takes = append(takes, words[i])
		}
	}
	switch {
	case len(args) > len(takes) && len(takes) == 0:
		return fmt.Errorf("unexpected argument %q for %q", args[0], cmd.CommandPath())
	case len(args) > len(takes):
		return fmt.Errorf("unexpected argument %q after %s", args[len(takes)], strings.Join(args[:len(takes)], " "))
	}
	return fmt.Errorf("missing argument: %s", strings.Join(takes[len(args):len(takes)-optional], " "))
}

// valueKind says in words what the value of a flag looks like.
func valueKind(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int", "int64":
		return "a number"
	case "bool":
		return "true or false"
	case "duration":
		return "a time such as 90s, 10m or 2h"
	}
	name, _ := pflag.UnquoteUsage(f)
	return name
}

// withNear adds the known words that are close to a mistyped one as err's hint; prefix is written before each.
func withNear(err error, prefix, word string, known []string) error {
	near := problem.Near(word, known)
	for i := range near {
		near[i] = prefix + near[i]
	}
	if len(near) == 0 {
		return err
	}
	return exit.Hint(err, problem.DidYouMean(near))
}

// choice refuses a word that is none of the known ones, naming the flag or thing that takes it.
func choice(what, word string, known []string) error {
	if slices.Contains(known, word) {
		return nil
	}
	return exit.With(withNear(fmt.Errorf("cannot use %s %q: it takes %s", what, word, problem.Or(known)), "", word,
		known), exit.Usage)
}

// knownSubcommand refuses arguments of a command that only gathers others.
func knownSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	return withNear(fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath()), cmd.CommandPath()+" ",
		args[0], known)
}

// knownTopic refuses help on a command that does not exist.
func knownTopic(cmd *cobra.Command, args []string) error {
	topic, rest, err := cmd.Root().Find(args)
	if err == nil && len(rest) > 0 {
		err = knownSubcommand(topic, rest)
	}
	return err
}

// noArgs refuses arguments of a command that takes flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unexpected argument %q for %q", args[0], cmd.CommandPath())
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.NoOptDefVal != "" && f.Value.Type() != "bool" {
			err = exit.Hint(err, "the value of this flag follows after an equals sign: --"+f.Name+"="+args[0])
		}
	})
	return err
}

// checkGroups does cobra's checks of flags that belong together, with an exit code.
func checkGroups(cmd *cobra.Command) error {
	var missing []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[cobra.BashCompOneRequiredFlag]) > 0 && !f.Changed {
			missing = append(missing, "--"+f.Name)
		}
	})
	if missing != nil {
		return usageError(cmd, fmt.Errorf("missing %s: %s", count.Noun(len(missing), "option", "options"),
			strings.Join(missing, ", ")))
	}
	if err := cmd.ValidateFlagGroups(); err != nil {
		return usageError(cmd, err)
	}
	return nil
}
