// Package rpc lets the world speak to a supervisor: XML-RPC over HTTP on a unix socket, as supervisor does it, so that
// the stock supervisorctl works, and the client our own commands use.
//
// The namespaces supervisor and system have supervisor 4's methods, types and faults. The namespace fate has what
// supervisor has no word for: readiness, dependencies, the reason for a state, events, taking over.
//
// A peer on the unix socket is known by the kernel: root, the daemon's own user, the socket's owner and the members of
// its group may call; executing another version of the daemon is for the first two alone. A TCP peer needs a password
// and may not do that at all.
package rpc
