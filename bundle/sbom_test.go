package bundle

import (
	"bytes"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"fate-installer/installer/golden"
	"fate-installer/payload"
)

func TestSBOM(t *testing.T) {
	release := payload.Release{FATE: "1.11.4", Platform: "linux/amd64"}
	components := []described{
		{Component: payload.Component{Name: "jdk", Version: "8u345",
			License: "GPL-2.0-only WITH Classpath-exception-2.0", Platform: "linux/amd64", Digest: digestA,
			Origins: []payload.Origin{
				{Name: "package.tar.gz!roles/java/files/jdk-8u345.tar.xz", Size: 1, SHA256: digestA},
				{Name: "extra.deb", URL: "https://example.org/extra.deb", Size: 2, SHA256: emptySHA256},
			}}, packages: map[string]debInfo{emptySHA256: {Package: "libc++", Version: "1:2.0+b1~x",
			Architecture: "amd64", Maintainer: "Debian Java <x@y>"}}},
		{Component: payload.Component{Name: "fate", Version: "1.11.4", StandIn: true}},
	}
	text, err := sbom(release, components)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/sbom.golden.json", text)
	again, err := sbom(release, components)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("a second time it is different, %v", err)
	}
	release.FATE = "1.11.5"
	other, err := sbom(release, components)
	if err != nil {
		t.Fatal(err)
	}
	var first, second cdx.BOM
	for bom, text := range map[*cdx.BOM][]byte{&first: text, &second: other} {
		if err := cdx.NewBOMDecoder(bytes.NewReader(text), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
			t.Fatal(err)
		}
	}
	if first.SerialNumber == second.SerialNumber {
		t.Error("two documents have one serial number")
	}
}
