// Package fate plans the installation of one host: the steps that turn a machine into what a cluster file says, and
// where the file says something else than what is installed.
//
// The packages below it have the parts, and their imports go one way:
//
//	cluster     the cluster file, read and checked; the Spec of one host; the table of modules
//	keys        certificates and keys of rollsites
//	render      what a Spec becomes on a host: files, programs, directories, database accounts
//	preflight   whether a machine can take it, and what is done to its operating system
//	yamltext    YAML that every reader takes for the same
//	fatetest    what the tests of all of them share
//
// The way of an operator's words to the steps of one host:
//
//	[]Source --cluster.Parse--> *Cluster --Spec(Selection)--> *Spec --render.Files--> []File --NewPlan--> engine.Plan
//	 (YAML)                      every side                    one host
//
// All of it is pure: nothing below this folder touches a file, a clock, the network or a random source that it was not
// handed.
package fate
