// Package deploy reads and writes the records that a host keeps of its installation: the site, which is the stored
// request, the passwords, the key that appliances must be signed with, the state of the host, and the slots with
// earlier states. It changes nothing else, and prints nothing.
package deploy
