// Package ansiblefate lays out a directory tree as AnsibleFATE leaves a host: the trees of the components with their
// versions in the names of jars and directories, every configuration file that it renders, the program files of the
// python supervisor, accounts and the cron entry, and, when wanted, what /proc shows of the running programs.
//
// It knows names, keys and values, and has no text of upstream's: the scripts that it writes are its own and short.
// What it does not know of FATE 1.5 and 1.6 (keys of eggroll.properties that came later) it leaves out.
package ansiblefate
