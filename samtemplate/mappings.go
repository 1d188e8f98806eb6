package samtemplate

import (
	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// findInMap is Fn::FindInMap: [mapping, first key, second key], and a default where the template
// has language extensions.
func (s *scope) findInMap(arg source.Value, at source.Position) value {
	args, problem := s.args("Fn::FindInMap", arg, at, 3, 4)
	if problem != nil {
		return unknown(problem)
	}
	var keys [3]string
	for i := range keys {
		t := s.text(args[i])
		if t.Unresolved != nil {
			return value{text: t}
		}
		keys[i] = t.Reveal()
	}
	if found, ok := s.mappings[keys[0]][keys[1]][keys[2]]; ok {
		if hasCall(found) {
			return s.unresolved(at, "Mappings may have no functions in them")
		}
		return s.eval(found)
	}
	if len(args) == 4 && args[3].Node.Kind == yaml.MappingNode && args[3].Tag() == "" {
		for key, value := range args[3].Entries() {
			if key.Node.Value == "DefaultValue" {
				return s.eval(value)
			}
		}
	}
	if _, ok := s.mappings[keys[0]]; !ok {
		return s.unresolved(at, "Fn::FindInMap: there is no mapping of that name in Mappings")
	}
	return s.unresolved(at, "Fn::FindInMap: the mapping has no value for these keys")
}

// hasCall reports whether a value, or an entry of it, is a function.
func hasCall(v source.Value) bool {
	_, _, isCall := callOf(v)
	if !isCall && v.Node.Kind == yaml.SequenceNode {
		for item := range v.Items() {
			if _, _, isCall = callOf(item); isCall || item.Node.Kind == yaml.SequenceNode {
				return true
			}
		}
	}
	return isCall
}

// readMappings returns the Mappings section of a template.
func readMappings(section source.Value) map[string]map[string]map[string]source.Value {
	mappings := map[string]map[string]map[string]source.Value{}
	for name, mapping := range plainEntries(section) {
		mappings[name] = map[string]map[string]source.Value{}
		for top, second := range plainEntries(mapping) {
			mappings[name][top] = plainEntries(second)
		}
	}
	return mappings
}

// plainEntries returns the entries of a mapping without functions; none if it is anything else.
func plainEntries(v source.Value) map[string]source.Value {
	entries := map[string]source.Value{}
	if v.Node != nil && v.Node.Kind == yaml.MappingNode && v.Tag() == "" {
		for key, value := range v.Entries() {
			entries[key.Node.Value] = value
		}
	}
	return entries
}
