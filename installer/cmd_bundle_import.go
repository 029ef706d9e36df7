package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"fate-installer/bundle"
	"fate-installer/installer/exit"
	"fate-installer/payload/count"
)

type bundleImportOptions struct {
	lock     string
	platform string
	optional []string
	with     []string
	wheels   bool
	force    bool
}

func newBundleImportCommand(g *globals) *cobra.Command {
	o := &bundleImportOptions{}
	cmd := &cobra.Command{
		Use:   "import TARBALL --lock FILE",
		Short: "Write the lock file for an official AnsibleFATE package",
		Long: `Read an official package of FATE, AnsibleFATE_<version>_release_offline.tar.gz, and write a complete lock file that
"bundle build" builds from: the components stay members of the package, which is read as it is and never unpacked. The
versions are those of the release's own fate.env.

The online package lacks the JDK and MySQL; fetch them elsewhere and name each with --with, which also replaces a
component of the package. The database is mysql or mariadb: either satisfies a party, and either replaces the other. A
directory at the top of such an archive is not part of the component. Its programs must find their shared libraries in
the component: see "bundle build". A FATE-Board that was built without its page is warned of.

The package has no python environment, only a Miniconda installer and wheels. Name a relocatable interpreter with --with
python=FILE, and --wheels installs the package's wheels into it when the appliance is built; or name a complete
environment, without --wheels; or take --optional miniconda,pypi, and install makes the environment on each host, without
a network, in some minutes.

EXIT STATUS
  0    the lock file was written
  1    unexpected error
  2    this is no official package, or a component cannot be used, or the lock file exists
  130  interrupted`,
		Example: `  fate-installer bundle import AnsibleFATE_1.11.4_release_offline.tar.gz --lock fate-1.11.4.lock.yaml \
    --with python=cpython-3.8.20-x86_64-unknown-linux-gnu-install_only.tar.gz --wheels
  fate-installer bundle import AnsibleFATE_1.11.4_release_online.tar.gz --lock fate.lock.yaml \
    --with jdk=jdk-8u345.tar.xz --with mysql=mysql-8.0.28.tar.gz --with python@3.8.13=/opt/fate-python
  fate-installer bundle import AnsibleFATE_1.11.4_release_offline.tar.gz --lock fate.lock.yaml --with mariadb@10.11.6=/opt/mariadb`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runBundleImport(cmd.Context(), g, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.lock, "lock", "", "lock `file` to write")
	f.StringVar(&o.platform, "platform", "linux/amd64", "`platform` of the package's programs")
	f.StringSliceVar(&o.optional, "optional", nil,
		"`components` to take that are left out otherwise: rabbitmq, miniconda, pypi")
	takesWords(f, "optional", "rabbitmq", "miniconda", "pypi")
	f.StringArrayVar(&o.with, "with", nil, "component from elsewhere, `NAME[@VERSION]=PATH`; repeatable")
	f.BoolVar(&o.wheels, "wheels", false,
		"install the package's Python wheels into the component python given by --with")
	f.BoolVar(&o.force, "force", false, "replace the lock file if there is one")
	_ = cmd.MarkFlagRequired("lock") // only fails for a flag that is not there
	return cmd
}

func runBundleImport(ctx context.Context, g *globals, o *bundleImportOptions, archive string) error {
	if _, err := os.Lstat(o.lock); !o.force && !errors.Is(err, fs.ErrNotExist) {
		return exit.With(exit.Hint(fmt.Errorf("cannot write %s: it exists", o.lock), "replace it with --force"),
			exit.Usage)
	}
	added, err := parseAdded(o.with)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	shown := &stageProgress{g: g}
	defer shown.finish()
	result, err := bundle.Import(ctx, bundle.ImportOptions{
		Archive: archive, Lock: o.lock, Platform: o.platform, Optional: o.optional, Added: added, Wheels: o.wheels,
		Report: shown.report,
	})
	shown.finish()
	if err != nil {
		return bundleError(err)
	}
	comment := fmt.Sprintf("FATE %s, from %s.\nBuild with: fate-installer bundle build --lock %s --out FILE",
		result.Lock.Release.FATE, filepath.Base(archive), filepath.Base(o.lock))
	if err := renameio.WriteFile(o.lock, result.Lock.Encode(comment), 0o644); err != nil {
		return fmt.Errorf("cannot write the lock file: %w", err)
	}
	// What came from elsewhere has no digest yet.
	filled, err := bundle.Fill(ctx, bundle.FillOptions{File: o.lock, Report: shown.report})
	shown.finish()
	if err != nil {
		return bundleError(err)
	}
	warnings, err := bundle.BoardWarnings(ctx, filled.Lock)
	if err != nil {
		return bundleError(err)
	}
	for _, warning := range warnings {
		g.errorf("warning: %s\n", warning)
	}
	return printImport(g, o.lock, result, filled.Lock, warnings)
}

// bundleImportOutput is the JSON document of bundle import.
type bundleImportOutput struct {
	Lock       string              `json:"lock"`       // the lock file that was written
	FATE       string              `json:"fate"`       // the FATE release
	Components []importedComponent `json:"components"` // the components of the lock file
	// Missing has, for each component that FATE needs and the package lacks, the first name of MissingAnyOf.
	Missing      []string   `json:"missing"`
	MissingAnyOf [][]string `json:"missing_any_of"` // for each missing component, the names of which any one will do
	Skipped      []string   `json:"skipped"`        // files of the package that are not used
	Warnings     []string   `json:"warnings"`       // what may not work, as text
}

// importedComponent is a component that was found in the package.
type importedComponent struct {
	Name    string `json:"name"`    // the component
	Version string `json:"version"` // its version
}

func importOutput(file string, result bundle.ImportResult, lock *bundle.Lock, warnings []string) bundleImportOutput {
	out := bundleImportOutput{
		Lock: file, FATE: lock.Release.FATE, Components: []importedComponent{}, Missing: []string{},
		MissingAnyOf: append([][]string{}, result.Missing...), Skipped: append([]string{}, result.Skipped...),
		Warnings: append([]string{}, warnings...),
	}
	for _, c := range lock.Components {
		out.Components = append(out.Components, importedComponent{c.Name, c.Version})
	}
	for _, of := range result.Missing {
		out.Missing = append(out.Missing, of[0])
	}
	return out
}

func printImport(g *globals, file string, result bundle.ImportResult, lock *bundle.Lock, warnings []string) error {
	if g.Output == outputJSON {
		return g.printJSON(importOutput(file, result, lock, warnings))
	}
	t := g.newTable("COMPONENT", "VERSION", "SIZE", "FROM")
	for _, c := range lock.Components {
		var size int64
		var from []string
		for _, s := range c.Sources {
			size += s.Size
			from = append(from, filepath.Base(strings.TrimSuffix(s.Path+"/"+s.Member, "/")))
		}
		t.row(c.Name, c.Version, count.Bytes(size), shorten(from))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, name := range result.Skipped {
		g.printf("left out: %s; --optional %s takes it\n", name, name)
	}
	for _, of := range result.Missing {
		var flags []string
		for _, name := range of {
			flags = append(flags, "--with "+name+"=PATH")
		}
		g.printf("missing: %s, which a party needs; add it with %s\n", strings.Join(of, " or "),
			strings.Join(flags, " or "))
	}
	g.printf("wrote %s for FATE %s\n", file, lock.Release.FATE)
	return nil
}

// parseAdded reads the values of --with.
func parseAdded(values []string) ([]bundle.Added, error) {
	var list []bundle.Added
	for _, value := range values {
		what, path, ok := strings.Cut(value, "=")
		name, version, _ := strings.Cut(what, "@")
		if !ok || name == "" || path == "" {
			return nil, fmt.Errorf("cannot use --with %s: it is NAME=PATH or NAME@VERSION=PATH", value)
		}
		list = append(list, bundle.Added{Component: name, Version: version, Path: path})
	}
	return list, nil
}
