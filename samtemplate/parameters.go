package samtemplate

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// parameter is one of a template's parameters:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
type parameter struct {
	name   string
	value  Text
	isList bool
	noEcho bool
}

// arguments are values that are given for the parameters of a template.
type arguments struct {
	values map[string]Text
	// refuse records a mistake in the one of that name. If it is nil, they do not come from a file.
	refuse func(name, message string)
}

// readParameters returns the Parameters section, with the values that are given or else the
// defaults. Given values without a parameter are mistakes.
func (s *scope) readParameters(section source.Value, given arguments) map[string]parameter {
	parameters := map[string]parameter{}
	if section.Node != nil && !section.IsNull() {
		for key, definition := range section.Entries() {
			parameters[key.Node.Value] = s.readParameter(key, definition, given)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given.values)) {
		if _, ok := parameters[name]; ok {
			continue
		}
		message := "the parameter " + name + " is given, but the template has none of that name" + didYouMean(s, name, parameters)
		if given.refuse != nil {
			given.refuse(name, message)
		} else {
			s.doc.ErrorAt(source.Position{}, "", "%s", message)
		}
	}
	return parameters
}

func (s *scope) readParameter(key, definition source.Value, given arguments) parameter {
	p := parameter{name: key.Node.Value}
	if definition.IsNull() {
		key.Errorf("the parameter has no Type")
		return p
	}
	fields := map[string]source.Value{}
	for field, v := range definition.Entries() {
		fields[field.Node.Value] = v
	}
	kind := literal(fields["Type"])
	p.isList = kind == "CommaDelimitedList" || strings.HasPrefix(kind, "List<")
	p.noEcho = isTrue(literal(fields["NoEcho"]))
	fallback, hasDefault := fields["Default"]
	if p.noEcho {
		hideParameter(s.doc, key, fields)
	}
	value, isGiven := given.values[p.name]
	switch {
	case strings.HasPrefix(kind, "AWS::SSM::Parameter::"):
		p.value = unresolved(key.Position(), "the parameter %s is read from the parameter store when the stack is deployed", p.name)
	case isGiven && value.Unresolved != nil:
		p.value = unresolved(key.Position(), "the parameter %s gets its value from the template around this stack, where %s", p.name, value.Unresolved.Reason)
	case isGiven:
		p.value = value
	case hasDefault && !fallback.IsNull():
		text, _ := fallback.Scalar()
		p.value = Text{plain: text}
	default:
		p.value = unresolved(key.Position(), "the parameter %s has no value: give it a Default, or --parameter-overrides %s=…", p.name, p.name)
	}
	if p.value.Unresolved != nil {
		return p
	}
	if p.noEcho {
		p.value = secretText(p.value.Reveal())
	}
	at := key
	if !isGiven && !p.noEcho {
		at = fallback
	}
	if problem := constraint(p, kind, fields); problem != "" {
		at.Errorf("%s", problem)
	}
	return p
}

// literal returns the text of a scalar; "" for anything else.
func literal(v source.Value) string {
	if v.Node == nil || v.Node.Kind != yaml.ScalarNode || v.IsNull() || v.Tag() != "" {
		return ""
	}
	return v.Node.Value
}

// isTrue reports whether a text is a boolean that is true, as YAML 1.1 has it.
func isTrue(text string) bool {
	switch strings.ToLower(text) {
	case "true", "yes", "on":
		return true
	}
	return false
}
