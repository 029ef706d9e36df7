// Package pyenv makes the Python environment of a party on its host, without a network, from a Miniconda installer and
// wheels, and gives it to the steps as if it were a component of the appliance.
package pyenv
