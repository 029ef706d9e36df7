// Package backup is the format of a backup of one host: what makes one, what reads one, and what puts its content
// back. It knows nothing of commands, of locks and of programs that have to be stopped.
//
// A backup is a file in the format of package payload, so that it is verified, cut into parts and read as an appliance
// is. In the place of the program it has an ELF header without code. Its members are
//
//	database    the tables of FATE-Flow, where this host runs the database server
//	files       trained models, and the files of jobs, where this host runs FATE-Flow
//	secrets     the request for the installation, passwords and TLS keys
//	backup.json what the backup has, in clear: see [Manifest]
//
// The members but backup.json are encrypted streams: records (record.go), compressed with zstd, encrypted in the format
// of age (age-encryption.org/v1), and cut into the entries 00000001, 00000002 ... of a tar stream, because a tar entry
// says its size before its content. The streams database and files are for an X25519 identity that is made for each
// backup. It is in the stream of the secrets, which is for the operator's passphrase or recipients, and so are the
// digests of the other streams and of backup.json: who does not know the passphrase can replace none of them. With
// recipients anyone who knows a recipient can make a backup for it, so keep the digest of the file elsewhere.
package backup
