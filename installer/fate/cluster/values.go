package cluster

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Value is one setting of a cluster with the place it comes from.
type Value struct {
	Path   string `json:"path"`   // the key with those above it, joined by dots
	Value  string `json:"value"`  // its value as text; passwords are hidden
	Origin string `json:"origin"` // file:line:column, "default", or what it was derived from
}

// Values lists every setting of a cluster in the order of the schema. Passwords are hidden.
func (c *Cluster) Values() []Value {
	w := &valueWalker{c: c}
	for _, s := range c.Sides() {
		v := reflect.ValueOf(s).Elem()
		for i := range v.NumField() {
			if key := v.Type().Field(i).Tag.Get("yaml"); key != "-" && s.shows(key) {
				path := join(string(s.Role), key)
				w.walk(v.Field(i), path, path)
			}
		}
	}
	w.walk(reflect.ValueOf(c.OS), "os", "os")
	w.walk(reflect.ValueOf(c.Heal), "heal", "heal")
	return w.out
}

type valueWalker struct {
	c   *Cluster
	out []Value
}

// oldWords are keys of the 1.5 form: what they say is listed under the keys it became.
var oldWords = map[string]bool{"default_rules": true, "rules": true, "pool_size": true, "id": true}

// isGenerated reports whether a key of a side is for a password that is generated where the cluster file has none.
func isGenerated(key string) bool {
	return slices.ContainsFunc(secretTable, func(e secretEntry) bool {
		return key == e.key || key == "secrets."+e.name
	})
}

// sparkKeys are the blocks that only the engine spark uses, and eggrollKeys the ones it does not.
var (
	sparkKeys   = map[string]bool{"spark": true, "hive": true, "hdfs": true, "rabbitmq": true, "pulsar": true}
	eggrollKeys = map[string]bool{"rollsite": true, "clustermanager": true, "nodemanager": true, "eggroll": true}
)

// sideKeys are the keys of a side in the order of the cluster file.
func sideKeys() []string {
	var out []string
	side := reflect.TypeFor[Side]()
	for i := range side.NumField() {
		if key := side.Field(i).Tag.Get("yaml"); key != "-" {
			out = append(out, key)
		}
	}
	return out
}

// shows reports whether a block of a side means anything for it.
func (s *Side) shows(key string) bool {
	switch {
	case s.Role == RoleExchange:
		return key == "rollsite"
	case s.FateFlow.DefaultEngines == "spark":
		return !eggrollKeys[key]
	}
	return !sparkKeys[key]
}

// walk lists the settings below v. path is where they are in the cluster now, source where they were read.
func (w *valueWalker) walk(v reflect.Value, path, source string) {
	switch {
	case v.Type() == reflect.TypeFor[Secret]():
		s := v.Interface().(Secret)
		shown := s.String()
		switch {
		case !s.IsZero():
		case isGenerated(path[strings.Index(path, ".")+1:]):
			shown = "(generated during installation)"
		default:
			shown = ""
		}
		w.add(path, source, shown)
		return
	case v.Kind() == reflect.Struct:
		if at := v.FieldByName("At"); at.IsValid() {
			source = at.String()
		}
		for i := range v.NumField() {
			key := v.Type().Field(i).Tag.Get("yaml")
			routes := v.Type() == reflect.TypeFor[PartyRoutes]() || v.Type() == reflect.TypeFor[MQRoutes]()
			if key == "" || key == "-" || oldWords[key] && !routes {
				continue
			}
			w.walk(v.Field(i), join(path, key), join(source, key))
		}
		return
	case v.Kind() == reflect.Map:
		for _, key := range slices.Sorted(maps.Keys(v.Interface().(map[string]string))) {
			w.walk(v.MapIndex(reflect.ValueOf(key)), join(path, key), join(source, key))
		}
		return
	case v.Kind() == reflect.Slice:
		if v.Len() == 0 {
			w.add(path, source, "[]")
		}
		for i := range v.Len() {
			index := "[" + strconv.Itoa(i) + "]"
			w.walk(v.Index(i), path+index, source+index)
		}
		return
	}
	w.add(path, source, fmt.Sprint(v.Interface()))
}

func (w *valueWalker) add(path, source, value string) {
	w.out = append(w.out, Value{path, value, w.origin(path, source)})
}

func (w *valueWalker) origin(path, source string) string {
	if p, ok := w.c.Origin(source); ok {
		return p.String()
	}
	if path == source {
		return "default"
	}
	if p := w.c.At("%s", source); !p.IsZero() {
		return "derived from " + p.String()
	}
	return "default"
}
