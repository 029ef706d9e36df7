// Package fate is the product: it knows what a FATE 1.x side is made of and nothing about how a machine is changed.
//
// The way of an operator's words to the files of one host:
//
//	[]Source --Parse--> *Cluster --Spec(Selection)--> *Spec --Render-->   []File
//	 (YAML)             every side                    one    --Programs--> []config.Program
//	                    of the cluster                host   --Database--> Database
//
// A Cluster is read from AnsibleFATE's var files of both generations, from setup.conf, or from our own single file,
// and every value in it knows where it was written. All mistakes are collected and returned together as Problems.
// Where the rendered files differ from AnsibleFATE's, and why, is the table in differences.md, which a test keeps true.
//
// A Spec is a Cluster seen from one address: which modules run here, where they live, which generation of FATE,
// eggroll and FATE-Board they belong to. Rendering is a pure function of a Spec: the package never touches a file,
// a clock, the network or a random source that it was not handed.
package fate
