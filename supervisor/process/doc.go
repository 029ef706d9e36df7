// Package process starts the processes of programs, reaps them, finds them again after the supervisor was killed, and
// ends them with all that they started.
//
//	Host.Start  forks a shim, which waits for its orders (package shim)
//	Host.Adopt  a process of an earlier supervisor, recognised by its Identity
//	Tree        a process with what it started: signals, leftovers, the end
//	Reaper      waits for children and keeps their pids until they are released
//	Table       one look at all processes of the machine, shared by many callers
//	Cgroups     control groups, where the machine has them
//
// It owns what a process is and how it is known from any other. It does not own when one is started or stopped, what is
// written down of it, or what follows its end: those are the supervisor's.
package process
