// Package job says what became of jobs on the hosts of a party: which there are, why one failed or does not go on, and
// which tasks are recorded as running although their job has ended. Records come from FATE-Flow, or from its database
// when FATE-Flow does not answer; evidence from logs, programs and the kernel of the host.
package job
