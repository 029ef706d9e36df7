package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func validManifest() *Manifest {
	digest := strings.Repeat("ab", 32)
	return &Manifest{
		Schema: Schema,
		Release: Release{FATE: "1.11.4", Platform: "linux/arm64",
			Env: map[string]string{"FATE": "1.11.4", "EGGROLL": "2.5.1"}},
		Stub: Blob{Size: 1000, SHA256: digest},
		Components: []Component{{
			Name: "jdk", Version: "8u192", License: "GPL-2.0-only WITH Classpath-exception-2.0",
			Platform:    "linux/arm64",
			LibraryPath: []string{"lib", "lib/server"},
			Origins: []Origin{{Name: "jdk-8u192.tar.gz", URL: "https://example.org/<jdk>&x",
				Size: 5, SHA256: digest}},
			Size: 900, Files: 2, Dirs: 1, Links: 1, Digest: digest, Codec: CodecZstd, Member: "jdk.tar.zst", CRC32: 7,
			Frames: []Frame{
				{Offset: 0, Size: 100, RawSize: 1024, SHA256: digest},
				{Offset: 100, Size: 50, RawSize: 512, SHA256: digest,
					Continues: &Continuation{Path: "lib/rt.jar", Offset: 512, Size: 512}},
				{Offset: 150, Size: 50, RawSize: 2048, SHA256: digest,
					Continues: &Continuation{Path: "lib/rt.jar", Offset: 1024, Size: 17}},
			},
		}},
		Files: []File{{Name: "sbom.cdx.json", Size: 10, SHA256: digest, CRC32: 9}},
	}
}

func TestManifestText(t *testing.T) {
	m := validManifest()
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Error(diff)
	}
	if !bytes.Contains(text, []byte("<jdk>&x")) {
		t.Error("URLs are escaped as for HTML")
	}
	for name, change := range map[string]func(string) string{
		"empty":            func(string) string { return "" },
		"cut":              func(s string) string { return s[:len(s)/2] },
		"trailing data":    func(s string) string { return s + "{}" },
		"no final newline": func(s string) string { return strings.TrimSuffix(s, "\n") },
		"white space":      func(s string) string { return strings.Replace(s, ":", ": ", 1) },
		"unknown key":      func(s string) string { return strings.Replace(s, `{"schema"`, `{"x":1,"schema"`, 1) },
		"repeated key": func(s string) string {
			return strings.Replace(s, `"name":"jdk"`,
				`"name":"jre","name":"jdk"`, 1)
		},
		"key in other case":  func(s string) string { return strings.Replace(s, `"member"`, `"Member"`, 1) },
		"escaped letter":     func(s string) string { return strings.Replace(s, `"8u192"`, `"\u0038u192"`, 1) },
		"number with a dot":  func(s string) string { return strings.Replace(s, `"size":1000`, `"size":1000.0`, 1) },
		"components missing": func(s string) string { return s[:strings.Index(s, `,"components"`)] + "}\n" },
		"null":               func(string) string { return "null\n" },
	} {
		if _, err := DecodeManifest([]byte(change(string(text)))); err == nil {
			t.Errorf("%s: the manifest was accepted", name)
		}
	}
}

func TestManifestOfAnotherFormat(t *testing.T) {
	for _, text := range []string{`{"schema":2,"future":{}}`, `{}`, `{"schema":-1}`} {
		_, err := DecodeManifest([]byte(text))
		var schema *SchemaError
		if !errors.As(err, &schema) || schema.Hint() == "" {
			t.Errorf("%s: error %v, want a *SchemaError", text, err)
		}
	}
}

// Each change makes the manifest break one rule.
func TestManifestRules(t *testing.T) {
	for name, change := range map[string]func(m *Manifest, c *Component){
		"schema":                   func(m *Manifest, c *Component) { m.Schema = 2 },
		"platform":                 func(m *Manifest, c *Component) { m.Release.Platform = "linux" },
		"text with escape codes":   func(m *Manifest, c *Component) { m.Release.FATE = "\x1b[2J" },
		"env with a newline":       func(m *Manifest, c *Component) { m.Release.Env["A"] = "1\nB=2" },
		"long text":                func(m *Manifest, c *Component) { c.License = strings.Repeat("x", maxText+1) },
		"program size":             func(m *Manifest, c *Component) { m.Stub.Size = -1 },
		"program digest":           func(m *Manifest, c *Component) { m.Stub.SHA256 = "" },
		"digest in upper case":     func(m *Manifest, c *Component) { m.Stub.SHA256 = strings.Repeat("AB", 32) },
		"component name":           func(m *Manifest, c *Component) { c.Name = "../jdk" },
		"component without a name": func(m *Manifest, c *Component) { c.Name = "" },
		"other platform":           func(m *Manifest, c *Component) { c.Platform = "linux/amd64" },
		"library path outside":     func(m *Manifest, c *Component) { c.LibraryPath = []string{"../../lib"} },
		"origin digest":            func(m *Manifest, c *Component) { c.Origins[0].SHA256 = "x" },
		"member name":              func(m *Manifest, c *Component) { c.Member = "../../etc/passwd" },
		"member of another codec":  func(m *Manifest, c *Component) { c.Codec = CodecXZ },
		"unknown codec":            func(m *Manifest, c *Component) { c.Codec, c.Member = "lz4", "jdk.tar.lz4" },
		"component digest":         func(m *Manifest, c *Component) { c.Digest = "x" },
		"size beyond the tar":      func(m *Manifest, c *Component) { c.Size = 1 << 40 },
		"negative size":            func(m *Manifest, c *Component) { c.Size = -1 },
		"too many files":           func(m *Manifest, c *Component) { c.Files = 1000 },
		"negative count":           func(m *Manifest, c *Component) { c.Links = -1 },
		"no frames":                func(m *Manifest, c *Component) { c.Frames = nil },
		"gap":                      func(m *Manifest, c *Component) { c.Frames[1].Offset++ },
		"overlap":                  func(m *Manifest, c *Component) { c.Frames[1].Offset-- },
		"empty frame":              func(m *Manifest, c *Component) { c.Frames[0].Size = 0 },
		"huge frame":               func(m *Manifest, c *Component) { c.Frames[2].Size = maxStored + 1 },
		"bomb":                     func(m *Manifest, c *Component) { c.Frames[2].RawSize = MaxFrame + tarBlock },
		"negative raw size":        func(m *Manifest, c *Component) { c.Frames[2].RawSize = -tarBlock },
		"part of a block":          func(m *Manifest, c *Component) { c.Frames[2].RawSize = 1000 },
		"frame digest":             func(m *Manifest, c *Component) { c.Frames[0].SHA256 = "x" },
		"first frame continues":    func(m *Manifest, c *Component) { c.Frames = c.Frames[1:]; c.Frames[0].Offset = 0 },
		"path outside":             func(m *Manifest, c *Component) { c.Frames[1].Continues.Path = "../x" },
		"absolute path":            func(m *Manifest, c *Component) { c.Frames[1].Continues.Path = "/etc/passwd" },
		"path with a newline":      func(m *Manifest, c *Component) { c.Frames[1].Continues.Path = "a\nb" },
		"long path element": func(m *Manifest, c *Component) {
			c.Frames[1].Continues.Path = strings.Repeat("x",
				256)
		},
		"continues at 0":          func(m *Manifest, c *Component) { c.Frames[1].Continues.Offset = 0 },
		"continues at the end":    func(m *Manifest, c *Component) { c.Frames[1].Continues.Offset = math.MaxInt64 },
		"continues nothing":       func(m *Manifest, c *Component) { c.Frames[1].Continues.Size = 0 },
		"continues beyond":        func(m *Manifest, c *Component) { c.Frames[1].Continues.Size = 513 },
		"continues with a gap":    func(m *Manifest, c *Component) { c.Frames[2].Continues.Offset++ },
		"continues a short piece": func(m *Manifest, c *Component) { c.Frames[1].Continues.Size = 100 },
		"component twice":         func(m *Manifest, c *Component) { m.Components = append(m.Components, *c) },
		"too many components": func(m *Manifest, c *Component) {
			m.Components = make([]Component,
				maxComponents+1)
		},
		"file name":            func(m *Manifest, c *Component) { m.Files[0].Name = "a/b" },
		"file is the manifest": func(m *Manifest, c *Component) { m.Files[0].Name = "Manifest.json" },
		"file is a component":  func(m *Manifest, c *Component) { m.Files[0].Name = "JDK.tar.zst" },
		"file size":            func(m *Manifest, c *Component) { m.Files[0].Size = maxFile + 1 },
		"file digest":          func(m *Manifest, c *Component) { m.Files[0].SHA256 = "x" },
		"total size": func(m *Manifest, c *Component) {
			m.Stub.Size = math.MaxInt64 / 4
		},
	} {
		m := validManifest()
		change(m, &m.Components[0])
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s: the manifest was encoded", name)
		}
		text, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeManifest(text); err == nil {
			t.Errorf("%s: the manifest was decoded", name)
		}
	}
}

func FuzzManifest(f *testing.F) {
	text, err := validManifest().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"schema":1,"release":{"fate":"","platform":"linux/amd64"},"stub":{"size":0,"sha256":""},"components":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := DecodeManifest(text)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("accepted %q, which encodes as %q (%v)", text, again, err)
		}
		var generic any
		if err := json.Unmarshal(text, &generic); err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Components {
			if c.TarSize() <= 0 || c.StoredSize() <= 0 {
				t.Fatalf("accepted impossible sizes: %q", text)
			}
		}
	})
}
