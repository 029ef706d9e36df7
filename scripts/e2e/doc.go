// Package e2e holds the tests of the whole journey, on lab hosts with a real systemd
// and the demo's appliance. They take root and are behind the build tag e2e:
//
//	make e2e
package e2e
