// Package account finds the users that programs run as, as the machine's own programs do: in its files and in what its
// name service knows. It runs functions with a user's file system rights.
//
// It owns what a user is: number, groups, name, home. It does not own what is done with a user's rights: log files are
// opened by package logfile, and a program becomes its user in package shim.
package account
