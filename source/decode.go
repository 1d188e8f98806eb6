package source

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Decode reads the file into out, a pointer to a struct with yaml tags. Unknown keys and wrong
// types are recorded as mistakes, like those of [Document.Root].
//
// A field with the tag ",inline" is a map whose keys are keys of the struct too, and whose values
// are pointers to structs.
func (d *Document) Decode(out any) {
	if root, ok := d.Root(); ok {
		d.decode(root, reflect.ValueOf(out).Elem())
	}
}

// maxEntries is the most entries of a list: far more than anyone has base images.
const maxEntries = 10_000

// decode reads a value into out, which is a struct, a slice of structs, a map of strings or a
// string.
func (d *Document) decode(v Value, out reflect.Value) {
	d.places[v.Path] = v.Position()
	if v.IsNull() {
		return
	}
	if off, ok := out.Addr().Interface().(Switchable); ok && v.Node.Kind == yaml.ScalarNode {
		v.boolean(off)
		return
	}
	switch out.Kind() {
	case reflect.String:
		if text, ok := v.Scalar(); ok {
			out.SetString(text)
		}
	case reflect.Slice:
		if n := len(v.Node.Content); v.Node.Kind == yaml.SequenceNode && n > maxEntries {
			v.Errorf("the list has %d entries, and at most %d can be in one file: split it", n, maxEntries)
			return
		}
		for item := range v.Items() {
			out.Set(reflect.Append(out, reflect.Zero(out.Type().Elem())))
			d.decode(item, out.Index(out.Len()-1))
		}
	case reflect.Map:
		out.Set(reflect.MakeMap(out.Type()))
		for key, value := range v.Entries() {
			if value.IsNull() {
				continue
			}
			item := reflect.New(out.Type().Elem()).Elem()
			d.decode(value, item)
			out.SetMapIndex(reflect.ValueOf(key.Node.Value), item)
		}
	case reflect.Struct:
		fields := fieldsOf(out)
		for key, value := range v.Entries() {
			field, ok := fields[key.Node.Value]
			if !ok {
				v.UnknownKey(key, slices.Sorted(maps.Keys(fields)))
				continue
			}
			d.decode(value, field)
		}
	}
}

// Switchable is a value that is left out if the file says false in its place.
type Switchable interface {
	// Disable is called if the file says false.
	Disable()
}

// boolean reads the scalar in place of a Switchable, which must be a boolean.
func (v Value) boolean(off Switchable) {
	switch value := strings.ToLower(v.Node.Value); {
	case v.Node.Tag == "!!bool" && value == "false":
		off.Disable()
	case v.Node.Tag == "!!bool" && value == "true": // the default
	case value == "false":
		v.Errorf("%q in quotes is a string: write it without quotes", v.Node.Value)
	default:
		v.WrongType("a mapping, or false to leave it out")
	}
}

// inline is the tag of a field whose keys are keys of the struct.
const inline = ",inline"

// fieldsOf maps the keys of a struct to its fields.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Tag.Get("yaml"); name {
		case "-":
		case inline:
			for _, key := range v.Field(i).MapKeys() {
				fields[key.String()] = v.Field(i).MapIndex(key).Elem().Elem()
			}
		default:
			fields[name] = v.Field(i)
		}
	}
	return fields
}
