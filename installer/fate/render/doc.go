// Package render describes what a Spec becomes on its host: configuration files, programs under the supervisor,
// directories and links, and the schemas and accounts of its database. Rendering the same Spec again gives the same
// bytes.
//
// Where the rendered files differ from AnsibleFATE's, and why, is the table in differences.md, which a test keeps true.
package render
