package samconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"

	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/samtemplate"
)

// fileScheme is what the name of a file with parameters begins with.
const fileScheme = "file://"

// ParseOverrides reads parameters in the forms of `sam build --parameter-overrides`: those of
// [samtemplate.ParseOverrides], and file://NAME for a YAML or TOML file with a table of them. The
// name is relative to the current directory. The last value of a parameter wins.
func ParseOverrides(ctx context.Context, texts ...string) (map[string]string, error) {
	parameters := map[string]string{}
	for _, text := range texts {
		if err := parseOverride(ctx, text, parameters); err != nil {
			return nil, err
		}
	}
	return parameters, nil
}

func parseOverride(ctx context.Context, text string, to map[string]string) error {
	name, ok := strings.CutPrefix(strings.TrimSpace(text), fileScheme)
	if !ok {
		parsed, err := samtemplate.ParseOverrides(text)
		maps.Copy(to, parsed)
		return err
	}
	if extension := filepath.Ext(name); extension != ".toml" && extension != ".yaml" && extension != ".yml" {
		return fmt.Errorf("parameter overrides: %s%s: a file of parameters is .yaml, .yml or .toml, as for SAM CLI, and stands alone: repeat the flag for others", fileScheme, name)
	}
	data, err := userfile.ReadAny(ctx, name, maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("parameter overrides: there is no file %s", name)
	}
	if err != nil {
		return fmt.Errorf("parameter overrides: %w", err)
	}
	v, err := parse(name, data)
	if err == nil {
		err = v.table(to)
	}
	if err != nil {
		return fmt.Errorf("parameter overrides: %w", err)
	}
	return nil
}

// overrides reads the value of parameter_overrides: a text as on the command line, a table, or a
// list of them. Errors do not show the values of parameters, as they may be secret.
func (v value) overrides(ctx context.Context, to map[string]string) error {
	switch v.kind {
	case kindText:
		if err := parseOverride(ctx, v.text, to); err != nil {
			return v.errorf("%w", err)
		}
	case kindTable:
		return v.table(to)
	case kindList:
		for _, item := range v.items {
			if item.kind == kindList {
				return item.errorf("parameter_overrides has a list in its list: expected texts, Name=value, or tables")
			}
			if err := item.overrides(ctx, to); err != nil {
				return err
			}
		}
	default:
		return v.errorf("parameter_overrides is %s: expected a text, Name=value, a table, or a list of them", v.kind)
	}
	return nil
}

// table adds the parameters of a table. A list is a CommaDelimitedList.
func (v value) table(to map[string]string) error {
	for name, field := range v.fields {
		items := []value{field}
		if field.kind == kindList {
			items = field.items
		}
		var texts []string
		for _, item := range items {
			switch item.kind {
			case kindTable, kindList:
				return item.errorf("the parameter %s has %s in its value: expected a text, a number, or a list of them", name, item.kind)
			case kindFraction:
				return item.errorf("the parameter %s is a number with a fraction, which TOML does not keep as it is written: put it in quotes", name)
			}
			texts = append(texts, item.text)
		}
		to[name] = strings.Join(texts, ",")
	}
	return nil
}
