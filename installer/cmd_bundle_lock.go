package main

import (
	"context"

	"fate-installer/bundle"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

type bundleLockOptions struct {
	fetchOptions
	update []string
}

func newBundleLockCommand(g *globals) *cobra.Command {
	o := &bundleLockOptions{}
	cmd := &cobra.Command{
		Use:   "lock FILE",
		Short: "Complete a lock file with the digests and sizes of its sources",
		Long: `Read every source of the lock file that has no sha256 and size yet, fetching what is remote, and write them into the
file. Everything else in the file stays as it is, comments included. A complete lock is not touched, and its sources are
not read; "bundle build" checks them.

The lock files of FATE's releases, release/fate-VERSION.lock.yaml, need one file: the official offline package, next to the
lock file. Its own fate.env must have the versions that the lock file has.

EXIT STATUS
  0    the lock is complete
  1    unexpected error, such as a download that failed
  2    a mistake in the lock file, or a source that is missing, or cannot be used
  130  interrupted`,
		Example: `  fate-installer bundle lock release/fate-1.11.4.lock.yaml
  fate-installer bundle lock --update mysql release/fate-1.11.4.lock.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runBundleLock(cmd.Context(), g, o, args[0]) },
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringSliceVar(&o.update, "update", nil,
		"read the sources of these `components` again, although they are locked; all for every one")
	return cmd
}

func runBundleLock(ctx context.Context, g *globals, o *bundleLockOptions, file string) error {
	shown := &stageProgress{g: g}
	defer shown.finish()
	fetch, err := o.downloader(shown.report)
	if err != nil {
		return err
	}
	result, err := bundle.Fill(ctx,
		bundle.FillOptions{File: file, Update: o.update, Fetch: fetch, Report: shown.report})
	shown.finish()
	if err != nil {
		return bundleError(err)
	}
	if g.Output == outputJSON {
		return g.printJSON(lockOutput(file, result))
	}
	for _, f := range result.Filled {
		what := "locked"
		if f.Changed {
			what = "changed"
		}
		g.printf("%s %s: %s  sha256 %s, %s\n", what, f.Component, f.Source, f.SHA256, count.Bytes(f.Size))
	}
	if len(result.Filled) == 0 {
		g.printf("%s is complete\n", file)
	}
	return nil
}

// bundleLockOutput is the JSON document of bundle lock.
type bundleLockOutput struct {
	Lock   string         `json:"lock"`   // the lock file
	Filled []lockedSource `json:"filled"` // the sources that were read; empty when the lock file was complete
}

// lockedSource is a source whose digest was written to the lock file.
type lockedSource struct {
	Component string `json:"component"` // the component that is made from it
	Source    string `json:"source"`    // its URL, or its path
	SHA256    string `json:"sha256"`    // of the file
	Size      int64  `json:"size"`      // in bytes
	Changed   bool   `json:"changed"`   // the lock file had another digest
}

func lockOutput(file string, result bundle.FillResult) bundleLockOutput {
	out := bundleLockOutput{Lock: file, Filled: []lockedSource{}}
	for _, f := range result.Filled {
		out.Filled = append(out.Filled, lockedSource{f.Component, f.Source, f.SHA256, f.Size, f.Changed})
	}
	return out
}
