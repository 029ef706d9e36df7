package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/payload"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

type bundleExtractOptions struct {
	from        string
	keep        bool
	workers     int
	allowNoExec bool
	noSync      bool
}

func newBundleExtractCommand(g *globals) *cobra.Command {
	o := &bundleExtractOptions{}
	cmd := &cobra.Command{
		Use:   "extract [--from FILE] COMPONENT|all DIR",
		Short: "Unpack components of an appliance",
		Long: `Unpack one component as the directory DIR, or all of them below DIR by their names. Each frame is checked before its
bytes are written, and a directory gets its name only when all of it is on the disk, so an interrupted run leaves no half
of a component. With all, every other byte of the appliance is checked too, the program included, and no directory
appears before everything is found whole. --keep unpacks the components that are missing.

EXIT STATUS
  0    unpacked
  1    unexpected error
  2    no such component; or DIR exists, has no room, or is on a file system that is read-only or runs no programs
  4    there is no payload, or it is damaged
  130  interrupted`,
		Example: `  fate-installer bundle extract jdk /opt/jdk
  fate-installer bundle extract --from fate-installer-1.11.4-amd64 all /tmp/components`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var from []string
			if o.from != "" {
				from = []string{o.from}
			}
			return withAppliance(cmd.Context(), g, from, func(ctx context.Context, p *payload.Payload) error {
				return runBundleExtract(ctx, g, o, p, args[0], args[1])
			})
		},
	}
	cmd.Flags().StringVar(&o.from, "from", "",
		"appliance `file`, or any part of one (default: --payload, or else this program)")
	cmd.Flags().BoolVar(&o.keep, "keep", false, "leave the components alone whose directory is there already")
	cmd.Flags().IntVar(&o.workers, "workers", 0,
		"frames to unpack at once, some 40 MB of memory each; 0 means one for each processor, at most 3, or 2 with xz")
	cmd.Flags().BoolVar(&o.allowNoExec, "allow-noexec", false,
		"unpack although DIR is on a file system that runs no programs")
	cmd.Flags().BoolVar(&o.noSync, "no-sync", false, "do not fsync; a crash may lose data")
	return cmd
}

// extraction is one component and where it goes.
type extraction struct {
	component payload.Component
	target    string
}

func runBundleExtract(ctx context.Context, g *globals, o *bundleExtractOptions,
	p *payload.Payload, what, dir string) (err error) {
	list, err := planExtraction(p, o, what, dir)
	if err != nil {
		return err
	}
	if what == "all" {
		made, failed := makeParents(dir)
		if failed != nil {
			return fmt.Errorf("cannot extract: %w", failed)
		}
		defer func() {
			if err != nil {
				removeParents(made)
			}
		}()
	}
	payload.SaveMemory()
	var bar *progress // made by the first call, which knows the total
	var targets []payload.Target
	for _, e := range list {
		targets = append(targets, payload.Target{Component: e.component.Name, Path: e.target})
	}
	err = p.ExtractAll(ctx, targets, payload.ExtractOptions{
		UID: -1, GID: -1, Workers: o.workers, Whole: what == "all", AllowNoExec: o.allowNoExec, NoSync: o.noSync,
		Progress: func(done, total int64) {
			if bar == nil {
				bar = longProgress(g, "unpacking", total)
			}
			bar.Set(done)
		},
	})
	if bar != nil {
		bar.Finish()
	}
	if err != nil {
		return err
	}
	return printExtraction(g, list)
}

// planExtraction finds out what is to be unpacked where, and refuses what cannot be done before anything is written.
func planExtraction(p *payload.Payload, o *bundleExtractOptions, what, dir string) ([]extraction, error) {
	var list []extraction
	if c, ok := p.Component(what); ok {
		list = append(list, extraction{c, dir})
	} else if what != "all" {
		var names []string
		for _, c := range p.Manifest().Components {
			names = append(names, c.Name)
		}
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot extract %q: the appliance has no such component", what),
			"it has: "+strings.Join(names, ", ")+"; or all"), exit.Usage)
	} else {
		for _, c := range p.Manifest().Components {
			list = append(list, extraction{c, filepath.Join(dir, c.Name)})
		}
	}
	var missing []extraction
	for _, e := range list {
		if !taken(e.target) {
			missing = append(missing, e)
			continue
		}
		if !o.keep {
			return nil, exit.With(exit.Hint(
				fmt.Errorf("cannot extract %s to %s: it exists", e.component.Name, e.target),
				"remove it, or leave alone what is there with --keep"), exit.Usage)
		}
	}
	return missing, nil
}

// makeParents makes dir and what is missing above it, and returns what it has made, from the top down.
func makeParents(dir string) (made []string, err error) {
	for at := filepath.Clean(dir); !taken(at); at = filepath.Dir(at) {
		made = append([]string{at}, made...)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		removeParents(made)
		return nil, err
	}
	return made, nil
}

// removeParents removes what makeParents has made, as far as they are empty.
func removeParents(made []string) {
	for _, dir := range slices.Backward(made) {
		_ = os.Remove(dir)
	}
}

func taken(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// bundleExtractOutput is the JSON document of bundle extract.
type bundleExtractOutput struct {
	Extracted []extractedComponent `json:"extracted"` // empty when every component is there
}

// extractedComponent is a component that was extracted.
type extractedComponent struct {
	Component string `json:"component"` // its name
	Version   string `json:"version"`   // its version
	Path      string `json:"path"`      // the directory that it was extracted to
	Files     int    `json:"files"`     // number of regular files
	Size      int64  `json:"size"`      // bytes of all regular files
}

func printExtraction(g *globals, list []extraction) error {
	if g.Output == outputJSON {
		out := bundleExtractOutput{Extracted: []extractedComponent{}}
		for _, e := range list {
			c := e.component
			out.Extracted = append(out.Extracted, extractedComponent{c.Name, c.Version, e.target, c.Files, c.Size})
		}
		return g.printJSON(out)
	}
	for _, e := range list {
		g.printf("%s %s: %s, %s in %s\n", e.component.Name, e.component.Version, count.Of(e.component.Files, "file"),
			count.Bytes(e.component.Size), e.target)
	}
	if len(list) == 0 {
		g.printf("nothing to do: every component is there\n")
	}
	return nil
}
