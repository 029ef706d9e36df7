package bundle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"fate-installer/payload"
)

// SBOMName is the member of an appliance that lists its components for auditors' tools.
const SBOMName = "sbom.cdx.json"

// described is a component with what only its sources could tell.
type described struct {
	payload.Component
	packages map[string]debInfo // of the origins that are Debian packages, by digest
}

// sbom writes a CycloneDX 1.6 document. It has no time of its own and its serial number comes from its content, so
// that the same inputs give the same bytes.
func sbom(release payload.Release, components []described) ([]byte, error) {
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &cdx.Component{
		BOMRef: "appliance", Type: cdx.ComponentTypeApplication, Name: "fate-appliance",
		Version: release.FATE, Description: "FATE " + release.FATE + " for " + release.Platform,
	}}
	list := make([]cdx.Component, len(components))
	for i, c := range components {
		list[i] = sbomComponent(c)
	}
	bom.Components = &list
	var first bytes.Buffer
	if err := encodeSBOM(&first, bom); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(first.Bytes())
	bom.SerialNumber = serialNumber(sum)
	var out bytes.Buffer
	if err := encodeSBOM(&out, bom); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func encodeSBOM(out *bytes.Buffer, bom *cdx.BOM) error {
	enc := cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true)
	if err := enc.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return fmt.Errorf("cannot write the SBOM: %w", err)
	}
	return nil
}

func sbomComponent(c described) cdx.Component {
	out := cdx.Component{
		BOMRef: c.Name, Type: cdx.ComponentTypeApplication, Name: c.Name, Version: c.Version,
	}
	if c.Digest != "" {
		// of its tar stream, as unzip and zstd -d give it
		out.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: c.Digest}}
	}
	if c.License != "" {
		out.Licenses = &cdx.Licenses{{Expression: c.License}}
	}
	if c.StandIn {
		out.Description = "stand-in, not the real software"
	}
	var properties []cdx.Property
	if c.Platform != "" {
		properties = append(properties, cdx.Property{Name: "fate-installer:platform", Value: c.Platform})
	}
	if c.StandIn {
		properties = append(properties, cdx.Property{Name: "fate-installer:stand_in", Value: "true"})
	}
	if len(properties) > 0 {
		out.Properties = &properties
	}
	// What the tree was made from: an auditor compares these with the digests its publishers give.
	var parts []cdx.Component
	for i, o := range c.Origins {
		part := cdx.Component{
			BOMRef: fmt.Sprintf("%s#%d", c.Name, i+1), Type: cdx.ComponentTypeFile, Name: path.Base(o.Name),
			Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: o.SHA256}},
		}
		if p, ok := c.packages[o.SHA256]; ok {
			part.Type, part.Name, part.Version, part.PackageURL = cdx.ComponentTypeLibrary, p.Package, p.Version,
				p.purl()
		}
		if o.URL != "" {
			part.ExternalReferences = &[]cdx.ExternalReference{{Type: cdx.ERTypeDistribution, URL: o.URL}}
		}
		parts = append(parts, part)
	}
	if len(parts) > 0 {
		out.Components = &parts
	}
	return out
}

// serialNumber makes the UUID that CycloneDX asks for out of a digest: version 8 is the one for a hash of one's own
// (RFC 9562, 5.8).
func serialNumber(sum [32]byte) string {
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
