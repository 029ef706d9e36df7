package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"fate-installer/bundle"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/payload"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

type bundleBuildOptions struct {
	fetchOptions
	lock, out, stub string
	codec           string
	compressor      string
	level, workers  int
	signKey         signKeyOptions
	split           string
	noCompile       bool
}

func newBundleBuildCommand(g *globals) *cobra.Command {
	o := &bundleBuildOptions{}
	cmd := &cobra.Command{
		Use:   "build --lock FILE --out FILE",
		Short: "Build an appliance from a complete lock file",
		Long: `Fetch the sources of the lock file that are not in the cache yet, check each against its digest, pack every component,
put the result behind this program, sign it if a key is given, and read all of it back. The file appears under its name
only when it is whole and verified. The same lock, program, flags and cache give the same bytes.

With --split the result is FILE.part001, FILE.part002, ... and FILE.sha256, which sha256sum -c checks on the other side.
The parts need not be joined: FILE.part001 runs when it is made executable and finds the others next to it.

Build looks for the shared libraries of every program as a host's dynamic loader would: by the program's own DT_RPATH and
DT_RUNPATH and the library_path of the lock file, which it computes where the lock file has none. A component with a
program that would not find a library on a host with little more than the C library is refused; what the hosts are to
have is listed by the lock file as host_libraries. The end of the output names what each component takes from the host,
and for which program; check looks for it there.

Build starts the database server that it packs, and has it make a data directory, which hosts copy instead of making one;
"database: {template: no}" of the component in the lock file turns that off. A server never makes the same bytes twice:
they are kept in the cache, and a build with another cache differs in them. A machine that cannot run the server, such as
one of another platform, builds without, and warns.

The built-in zstd encoder is fast, and within a few per cent of zstd -19; --compressor tool takes that, for ten times the
time. --codec xz is the smallest and unpacks some twenty times slower; xz of the machine, if there is one, packs tighter
than what is built in. The manifest names the tool and its version, on which the bytes then depend too.

The code of the components python, fate, fateflow and eggroll is compiled with the python that is carried, when that is for
this machine's platform and runs here; the end of the output says how many files were, or why none was. It is compiled to
.pyc files of the kind checked-hash: a .py that an operator edits later takes effect at the next start of its programs.
Tests, which no program loads, are left out. Without it, as with --no-compile, the programs compile the code themselves
when they first load it. Which files there are depends on whether the python runs on the machine that builds.

EXIT STATUS
  0    built and verified
  1    unexpected error, such as a download that failed
  2    a mistake in the lock file, a source that is missing or cannot be used, a program that would not find a library,
       or no room for the result
  4    a source is not what the lock file says it is
  130  interrupted; nothing is left behind`,
		Example: `  fate-installer bundle build --lock release/fate-1.11.4.lock.yaml --out fate-installer-1.11.4-amd64 --sign release.key
  fate-installer bundle build --lock x.yaml --out x --stub bin/fate-installer-linux-arm64
  fate-installer bundle build --lock x.yaml --out x --codec xz --split 4G
  fate-installer bundle build --lock x.yaml --out x --compressor tool`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBundleBuild(cmd.Context(), g, o) },
	}
	o.addFlags(cmd.Flags())
	o.signKey.addFlags(cmd.Flags(), "sign", "sign with the private key in `FILE`")
	f := cmd.Flags()
	f.StringVar(&o.lock, "lock", "", "lock `file` to build from")
	f.StringVar(&o.out, "out", "", "appliance `file` to write")
	f.StringVar(&o.stub, "stub", "",
		"program `file` to put the payload behind, for another platform (default: this program)")
	f.StringVar(&o.codec, "codec", payload.CodecZstd,
		"compression: zstd, or xz for the smallest media and slow unpacking")
	f.StringVar(&o.compressor, "compressor", compressorAuto,
		"`NAME` of the compressor: built-in (this program), tool (the machine's xz or zstd), or auto: built-in "+
			"for zstd, and xz if there is one")
	takesWords(f, "codec", payload.CodecZstd, payload.CodecXZ)
	takesWords(f, "compressor", compressorAuto, compressorBuiltIn, compressorTool)
	f.IntVar(&o.level, "level", 0, "zstd `level` as in zstd -LEVEL, of the built-in encoder; 0 is the best it has")
	f.IntVar(&o.workers, "workers", 0,
		"frames to compress at once; 0 means one for each processor. The memory is about 100 MB, and 100 MB for each")
	f.StringVar(&o.split, "split", "", "write parts of at most `SIZE` bytes, such as 4G")
	f.BoolVar(&o.noCompile, "no-compile", false, "compile no python code, and run no python")
	for _, name := range []string{"lock", "out"} {
		_ = cmd.MarkFlagRequired(name) // only fails for a flag that is not there
	}
	return cmd
}

func runBundleBuild(ctx context.Context, g *globals, o *bundleBuildOptions) error {
	shown := &stageProgress{g: g}
	defer shown.finish()
	fetch, err := o.downloader(shown.report)
	if err != nil {
		return err
	}
	if o.codec != payload.CodecZstd && o.codec != payload.CodecXZ {
		return exit.With(fmt.Errorf("cannot use --codec %s: it is zstd or xz", o.codec), exit.Usage)
	}
	compressor, err := findCompressor(ctx, o.codec, o.compressor)
	if err != nil {
		return err
	}
	split, err := count.ParseBytes(o.split)
	if err != nil {
		return exit.With(fmt.Errorf("cannot use --split: %w", err), exit.Usage)
	}
	key, err := o.signKey.read(g)
	if err != nil {
		return err
	}
	lock, err := input(g, func() (*bundle.Lock, error) { return bundle.ReadLock(o.lock) })
	if err != nil {
		return bundleError(err)
	}
	python := runPython
	if o.noCompile {
		python = nil
	}
	payload.SaveMemory()
	result, err := bundle.Build(ctx, bundle.BuildOptions{
		Python: python,
		Lock:   lock, Out: o.out, Stub: o.stub, Codec: o.codec, Level: o.level, Compressor: compressor,
		Workers: o.workers,
		Key:     key, Split: split, Fetch: fetch, Report: shown.report,
		Template: makeTemplate, TemplateCache: filepath.Join(fetch.Cache.Dir, "templates"),
	})
	shown.finish()
	if err != nil {
		return bundleError(err)
	}
	for _, warning := range result.Warnings {
		g.errorf("warning: %s\n", warning)
	}
	if g.Output == outputJSON {
		return g.printJSON(buildOutput(result, key != nil))
	}
	for _, c := range result.Manifest.Components {
		printNeeds(g, c)
	}
	for _, t := range result.Templates {
		from := "made here"
		if !t.Made {
			from = "from the cache"
		}
		g.printf("%s carries a data directory that hosts copy, %s\n", t.Component, from)
	}
	switch {
	case result.NotCompiled != "":
		g.printf("python code is not compiled: %s\n", result.NotCompiled)
	case result.Compiled > 0:
		g.printf("compiled %s\n", count.Of(result.Compiled, "python file"))
	}
	g.printf("built %s: %s, %s, verified\n", strings.Join(result.Parts, " "),
		count.Of(len(result.Manifest.Components), "component"), count.Bytes(result.Size))
	return nil
}

// runPython runs the interpreter of a component that is being packed.
func runPython(ctx context.Context, dir string, env, args []string) error {
	_, err := host.ExecRunner{}.Run(ctx, host.Cmd{Args: args, Env: env, Dir: dir})
	return err
}

// bundleBuildOutput is the JSON document of bundle build.
type bundleBuildOutput struct {
	Needs      map[string]*payload.Needs `json:"needs"`      // by component: the libraries that it takes from the host
	Files      []string                  `json:"files"`      // the files of the appliance: one, or its parts
	Size       int64                     `json:"size"`       // of the appliance, in bytes
	Components int                       `json:"components"` // number of components
	Signed     bool                      `json:"signed"`     // a key was given
	Warnings   []string                  `json:"warnings"`   // what may not work, as text
	Templates  []string                  `json:"templates"`  // components that carry a data directory, which hosts copy
	Compiled   int                       `json:"compiled"`   // number of python files that were compiled
	// why no python code is compiled; empty when some is, or when there is none, or with --no-compile
	NotCompiled string `json:"not_compiled"`
}

func buildOutput(result bundle.BuildResult, signed bool) bundleBuildOutput {
	out := bundleBuildOutput{
		Needs: map[string]*payload.Needs{}, Files: result.Parts, Size: result.Size,
		Components: len(result.Manifest.Components), Signed: signed, Warnings: append([]string{}, result.Warnings...),
		Templates: []string{}, Compiled: result.Compiled, NotCompiled: result.NotCompiled,
	}
	for _, t := range result.Templates {
		out.Templates = append(out.Templates, t.Component)
	}
	for _, c := range result.Manifest.Components {
		if c.Needs != nil {
			out.Needs[c.Name] = c.Needs
		}
	}
	return out
}

// printNeeds names the shared libraries that a component takes from the host, with a program that needs each.
func printNeeds(g *globals, c payload.Component) {
	if c.Needs == nil {
		return
	}
	var programs []string
	for _, library := range c.Needs.Programs {
		programs = append(programs, library+" (for "+shorten(c.Needs.By[library])+")")
	}
	if len(programs) > 0 {
		g.printf("%s takes from the host: %s\n", c.Name, strings.Join(programs, ", "))
	}
	if len(c.Needs.Modules) > 0 {
		g.printf("libraries of %s take, if its programs have not loaded it before, from the host: %s\n", c.Name,
			strings.Join(c.Needs.Modules, ", "))
	}
}
