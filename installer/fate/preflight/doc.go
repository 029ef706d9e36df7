// Package preflight finds out whether a host can take an installation, before anything is changed: each check compares
// the facts of the machine with what the Spec needs, and says what to do where they do not fit. What an installation
// does to the operating system is listed here, too, so that what the checks announce is what the plan does.
package preflight
