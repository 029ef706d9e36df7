// Package supervisor keeps the processes of a host running: it reads programs in supervisord's ini dialect, starts
// them in the order of their dependencies as each becomes ready, restarts them, stops them with all they forked, and
// finds them again after it was itself killed or replaced.
//
// # A program's life
//
// Each program is a service with one lock. An event is a method that takes the lock, looks at the state and acts; the
// table has one cell for each pair. A dash means that the event does not matter there, which makes an event
// that comes late (a timer, a probe, an exit) harmless.
//
//	           start      stop       dependency   exited            timer              probe
//	                                 ready
//	Stopped    try        -          -            -                 -                  -
//	Waiting    try        Stopped    try          -                 -                  -
//	Starting   -          Stopping   -            failed            startsecs: Running ok: Running, ready
//	Running    -          Stopping   -            ended             -                  ok: ready; failed: not
//	Stopping   again      not again  -            drain: Stopped    stopwaitsecs: KILL, Killing
//	Killing    again      not again  -            drain             KILL once more     -
//	Backoff    try        Stopped    -            -                 delay: try         -
//	Exited     try        -          -            -                 -                  -
//	Fatal      try        -          -            -                 -                  -
//
//	try        Waiting if a dependency is not ready; else execute: Starting, or failed
//	failed     Backoff; after startretries failures in a row Fatal, sooner if it can never succeed as defined
//	ended      drain, then Backoff or Exited as autorestart says
//	drain      what the process left behind is killed; Killing until it is gone
//	again      try as soon as the stop is complete; "not again" takes that back
//
// Liveness is one more event of Running: it stops the program, and starts it again if its action says so. It is asked
// for while the program is ready; with dependants_after=listening, while it listens.
//
// Running and ready are different things. A program runs when it has lived for startsecs; it is ready when its probe
// passed, and only then start those that depend on it. One without a probe is ready when it runs. Losing readiness
// stops nothing: it shows in the status, and delays those that are still to be started. A program that becomes ready
// only by what its dependants do has dependants_after=listening: they start when it listens.
//
// # Nothing dies with the supervisor
//
// Programs are in sessions of their own, write to their log files themselves and know nothing of their parent. A
// record of each is on disk before its first instruction (see package shim and record), so a new supervisor finds every
// process of an old one, whether that was stopped, killed or replaced by exec. It recognises them by pid, start time,
// boot and executable (see process.Identity); a pid that now belongs to something else is never touched.
//
// # Layers
//
//	package config  files -> config.Settings   no side effects
//	package logfile log files                  opens, reads and rotates; decides nothing
//	package process processes                  starts, adopts, signals and reaps; decides nothing
//	Supervisor      services, their states     no sockets, no signals; safe for concurrent use
//	Daemon (Run)    lock, log, sockets, signals, systemd
//	package rpc     the API on those sockets, and its client
package supervisor
