package main

import "strings"

// exitHelp is the one table of exit codes that help texts print.
const exitHelp = `  0    done, also when there was nothing to do
  1    unexpected error
  2    wrong usage or configuration
  3    refused by the preflight checks
  4    payload damaged or missing, or its signature is wrong
  5    a step failed; it is safe to run the same command again
  6    installed, but a program is not ready
  7    another run holds the lock
  9    another command was interrupted, and has to be completed first
  130  interrupted
`

// replaceExitHelp is exitHelp for upgrade and rollback.
var replaceExitHelp = strings.Replace(exitHelp, "  9 ",
	`  8    everything is ready, but the tables are wrong or the toy test failed; nothing is undone
  9 `, 1)
