package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"fate-installer/installer/host"
	"fate-installer/installer/host/beneath"
)

// Sum adds sizes that are not negative. A sum that is too large is the largest number: the service user can make files
// whose sizes are nearly that, without any block on the disk.
func Sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Missing is how many files and directories of the trees are not in the backup although they should be: files that
// could not be read, or that a restore could not put back.
func (m *Manifest) Missing() int { return m.missing }

// missingIn counts the files among what a manifest names that was left out, by the reasons: links, sockets and the mark
// of a restore are not missing. A text that does not tell counts.
func missingIn(unread []string) (n int) {
	for _, text := range unread {
		text = strings.TrimSuffix(text, `"`) // see leaveOut
		if !strings.HasSuffix(text, ": "+errNotRegular.Error()) && !strings.HasSuffix(text, ": "+errMarker.Error()) {
			n++
		}
	}
	return n
}

// lack names a file or a directory that should be in the backup, and is not.
func (m *Manifest) lack(tree, rel string, why error) {
	m.missing++
	m.leaveOut(tree, rel, why)
}

// leaveOut names what is not in the backup.
func (m *Manifest) leaveOut(tree, rel string, why error) {
	text := fmt.Sprintf("%s: %v", path.Join(tree, rel), beneath.WithoutPath(why))
	if len(text) > maxText {
		text = text[:maxText/2] + "..."
	}
	if checkText(text) != nil {
		text = fmt.Sprintf("%q", text)
	}
	m.Unread = append(m.Unread, text)
}

// leftOutError is a file that cannot be had.
type leftOutError struct{ why error }

func (e *leftOutError) Error() string { return e.why.Error() }

var (
	errNotRegular = errors.New("it is neither a file nor a directory")
	errMarker     = errors.New("it is the mark of a restore")
	errTemporary  = errors.New("it has the name of a temporary file of this program")
	errLongName   = errors.New("its name is too long for a restore")
	errLongPath   = errors.New("its path is too long for a restore")
	errForeign    = errors.New("it is a hard link to a file of another user")
	errSparse     = errors.New("it is sparse: nearly nothing of its size is on the disk")
)

// What a restore can put back. The path of a file is at most 4095 bytes long. What the path below the tree does not
// take is for the directory of FATE-Flow and the name of the tree while it is staged.
const (
	longestName = 255
	longestPath = 4095 - 512
	tempSuffix  = ".fate-tmp" // of [host.TempName]
)

// checkEntry refuses an entry that a restore cannot put back.
func checkEntry(rel string, dir bool) error {
	if err := checkPath(rel); err != nil {
		return err
	}
	base := path.Base(rel)
	switch {
	case rel == marker:
		return errMarker
	case strings.HasPrefix(base, ".") && strings.HasSuffix(base, tempSuffix):
		return errTemporary // Mkdir would remove it, or fail because of it
	case len(base) > longestName || dir && len(filepath.Base(host.TempName("/"+base))) > longestName:
		return errLongName
	case len(rel) > longestPath:
		return errLongPath
	}
	return nil
}

// A file larger than sparseFrom is left out when its size is more than sparseTimes what it has on the disk.
const (
	sparseFrom  = 64 << 20
	sparseTimes = 100
)

// checkFile refuses a regular file that is not what its user may have read to the backup, or that is empty space only.
// With a hard link the owner of a directory could have any file of the file system in it.
func checkFile(info fs.FileInfo, owner uint32) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return nil
	case st.Nlink > 1 && st.Uid != owner:
		return errForeign
	case info.Size() > sparseFrom && info.Size()/sparseTimes > st.Blocks*512:
		return errSparse
	}
	return nil
}

// ownerOf is the uid of the service user. Where that user is unknown, it is the owner of the directory.
func (t Trees) ownerOf(dir fs.FileInfo) uint32 {
	if u, err := t.Host.LookupUser(t.Owner); err == nil {
		return uint32(u.UID)
	}
	if st, ok := dir.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return 0
}
