// Package logfile opens, reads, checks and rotates log files: those of programs, which the programs write to
// themselves, and the supervisor's own.
//
//	Paths   the two logs of a program, with AUTO and NONE resolved
//	Open    a log for a program to append to, with the rights of its user
//	Mark    a place in a log: what was written after it is of this run
//	File    a log that a program holds open, to be rotated, or followed when it lost its name
//	Writer  the supervisor's own log
//
// It owns how a file is reached in directories that others may write to, how it is cut while a program writes to it,
// and how its last lines are shown. It does not own when that is done: the supervisor looks at sizes, decides what to
// keep of a failed program, and says what is wrong with a log.
package logfile
