package configs

import (
	"iter"
	"maps"
	"reflect"
	"slices"
)

// What [Config] is made of, in constant tables.
var (
	fields   = fieldTypes()                              // type of every field by its dotted key
	keys     = slices.Sorted(maps.Keys(fields))          // of the fields
	sections = slices.Compact(slices.Sorted(prefixes())) // dotted paths that keys begin with
)

func fieldTypes() map[string]reflect.Type {
	out := map[string]reflect.Type{}
	walk(reflect.ValueOf(Config{}), "", func(key string, v reflect.Value) { out[key] = v.Type() })
	return out
}

// walk calls f with every field that is no section, in their order.
func walk(v reflect.Value, prefix string, f func(key string, v reflect.Value)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := prefix + field.Tag.Get("mapstructure")
		switch {
		case !field.IsExported():
		case field.Type.Kind() == reflect.Struct:
			walk(v.Field(i), key+".", f)
		default:
			f(key, v.Field(i))
		}
	}
}

func prefixes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, key := range keys {
			for i := range key {
				if key[i] == '.' && !yield(key[:i]) {
					return
				}
			}
		}
	}
}
