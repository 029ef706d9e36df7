// Package deploy is what a deployment of FATE on a host is, and its operations: install, which also repairs, upgrade,
// rollback, uninstall, and the changes of passwords, keys and parties.
//
// An [Installation] is what a host keeps of what is installed: the site, which is the stored request, the passwords,
// the key that appliances must be signed with, the state of the host, the journal, and the slots with earlier states.
// A [Deployment] adds what is wanted, from flags and cluster files, and the plan between the two; [Open]
// reads all of it. A [Replacement] is an upgrade or a rollback that was prepared.
// Each operation decides on the stored state what it does to it, which is its transition, before it changes anything.
//
// Nothing here reads a flag, prints, or ends the process: a [Reporter] shows what an operation does, and errors carry
// exit codes and hints (package exit), which name flags of the commands. Each operation takes the lock of the host, and
// refuses what contradicts a change that was interrupted (package state).
package deploy
