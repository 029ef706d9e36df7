// Package payload is the file format of an appliance: a program with the software it installs appended to it.
package payload
