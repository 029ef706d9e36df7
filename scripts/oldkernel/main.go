// Command oldkernel runs a command as on Linux 3.10: system calls that are younger fail as they do there. See package
// fate-installer/scripts/oldkernel/seccomp for what is taken away.
//
//	go run ./scripts/oldkernel bin/fate-installer svc status
//
// With -check it says whether it is itself run so, and fails if not:
//
//	oldkernel oldkernel -check
package main

import (
	"fmt"
	"os"

	"fate-installer/scripts/oldkernel/seccomp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("no command is given: oldkernel COMMAND [ARG...]")
	case args[0] == "-check":
		return seccomp.Check()
	}
	return seccomp.Exec(args)
}
