package bundle

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
)

// maxControl bounds the control file of a .deb; real ones have a few kB.
const maxControl = 1 << 20

// debInfo has the fields of a Debian package's control file.
type debInfo struct {
	Package, Version, Architecture, Maintainer string
}

// purl names the package as vulnerability databases do (package-url specification, type deb). Which distribution made
// it is only to be seen from who maintains it.
func (i debInfo) purl() string {
	vendor := "debian"
	if strings.Contains(strings.ToLower(i.Maintainer), "ubuntu") {
		vendor = "ubuntu"
	}
	return fmt.Sprintf("pkg:deb/%s/%s@%s?arch=%s", vendor, url.QueryEscape(i.Package), url.QueryEscape(i.Version),
		url.QueryEscape(i.Architecture))
}

// platform maps a Debian architecture to a platform; "" for one the lock cannot name.
func (i debInfo) platform() string {
	switch i.Architecture {
	case "all":
		return PlatformAny
	case "amd64", "arm64":
		return "linux/" + i.Architecture
	}
	return ""
}

// readDeb visits the files a Debian package installs, after giving its control fields to info. Layout by deb(5): an ar
// of debian-binary, control.tar.*, data.tar.*; members whose name begins with _ are to be skipped.
func readDeb(archive string, r io.Reader, info func(debInfo) error, v visit) error {
	fail := func(reason string, err error) error {
		return &ArchiveError{Archive: archive, Reason: reason, Err: err}
	}
	ar, err := newArReader(r)
	if err != nil {
		return fail("it is not a .deb", err)
	}
	const wantVersion, wantControl, wantData = 0, 1, 2
	for want := wantVersion; want <= wantData; {
		name, size, err := ar.next()
		switch {
		case err == io.EOF:
			return fail("it is not a .deb", errors.New("it ends before its data member"))
		case err != nil:
			return fail("the .deb is damaged", err)
		case strings.HasPrefix(name, "_"):
			continue
		case want == wantVersion && name == "debian-binary":
			err = debVersion(ar, size)
		case want == wantControl && strings.HasPrefix(name, "control.tar"):
			err = debControl(ar, info)
		case want == wantData && strings.HasPrefix(name, "data.tar"):
			err = debData(archive, ar, v)
		default:
			err = fmt.Errorf("unexpected member %q", name)
		}
		if err != nil {
			var entry *ArchiveError
			if errors.As(err, &entry) {
				return err
			}
			return fail("the .deb is damaged: "+name, err)
		}
		want++
	}
	return debEnd(archive, ar)
}

// debEnd refuses a member after the last one that is installed: another reader of the file could take that one, and
// install what was not looked at here.
func debEnd(archive string, ar *arReader) error {
	for {
		switch name, _, err := ar.next(); {
		case err == io.EOF:
			return nil
		case err != nil:
			return &ArchiveError{Archive: archive, Reason: "the .deb is damaged", Err: err}
		case strings.HasPrefix(name, "data.tar"):
			return &ArchiveError{Archive: archive, Reason: fmt.Sprintf("the .deb has a second data member, %q", name)}
		case !strings.HasPrefix(name, "_"):
			return &ArchiveError{Archive: archive,
				Reason: fmt.Sprintf("the .deb is damaged: unexpected member %q after its data", name)}
		}
	}
}

func debVersion(r io.Reader, size int64) error {
	text, err := io.ReadAll(io.LimitReader(r, 16))
	if err == nil && (size > 16 || !strings.HasPrefix(string(text), "2.")) {
		err = fmt.Errorf("format %.16q is not 2.x", text)
	}
	return err
}

// debControl reads Package, Version and Architecture.
func debControl(r io.Reader, info func(debInfo) error) error {
	plain, err := decompress(bufio.NewReader(r))
	if err != nil {
		return err
	}
	defer plain.Close()
	tr := tar.NewReader(plain)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return errors.New("there is no control file")
		}
		if err != nil {
			return err
		}
		if path.Clean(h.Name) != "control" || h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(tr, maxControl))
		if err != nil {
			return err
		}
		return info(parseControl(string(text)))
	}
}

func parseControl(text string) debInfo {
	var i debInfo
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Package":
			i.Package = value
		case "Version":
			i.Version = value
		case "Architecture":
			i.Architecture = value
		case "Maintainer":
			i.Maintainer = value
		}
	}
	return i
}

func debData(archive string, r io.Reader, v visit) error {
	plain, err := decompress(bufio.NewReader(r))
	if err != nil {
		return err
	}
	defer plain.Close()
	return readTar(archive, plain, v)
}
