// Package keyfile has the keys of rollsites as they are carried: directories, and one archive for each side.
package keyfile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/problem"
)

// Layout names the files of a key set: ca/ with what signs, <role>/ and <role>.tar.gz for each side, for-peer/.
func Layout(req keys.Request, set *keys.Set) ([]keys.File, error) {
	var files []keys.File
	add := func(name string, content []byte) { files = append(files, keys.File{Name: name, Content: content}) }
	for _, a := range set.Authorities {
		add("ca/"+a.Name+".pem", a.Cert)
		add("ca/"+a.Name+".key", a.Key)
	}
	for _, side := range req.Sides {
		archive, err := Pack(set.Sides[side.Role])
		if err != nil {
			return nil, err
		}
		for _, f := range set.Sides[side.Role] {
			add(side.Role+"/"+f.Name, f.Content)
		}
		add(side.Role+".tar.gz", archive)
	}
	if p := set.ForPeer; p != nil {
		add("for-peer/ca.pem", p.CA)
		add("for-peer/client.pem", p.Cert)
		add("for-peer/client.key", p.Key)
	}
	return files, nil
}

// Pack makes the archive of a side. It has no times, so that the same keys give the same archive.
func Pack(files []keys.File) ([]byte, error) {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Mode: 0o600, Size: int64(len(f.Content)), Format: tar.FormatUSTAR}
		err := tw.WriteHeader(h)
		if err == nil {
			_, err = tw.Write(f.Content)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", f.Name, err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		return nil, fmt.Errorf("cannot pack keys: %w", err)
	}
	return b.Bytes(), nil
}

// Limit is the size in bytes above which a file of keys is not read; it is far above any certificate or key.
const Limit = 1 << 20

// archiveLimit and archiveEntries bound an archive of keys: one role has at most a dozen files.
const (
	archiveLimit   = 16 << 20 // bytes once unpacked, its headers and what is skipped included
	archiveEntries = 256
)

// Read reads a directory or an archive of keys.
func Read(name string) ([]keys.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read keys: %w", err)
	}
	if !info.IsDir() {
		return unpack(name)
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read keys: %w", err)
	}
	var out []keys.File
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := problem.ReadFile(filepath.Join(name, e.Name()), Limit)
		if err != nil {
			return nil, fmt.Errorf("cannot read keys: %w", err)
		}
		out = append(out, keys.File{Name: e.Name(), Content: data})
	}
	return out, nil
}

func unpack(name string) ([]keys.File, error) {
	fail := func(err error) ([]keys.File, error) {
		return nil, fmt.Errorf("cannot read the archive %s: %w", name, err)
	}
	f, err := os.Open(name)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return fail(err)
	}
	var out []keys.File
	// The reader ends at the bound, which tar reports as an archive that is cut off.
	tr := tar.NewReader(io.LimitReader(zr, archiveLimit))
	for entries := 0; ; entries++ {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return fail(err)
		}
		if entries == archiveEntries {
			return fail(fmt.Errorf("it has more than %d entries", archiveEntries))
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		data, err := problem.ReadAll(tr, Limit)
		if err != nil {
			return fail(err)
		}
		out = append(out, keys.File{Name: path.Base(header.Name), Content: data})
	}
}

// ReadHandover reads what a peer has given: the directory for-peer of its keys.
func ReadHandover(dir string) (*keys.Handover, error) {
	var p keys.Handover
	for name, target := range map[string]*[]byte{"ca.pem": &p.CA, "client.pem": &p.Cert, "client.key": &p.Key} {
		data, err := problem.ReadFile(filepath.Join(dir, name), Limit)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, exit.Hint(fmt.Errorf("cannot find %s in %s", name, dir),
				"ask the peer for the directory for-peer of its keys")
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read what the peer gave: %w", err)
		}
		*target = data
	}
	return &p, nil
}

// ReadAuthorities reads the CAs of a directory, each a certificate NAME.pem and its key NAME.key.
func ReadAuthorities(dir string) ([]keys.Authority, error) {
	files, err := Read(dir)
	if err != nil {
		return nil, err
	}
	var out []keys.Authority
	for _, cert := range files {
		name, isCert := strings.CutSuffix(cert.Name, ".pem")
		for _, key := range files {
			if isCert && key.Name == name+".key" {
				out = append(out, keys.Authority{Name: name, Cert: cert.Content, Key: key.Content})
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("cannot find a CA in %s: it has no pair of files NAME.pem and NAME.key", dir)
	}
	return out, nil
}
