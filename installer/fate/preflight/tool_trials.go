package preflight

import (
	"fmt"
	"path"
	"strings"

	"fate-installer/installer/host"
)

// trialMark is far to the right in the line that ps has to show: eggroll looks for a processor's ID there.
var trialMark = strings.Repeat("-", 300) + "--processor-id 1"

// toolTrials try each tool of package tools that the host has by what eggroll does with it: see there, and
// bin/roll_pair/egg_pair_bootstrap.sh for awk.
func toolTrials() []host.Trial {
	same := func(want string) func(string) string {
		return func(got string) string {
			if got == want {
				return ""
			}
			return fmt.Sprintf("it prints %.40q, not %.40q", got, want)
		}
	}
	try := func(program, in, want string, args ...string) host.Trial {
		return host.Trial{Program: program, In: in, Judge: same(want),
			Args: func(file string) []string { return append([]string{file}, args...) }}
	}
	// A command after the last one keeps bash: it replaces itself by the last.
	inBash := func(program, script string, judge func(string) string) host.Trial {
		return host.Trial{Program: program, Judge: judge,
			Args: func(file string) []string { return []string{"bash", "-c", script, "trial", file, trialMark} }}
	}
	return []host.Trial{
		inBash("ps", `echo $$; "$1" aux; exit $?`, judgePS),
		inBash("kill", `sleep 60 & "$1" $!; echo $?; wait $!; echo $?`, same("0\n143\n")),
		try("awk", "a  b c\n", "b\n", "{print $2}"),
		try("awk", "k=v\nl=#w\n", "v\n", "-F", "=", `{if($2!~/^#/) print $2}`),
		try("grep", "112\n 12 \n120\n", " 12 \n", "-w", "12"),
		try("grep", "a\nb\n", "a\n", "-v", "b"),
		try("xargs", "12\n13\n", "-9 12 13\n", "echo", "-9"),
		{Program: "which", Judge: judgeWhich, Args: func(file string) []string { return []string{file, "bash"} }},
	}
}

// judgePS reads the ID of a shell and the list of processes, in which that ID has to be the second column of the line
// that shows the shell's whole command.
func judgePS(out string) string {
	pid, list, _ := strings.Cut(out, "\n")
	shown := false
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[1] == pid {
			if strings.Contains(line, trialMark) {
				return ""
			}
			shown = true
		}
	}
	if shown {
		return "ps aux cuts long commands"
	}
	return "the second column of ps aux is not the process ID"
}

func judgeWhich(out string) string {
	if found := strings.TrimSpace(out); path.IsAbs(found) && path.Base(found) == "bash" {
		return ""
	}
	return fmt.Sprintf("it prints %.40q for bash", out)
}
