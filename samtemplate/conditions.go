package samtemplate

import (
	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// condition is one of a template's conditions. It is evaluated once, when it is needed.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html
type condition struct {
	value      source.Value
	begun      bool
	done       bool
	holds      bool
	unresolved *Unresolved
}

// readConditions returns the Conditions section of a template.
func readConditions(section source.Value) map[string]*condition {
	conditions := map[string]*condition{}
	for name, v := range plainEntries(section) {
		conditions[name] = &condition{value: v}
	}
	return conditions
}

// condition reports whether the condition of that name holds.
func (s *scope) condition(name string, at source.Position) (bool, *Unresolved) {
	c, ok := s.conditions[name]
	switch {
	case !ok:
		return false, unresolved(at, "there is no condition %q%s", name, didYouMean(s, name, s.conditions)).Unresolved
	case c.done:
		return c.holds, c.unresolved
	case c.begun:
		return false, unresolved(at, "the condition %q depends on itself", name).Unresolved
	}
	c.begun = true
	c.holds, c.unresolved = s.holds(c.value)
	c.done = true
	return c.holds, c.unresolved
}

// holds evaluates the expression of a condition.
func (s *scope) holds(v source.Value) (bool, *Unresolved) {
	at := v.Position()
	name, arg, _ := callOf(v)
	switch name {
	case "Condition":
		return s.condition(arg.Node.Value, at)
	case "Fn::Equals":
		args, problem := s.args(name, arg, at, 2, 2)
		if problem != nil {
			return false, problem
		}
		a, b := s.text(args[0]), s.text(args[1])
		for _, t := range []Text{a, b} {
			if t.Unresolved != nil {
				return false, t.Unresolved
			}
		}
		return a.Reveal() == b.Reveal(), nil
	case "Fn::Not":
		args, problem := s.args(name, arg, at, 1, 1)
		if problem != nil {
			return false, problem
		}
		holds, problem := s.holds(args[0])
		return !holds && problem == nil, problem
	case "Fn::And", "Fn::Or":
		return s.several(arg, at, name == "Fn::Or")
	}
	return false, unresolved(at, "a condition is Fn::Equals, Fn::And, Fn::Or, Fn::Not, or another condition").Unresolved
}

// several evaluates Fn::Or, or Fn::And if decisive is false: one part with that result decides,
// whatever is not known of the others.
func (s *scope) several(arg source.Value, at source.Position, decisive bool) (bool, *Unresolved) {
	args, problem := s.args("Fn::And and Fn::Or", arg, at, 2, 10)
	if problem != nil {
		return false, problem
	}
	var unknown *Unresolved
	for _, part := range args {
		holds, problem := s.holds(part)
		if problem == nil && holds == decisive {
			return decisive, nil
		}
		if problem != nil && unknown == nil {
			unknown = problem
		}
	}
	return !decisive && unknown == nil, unknown
}

// branch returns the value that Fn::If chooses: [condition, value if true, value if false].
func (s *scope) branch(arg source.Value, at source.Position) (source.Value, *Unresolved) {
	args, problem := s.args("Fn::If", arg, at, 3, 3)
	if problem != nil {
		return source.Value{}, problem
	}
	if args[0].Node.Kind != yaml.ScalarNode {
		return source.Value{}, unresolved(at, "Fn::If takes the name of a condition first").Unresolved
	}
	holds, problem := s.condition(args[0].Node.Value, at)
	switch {
	case problem != nil:
		return source.Value{}, problem
	case holds:
		return args[1], nil
	}
	return args[2], nil
}

// pick returns the value that Fn::If chooses, whatever it is, or the value itself. The second
// result is false if there is none.
func (s *scope) pick(v source.Value) (source.Value, bool) {
	for {
		name, arg, _ := callOf(v)
		if name != "Fn::If" {
			isNone := name == "Ref" && arg.Node.Value == noValue
			return v, !isNone && !v.IsNull()
		}
		chosen, problem := s.branch(arg, v.Position())
		if problem != nil {
			return v, true // whoever reads it finds the problem again
		}
		v = chosen
	}
}
