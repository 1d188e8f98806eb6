package samtemplate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// maxJSON is the maximum size in bytes of a template as JSON, in which anchors are written out.
const maxJSON = 64 << 20

// JSON returns the text of a template as JSON, in the form of `sam package --use-json`: functions in
// their long form, keys in their order, anchors and merge keys written out, and no comments. A text
// that is JSON is returned as it is. Numbers keep their digits, and what JSON has no type for is a
// string.
func JSON(name string, text []byte) ([]byte, error) {
	if json.Valid(text) {
		return text, nil
	}
	doc := source.New(name, text, syntax())
	root, ok := doc.Root()
	if !ok {
		return nil, errors.Join(errors.New("write the template as JSON"), doc.Err())
	}
	var compact, out bytes.Buffer
	if err := writeJSON(&compact, root); err != nil {
		return nil, fmt.Errorf("write the template as JSON: %w", err)
	}
	if err := json.Indent(&out, compact.Bytes(), "", "    "); err != nil {
		return nil, fmt.Errorf("write the template as JSON: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func writeJSON(out *bytes.Buffer, v source.Value) error {
	if out.Len() > maxJSON {
		return fmt.Errorf("it has more than %d bytes with its anchors written out", maxJSON)
	}
	if tag := v.Tag(); tag != "" {
		return writeCall(out, strings.TrimPrefix(tag, "!"), v.Untagged())
	}
	switch v.Node.Kind {
	case yaml.MappingNode:
		return writeMapping(out, v)
	case yaml.SequenceNode:
		out.WriteByte('[')
		first := true
		for item := range v.Items() {
			comma(out, &first)
			if err := writeJSON(out, item); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	default:
		out.WriteString(scalarJSON(v.Node))
	}
	return nil
}

func writeMapping(out *bytes.Buffer, v source.Value) error {
	out.WriteByte('{')
	first := true
	for key, value := range v.Entries() {
		comma(out, &first)
		out.WriteString(quoted(key.Node.Value) + ":")
		if err := writeJSON(out, value); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

func comma(out *bytes.Buffer, first *bool) {
	if !*first {
		out.WriteByte(',')
	}
	*first = false
}

// writeCall writes an intrinsic function in its long form. `!GetAtt A.B` has a list as its argument
// there.
func writeCall(out *bytes.Buffer, name string, arg source.Value) error {
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	out.WriteString("{" + quoted(name) + ":")
	if resource, attribute, ok := strings.Cut(arg.Node.Value, "."); name == "Fn::GetAtt" && arg.Node.Kind == yaml.ScalarNode && ok {
		out.WriteString("[" + quoted(resource) + "," + quoted(attribute) + "]")
	} else if err := writeJSON(out, arg); err != nil {
		return err
	}
	out.WriteByte('}')
	return nil
}

func scalarJSON(node *yaml.Node) string {
	switch node.Tag {
	case "!!null":
		return "null"
	case "!!bool":
		return strings.ToLower(node.Value)
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			return node.Value
		}
	}
	return quoted(node.Value)
}
