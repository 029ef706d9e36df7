// Package config reads, checks and writes the supervisor's configuration: supervisord's ini dialect, with keys of our
// own for dependencies, readiness, liveness and limits.
//
//	Load     files    -> Settings   every problem at once, each with file and line
//	INI      Program  -> section    Load gives an equal Program back
//	Validate Program  -> error      what Load refuses, for a Program that was made otherwise
//
// Each key is one entry of a table (keys.go): field, default, reading, writing, checking, and its line of the help.
//
// The package owns the dialect: its keys, their defaults, their forms and bounds, expressions, quoting, groups, and the
// rule that dependencies have no cycle. It does not own what a program's settings lead to: it looks up no user, opens
// no log file and starts nothing, and a definition that is accepted here may still fail at its start. It reads no file
// but those of the configuration.
package config
