// Package adopt plans how a host that AnsibleFATE installed is taken over. It looks and changes nothing.
//
// A [Plan] is made in five steps. find locates the installation by what runs, by cron entries and by the standard
// place, and refuses what is not taken over. The files that AnsibleFATE renders are read, each by a parser of its
// format, into [document]s: flat lists of keys with their lines. The deriver writes from them the cluster file that
// describes the party, each value with the place that it comes from. That file is read and rendered as install would,
// and every key of every file is compared with the file that is there: what differs is a kept edit ([Difference]). What
// runs is read from /proc and judged for whether it can go on running under another supervisor.
//
// The list of differences is complete: the rendered files with the list applied to them are the files that are there,
// key by key. Tests hold this for random edits of every file.
//
// Files that the service user may change are read by [reader]: a link is followed only to a file of the link's owner,
// since root is not to show one user's files to another, and nothing longer than 8 MiB is read.
//
// # What taking over needs of the plan
//
// Taking over, and giving back, will be made from the same plan:
//
//   - Values and ClusterFile become the stored cluster file of the deployment. The values of Secrets, which the plan
//     holds in memory only, become secrets.json; FoundSecret.Taken says which place of each gives its value.
//   - Files with the action keep enter the journal's ledger as files with an operator's edit, so that later commands
//     keep and report them. Files with the action replace are copied to the backup first and put back by undo.
//   - Programs are moved one at a time in their order. keep: our supervisor adopts the process by pid after comparing
//     Started, User, Exe and Command with /proc again; the old supervisor must not see it end, so it is killed, and not
//     ended, since on TERM it stops its children. restart and start: one stop by the old supervisor, one start by ours.
//   - The options log-error and pid-file in [mysqld_safe] of my.cnf are not read by mysqld itself. The program file
//     that starts it directly has to carry them.
//   - Differences in program files (a further variable, a JVM option in the script) have to be carried into our program
//     files, or the plan must stop being taken for granted: they are listed with By operator.
//   - Boot entries that start the old supervisor are commented out, with the line kept for undo; others stay, and
//     service.sh is replaced by ours under the same path.
//   - Undo needs for every path of Files with replace or add, and for every Boot entry, the former content, owner, mode
//     and times; for Programs, which supervisor has each at the moment.
package adopt
