// Package diagnosis has the bundle that fate-installer diagnose makes of a host, and reads what is wrong with the host
// out of one. A bundle comes from another machine: what reads it bounds everything, writes nothing to a disk and runs
// nothing. The rules are those of jobs that fail ([fate-installer/installer/cause]), of the preflight and of the
// supervisor, applied to what the bundle says; the package looks at no host.
package diagnosis
