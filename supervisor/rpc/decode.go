package rpc

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bounds of what is decoded. A request of this API has a handful of short parameters; a response may list thousands
// of programs. What is beyond is an attack or a mistake.
const (
	maxRequestBytes  = 1 << 20
	maxResponseBytes = 64 << 20
	maxDepth         = 24
	maxRequestValues = 10_000
)

// Fault is an XML-RPC error. Its codes are those of supervisor; see ochinchina/supervisord's faults package.
type Fault struct {
	Code int
	Text string
}

func (f *Fault) Error() string { return f.Text }

var errXMLRPC = errors.New("it is not XML-RPC")

// decoder reads the values of one document. XML-RPC's types become nil, bool, int64, float64, string, []byte,
// time.Time, []any and map[string]any.
type decoder struct {
	x      *xml.Decoder
	values int // how many may still come
}

func newDecoder(r io.Reader, values int) *decoder {
	x := xml.NewDecoder(r)
	// encoding/xml resolves no external entities and knows no internal ones but the five of XML: there is no bomb
	// to defuse. Another character set than UTF-8 is refused.
	return &decoder{x: x, values: values}
}

// decodeCall reads a methodCall.
func decodeCall(r io.Reader) (method string, params []any, err error) {
	d := newDecoder(r, maxRequestValues)
	if err := d.open("methodCall"); err != nil {
		return "", nil, err
	}
	for {
		start, err := d.next()
		if err != nil {
			return "", nil, err
		}
		if start == nil {
			if method == "" {
				return "", nil, errXMLRPC
			}
			return method, params, nil
		}
		switch start.Name.Local {
		case "methodName":
			text, err := d.text()
			if err != nil {
				return "", nil, err
			}
			method = strings.TrimSpace(text)
		case "params":
			if params, err = d.params(); err != nil {
				return "", nil, err
			}
		default:
			return "", nil, errXMLRPC
		}
	}
}

// decodeResponse reads a methodResponse; a fault in it is the error.
func decodeResponse(r io.Reader) (any, error) {
	d := newDecoder(io.LimitReader(r, maxResponseBytes), math.MaxInt)
	if err := d.open("methodResponse"); err != nil {
		return nil, err
	}
	start, err := d.next()
	if err != nil || start == nil {
		return nil, errors.Join(errXMLRPC, err)
	}
	switch start.Name.Local {
	case "params":
		params, err := d.params()
		if err != nil || len(params) != 1 {
			return nil, errors.Join(errXMLRPC, err)
		}
		return params[0], nil
	case "fault":
		v, err := d.value(0)
		if err != nil {
			return nil, err
		}
		m, _ := v.(map[string]any)
		code, _ := m["faultCode"].(int64)
		text, _ := m["faultString"].(string)
		return nil, &Fault{int(code), text}
	}
	return nil, errXMLRPC
}

// open reads up to the start of the outermost element.
func (d *decoder) open(name string) error {
	start, err := d.next()
	if err != nil {
		return err
	}
	if start == nil || start.Name.Local != name {
		return errXMLRPC
	}
	return nil
}

// next returns the next element inside the current one, or nil at its end. Text between elements is skipped.
func (d *decoder) next() (*xml.StartElement, error) {
	for {
		tok, err := d.x.RawToken()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errXMLRPC, err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil
		case xml.Directive:
			return nil, errXMLRPC // a document type: nothing here needs one
		}
	}
}

// text returns the text of the current element, which must contain nothing else.
func (d *decoder) text() (string, error) {
	var b strings.Builder
	for {
		tok, err := d.x.RawToken()
		if err != nil {
			return "", fmt.Errorf("%w: %w", errXMLRPC, err)
		}
		switch t := tok.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		case xml.StartElement, xml.Directive:
			return "", errXMLRPC
		}
	}
}

// params reads the param elements of the current element.
func (d *decoder) params() ([]any, error) {
	out := []any{}
	for {
		start, err := d.next()
		if err != nil || start == nil {
			return out, err
		}
		if start.Name.Local != "param" {
			return nil, errXMLRPC
		}
		v, err := d.value(0)
		if err != nil {
			return nil, err
		}
		if err := d.end(); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// end expects the end of the current element.
func (d *decoder) end() error {
	start, err := d.next()
	if err == nil && start != nil {
		err = errXMLRPC
	}
	return err
}

// value reads a value element.
func (d *decoder) value(depth int) (any, error) {
	start, err := d.next()
	if err != nil {
		return nil, err
	}
	if start == nil || start.Name.Local != "value" {
		return nil, errXMLRPC
	}
	return d.inValue(depth)
}

// inValue reads what is inside a value element: a typed element, or bare text, which is a string.
func (d *decoder) inValue(depth int) (any, error) {
	if d.values--; d.values < 0 || depth > maxDepth {
		return nil, errors.New("it has too many values, or nests them too deep")
	}
	var bare strings.Builder
	for {
		tok, err := d.x.RawToken()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errXMLRPC, err)
		}
		switch t := tok.(type) {
		case xml.CharData:
			bare.Write(t)
		case xml.EndElement:
			return bare.String(), nil
		case xml.StartElement:
			v, err := d.typed(t.Name.Local, depth)
			if err != nil {
				return nil, err
			}
			return v, d.end()
		case xml.Directive:
			return nil, errXMLRPC
		}
	}
}

func (d *decoder) typed(kind string, depth int) (any, error) {
	switch kind {
	case "array":
		return d.array(depth)
	case "struct":
		return d.structure(depth)
	}
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	switch kind {
	case "string":
		return text, nil
	case "nil":
		return nil, nil
	}
	text = strings.TrimSpace(text)
	var v any
	switch kind {
	case "int", "i4", "i8":
		v, err = strconv.ParseInt(text, 10, 64)
	case "boolean":
		v, err = strconv.ParseBool(text)
	case "double":
		v, err = strconv.ParseFloat(text, 64)
	case "base64":
		v, err = base64.StdEncoding.DecodeString(text)
	case "dateTime.iso8601":
		v, err = time.ParseInLocation("20060102T15:04:05", text, time.Local)
	default:
		return nil, errXMLRPC
	}
	if err != nil {
		return nil, fmt.Errorf("%w: bad %s", errXMLRPC, kind)
	}
	return v, nil
}

func (d *decoder) array(depth int) (any, error) {
	start, err := d.next()
	if err != nil {
		return nil, err
	}
	if start == nil || start.Name.Local != "data" {
		return nil, errXMLRPC
	}
	out := []any{}
	for {
		start, err := d.next()
		if err != nil {
			return nil, err
		}
		if start == nil {
			return out, d.end()
		}
		if start.Name.Local != "value" {
			return nil, errXMLRPC
		}
		v, err := d.inValue(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func (d *decoder) structure(depth int) (any, error) {
	out := make(map[string]any)
	for {
		start, err := d.next()
		if err != nil {
			return nil, err
		}
		if start == nil {
			return out, nil
		}
		if start.Name.Local != "member" {
			return nil, errXMLRPC
		}
		if err := d.open("name"); err != nil {
			return nil, err
		}
		name, err := d.text()
		if err != nil {
			return nil, err
		}
		if out[name], err = d.value(depth + 1); err != nil {
			return nil, err
		}
		if err := d.end(); err != nil {
			return nil, err
		}
	}
}
