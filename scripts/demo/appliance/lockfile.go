package appliance

import (
	"bytes"
	"fmt"

	"github.com/goccy/go-yaml"
)

// The lock file, as far as the demo uses its format; see package fate-installer/bundle.

type lockFile struct {
	Schema     int             `yaml:"schema"`
	Release    lockRelease     `yaml:"release"`
	Components []lockComponent `yaml:"components"`
}

type lockRelease struct {
	FATE     string            `yaml:"fate"`
	Platform string            `yaml:"platform"`
	Env      map[string]string `yaml:"env"`
}

type lockComponent struct {
	Name        string       `yaml:"name"`
	Version     string       `yaml:"version"`
	License     string       `yaml:"license"`
	Platform    string       `yaml:"platform,omitempty"`
	LibraryPath []string     `yaml:"library_path,omitempty,flow"`
	StandIn     bool         `yaml:"stand_in,omitempty"`
	Sources     []lockSource `yaml:"sources"`
}

type lockSource struct {
	Path    string   `yaml:"path"`
	Format  string   `yaml:"format,omitempty"`
	SHA256  string   `yaml:"sha256,omitempty"`
	Size    int64    `yaml:"size,omitempty"`
	Include []string `yaml:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty"`
	Rename  []rename `yaml:"rename,omitempty"`
}

type rename struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

const lockHeader = "# Written by the demo. The digests of .deb files come from apt's signed package lists.\n"

func (l lockFile) encode() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(lockHeader)
	if err := yaml.NewEncoder(&b, yaml.Indent(2), yaml.IndentSequence(true)).Encode(l); err != nil {
		return nil, fmt.Errorf("cannot encode the demo's lock file: %w", err)
	}
	return b.Bytes(), nil
}
