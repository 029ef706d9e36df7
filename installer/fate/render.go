package fate

import "io/fs"

// File is one rendered file of a host.
type File struct {
	Path      string // absolute
	Content   []byte
	Perm      fs.FileMode
	Owner     string // user and group, or blank when the service user owns it
	Group     string
	Secret    bool     // contains a password or key
	Component string   // the component or area it belongs to, for reports
	Programs  []string // supervisor programs to restart when it changes
}
