package main

import (
	"fate-installer/installer/deploy"

	"github.com/spf13/pflag"
)

// keptForLater ends the description of --pubkey where the key is kept with the installation.
const keptForLater = "; later runs need it too, until --pubkey " + deploy.NoKey

// addTrustFlags adds the flags of the commands that install from an appliance.
func addTrustFlags(f *pflag.FlagSet, o *deploy.TrustOptions, kept string) {
	f.StringVar(&o.Key, "pubkey", "", "public `KEY`, or a file with one, that must have signed the appliance"+kept)
	addRequireSignature(f, o)
	addAllowOlder(f, o)
}

// addRequireSignature adds --require-signature, of the commands that judge an appliance.
func addRequireSignature(f *pflag.FlagSet, o *deploy.TrustOptions) {
	f.BoolVar(&o.Require, "require-signature", false, "refuse an appliance whose signature cannot be checked")
}

// addAllowOlder adds --allow-older, of the commands that judge an appliance.
func addAllowOlder(f *pflag.FlagSet, o *deploy.TrustOptions) {
	f.BoolVar(&o.AllowOlder, "allow-older", false,
		"accept a signed appliance of a lower revision than one that was installed before")
}
