package database

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"fate-installer/installer/host"
)

// TemplateFile is where a component carries a data directory, by its path below Home: a tar, compressed with zstd, of
// what the component's own server made when the appliance was built. [Init] copies it, which takes a part of the time
// of making one. The administrator in it has no password, and it has nothing of a host's own: the server makes its
// identity, keys, certificates and logs at its first start.
const TemplateFile = "share/fate-installer/datadir.tar.zst"

// templateHead is the first entry of the tar: what the data directory is for.
type templateHead struct {
	Schema  int      `json:"schema"`
	Flavour Flavour  `json:"flavour"`
	Format  []string `json:"format"` // options of the server that made it, see [Server]
}

const (
	templateSchema   = 1
	templateHeadName = "fate-installer-template.json"
)

// Limits of what is unpacked: a data directory of MySQL 8 has 154 MiB in 125 files.
const (
	maxTemplateSize    = 4 << 30 // bytes of all files
	maxTemplateEntries = 10_000
	maxTemplateHead    = 64 << 10 // bytes
	maxTemplateWindow  = 128 << 20
)

// Modes of what a template brings. The servers make theirs so, or closed further.
const (
	templateFileMode fs.FileMode = 0o640
	templateDirMode  fs.FileMode = 0o750
)

// errNoTemplate means that there is no template, or one for other options.
var errNoTemplate = errors.New("the component carries no data directory for these options")

// hostsOwn reports whether a file of a new data directory is made by each server for itself: its identity, its keys and
// certificates, its binary logs, and the list of pages that it had in memory.
func hostsOwn(name string) bool {
	base := path.Base(name)
	return base == "auto.cnf" || strings.HasSuffix(base, ".pem") || base == "ib_buffer_pool" ||
		strings.HasPrefix(base, "binlog.") || strings.HasSuffix(base, ".err") || strings.HasSuffix(base, ".pid")
}

// WriteTemplate makes a database in the empty directory Data, and writes it to out in the form of [TemplateFile]. What
// the server prints goes to log.
func (s Server) WriteTemplate(ctx context.Context, h *host.Host, log, out io.Writer) error {
	if err := s.initialise(ctx, h, s.Data, log); err != nil {
		return err
	}
	z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	head, err := json.Marshal(templateHead{templateSchema, s.Flavour, s.Format})
	if err != nil {
		return err
	}
	header := tar.Header{Name: templateHeadName, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(head))}
	if err := t.WriteHeader(&header); err != nil {
		return err
	}
	if _, err := t.Write(head); err != nil {
		return err
	}
	if err := addToTemplate(ctx, h, t, s.Data, ""); err != nil {
		return fmt.Errorf("cannot pack the new database: %w", err)
	}
	return errors.Join(t.Close(), z.Close())
}

// addToTemplate adds what is below dir, as name in the tar, sorted by name and without times and owners.
func addToTemplate(ctx context.Context, h *host.Host, t *tar.Writer, dir, name string) error {
	entries, err := h.ReadDir(path.Join(dir, name))
	if err != nil {
		return err
	}
	for _, e := range entries {
		file := path.Join(name, e.Name())
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case hostsOwn(file):
		case e.IsDir():
			header := tar.Header{Name: file + "/", Typeflag: tar.TypeDir, Mode: int64(templateDirMode)}
			if err := t.WriteHeader(&header); err != nil {
				return err
			}
			if err := addToTemplate(ctx, h, t, dir, file); err != nil {
				return err
			}
		case e.Type().IsRegular():
			if err := addFileToTemplate(h, t, path.Join(dir, file), file); err != nil {
				return err
			}
		}
	}
	return nil
}

func addFileToTemplate(h *host.Host, t *tar.Writer, from, name string) error {
	f, err := h.OpenPlain(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: int64(templateFileMode), Size: info.Size()}
	if err := t.WriteHeader(&header); err != nil {
		return err
	}
	_, err = io.CopyN(t, f, info.Size())
	return err
}

// copyTemplate fills the empty directory data with the database that the component carries. It is [errNoTemplate] when
// that does not fit. Nothing is durable before the caller has called SyncAll.
func (d Init) copyTemplate(ctx context.Context, h *host.Host, data string) error {
	f, err := h.OpenPlain(path.Join(d.Home, TemplateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return errNoTemplate
	}
	if err != nil {
		return fmt.Errorf("cannot read the data directory that the component carries: %w", err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxWindow(maxTemplateWindow))
	if err != nil {
		return err
	}
	defer z.Close()
	t := tar.NewReader(z)
	if err := d.fits(t); err != nil {
		return err
	}
	var size int64
	for entries := 0; ; entries++ {
		header, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			size += header.Size
			err = checkTemplateEntry(header, entries, size)
		}
		if err == nil {
			err = d.copyEntry(h, t, header, data)
		}
		if err != nil {
			return fmt.Errorf("cannot copy the data directory that the component carries: %w", err)
		}
	}
}

// fits reads the first entry and compares it with the server that is wanted.
func (d Init) fits(t *tar.Reader) error {
	header, err := t.Next()
	if err == nil && header.Name != templateHeadName {
		err = fmt.Errorf("it begins with %q", header.Name)
	}
	var head templateHead
	if err == nil {
		err = json.NewDecoder(io.LimitReader(t, maxTemplateHead)).Decode(&head)
	}
	if err != nil {
		return fmt.Errorf("cannot read the data directory that the component carries: %w", err)
	}
	if head.Schema != templateSchema || head.Flavour != d.Flavour || !slices.Equal(head.Format, d.Format) {
		return errNoTemplate
	}
	return nil
}

// checkTemplateEntry refuses what no data directory of ours has. The component's files belong to the service user, who
// must not have root write anywhere else, or without end.
func checkTemplateEntry(e *tar.Header, entries int, size int64) error {
	switch {
	case e.Typeflag != tar.TypeReg && e.Typeflag != tar.TypeDir:
		return fmt.Errorf("%q is neither file nor directory", e.Name)
	case !filepath.IsLocal(e.Name) || path.Clean(e.Name) == ".":
		return fmt.Errorf("%q is no path in it", e.Name)
	case entries >= maxTemplateEntries || size > maxTemplateSize:
		return errors.New("it has more than a data directory can have")
	}
	return nil
}

func (d Init) copyEntry(h *host.Host, t *tar.Reader, e *tar.Header, data string) error {
	at := path.Join(data, e.Name) // #nosec G305 -- checkTemplateEntry has refused names that lead out of it
	mode := host.FileMode{Perm: templateFileMode, Owner: d.User, Group: d.Group}
	if e.Typeflag == tar.TypeDir {
		mode.Perm = templateDirMode
		return h.Mkdir(at, mode)
	}
	return h.WriteNew(at, mode, func(w io.Writer) error {
		_, err := io.Copy(w, t)
		return err
	})
}
