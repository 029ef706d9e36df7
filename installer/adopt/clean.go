package adopt

import "reflect"

// Clean replaces every text of the plan by what clean makes of it. The service user chose many of them: names of files,
// targets of links, lines of crontabs.
func (p *Plan) Clean(clean func(string) string) { cleanAll(reflect.ValueOf(p).Elem(), clean) }

func cleanAll(v reflect.Value, clean func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(clean(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			cleanAll(v.Elem(), clean)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				cleanAll(f, clean)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			cleanAll(v.Index(i), clean)
		}
	case reflect.Map: // its elements cannot be set
		for _, key := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(key))
			cleanAll(element, clean)
			name := reflect.New(key.Type()).Elem()
			name.Set(key)
			cleanAll(name, clean)
			v.SetMapIndex(key, reflect.Value{})
			v.SetMapIndex(name, element)
		}
	}
}
