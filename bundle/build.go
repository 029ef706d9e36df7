package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fate-installer/payload"
	"fate-installer/payload/count"
)

// Fetcher finds remote files.
type Fetcher interface {
	// Fetch gives the local path of a file from the first of urls that has it. want's SHA256 may be empty, and is then
	// not checked. The caller must not change the file.
	Fetch(ctx context.Context, urls []string, want payload.Blob) (string, error)
	// Forget drops a file that Fetch has given but that turned out not to be what was wanted.
	Forget(want payload.Blob) error
}

// BuildOptions say what to build and how.
type BuildOptions struct {
	Lock  *Lock
	Out   string // the appliance; a file there is replaced once the new one is whole and verified
	Stub  string // program to put the payload behind; empty means the running one
	Codec string // payload.CodecZstd (also if empty) or payload.CodecXZ
	Level int    // of zstd, 0 is the best; see payload.WriterOptions
	// Compressor makes the frames in place of the built-in encoder, if not nil.
	Compressor *payload.Compressor
	Workers    int                 // frames compressed at once, 0 for one per processor
	Key        *payload.PrivateKey // signs the manifest, if not nil
	Split      int64               // bytes of a part; 0 writes one file
	Fetch      Fetcher             // for url sources; may be nil when there are none
	Report     Progress            // may be nil

	// Template makes the data directories of database servers. With nil none is carried.
	Template TemplateMaker
	// TemplateCache is a directory with data directories of earlier builds; blank keeps none.
	TemplateCache string

	// Python runs the interpreter of the component python on this machine, to compile the code of it and of FATE's
	// components. With nil none is compiled.
	Python PythonRunner
}

// BuildResult describes the files that a build made.
type BuildResult struct {
	Manifest *payload.Manifest
	Size     int64    // of the appliance, all parts together
	Parts    []string // the files, in order
	Warnings []string // about the components, such as links to nothing
	// Templates lists the data directories that the build added.
	Templates []Template
	Compiled  int // python files that were compiled
	// NotCompiled says why none was although BuildOptions.Python was given; empty when some were, or there are none.
	NotCompiled string
}

// builder is one run of Build.
type builder struct {
	opener
	o        BuildOptions
	lock     *Lock
	spoolDir string

	progress   *packProgress
	result     BuildResult
	components []described // as given to the writer
}

// Build makes an appliance from a whole lock. The same lock, program and options give the same bytes, on any machine
// unless BuildOptions.Python is given, and then on those where the interpreter runs. Everything is
// written to temporary files next to Out, read back and verified, and then renamed; a failed build leaves nothing.
func Build(ctx context.Context, o BuildOptions) (BuildResult, error) {
	if missing := o.Lock.Unlocked(); len(missing) > 0 {
		return BuildResult{}, &UnlockedError{o.Lock.File, missing}
	}
	if err := checkKey(o); err != nil {
		return BuildResult{}, err
	}
	b := &builder{
		opener:   opener{lock: o.Lock.File, fetch: o.Fetch},
		o:        o,
		lock:     o.Lock,
		spoolDir: filepath.Dir(o.Out),
		progress: newPackProgress(o.Report, o.Lock),
	}
	err := b.run(ctx)
	err = errors.Join(err, b.nested.close())
	return b.result, err
}

// checkKey refuses, before an hour of packing, an appliance that the program in front of it would not install from.
func checkKey(o BuildOptions) error {
	trusted, ok, err := payload.CompiledKey()
	if err != nil || !ok || o.Stub != "" { // what another program trusts cannot be seen
		return err
	}
	if o.Key == nil {
		return &StubError{Err: fmt.Errorf("it installs only what key %s has signed, and no key is given",
			payload.KeyID(trusted))}
	}
	if public := o.Key.Public().(payload.PublicKey); !public.Equal(trusted) {
		return &StubError{Err: fmt.Errorf("it installs only what key %s has signed, not key %s", payload.KeyID(trusted),
			payload.KeyID(public))}
	}
	return nil
}

// UnlockedError says that a lock is not whole.
type UnlockedError struct {
	File    string
	Missing []string // component: source
}

func (e *UnlockedError) Error() string {
	s := fmt.Sprintf("cannot build from %s: %s no sha256 and size yet", e.File,
		count.Of(len(e.Missing), "source has", "sources have"))
	for _, m := range e.Missing {
		s += "\n" + m
	}
	return s
}

// Hint names the command that fills a lock.
func (e *UnlockedError) Hint() string { return "fate-installer bundle lock " + e.File }

// run writes the appliance to a temporary file and moves it into place.
func (b *builder) run(ctx context.Context) (err error) {
	if err := b.prefetch(ctx); err != nil {
		return err
	}
	out, err := claimOutput(b.o.Out)
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		if !keep {
			os.Remove(out.Name())
		}
		out.Close() // and with it the lock
	}()
	if err := b.write(ctx, out); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return fmt.Errorf("cannot write the appliance: %w", err)
	}
	if err := b.verify(ctx, out.Name()); err != nil {
		return err
	}
	if err := publish(out, b.o.Out); err != nil {
		return err
	}
	keep = true
	b.result.Parts = []string{b.o.Out}
	if b.o.Split == 0 {
		return nil
	}
	b.result.Parts, err = payload.Split(ctx, b.o.Out, b.o.Split, func(done, total int64) {
		b.o.Report.report(StageSplit, filepath.Base(b.o.Out), done, total)
	})
	// Whole or in parts, but not both: with the whole there, a bad part would not be noticed.
	return errors.Join(err, os.Remove(b.o.Out))
}

// prefetch looks for every file, and downloads what is remote, before anything is packed: what is missing is found in
// the first minute, and what is downloaded stays in the cache for the next try.
func (b *builder) prefetch(ctx context.Context) error {
	for _, c := range b.lock.Components {
		for i := range c.Sources {
			if _, err := b.locate(ctx, &c.Sources[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// write fills the empty file out.
func (b *builder) write(ctx context.Context, out *os.File) error {
	stub, err := openStub(b.o.Stub)
	if err != nil {
		return err
	}
	defer stub.Close()
	w, err := payload.NewWriter(out, stub, payload.WriterOptions{
		Release: b.lock.Release, Codec: b.o.Codec, Level: b.o.Level, Compressor: b.o.Compressor, Workers: b.o.Workers,
		Key: b.o.Key,
	})
	if err != nil {
		return &StubError{b.o.Stub, err}
	}
	if err := b.pack(ctx, w); err != nil {
		return err
	}
	for i, c := range w.Components() {
		b.components[i].Digest = c.Digest
	}
	text, err := sbom(b.lock.Release, b.components)
	if err != nil {
		return err
	}
	if err := w.AddFile(SBOMName, text); err != nil {
		return err
	}
	b.result.Manifest, err = w.Close()
	return err
}

// verify opens the appliance as an installer would and checks every byte of it.
func (b *builder) verify(ctx context.Context, path string) error {
	p, err := payload.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read back the appliance: %w", err)
	}
	defer p.Close()
	b.result.Size = p.Size()
	o := payload.VerifyOptions{Workers: b.o.Workers, Progress: func(done, total int64) {
		b.o.Report.report(StageVerify, filepath.Base(b.o.Out), done, total)
	}}
	if b.o.Key != nil {
		public := b.o.Key.Public().(payload.PublicKey)
		o.PublicKey = &public
	}
	if _, err := p.Verify(ctx, o); err != nil {
		return fmt.Errorf("cannot read back the appliance: %w", err)
	}
	return nil
}

// claimOutput opens the empty temporary file that becomes the appliance at name, for this process alone. Its name is
// always the same, so that what a killed build left is used again instead of filling the disk.
func claimOutput(name string) (*os.File, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot write the appliance: %s is not a file", name)
	}
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".partial")
	f, err := openOwn(temp)
	if err != nil {
		return nil, fmt.Errorf("cannot write the appliance: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another build of it is under way")
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write the appliance %s: %w", name, err)
	}
	return f, nil
}

// openOwn opens a file of this user's for writing, and makes it when it is missing. In a directory that others may
// write, a link, a pipe or another user's file may have its name: what is not a regular file of this user with one name
// is refused.
func openOwn(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0o644)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || int(st.Uid) != os.Geteuid() || st.Nlink > 1) {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("it is not a regular file of this user: remove it")}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// publish moves a finished temporary file to its name.
func publish(f *os.File, name string) error {
	if err := f.Chmod(0o755); err != nil {
		return fmt.Errorf("cannot write the appliance: %w", err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("cannot write the appliance: %w", err)
	}
	return syncDir(filepath.Dir(name))
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot write the appliance: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot write the appliance: %w", err)
	}
	return nil
}
