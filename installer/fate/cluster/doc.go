// Package cluster knows what operators write, and what follows from it for each host.
//
// A Cluster is read from AnsibleFATE's var files of both generations, from setup.conf, or from our own single file,
// and every value in it knows where it was written. All mistakes are collected and returned together as
// problem.Problems.
//
// A Spec is a Cluster seen from one address: which modules run here, where they live, which generation of
// each part of FATE they belong to. One entry of moduleTable has all that is known of a module; what the block of a
// module in the cluster file is, and which paths it has, is next to it in module_NAME.go.
package cluster
