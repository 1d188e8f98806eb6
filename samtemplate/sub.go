package samtemplate

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// sub is Fn::Sub: a text, or [text, variables].
func (s *scope) sub(arg source.Value, at source.Position) value {
	template, own := arg, map[string]Text{}
	if arg.Node.Kind == yaml.SequenceNode {
		args, problem := s.args("Fn::Sub", arg, at, 2, 2)
		if problem != nil {
			return unknown(problem)
		}
		template = args[0]
		for name, v := range plainEntries(args[1]) {
			own[name] = s.text(v)
		}
	}
	if template.Node.Kind != yaml.ScalarNode || template.Tag() != "" {
		return s.unresolved(at, "Fn::Sub takes a string, or a list of a string and its variables")
	}
	if strings.Contains(template.Node.Value, "&{") {
		if problem := s.loopVariable(template.Node.Value, at); problem != nil {
			return unknown(problem)
		}
	}
	var b strings.Builder
	secret := false
	rest := template.Node.Value
	for {
		before, name, after, ok := cutVariable(rest)
		b.WriteString(before)
		if !ok {
			break
		}
		t := s.variable(name, own, at)
		if t.Unresolved != nil {
			return value{text: t}
		}
		b.WriteString(t.Reveal())
		if b.Len() > maxText {
			return s.tooLarge(at)
		}
		secret = secret || t.Secret()
		rest = after
	}
	return s.made(b.String(), secret, at)
}

// cutVariable cuts a text around its first variable, as in ${Name}. What is written ${!Name} is no
// variable, and becomes ${Name}.
func cutVariable(text string) (before, name, after string, ok bool) {
	var b strings.Builder
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			break
		}
		end := strings.IndexByte(text[start:], '}')
		if end < 0 {
			break
		}
		name, rest := text[start+2:start+end], text[start+end+1:]
		if !strings.HasPrefix(name, "!") {
			b.WriteString(text[:start])
			return b.String(), strings.TrimSpace(name), rest, true
		}
		b.WriteString(text[:start] + "${" + name[1:] + "}")
		text = rest
	}
	b.WriteString(text)
	return b.String(), "", "", false
}

// variable returns the value of a variable of Fn::Sub, which may have some of its own.
func (s *scope) variable(name string, own map[string]Text, at source.Position) Text {
	if t, ok := own[name]; ok {
		return t
	}
	resource, _, isAttribute := strings.Cut(name, ".")
	if isAttribute && s.resources[resource] {
		return unresolved(at, "%s is an attribute of a resource, which has no value before the stack is deployed", name)
	}
	result := s.ref(name, at)
	if !result.isList {
		return result.text
	}
	return joined(result.list)
}
