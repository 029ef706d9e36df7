package main

import (
	"context"
	"errors"
	"os"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/payload"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

type bundleVerifyOptions struct {
	trust   deploy.TrustOptions
	part    bool
	workers int
}

func newBundleVerifyCommand(g *globals) *cobra.Command {
	o := &bundleVerifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Prove every byte of an appliance, and its signature",
		Long: `Check the program part, the manifest and every frame of an appliance against their digests, and the signature against
--pubkey or, without one, the key this program was built with or the key that install keeps on this host. Without any
of them the signature is not checked, and a maker who replaced the program or the payload is not noticed:
--require-signature refuses that. Check a file with a program that you trust, such as the installed one, and not with
the file itself. Nothing is written. FILE defaults to --payload, or else
this program; of a split appliance it is any part.

With --part only the file itself is checked, against the .sha256 file that "bundle build --split" wrote: a medium can so
be checked before the others are there. It proves a good copy, not who made it.

EXIT STATUS
  0    whole, and signed by the key that was asked for
  4    damaged, incomplete, or not signed by that key
  130  interrupted`,
		Example: `  fate-installer bundle verify fate-installer-1.11.4-amd64
  fate-installer bundle verify --pubkey RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3 appliance
  fate-installer bundle verify --part /media/usb1/appliance.part002`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.part {
				return runBundleVerifyPart(cmd.Context(), g, args)
			}
			return withAppliance(cmd.Context(), g, args,
				func(ctx context.Context, p *payload.Payload) error { return runBundleVerify(ctx, g, o, p) })
		},
	}
	addTrustFlags(cmd.Flags(), &o.trust, "")
	cmd.Flags().BoolVar(&o.part, "part", false, "check only FILE, one part of a split appliance")
	for _, flag := range []string{"pubkey", "require-signature", "allow-older"} {
		cmd.MarkFlagsMutuallyExclusive("part", flag)
	}
	cmd.Flags().IntVar(&o.workers, "workers", 0, "frames to check at once; 0 means one for each processor, at most 3")
	return cmd
}

// bundleVerifyOutput is the JSON document of bundle verify.
type bundleVerifyOutput struct {
	Path       string `json:"path"`       // of the appliance
	Size       int64  `json:"size"`       // of the appliance, in bytes
	Digest     string `json:"digest"`     // sha256 of the manifest
	Components int    `json:"components"` // number of components
	Frames     int    `json:"frames"`     // number of frames
	Files      int    `json:"files"`      // number of members that are not components
	Signed     bool   `json:"signed"`     // it has a signature
	SignedBy   string `json:"signed_by"`  // ID of the key that it was checked with; blank: not checked
}

func runBundleVerify(ctx context.Context, g *globals, o *bundleVerifyOptions, p *payload.Payload) error {
	t, err := o.trust.Trusted(keptTrust(g))
	if err != nil {
		return err
	}
	maker, err := o.trust.CheckMaker(t, p)
	if err != nil {
		return err
	}
	bar := longProgress(g, "verifying", p.Size())
	defer bar.Finish()
	v := payload.VerifyOptions{Workers: o.workers, Progress: func(done, _ int64) { bar.Set(done) }}
	if v.PublicKey, err = t.PublicKey(); err != nil {
		return err
	}
	report, err := p.Verify(ctx, v)
	bar.Finish()
	if err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(bundleVerifyOutput{p.Path(), report.Size, report.Digest, report.Components, report.Frames,
			report.Files,
			report.Signed, report.SignedBy})
	}
	g.printf("%s is whole: %s in %s, manifest sha256 %s\n", p.Path(), count.Bytes(report.Size),
		count.Of(report.Components, "component"), report.Digest)
	g.printf("%s\n", maker)
	return nil
}

// keptTrust is the key that install keeps on this host; nil also where this user may not read it.
func keptTrust(g *globals) *deploy.Trust {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil
	}
	defer h.Close()
	s, err := deploy.LoadSite(h, g.layout())
	if err != nil {
		return nil
	}
	return s.Trust
}

// bundleVerifyPartOutput is the JSON document of bundle verify --part.
type bundleVerifyPartOutput struct {
	Path  string `json:"path"`  // of the part
	Whole bool   `json:"whole"` // always true: a damaged part is an error
}

// runBundleVerifyPart checks one part of a split appliance alone.
func runBundleVerifyPart(ctx context.Context, g *globals, args []string) error {
	if len(args) == 0 {
		return exit.With(errors.New("cannot check a part: name its file"), exit.Usage)
	}
	bar := longProgress(g, "verifying", fileSize(args[0]))
	defer bar.Finish()
	if err := payload.VerifyPart(ctx, args[0], func(done, _ int64) { bar.Set(done) }); err != nil {
		if errors.Is(err, payload.ErrNoPart) {
			return exit.With(err, exit.Usage)
		}
		return exit.With(err, exit.Payload)
	}
	bar.Finish()
	if g.Output == outputJSON {
		return g.printJSON(bundleVerifyPartOutput{args[0], true})
	}
	g.printf("%s is a good copy\n", args[0])
	return nil
}

// fileSize is for the progress display; a file that cannot be read is reported when it is read.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
