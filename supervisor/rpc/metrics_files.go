package rpc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"fate-installer/installer/host/beneath"
)

// ownFileBytes is how long a file with certificates or a key can be. What is longer is none.
const ownFileBytes = 1 << 20

// errOthersFile is the cause when others could choose what the supervisor shows as its certificate, or whom it admits.
var errOthersFile = errors.New("another user than root may change it")

// readOwn returns the content of a file with certificates or a key below root, or of the machine for nil. Only the
// user of this process or root can have written it, there and in the directories above; links of root are followed.
func readOwn(root *beneath.Root, path string) ([]byte, error) {
	p, err := placeOf(root, path)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	fail := func(err error) error { return &fs.PathError{Op: "open", Path: path, Err: err} }
	if dir := p.Writer(); dir != "" {
		return nil, fail(fmt.Errorf("%w: it is in %s", errOthersFile, dir))
	}
	f, err := p.Open(os.O_RDONLY, 0) // it does not wait for a pipe's writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return nil, fail(beneath.ErrNotFile)
	case !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0:
		return nil, fail(errOthersFile)
	}
	data, err := io.ReadAll(io.LimitReader(f, ownFileBytes+1))
	if err == nil && len(data) > ownFileBytes {
		err = fail(fmt.Errorf("it is longer than %d bytes", ownFileBytes))
	}
	return data, err
}

// placeOf finds a file below root, or on the machine for nil.
func placeOf(root *beneath.Root, path string) (*beneath.Place, error) {
	if root == nil {
		var err error
		if root, err = beneath.Machine(); err != nil {
			return nil, err
		}
	}
	return root.Follow("open", path)
}

// certificateFiles is a certificate that is read again when its files have changed.
type certificateFiles struct {
	cert, key string
	root      *beneath.Root
	log       zerolog.Logger

	reading sync.Mutex // held by the one handshake that looks at the files, which may take long
	times   [2]time.Time
	failed  string // why they could not be read when that was last tried

	mu   sync.Mutex
	pair *tls.Certificate
}

// get returns the certificate for a handshake. What is wrong with the files later leaves the last one in use, and is
// logged once.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	last := f.last()
	if last == nil {
		f.reading.Lock()
	} else if !f.reading.TryLock() {
		return last, nil
	}
	defer f.reading.Unlock()
	times := f.changed()
	if last != nil && times == f.times {
		return last, nil
	}
	pair, err := f.read()
	if err != nil {
		err = fmt.Errorf("cannot use the certificate of the metrics: %w", err)
		if last == nil {
			return nil, err
		}
		if err.Error() != f.failed { // one of two files may be new: the next handshake tries again
			f.failed = err.Error()
			f.log.Error().Err(err).Msg("the metrics keep the last certificate")
		}
		return last, nil
	}
	f.times, f.failed = times, ""
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pair = pair
	return pair, nil
}

func (f *certificateFiles) last() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pair
}

// changed is when the files were last changed; zero for one that is not there.
func (f *certificateFiles) changed() (out [2]time.Time) {
	for i, name := range []string{f.cert, f.key} {
		p, err := placeOf(f.root, name)
		if err != nil {
			continue
		}
		if info, err := p.Lstat(); err == nil {
			out[i] = info.ModTime()
		}
		_ = p.Close()
	}
	return out
}

func (f *certificateFiles) read() (*tls.Certificate, error) {
	cert, err := readOwn(f.root, f.cert)
	if err != nil {
		return nil, err
	}
	key, err := readOwn(f.root, f.key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	return &pair, err
}
