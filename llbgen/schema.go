package llbgen

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/distribution/reference"

	"github.com/samforge/samforge/source"
)

// SchemaURL is where the JSON Schema of the build file is published.
const SchemaURL = "https://raw.githubusercontent.com/samforge/samforge/main/docs/samforge.schema.json"

// object is a JSON object, such as a schema.
type object map[string]any

// Schema returns the JSON Schema of the build file, for editors and other tools:
// https://json-schema.org/draft/2020-12. It has the keys and values that [Load] accepts, except
// that it refuses empty strings where a value has a pattern. It cannot express what depends on
// several values or on build arguments, so no key is required.
func Schema() ([]byte, error) {
	fields := map[string]Field{}
	for _, f := range Fields() {
		fields[f.Path] = f
	}
	root := schemaOf(fields, "", reflect.TypeFor[File]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = SchemaURL
	root["title"] = "samforge build file"
	root["type"] = "object"
	root["allOf"] = foreignKeys()

	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(root)
	return out.Bytes(), err
}

// schemaOf returns the schema of what the decoder reads into a value of type t. null is allowed
// everywhere, as if the key were missing.
func schemaOf(fields map[string]Field, path string, t reflect.Type) object {
	f := fields[path]
	s := object{}
	if f.Help != "" {
		s["description"] = f.Help
	}
	switch t.Kind() {
	case reflect.String:
		describeString(s, f)
	case reflect.Slice:
		s["type"] = types("array")
		s["items"] = schemaOf(fields, path+"[]", t.Elem())
	case reflect.Map:
		s["type"] = types("object")
		describeMap(s, f, t)
	case reflect.Struct:
		s["type"] = types("object")
		properties := object{}
		for key, field := range keysOf(t) {
			properties[key] = schemaOf(fields, source.Join(path, key), field)
		}
		s["properties"] = properties
		s["additionalProperties"] = false
	}
	if canDisable(t) {
		s["type"] = types("object", "boolean")
	}
	return s
}

func types(names ...string) []string { return append(names, "null") }

func describeString(s object, f Field) {
	s["type"] = types("string")
	if f.number {
		s["type"] = types("string", "number")
	}
	if f.pattern != "" {
		s["pattern"] = f.pattern
	}
	if f.Default != "" {
		s["default"] = f.Default
	}
	if f.Example != "" {
		s["examples"] = []string{f.Example}
	}
	if len(f.Values) > 0 {
		values := []any{}
		for _, v := range f.Values {
			values = append(values, v)
		}
		s["enum"] = append(values, nil)
	}
}

func describeMap(s object, f Field, t reflect.Type) {
	switch {
	case t == reflect.TypeFor[Mirrors]():
		url := object{"type": types("string"), "pattern": urlPattern}
		s["patternProperties"] = object{urlPattern: url}
		s["additionalProperties"] = object{"type": types("string"), "minLength": 1, "not": object{"type": "string", "pattern": urlPattern}}
	case len(f.keys) > 0:
		properties := object{}
		for _, key := range f.keys {
			properties[key] = object{"type": types("string"), "pattern": f.pattern}
		}
		s["properties"] = properties
		s["additionalProperties"] = false
	default:
		s["additionalProperties"] = object{"type": types("string", "number", "boolean")}
	}
}

// foreignKeys returns a rule for each kind that refuses the keys of other kinds.
func foreignKeys() []object {
	var rules []object
	for _, kind := range KindNames() {
		refused := object{}
		for _, f := range foreignFields(kind) {
			if path := strings.Split(f.Path, "."); len(path) == 1 || strings.HasSuffix(path[0], "[]") {
				refuse(refused, path)
			}
		}
		if len(refused) > 0 {
			rules = append(rules, object{
				"if":   object{"properties": object{"kind": object{"const": kind}}, "required": []string{"kind"}},
				"then": refused,
			})
		}
	}
	return rules
}

// refuse makes a schema refuse the key at path.
func refuse(s object, path []string) {
	name, inList := strings.CutSuffix(path[0], "[]")
	properties := s.child("properties")
	if len(path) == 1 {
		properties[name] = false
		return
	}
	below := properties.child(name)
	if inList {
		below = below.child("items")
	}
	refuse(below, path[1:])
}

// child returns the object at key, and makes it if there is none.
func (o object) child(key string) object {
	if _, ok := o[key].(object); !ok {
		o[key] = object{}
	}
	return o[key].(object)
}

// urlPattern is what isURL accepts.
const urlPattern = "^https?://"

// imagePattern is the grammar of an image reference as a regular expression of JavaScript, which
// JSON Schema uses: https://pkg.go.dev/github.com/distribution/reference
func imagePattern() string {
	return strings.ReplaceAll(reference.ReferenceRegexp.String(), "[[:xdigit:]]", "[0-9A-Fa-f]")
}

// repositoryPattern is the grammar of an image reference without tag or digest.
func repositoryPattern() string { return "^" + reference.NameRegexp.String() + "$" }
