// Package programs starts the programs of a host through its supervisor, as the steps of a plan need it. It waits until
// they are ready, and for modules on other hosts that they depend on; it stops waiting for what cannot become ready. A
// program whose needs are not met in time is left to the supervisor, which goes on trying.
package programs
