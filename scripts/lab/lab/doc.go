// Package lab runs throw-away Debian 12 hosts on one machine: each has a real
// systemd, an address of its own such as 192.168.0.1, and no way out to any other
// network. Tests and people use them as the bare, air-gapped machines that
// fate-installer is made for.
//
// A lab is held by one process, the keeper, which is the first process of its own
// pid, mount and network namespaces:
//
//	caller ── lifeline (pipe) ──> keeper ── bridge br0, no uplink, no default route
//	   │                            ├── systemd-nspawn a ── systemd ── ...  192.168.0.1/16
//	   └── control socket ─────────>└── systemd-nspawn b ── systemd ── ...  192.168.0.2/16
//
// Everything a lab owns hangs below the keeper: when it dies, also by SIGKILL, the
// kernel removes all its processes, mounts, network devices and namespaces. A lab
// ends with its caller unless [Lab.Detach] was called. What is on disk is one
// directory per lab; [Lab.Down] removes it, and so does the next [Up] when a keeper
// was killed before it could.
//
// The hosts share one cached root file system, made by debootstrap from the
// machine's own package sources, each with an overlay of its own on top.
//
// A program that calls [Up] must call [Main] first thing in its own main or
// TestMain, since the keeper is the same executable started again.
package lab
