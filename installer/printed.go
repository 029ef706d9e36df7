package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor"
)

// programName is the name by which texts call this program.
const programName = "fate-installer"

// printedCommand is a command of ours in a text: the name, alone, before a verb or a flag.
var printedCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(^|[\s("'` + "`" + `])` + programName + ` ([a-z-])`)
})

// runnable returns a text with commands that the operator can paste. The bare name is enough where the shell finds it.
// The secure_path of sudo on RHEL and its relatives has no /usr/local/bin, and nothing is installed before the first
// install: there a command has the path of the program. Where the base directory is not the default one, each command
// names it.
func (g *globals) runnable(text string) string {
	call := programPath()
	if !strings.Contains(text, "--base ") {
		call = g.call()
	}
	return runnableAs(call, text)
}

// call is how the shell finds this program, with the base directory where that is not the default one.
func (g *globals) call() string {
	call := programPath()
	if g.Base != "" && g.Base != deploy.StandardBase {
		call += " --base " + supervisor.ShellWord(g.Base)
	}
	return call
}

// hint is the hint of an error as it is printed. Where that is to repeat the command, the command follows on a line of
// its own, with all its flags.
func (g *globals) hint(err error) string {
	advice := exit.AdviceOf(err)
	text := g.advice(advice.String())
	if !advice.Repeat || len(g.args) == 0 {
		return text
	}
	program := g.program()
	if program == programName {
		program = programPath()
	}
	return text + "\n" + g.calledAs(program)
}

// runnableAs puts a call of the program into a text in place of the program's name.
func runnableAs(call, text string) string {
	if call == programName || !strings.Contains(text, programName) {
		return text
	}
	return printedCommand().ReplaceAllString(text, "${1}"+strings.ReplaceAll(call, "$", "$$")+" ${2}")
}

// programPath is asked at each text: an install puts the program where it is found from then on.
func programPath() string { return findProgram(os.Getenv("PATH"), os.Stat, os.Args[0]) }

// findProgram says how to call this program, which was started as arg0, in a shell that searches these directories.
func findProgram(searched string, stat func(string) (os.FileInfo, error), arg0 string) string {
	isProgram := func(path string) bool {
		info, err := stat(path)
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	}
	for _, dir := range filepath.SplitList(searched) {
		if filepath.IsAbs(dir) && isProgram(filepath.Join(dir, programName)) {
			return programName
		}
	}
	if installed := (cluster.Layout{}).Binary(); isProgram(installed) {
		return installed
	}
	if strings.Contains(arg0, "/") && strings.HasPrefix(filepath.Base(arg0), programName) &&
		!strings.ContainsAny(arg0, " '\"\\$`") {
		return arg0
	}
	return programName
}
