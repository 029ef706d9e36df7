package payload

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// sumsName is the file next to the parts of path that lists their sha256, in the format of sha256sum.
func sumsName(path string) string { return path + ".sha256" }

// Split writes the appliance at path as parts of size bytes, path.part001 and so on, for media that do not take a file
// of its size, and path.sha256 with the digests of the parts, which sha256sum -c checks too. The parts joined with cat
// are the file, but need not be joined: Open reads them as they are, and the first one is a program that does. Each
// part can be checked alone with VerifyPart. The names of the parts are returned. After an error there are none.
func Split(ctx context.Context, path string, size int64, progress func(done, total int64)) (names []string, err error) {
	p, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	count := (p.src.size + size - 1) / max(size, 1)
	switch {
	case len(p.src.parts) > 1:
		return nil, fmt.Errorf("cannot split %s: it is split already", path)
	case size <= p.manifest.Stub.Size:
		return nil, fmt.Errorf(
			"cannot split %s into parts of %d bytes: the program of %d bytes must fit into the first", path, size,
			p.manifest.Stub.Size)
	case count > maxParts:
		return nil, fmt.Errorf("cannot split %s into %d parts: %d is the limit", path, count, maxParts)
	}
	if _, err := os.Lstat(partName(path, int(count)+1)); err == nil {
		return nil, fmt.Errorf("cannot split %s: %s exists already and would be taken for a part of it", path,
			partName(path, int(count)+1))
	}
	var written []string
	defer func() {
		if err != nil {
			for _, name := range written {
				os.Remove(name)
			}
		}
	}()
	meter := newProgress(progress, p.src.size)
	var sums strings.Builder
	for i := range int(count) {
		name := partName(path, i+1)
		at := int64(i) * size
		written = append(written, name)
		digest, err := writePart(ctx, name, io.NewSectionReader(p.src, at, min(size, p.src.size-at)), meter)
		if err != nil {
			return nil, fmt.Errorf("cannot write part %d of %s: %w", i+1, path, err)
		}
		fmt.Fprintf(&sums, "%s  %s\n", digest, filepath.Base(name))
	}
	names = written
	written = append(written, sumsName(path))
	if err := writeSums(sumsName(path), sums.String()); err != nil {
		return nil, fmt.Errorf("cannot write the digests of the parts of %s: %w", path, err)
	}
	return names, nil
}

// writePart writes a part and returns its sha256.
func writePart(ctx context.Context, name string, r io.Reader, meter *progress) (digest string, err error) {
	f, err := createNew(name, 0o755)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	digest, err = copySum(ctx, f, r, meter)
	if err != nil {
		return "", err
	}
	return digest, f.Sync()
}

// writeSums writes the file with the digests of the parts.
func writeSums(name, text string) (err error) {
	f, err := createNew(name, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Sync()
}

// createNew makes a file in the place of one of that name. Nothing is written into what is there: in a directory that
// others may write it may be a link, or another user's file.
func createNew(name string, perm fs.FileMode) (*os.File, error) {
	if err := unix.Unlink(name); err != nil && err != unix.ENOENT {
		return nil, &fs.PathError{Op: "replace", Path: name, Err: err}
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
}

// copySum copies r to w and returns the sha256 of what it copied.
func copySum(ctx context.Context, w io.Writer, r io.Reader, meter *progress) (string, error) {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if _, err := w.Write(buf[:n]); err != nil {
			return "", err
		}
		meter.add(int64(n))
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// ErrNoPart is the name of a file that is no part of a split appliance.
var ErrNoPart = errors.New("it is not named like a part of a split appliance")

// VerifyPart checks one part of a split appliance against the digest in the .sha256 file next to it, without the other
// parts. It finds damage of the medium; who made the parts is shown only by the signature of the whole.
func VerifyPart(ctx context.Context, path string, progress func(done, total int64)) error {
	m := partSuffix().FindStringSubmatch(path)
	if m == nil {
		return fmt.Errorf("cannot check %s: %w", path, ErrNoPart)
	}
	want, err := partSum(sumsName(m[1]), filepath.Base(path))
	if err != nil {
		return fmt.Errorf("cannot check %s: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot check a part: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot check a part: %w", err)
	}
	got, err := copySum(ctx, io.Discard, f, newProgress(progress, info.Size()))
	if err != nil {
		return fmt.Errorf("cannot check %s: %w", path, err)
	}
	if got != want {
		return &CorruptError{Path: path, Component: "part", Offset: -1, Reason: "its sha256 is not the one in " +
			sumsName(m[1]), hint: "copy this part again"}
	}
	return nil
}

// partSum finds the digest of a part in a file as sha256sum writes it.
func partSum(sums, part string) (string, error) {
	f, err := os.Open(sums)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no %s with its digest next to it", filepath.Base(sums))
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		digest, name, _ := strings.Cut(lines.Text(), " ")
		if len(name) > 1 && name[1:] == part && isSHA256(digest) {
			return digest, nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s does not list it", sums)
}
