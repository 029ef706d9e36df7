package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wordsAnnotation holds, on a flag, the words that it takes.
const wordsAnnotation = "fate-installer/words"

// takesWords limits a flag, or each value of a repeatable one, to words. They are checked before the command runs.
func takesWords(f *pflag.FlagSet, name string, words ...string) {
	if err := f.SetAnnotation(name, wordsAnnotation, words); err != nil {
		panic(err) // there is no such flag: a mistake in this program
	}
}

// completeWords offers the words of a command's flags to the shell.
func completeWords(cmd *cobra.Command) {
	add := func(f *pflag.Flag) {
		words := f.Annotations[wordsAnnotation]
		if f.Name == "output" {
			words = []string{outputText, outputJSON}
		}
		if words != nil { // a flag that has a function already keeps it
			complete := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
			_ = cmd.RegisterFlagCompletionFunc(f.Name, complete)
		}
	}
	cmd.LocalFlags().VisitAll(add)
}

// checkValues refuses values of flags that no command can use, before anything is printed or looked at.
func checkValues(cmd *cobra.Command) error {
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if wrong == nil {
			wrong = checkValue(f)
		}
	})
	return wrong
}

func checkValue(f *pflag.Flag) error {
	values := []string{f.Value.String()}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values = list.GetSlice()
	}
	if words := f.Annotations[wordsAnnotation]; words != nil {
		for _, v := range values {
			if err := choice("--"+f.Name, v, words); err != nil {
				return err
			}
		}
	}
	if f.Value.Type() == "duration" {
		if d, err := time.ParseDuration(values[0]); err == nil && d < 0 {
			return exit.With(fmt.Errorf("cannot use --%s %s: a time cannot be negative", f.Name, values[0]), exit.Usage)
		}
	}
	if n, err := strconv.ParseInt(values[0], 10, 64); err == nil && n < 0 && strings.HasPrefix(f.Value.Type(), "int") {
		return exit.With(fmt.Errorf("cannot use --%s %s: it cannot be negative", f.Name, values[0]), exit.Usage)
	}
	if f.Name == "waive" {
		_, err := deploy.ParseWaivers(values)
		return err
	}
	return nil
}

// roleNames are the words of --role.
func roleNames() []string {
	var names []string
	for _, r := range cluster.Roles {
		names = append(names, string(r))
	}
	return names
}

// modeNames are the words of --mode.
func modeNames() []string {
	var names []string
	for _, m := range fate.Modes {
		names = append(names, string(m))
	}
	return names
}

// oneOf refuses arguments that are none of words.
func oneOf(what string, args, words []string) error {
	for _, arg := range args {
		if !slices.Contains(words, arg) {
			return withNear(fmt.Errorf("there is no %s %q: there are %s", what, arg, strings.Join(words, ", ")), "",
				arg, words)
		}
	}
	return nil
}
