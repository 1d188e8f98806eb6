package samtemplate

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// reader reads the resources of one template.
type reader struct {
	*scope
	loader     *loader
	template   *Template
	globals    map[string]source.Value
	transforms map[string]bool
	ids        map[string]bool // of the functions that were read
	warned     map[string]bool // warnings that there are already
	loop       *loop           // around what is read; nil for none
}

// The types of resources that are read.
const (
	serverlessFunction    = "AWS::Serverless::Function"
	lambdaFunction        = "AWS::Lambda::Function"
	serverlessApplication = "AWS::Serverless::Application"
	nestedStack           = "AWS::CloudFormation::Stack"
)

// readResources reads the Resources section, or what a loop repeats of it. keys is the way to it.
func (r *reader) readResources(section source.Value, keys []string) {
	for key, v := range section.Entries() {
		way := append(slices.Clone(keys), key.Node.Value)
		name, isLoop := strings.CutPrefix(key.Node.Value, loopPrefix)
		switch {
		case isLoop:
			r.readLoop(key, name, v, way)
		case strings.HasPrefix(key.Node.Value, "Fn::"):
			r.warn(key, "", "what %s adds is not read: functions in it are not built", key.Node.Value)
		default:
			r.readResource(key, v, way)
		}
	}
}

// resource is a resource of one of the types that are read.
type resource struct {
	key        source.Value
	id         string
	kind       string
	fields     map[string]source.Value
	properties map[string]source.Value
	metadata   map[string]source.Value
	keys       []string
}

func (r *reader) readResource(key, v source.Value, keys []string) {
	res := resource{key: key, id: key.Node.Value, keys: keys, fields: r.fields(v)}
	if res.fields == nil && !v.IsNull() {
		return
	}
	kind, ok := res.fields["Type"]
	if !ok { // a macro may give it one
		r.warn(key, "", "the resource has no Type, and is not read")
		return
	}
	if res.kind = literal(kind); r.loop != nil {
		res.id = r.loop.common(res.id)
	}
	switch res.kind {
	case serverlessFunction, lambdaFunction, serverlessApplication, nestedStack:
	default:
		return
	}
	if r.isUnknown(res.fields["Properties"]) {
		return
	}
	res.properties = r.fields(res.fields["Properties"])
	res.metadata = r.fields(res.fields["Metadata"])
	switch res.kind {
	case serverlessFunction, lambdaFunction:
		r.readFunction(res)
	default:
		r.readNested(res)
	}
}

// fields returns the entries of a mapping, after Fn::If. If it is missing or none, there are none,
// and the map is nil.
func (r *reader) fields(v source.Value) map[string]source.Value {
	if v.Node == nil {
		return nil
	}
	v, ok := r.pick(v)
	if !ok {
		return nil
	}
	if name, _, isCall := callOf(v); isCall {
		v.Errorf("expected a mapping of keys to values, found %s", name)
		return nil
	}
	if v.Node.Kind != yaml.MappingNode {
		v.WrongType("a mapping of keys to values")
		return nil
	}
	fields := map[string]source.Value{}
	for key, value := range v.Entries() {
		if value, ok = r.pick(value); ok {
			fields[key.Node.Value] = value
		}
	}
	return fields
}

// isOff reports whether the condition of a resource is false. One that is not known counts as true.
func (r *reader) isOff(res resource) (name string, off bool) {
	v, ok := res.fields["Condition"]
	if !ok {
		return "", false
	}
	name = literal(v)
	if _, known := r.conditions[name]; !known {
		_, problem := r.condition(name, v.Position())
		v.Errorf("%s", problem.Reason)
		return name, false
	}
	holds, problem := r.condition(name, v.Position())
	return name, problem == nil && !holds
}

// path returns the path of a resource: its name after those of the stacks around it.
func (r *reader) path(id string) string {
	if r.template.Stack == "" {
		return id
	}
	return r.template.Stack + "/" + id
}

// need returns a text that has to be known before anything is built.
func (r *reader) need(v source.Value) Text {
	t := r.text(v)
	if t.Unresolved != nil {
		r.doc.ErrorAt(t.Unresolved.At, v.Path, "%s", t.Unresolved.Reason)
	}
	return t
}

// warn adds a warning about a value. rule is empty for what is no lint.
func (r *reader) warn(v source.Value, rule, format string, args ...any) {
	r.warnAt(v.Position(), v.Path, rule, format, args...)
}

func (r *reader) warnAt(at source.Position, path, rule, format string, args ...any) {
	warning := r.doc.Diagnostic(at, path, format, args...)
	warning.Rule = rule
	if (rule == "" || r.template.checks.Wants(rule)) && !r.warned[warning.Summary()] {
		r.warned[warning.Summary()] = true
		r.template.Warnings = append(r.template.Warnings, warning)
	}
}
