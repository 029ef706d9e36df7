package main

import (
	"cmp"
	"errors"
	"io/fs"
	"runtime"
	"runtime/debug"

	"fate-installer/installer/deploy"
	"fate-installer/payload"

	"github.com/spf13/cobra"
)

// version is the release, set by the linker: -ldflags "-X main.version=1.0.0". A build without it says "devel".
var version = "devel"

// versionOutput is the JSON document of version.
type versionOutput struct {
	Version  string `json:"version"`  // the release of this program; devel when it was built without one
	Go       string `json:"go"`       // the version of the Go toolchain that built it
	Platform string `json:"platform"` // as in GOOS/GOARCH: linux/amd64
	// FATE that this file, or that of --payload, carries; null for none
	Carried   *carriedFATE   `json:"carried"`
	Installed *installedFATE `json:"installed"`       // FATE that is installed below the base directory; null for none
	Notes     []string       `json:"notes,omitempty"` // why one of them is not known, as text
}

// carriedFATE is the FATE that an appliance carries.
type carriedFATE struct {
	FATE     string `json:"fate"`     // version
	Platform string `json:"platform"` // as in GOOS/GOARCH
	Revision int64  `json:"revision"` // of the appliance; 0 for none
}

// installedFATE is the FATE that is installed on this host.
type installedFATE struct {
	FATE  string `json:"fate"`  // version; blank: not known
	Role  string `json:"role"`  // of this host: host, guest or exchange
	Party int    `json:"party"` // party ID; 0 for an exchange without one
	Base  string `json:"base"`  // the directory that it is below
}

// newVersionCommand prints what this binary is. Of its payload it reads the directory and the manifest, and of the host
// one file: it must be instant at any size.
func newVersionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program, and of the FATE that it carries and that is installed",
		Long: `Print the version of this program and of the Go toolchain that built it, the version of FATE that this file carries,
and the one that is installed on this host, which only root can read. What else the file carries is shown by
fate-installer bundle inspect.

EXIT STATUS
  0    printed, also when something is not known
  2    wrong usage`,
		Example: `  fate-installer version
  fate-installer version -o json
  sudo fate-installer version --base /srv/fate`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := g.versions()
			if g.Output == outputJSON {
				return g.printJSON(v)
			}
			g.printf("fate-installer %s (%s, %s)\n", v.Version, v.Go, v.Platform)
			if c := v.Carried; c != nil {
				g.printf("carries    FATE %s for %s\n", c.FATE, c.Platform)
			}
			if i := v.Installed; i != nil {
				g.printf("installed  FATE %s below %s, %s\n", dash(i.FATE), i.Base, describeSide(i.Role, i.Party))
			}
			for _, note := range v.Notes {
				g.printf("note: %s\n", note)
			}
			return nil
		},
	}
}

// versions looks at what is carried and at what is installed. What cannot be learned is a note: version never fails.
func (g *globals) versions() versionOutput {
	v := versionOutput{Version: buildVersion(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	p, err := deploy.OpenPayload(g.Payload)
	switch {
	case err == nil:
		r := p.Manifest().Release
		v.Carried = &carriedFATE{r.FATE, r.Platform, r.Revision}
		err = p.Close()
	case errors.Is(err, payload.ErrNoPayload):
		err = nil
	}
	if err != nil {
		v.Notes = append(v.Notes, "what "+cmp.Or(g.Payload, "this file")+" carries is not known: "+err.Error())
	}
	h, err := g.openHost()
	if err == nil {
		defer h.Close()
		var site *deploy.Site
		if site, err = deploy.LoadSite(h, g.layout()); err == nil {
			v.Installed = &installedFATE{site.Env["FATE"], string(site.Role), site.Party, g.Base}
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		v.Notes = append(v.Notes, "only root can see what is installed")
	case err != nil && !errors.Is(err, deploy.ErrNotInstalled):
		v.Notes = append(v.Notes, "what is installed is not known: "+err.Error())
	}
	return v
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
