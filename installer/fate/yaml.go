package fate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

// yamlMap is a YAML mapping in a chosen order.
type yamlMap = yaml.MapSlice

// yamlText is a string that PyYAML reads back unchanged. A text that any YAML 1.1 parser could take for something
// else, or that holds an indicator, is written as a JSON string, which is also a YAML string.
type yamlText string

// plainText needs no quotes under YAML 1.1 and 1.2 as long as it is not one of the words below. A text of digits, dots,
// colons or underscores alone could be a number, a time or a sexagesimal, so a letter or slash has to come first.
var plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./+#@-]*(:[A-Za-z0-9_./+#@-]+)*$`)

var yamlWords = map[string]bool{
	"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true, "true": true, "false": true, "null": true,
}

// MarshalYAML implements yaml.BytesMarshaler.
func (t yamlText) MarshalYAML() ([]byte, error) {
	if plainText.MatchString(string(t)) && !yamlWords[strings.ToLower(string(t))] {
		return []byte(t), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(t)); err != nil {
		return nil, err
	}
	if isTemplate(string(t)) {
		return append([]byte(literalTag+" "), bytes.TrimSpace(b.Bytes())...), nil
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// text turns a Go string into what upstream's templates produce: nothing for nothing, otherwise the text.
func text(s string) any {
	if s == "" {
		return nil
	}
	if ipv4Text.MatchString(s) { // four numbers are no YAML number
		return plainYAML(s)
	}
	return yamlText(s)
}

var ipv4Text = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){3}$`)

// plainYAML is written as it stands.
type plainYAML string

// MarshalYAML implements yaml.BytesMarshaler.
func (p plainYAML) MarshalYAML() ([]byte, error) { return []byte(p), nil }

func item(key string, value any) yaml.MapItem {
	if s, ok := value.(string); ok {
		value = text(s)
	}
	return yaml.MapItem{Key: key, Value: value}
}

func encodeYAML(m yamlMap) ([]byte, error) {
	b, err := yaml.MarshalWithOptions(m, yaml.Indent(2), yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("cannot encode YAML: %w", err)
	}
	return b, nil
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}
