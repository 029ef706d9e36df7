// Package e2e holds the tests of the whole journey, on lab hosts with a real systemd
// and the demo's appliance. They take root and are behind the build tag e2e:
//
//	make e2e
//
// Each scenario has hosts and networks of its own, and waits most of its time. Two run at once (go test -parallel 2).
package e2e
