package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"fate-installer/bundle"
	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/payload"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// newBundleCommand groups the commands about appliance files: making them, on a connected machine, and looking into
// them.
func newBundleCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Build, inspect, verify, unpack and sign appliance files",
		Long: `Build an appliance, which is this program with the software it installs appended to it, and look into one.

On a machine with a network: write a lock file that names what goes in, have "bundle lock" add the digests, review and
commit it, and "bundle build" from it. The same lock gives the same bytes anywhere.

On any machine: "bundle verify" proves a file whole, "bundle inspect" lists it, "bundle extract" unpacks it. Stock tools
read it too: unzip -l FILE; unzip -p FILE jdk.tar.zst | zstd -dc | tar tv.

EXIT STATUS
  0    done
  1    unexpected error, such as a download that failed
  2    wrong usage, a mistake in a lock file, a source that is missing or cannot be used, or a place to write to without room
  4    an appliance is damaged or missing, a source is not what the lock file says it is, or a signature is wrong
  130  interrupted`,
		Example: `  fate-installer bundle lock release/fate-1.11.4.lock.yaml
  fate-installer bundle build --lock release/fate-1.11.4.lock.yaml --out fate-installer-1.11.4-amd64
  fate-installer bundle verify fate-installer-1.11.4-amd64 --pubkey RWQ...`,
		Args: noArgs,
	}
	cmd.AddCommand(
		newBundleLockCommand(g),
		newBundleBuildCommand(g),
		newBundleImportCommand(g),
		newBundleInspectCommand(g),
		newBundleVerifyCommand(g),
		newBundleExtractCommand(g),
		newBundleKeygenCommand(g),
		newBundleSignCommand(g),
	)
	return cmd
}

// bundleError gives what package bundle and payload report their exit codes.
func bundleError(err error) error {
	var problems bundle.Problems
	var unlocked *bundle.UnlockedError
	var archive *bundle.ArchiveError
	var missing *bundle.MissingError
	var stub *bundle.StubError
	var library *bundle.LibraryError
	var server *bundle.ServerError
	var mismatch *bundle.MismatchError
	var signature *payload.SignatureError
	var schema *payload.SchemaError
	switch {
	case errors.As(err, &mismatch), errors.As(err, &signature), errors.As(err, &schema):
		return exit.With(err, exit.Payload)
	case errors.As(err, &problems), errors.As(err, &unlocked), errors.As(err, &archive), errors.As(err, &missing),
		errors.As(err, &stub), errors.As(err, &library), errors.As(err, &server), isBadTarget(err),
		// a file that the command line or a lock file names
		errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EISDIR):
		return exit.With(err, exit.Usage)
	}
	return err
}

// isBadTarget reports whether the place that was named to write to cannot take what is written: another one can.
func isBadTarget(err error) bool {
	var noexec *payload.NoExecError
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EFBIG, unix.EROFS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return errors.As(err, &noexec)
}

// fetchOptions are the flags of the commands that may need the network.
type fetchOptions struct {
	cache    string
	cacheMax string
	offline  bool
}

func (o *fetchOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.cache, "cache", "",
		"`directory` for fetched files (default: fate-installer/sources in the user's cache directory)")
	f.StringVar(&o.cacheMax, "cache-max", "50G",
		"`size` above which the files unused for longest are removed from the cache; 0 keeps all")
	f.BoolVar(&o.offline, "offline", false, "use only what the cache has, never the network")
}

// downloader makes the fetcher for url sources.
func (o *fetchOptions) downloader(report bundle.Progress) (*bundle.Downloader, error) {
	limit, err := count.ParseBytes(o.cacheMax)
	if err != nil {
		return nil, exit.With(fmt.Errorf("cannot use --cache-max: %w", err), exit.Usage)
	}
	dir := o.cache
	if dir == "" {
		if dir, err = bundle.DefaultCacheDir(); err != nil {
			return nil, exit.With(exit.Hint(err, "name one with --cache"), exit.Usage)
		}
	}
	return &bundle.Downloader{Cache: &bundle.Cache{Dir: dir, Max: limit}, Offline: o.offline, Report: report}, nil
}

// progressWorth is the work below which there is nothing to wait for, and a display would only be noise.
const progressWorth = 32 << 20

// longProgress is a progress display for work that is worth one.
func longProgress(g *globals, title string, total int64) *progress {
	if total < progressWorth {
		total = 0
	}
	return newProgress(g, title, total)
}

// stageProgress shows the stages of a build one after the other.
type stageProgress struct {
	g       *globals
	mu      sync.Mutex
	title   string
	total   int64
	current *progress
}

func (s *stageProgress) report(stage bundle.Stage, name string, done, total int64) {
	if total < progressWorth {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	title := stageTitle(stage, name)
	if title != s.title || total != s.total {
		s.end()
		s.title, s.total, s.current = title, total, newProgress(s.g, title, total)
	}
	s.current.Set(done)
}

func stageTitle(stage bundle.Stage, name string) string {
	switch stage {
	case bundle.StageFetch:
		return "fetching " + name
	case bundle.StageRead:
		return "reading " + name
	case bundle.StageVerify:
		return "verifying"
	case bundle.StageSplit:
		return "splitting"
	}
	return "packing"
}

func (s *stageProgress) end() {
	if s.current != nil {
		s.current.Finish()
		s.current = nil
	}
}

func (s *stageProgress) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
}

// openAppliance opens the file given as an argument, else the one of --payload, else this program's own.
func openAppliance(g *globals, args []string) (*payload.Payload, error) {
	open := func() (*payload.Payload, error) { return deploy.OpenPayload(g.Payload) }
	if len(args) > 0 {
		open = func() (*payload.Payload, error) { return payload.Open(args[0]) }
	}
	p, err := open()
	return p, exit.With(err, exit.Payload) // damaged, missing, a directory or not readable
}

// withAppliance runs use on the appliance that args or the common flags name.
func withAppliance(ctx context.Context, g *globals, args []string,
	use func(context.Context, *payload.Payload) error) error {
	p, err := openAppliance(g, args)
	if err != nil {
		return err
	}
	defer p.Close()
	return bundleError(use(ctx, p))
}
