// Package cluster knows what operators write, and what follows from it for each host.
//
// A Cluster is read from AnsibleFATE's var files of both generations, from setup.conf, or from our own single file,
// and every value in it knows where it was written. All mistakes are collected and returned together as
// problem.Problems.
//
// A Spec is a Cluster seen from one address: which modules run here, where they live, which generation of FATE,
// eggroll and FATE-Board they belong to. Modules has every module there is in start order, and one entry of a table in
// modules.go has what there is to know of each.
package cluster
