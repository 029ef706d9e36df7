// Package yamltext writes YAML that PyYAML and every other reader, of YAML 1.1 or 1.2, take for the same.
package yamltext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// LiteralTag before a value says that it is meant as it stands.
const LiteralTag = "!!str"

// IsTemplate reports whether ansible would replace all of a text.
func IsTemplate(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, "{{") && strings.HasSuffix(text, "}}")
}

// Map is a YAML mapping in a chosen order.
type Map = yaml.MapSlice

// quotedText is a string that PyYAML reads back unchanged. A text that any YAML 1.1 parser could take for something
// else, or that holds an indicator, is written as a JSON string, which is also a YAML string.
type quotedText string

// plainText needs no quotes under YAML 1.1 and 1.2 as long as it is not one of the words below. A text of digits, dots,
// colons or underscores alone could be a number, a time or a sexagesimal, so a letter or slash has to come first.
var plainText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./+#@-]*(:[A-Za-z0-9_./+#@-]+)*$`)
})

var yamlWords = map[string]bool{
	"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true, "true": true, "false": true, "null": true,
}

// MarshalYAML implements yaml.BytesMarshaler.
func (t quotedText) MarshalYAML() ([]byte, error) {
	if plainText().MatchString(string(t)) && !yamlWords[strings.ToLower(string(t))] {
		return []byte(t), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(t)); err != nil {
		return nil, err
	}
	if IsTemplate(string(t)) {
		return append([]byte(LiteralTag+" "), bytes.TrimSpace(b.Bytes())...), nil
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// Text turns a Go string into what upstream's templates produce: nothing for nothing, otherwise the text.
func Text(s string) any {
	if s == "" {
		return nil
	}
	if ipv4Text().MatchString(s) { // four numbers are no YAML number
		return Plain(s)
	}
	return quotedText(s)
}

var ipv4Text = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){3}$`)
})

// Plain is written as it stands.
type Plain string

// MarshalYAML implements yaml.BytesMarshaler.
func (p Plain) MarshalYAML() ([]byte, error) { return []byte(p), nil }

// Item is an entry of a Map; a string value becomes a [Text].
func Item(key string, value any) yaml.MapItem {
	if s, ok := value.(string); ok {
		value = Text(s)
	}
	return yaml.MapItem{Key: key, Value: value}
}

// Encode is the text of a mapping.
func Encode(m Map) ([]byte, error) {
	b, err := yaml.MarshalWithOptions(m, yaml.Indent(2), yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("cannot encode YAML: %w", err)
	}
	return b, nil
}

// Texts is [Text] of each.
func Texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = Text(s)
	}
	return out
}
