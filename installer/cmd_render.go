package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/payload/count"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"
)

type renderOptions struct {
	out         string
	diff        bool
	showSecrets bool
	specOptions
}

// newRenderCommand writes the configuration files of a host somewhere else, or compares them with the host's own.
func newRenderCommand(g *globals) *cobra.Command {
	opts := &renderOptions{}
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Write every configuration file of a host below a directory, or show how they differ from this host's",
		Long: `Write every configuration file of a host at its absolute path below a directory, or, with --diff, show how this host's
files differ from what install would write. --ip chooses the host, which need not be this one; no root is needed.

The versions of FATE's components decide what is written. They come from the payload of this file, from --fate-version,
or from what is installed here. Passwords that the cluster file leaves out are generated during installation; where they
are not known, the files have the words generated-at-installation in their place.

EXIT STATUS
  0    the files were written; with --diff: nothing differs
  2    wrong usage or configuration
  3    with --diff: something differs`,
		Example: `  fate-installer render --config cluster.yaml --ip 192.168.0.1 --fate-version 1.11.4 --out tree
  fate-installer render --diff
  fate-installer init --host 10000:10.0.0.1 --guest 9999:10.0.0.2 | fate-installer render --config - --ip 10.0.0.2 --fate-version 1.9.0 --out g`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRender(g, opts) },
	}
	f := cmd.Flags()
	f.StringVar(&opts.out, "out", "", "write below this `directory`")
	f.BoolVar(&opts.diff, "diff", false, "compare with the files of this host")
	f.BoolVar(&opts.showSecrets, "show-secrets", false,
		"with --diff: show differences also of files that hold passwords")
	opts.specOptions.addFlags(f)
	cmd.MarkFlagsOneRequired("out", "diff")
	cmd.MarkFlagsMutuallyExclusive("out", "diff")
	return cmd
}

func runRender(g *globals, opts *renderOptions) error {
	w, spec, err := opts.read(g)
	if err != nil {
		return err
	}
	if len(w.site.Components) == 0 && len(w.site.Env) == 0 {
		return exit.With(exit.Hint(
			errors.New("cannot tell which FATE to render for: this file carries no payload and nothing is installed "+
				"here"),
			"name a published release: --fate-version 1.11.4"), exit.Usage)
	}
	files, err := render.Files(spec)
	if err != nil {
		return err
	}
	if opts.diff {
		return printDifferences(g, files, opts.showSecrets)
	}
	return writeTree(g, opts.out, files)
}

// writeTree writes files below a directory that is made if needed. Files with passwords are readable by their owner
// only.
func writeTree(g *globals, dir string, files []render.File) error {
	h, err := treeHost(dir)
	if err != nil {
		return err
	}
	defer h.Close()
	for _, f := range files {
		if err := h.MkdirAll(path.Dir(f.Path), host.FileMode{Perm: 0o755}); err != nil {
			return err
		}
		if err := h.WriteFile(f.Path, f.Content, host.FileMode{Perm: f.Perm}); err != nil {
			return err
		}
	}
	if g.Output == outputJSON {
		return g.printJSON(renderOutput{dir, describeFiles(files)})
	}
	for _, f := range files {
		g.printf("%s%s\n", dir, f.Path)
	}
	return nil
}

// treeHost is the directory a tree is written to, as a host without commands.
func treeHost(dir string) (*host.Host, error) {
	here, err := host.New("/", nil)
	if err != nil {
		return nil, err
	}
	defer here.Close()
	abs, err := absolute(dir)
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	if err := here.MkdirAll(abs, host.FileMode{Perm: 0o755}); err != nil {
		return nil, err
	}
	return host.New(abs, nil)
}

// renderOutput is the JSON document of render --out.
type renderOutput struct {
	Out   string        `json:"out"`   // the directory that the files are below
	Files []fileSummary `json:"files"` // the files that were written
}

// fileSummary is a rendered file without its contents.
type fileSummary struct {
	Path      string   `json:"path"`                // on the host
	Perm      string   `json:"perm"`                // permission bits, octal: 0640
	Secret    bool     `json:"secret,omitempty"`    // it holds passwords
	Component string   `json:"component,omitempty"` // the component that it belongs to
	Programs  []string `json:"programs,omitempty"`  // the programs that read it
}

func describeFiles(files []render.File) []fileSummary {
	out := make([]fileSummary, len(files))
	for i, f := range files {
		out[i] = fileSummary{f.Path, fmt.Sprintf("%04o", f.Perm), f.Secret, f.Component, f.Programs}
	}
	return out
}

// renderDiffOutput is the JSON document of render --diff.
type renderDiffOutput struct {
	Differ []string `json:"differ"` // paths of files that are missing on the host, or differ
}

// printDifferences compares each file with the host's own.
func printDifferences(g *globals, files []render.File, showSecrets bool) error {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	defer h.Close()
	var differ []string
	for _, f := range files {
		have, err := h.ReadFile(f.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing := err != nil
		if !missing && bytes.Equal(have, f.Content) {
			continue
		}
		differ = append(differ, f.Path)
		switch {
		case missing:
			g.printf("missing: %s\n", f.Path)
		case f.Secret && !showSecrets:
			g.printf("differs: %s (holds passwords; --show-secrets shows how)\n", f.Path)
		default:
			g.raw(string(diff.Diff("host"+f.Path, have, "rendered"+f.Path, f.Content)))
		}
	}
	if g.Output == outputJSON {
		if err := g.printJSON(renderDiffOutput{append([]string{}, differ...)}); err != nil {
			return err
		}
	}
	if len(differ) > 0 {
		return exit.Silently(exit.Preflight)
	}
	g.printf("%s right\n", count.Of(len(files), "file is", "files are"))
	return nil
}
