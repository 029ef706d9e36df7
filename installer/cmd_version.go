package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the release, set by the linker: -ldflags "-X main.version=1.0.0". A build without it says "devel".
var version = "devel"

// versionOutput is the JSON document of version.
type versionOutput struct {
	Version  string `json:"version"`  // the release of this program; devel when it was built without one
	Go       string `json:"go"`       // the version of the Go toolchain that built it
	Platform string `json:"platform"` // as in GOOS/GOARCH: linux/amd64
}

// newVersionCommand prints what this binary is, without opening its payload: it must be instant at any size.
func newVersionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long: `Print the version of this program and of the Go toolchain that built it. What the file carries is shown by
fate-installer bundle inspect.

EXIT STATUS
  0    always`,
		Example: `  fate-installer version
  fate-installer version -o json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			if g.Output == outputJSON {
				return g.printJSON(versionOutput{v, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			g.printf("fate-installer %s (%s, %s/%s)\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// buildVersion is the linked version, or the module's when it was installed by go install.
func buildVersion() string {
	if version != "devel" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return version
}
