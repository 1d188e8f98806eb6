package samconfig

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
	"go.yaml.in/yaml/v4"
)

// value is a value of a TOML or YAML file, and where it is.
type value struct {
	kind   string // what it is, for people; "" if there is no value
	text   string // of a scalar, as it is written in YAML
	fields map[string]value
	items  []value
	file   string
	line   int // 0 if it is not known
}

// The kinds of values. YAML has no fractions, because it keeps the text of its numbers.
const (
	kindText     = "a text"
	kindTable    = "a table"
	kindList     = "a list"
	kindNumber   = "a number"
	kindFraction = "a number with a fraction"
	kindBool     = "true or false"
	kindNull     = "null"
)

// errorf returns an error about the value, with its place.
func (v value) errorf(format string, args ...any) error {
	place := v.file
	if v.line > 0 {
		place += ":" + strconv.Itoa(v.line)
	}
	return fmt.Errorf(place+": "+format, args...)
}

// parse reads a file whose name says if it is YAML; otherwise it is TOML. The result is a table,
// or empty.
func parse(name string, data []byte) (value, error) {
	root := value{file: name, kind: kindTable}
	if extension := filepath.Ext(name); extension == ".yaml" || extension == ".yml" {
		var node yaml.Node
		if err := yaml.Unmarshal(data, &node); err != nil {
			return root, fmt.Errorf("%s: %w", name, err)
		}
		// Decoding finds keys that are there twice.
		var all any
		if err := node.Decode(&all); err != nil {
			return root, fmt.Errorf("%s: %w", name, err)
		}
		if all == nil {
			return root, nil
		}
		root = fromYAML(name, &node)
	} else {
		var all map[string]any
		if err := toml.Unmarshal(data, &all); err != nil {
			var mistake *toml.DecodeError
			if errors.As(err, &mistake) {
				root.line, _ = mistake.Position()
			}
			return root, root.errorf("%w", err)
		}
		root = fromTOML(name, all, nil, 1, tomlLines(data))
	}
	if root.kind != kindTable {
		return root, root.errorf("the file is %s: expected a table", root.kind)
	}
	return root, nil
}

func fromYAML(name string, n *yaml.Node) value {
	v := value{file: name, line: n.Line, text: n.Value}
	switch n.Kind {
	case yaml.DocumentNode:
		return fromYAML(name, n.Content[0])
	case yaml.AliasNode:
		return fromYAML(name, n.Alias)
	case yaml.SequenceNode:
		v.kind = kindList
		for _, item := range n.Content {
			v.items = append(v.items, fromYAML(name, item))
		}
	case yaml.MappingNode:
		v.kind, v.fields = kindTable, map[string]value{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v.fields[n.Content[i].Value] = fromYAML(name, n.Content[i+1])
		}
	default:
		switch n.ShortTag() {
		case "!!null":
			v.kind, v.text = kindNull, ""
		case "!!bool":
			v.kind = kindBool
		case "!!int", "!!float":
			v.kind = kindNumber
		default:
			v.kind = kindText
		}
	}
	return v
}

// fromTOML returns a value at a path. What has no line of its own is on that of the value around.
func fromTOML(name string, from any, path []string, line int, lines map[string]int) value {
	if own := lines[strings.Join(path, "\x00")]; own > 0 {
		line = own
	}
	v := value{file: name, line: line}
	switch from := from.(type) {
	case map[string]any:
		v.kind, v.fields = kindTable, map[string]value{}
		for key, field := range from {
			v.fields[key] = fromTOML(name, field, append(path[:len(path):len(path)], key), line, lines)
		}
	case []any:
		v.kind = kindList
		for _, item := range from {
			v.items = append(v.items, fromTOML(name, item, path, line, lines))
		}
	case string:
		v.kind, v.text = kindText, from
	case bool:
		v.kind, v.text = kindBool, strconv.FormatBool(from)
	case int64:
		v.kind, v.text = kindNumber, strconv.FormatInt(from, 10)
	case float64:
		v.kind = kindFraction
	case time.Time:
		v.kind, v.text = kindText, from.Format(time.RFC3339Nano)
	default: // a local date or time
		v.kind, v.text = kindText, fmt.Sprint(from)
	}
	return v
}

// tomlLines returns the lines of the keys of a TOML file by their paths, whose parts are separated
// by a zero byte.
func tomlLines(data []byte) map[string]int {
	lines := map[string]int{}
	var parser unstable.Parser
	parser.Reset(data)
	var table []string
	for parser.NextExpression() {
		expression := parser.Expression()
		path, line := []string{}, 0
		if expression.Kind == unstable.KeyValue {
			path = append(path, table...)
		}
		for key := expression.Key(); key.Next(); {
			path = append(path, string(key.Node().Data))
			line = parser.Shape(key.Node().Raw).Start.Line
		}
		if expression.Kind != unstable.KeyValue {
			table = path
		}
		lines[strings.Join(path, "\x00")] = line
	}
	return lines
}
