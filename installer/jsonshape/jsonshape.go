// Package jsonshape compares JSON documents with the types that they are written from. Tests of commands use it.
package jsonshape

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Compare compares the keys of a document with those of its type, in both directions, and decodes it strictly.
func Compare(data []byte, typ reflect.Type) []string {
	strict := json.NewDecoder(strings.NewReader(string(data)))
	strict.DisallowUnknownFields()
	var wrong []string
	if err := strict.Decode(reflect.New(typ).Interface()); err != nil {
		wrong = append(wrong, err.Error())
	}
	var have any
	if err := json.Unmarshal(data, &have); err != nil {
		return append(wrong, err.Error())
	}
	return append(wrong, compareKeys("$", have, typ)...)
}

// compareKeys walks a document along its type. A strict decoder does not look into types that decode themselves.
func compareKeys(at string, have any, typ reflect.Type) (wrong []string) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch v := have.(type) {
	case []any:
		for i, item := range v {
			wrong = append(wrong, compareKeys(fmt.Sprintf("%s[%d]", at, i), item, typ.Elem())...)
		}
	case map[string]any:
		if typ.Kind() == reflect.Map {
			for key, item := range v {
				wrong = append(wrong, compareKeys(at+"."+key, item, typ.Elem())...)
			}
			break
		}
		known := map[string]bool{}
		for _, k := range Keys(typ) {
			known[k.Name] = true
			item, ok := v[k.Name]
			if !ok && !k.Optional {
				wrong = append(wrong, fmt.Sprintf("%s has no %s", at, k.Name))
			}
			wrong = append(wrong, compareKeys(at+"."+k.Name, item, k.Field.Type)...)
		}
		for key := range v {
			if !known[key] {
				wrong = append(wrong, fmt.Sprintf("%s.%s is no key of %s", at, key, typ))
			}
		}
	}
	return wrong
}

// Key is a key of an object.
type Key struct {
	Name     string // as encoding/json writes it
	Optional bool   // omitted when empty
	Field    reflect.StructField
	Owner    reflect.Type // the struct that has the field, which may be embedded
}

// Keys lists the keys that encoding/json writes for a struct.
func Keys(typ reflect.Type) []Key {
	var keys []Key
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag, given := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && !given:
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			keys = append(keys, Keys(inner)...)
			continue
		case !f.IsExported() || tag == "-":
			continue
		}
		k := Key{Name: cmp.Or(name, f.Name), Optional: strings.Contains(options, "omit"), Field: f, Owner: typ}
		// A key of the outer struct hides that of an embedded one.
		keys = slices.DeleteFunc(keys, func(have Key) bool { return have.Name == k.Name })
		if f.Tag.Get("jsondoc") != "-" {
			keys = append(keys, k)
		}
	}
	return keys
}
