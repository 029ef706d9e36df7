// Package deploy is what a host keeps of its installation: the site, which remembers what was asked for, the passwords,
// the key that appliances must be signed with, the state of the host, and the slots with earlier states.
package deploy
