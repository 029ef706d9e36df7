package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fate-installer/installer/host/beneath"
)

// FindExecutable finds the file a command names, as execvp would with the program's own PATH, and checks that it is a
// file with an execute bit. Whether the user may run it is for exec to say.
func FindExecutable(name, path, dir string) (string, os.FileInfo, error) {
	if strings.ContainsRune(name, '/') {
		file := name
		if !filepath.IsAbs(file) && dir != "" {
			file = filepath.Join(dir, file)
		}
		info, err := CheckExecutable(file)
		if err != nil {
			return "", nil, err
		}
		return name, info, nil
	}
	for _, d := range filepath.SplitList(path) {
		if d == "" {
			continue
		}
		file := filepath.Join(d, name)
		if info, err := CheckExecutable(file); err == nil {
			return file, info, nil
		}
	}
	return "", nil, &ExecError{Path: name, Missing: true, Text: fmt.Sprintf("cannot find the program %s in %s", name,
		path)}
}

// ExecError says that a program's executable is missing or cannot be executed.
type ExecError struct {
	Path    string
	Missing bool // it does not exist, as opposed to: it is not executable
	Text    string
	Err     error // the system's; nil where we found the fault ourselves
}

func (e *ExecError) Error() string { return e.Text }
func (e *ExecError) Unwrap() error { return e.Err }

// CheckExecutable describes a file that has an execute bit; for any other the error is an ExecError.
func CheckExecutable(file string) (os.FileInfo, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, &ExecError{Path: file, Missing: true, Text: fmt.Sprintf("cannot find the program %s: %v", file,
			beneath.WithoutPath(err)), Err: err}
	case info.IsDir():
		return nil, &ExecError{Path: file, Text: fmt.Sprintf("cannot execute %s: it is a directory", file)}
	case info.Mode()&0o111 == 0:
		return nil, &ExecError{Path: file, Text: fmt.Sprintf("cannot execute %s: its mode %v has no execute bit", file,
			info.Mode().Perm())}
	}
	return info, nil
}
