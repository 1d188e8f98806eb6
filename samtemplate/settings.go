package samtemplate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/samforge/samforge/source"
)

// readSettings reads what Lambda runs the image with.
func (r *reader) readSettings(f *Function, res resource) {
	f.Timeout = r.number(res.properties["Timeout"], 3)
	f.MemorySize = r.number(res.properties["MemorySize"], 128)
	f.EphemeralStorage = r.number(r.optional(res.properties["EphemeralStorage"])["Size"], 512)
	config := r.optional(res.properties["ImageConfig"])
	f.ImageConfig.Command = r.configList(f, config["Command"])
	f.ImageConfig.EntryPoint = r.configList(f, config["EntryPoint"])
	if v, ok := config["WorkingDirectory"]; ok {
		f.ImageConfig.WorkingDirectory = r.text(v)
	}
}

// configList returns a list of ImageConfig; nil if it is missing.
func (r *reader) configList(f *Function, v source.Value) []Text {
	if v.Node == nil {
		return nil
	}
	list, problem := r.list(v)
	if problem != nil {
		f.ImageConfig.Unresolved = problem
	}
	return list
}

// number returns a whole number that is more than 0, or else the default.
func (r *reader) number(v source.Value, fallback int) Number {
	if v.Node == nil {
		return Number{N: fallback}
	}
	t := r.text(v)
	if t.Unresolved != nil || !t.Given() {
		return Number{N: fallback, At: t.At, Unresolved: t.Unresolved}
	}
	n, err := strconv.Atoi(t.Reveal())
	if err != nil || n < 1 {
		v.Errorf("expected a whole number that is more than 0, found %q", t)
	}
	return Number{N: n, At: t.At}
}

// environment returns the variables of a function and those of the globals that it does not
// replace.
func (r *reader) environment(properties, globals map[string]source.Value) []Variable {
	var variables []Variable
	for _, from := range []map[string]source.Value{globals, properties} {
		section, ok := from["Environment"]
		if !ok {
			continue
		}
		given := r.optional(section)["Variables"]
		if r.isUnknown(given) {
			continue
		}
		for _, v := range r.variables(given) {
			i := slices.IndexFunc(variables, func(other Variable) bool { return other.Name == v.Name })
			if i >= 0 {
				variables[i] = v
			} else {
				variables = append(variables, v)
			}
		}
	}
	return variables
}

// variables returns a mapping of names to texts, in its order. Those without a value are left out.
func (r *reader) variables(section source.Value) []Variable {
	if section.Node == nil {
		return nil
	}
	section, ok := r.pick(section)
	if !ok {
		return nil
	}
	var variables []Variable
	for key, v := range section.Entries() {
		if t := r.text(v); t.Given() {
			variables = append(variables, Variable{Name: key.Node.Value, Value: t})
		}
	}
	return variables
}

// optional returns the entries of a mapping that no build depends on. If it is not known before the
// stack is deployed, there are none, with a warning.
func (r *reader) optional(v source.Value) map[string]source.Value {
	if r.isUnknown(v) {
		return nil
	}
	return r.fields(v)
}

// isUnknown reports, with a warning, that a mapping is not known before the stack is deployed.
func (r *reader) isUnknown(v source.Value) bool {
	if v.Node == nil {
		return false
	}
	v, ok := r.pick(v)
	name, _, isCall := callOf(v)
	// A mapping with one key called Ref or Condition is more likely what it looks like.
	if !ok || !isCall || v.Tag() == "" && !strings.HasPrefix(name, "Fn::") {
		return false
	}
	r.warn(v, "", "%s is not known before the stack is deployed: it is left out", name)
	return true
}
