package rpc

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// encodeCall writes a methodCall.
func encodeCall(method string, params []any) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<methodCall><methodName>")
	writeText(&b, method)
	b.WriteString("</methodName><params>")
	for _, p := range params {
		b.WriteString("<param>")
		writeValue(&b, p)
		b.WriteString("</param>")
	}
	b.WriteString("</params></methodCall>\n")
	return b.Bytes()
}

// encodeResponse writes a methodResponse.
func encodeResponse(v any) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<methodResponse><params><param>")
	writeValue(&b, v)
	b.WriteString("</param></params></methodResponse>\n")
	return b.Bytes()
}

// encodeFault writes a methodResponse with a fault.
func encodeFault(f *Fault) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<methodResponse><fault>")
	writeValue(&b, map[string]any{"faultCode": f.Code, "faultString": f.Text})
	b.WriteString("</fault></methodResponse>\n")
	return b.Bytes()
}

func writeValue(b *bytes.Buffer, v any) {
	if done, ok := v.(encoded); ok {
		b.Write(done)
		return
	}
	b.WriteString("<value>")
	switch t := v.(type) {
	case nil:
		b.WriteString("<nil/>")
	case bool:
		if t {
			b.WriteString("<boolean>1</boolean>")
		} else {
			b.WriteString("<boolean>0</boolean>")
		}
	case int:
		writeInt(b, int64(t))
	case int64:
		writeInt(b, t)
	case float64:
		fmt.Fprintf(b, "<double>%s</double>", strconv.FormatFloat(t, 'f', -1, 64))
	case string:
		b.WriteString("<string>")
		writeText(b, t)
		b.WriteString("</string>")
	case []any:
		b.WriteString("<array><data>")
		for _, e := range t {
			writeValue(b, e)
		}
		b.WriteString("</data></array>")
	case map[string]any:
		b.WriteString("<struct>")
		for _, k := range slices.Sorted(maps.Keys(t)) {
			b.WriteString("<member><name>")
			writeText(b, k)
			b.WriteString("</name>")
			writeValue(b, t[k])
			b.WriteString("</member>")
		}
		b.WriteString("</struct>")
	default:
		writeValueInside(b, toPlain(v))
	}
	b.WriteString("</value>")
}

// writeValueInside writes a converted value into the value element that is open already.
func writeValueInside(b *bytes.Buffer, v any) {
	var inner bytes.Buffer
	writeValue(&inner, v)
	b.Write(bytes.TrimSuffix(bytes.TrimPrefix(inner.Bytes(), []byte("<value>")), []byte("</value>")))
}

func writeInt(b *bytes.Buffer, n int64) {
	kind := "int"
	if n < math.MinInt32 || n > math.MaxInt32 {
		kind = "i8" // a common extension; only our own methods need it
	}
	fmt.Fprintf(b, "<%s>%d</%s>", kind, n, kind)
}

// writeText escapes a text. A document cannot carry control characters or broken UTF-8 even escaped, and logs have
// both; they become U+FFFD.
func writeText(b *bytes.Buffer, s string) {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '\r':
			b.WriteString("&#13;") // a bare one would come back as a newline
		case r < ' ' && r != '\t' && r != '\n', r == 0xfffe, r == 0xffff:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
		s = s[n:]
	}
}

// toPlain turns a struct, slice or map of any type into the plain types writeValue knows, by its JSON form.
func toPlain(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var plain any
	if err := dec.Decode(&plain); err != nil {
		return fmt.Sprint(v)
	}
	return numbers(plain)
}

// numbers replaces JSON's numbers by integers where they are whole.
func numbers(v any) any {
	switch t := v.(type) {
	case json.Number:
		if n, err := t.Int64(); err == nil {
			return n
		}
		f, _ := t.Float64()
		return f
	case []any:
		for i := range t {
			t[i] = numbers(t[i])
		}
	case map[string]any:
		for k := range t {
			t[k] = numbers(t[k])
		}
	}
	return v
}

// fromPlain fills a value of any type from plain types, by their JSON form.
func fromPlain(plain, v any) error {
	data, err := json.Marshal(plain)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return fmt.Errorf("cannot understand the supervisor's answer: %w", err)
	}
	return nil
}
