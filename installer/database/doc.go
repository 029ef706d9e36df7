// Package database owns the database servers that FATE uses, MySQL and MariaDB: making a data directory (Init), filling
// a server with schemas, accounts and rows (Contents), bringing tables to those of a release (SchemaUpgrade), and what
// a login shows (Facts). The first three are steps, with the promises of package step.
//
// It does not own which schemas, accounts and rows a side needs, which package fate says, nor the server's
// configuration file, nor the process of an installed server, which the supervisor keeps running. What upstream's
// tables look like is in package schema.
package database
