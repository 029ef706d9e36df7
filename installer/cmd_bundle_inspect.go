package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"fate-installer/bundle"
	"fate-installer/payload"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

type bundleInspectOptions struct {
	sbom, manifest bool
}

func newBundleInspectCommand(g *globals) *cobra.Command {
	o := &bundleInspectOptions{}
	cmd := &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "Show what an appliance carries",
		Long: `Show the release, the components with versions, licences, sizes and origins, and the signature of an appliance. Only
its directory is read, so this takes milliseconds at any size and proves nothing about the rest: see "bundle verify".
FILE defaults to --payload, or else this program; of a split appliance it is any part.

EXIT STATUS
  0    shown
  4    there is no payload, or it is damaged`,
		Example: `  fate-installer bundle inspect fate-installer-1.11.4-amd64
  fate-installer bundle inspect -o json | jq '.components[].version'
  fate-installer bundle inspect --sbom > sbom.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAppliance(cmd.Context(), g, args,
				func(_ context.Context, p *payload.Payload) error { return runBundleInspect(g, o, p) })
		},
	}
	cmd.Flags().BoolVar(&o.sbom, "sbom", false, "print the CycloneDX document inside instead")
	cmd.Flags().BoolVar(&o.manifest, "manifest", false, "print the manifest, frames included, instead")
	cmd.MarkFlagsMutuallyExclusive("sbom", "manifest")
	return cmd
}

func runBundleInspect(g *globals, o *bundleInspectOptions, p *payload.Payload) error {
	var text []byte
	var err error
	switch {
	case o.sbom:
		text, err = p.ReadFile(bundle.SBOMName)
	case o.manifest:
		text, err = p.Manifest().Encode()
	case g.Output == outputJSON:
		return g.printJSON(inspectOutput(p))
	default:
		return printInspection(g, p)
	}
	if err == nil {
		_, err = g.Stdout.Write(text)
	}
	return err
}

func printInspection(g *globals, p *payload.Payload) error {
	m := p.Manifest()
	signed := "it is not signed"
	if s, ok := p.Signature(); ok {
		signed = "by key " + s.KeyID + ", not checked here"
	}
	release := m.Release.FATE
	if m.Release.Revision > 0 {
		release = fmt.Sprintf("%s, revision %d,", release, m.Release.Revision)
	}
	g.printf("file       %s, %s\nrelease    FATE %s for %s\nprogram    %s\nsigned     %s\ndigest     %s\n\n",
		p.Path(), count.Bytes(p.Size()), release, m.Release.Platform, count.Bytes(m.Stub.Size), signed, p.Digest())
	t := g.newTable("COMPONENT", "VERSION", "PLATFORM", "FILES", "UNPACKED", "STORED", "LICENSE", "FROM")
	for _, c := range m.Components {
		platform, version := c.Platform, c.Version
		if platform == "" {
			platform = bundle.PlatformAny
		}
		if c.StandIn {
			version += " (stand-in)"
		}
		var from []string
		for _, origin := range c.Origins {
			from = append(from, filepath.Base(origin.Name))
		}
		t.row(c.Name, version, platform, strconv.Itoa(c.Files), count.Bytes(c.Size), count.Bytes(c.StoredSize()),
			dash(c.License), shorten(from))
	}
	return t.flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// shorten lists the first names and counts the others: a component may be made of a hundred packages.
func shorten(names []string) string {
	const shown = 2
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// bundleInspectOutput is the JSON document of bundle inspect: the manifest without its frames, and what is not in it.
type bundleInspectOutput struct {
	Path       string               `json:"path"`       // of the appliance
	Size       int64                `json:"size"`       // of the appliance, in bytes
	Digest     string               `json:"digest"`     // sha256 of the manifest
	Release    payload.Release      `json:"release"`    // what the appliance installs
	Program    payload.Blob         `json:"program"`    // the program in front of the payload
	Components []inspectedComponent `json:"components"` // in the order of the manifest
	// members that are not components, such as an SBOM; null for none
	Files     []payload.File      `json:"files"`
	Signature *inspectedSignature `json:"signature"` // null when it is not signed
}

// inspectedComponent is a component as the manifest describes it, without its frames.
type inspectedComponent struct {
	payload.Component
	StoredSize int64 `json:"stored_size"`                  // bytes in the appliance
	FrameCount int   `json:"frame_count"`                  // number of frames
	Frames     any   `json:"frames,omitempty" jsondoc:"-"` // hides the manifest's, and is never set
}

// inspectedSignature says who signed an appliance. Inspect does not check it.
type inspectedSignature struct {
	KeyID   string `json:"key_id"`  // of the key that signed it
	Comment string `json:"comment"` // covered by the signature
}

func inspectOutput(p *payload.Payload) bundleInspectOutput {
	m := p.Manifest()
	out := bundleInspectOutput{
		Path: p.Path(), Size: p.Size(), Digest: p.Digest(), Release: m.Release, Program: m.Stub,
		Components: []inspectedComponent{}, Files: m.Files,
	}
	for _, c := range m.Components {
		out.Components = append(out.Components,
			inspectedComponent{Component: c, StoredSize: c.StoredSize(), FrameCount: len(c.Frames)})
	}
	if s, ok := p.Signature(); ok {
		out.Signature = &inspectedSignature{s.KeyID, s.Comment}
	}
	return out
}
