package samtemplate

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// Intrinsic functions:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html

// tags returns the short forms of the functions. Those of rules are among them, which this package
// does not look at.
func tags() []string {
	var short []string
	for _, name := range functionNames() {
		short = append(short, "!"+strings.TrimPrefix(name, "Fn::"))
	}
	return short
}

// functionNames returns the names of the functions.
func functionNames() []string {
	return []string{
		"Ref", "Condition", "Fn::And", "Fn::Base64", "Fn::Cidr", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::Equals",
		"Fn::FindInMap", "Fn::ForEach", "Fn::GetAtt", "Fn::GetAZs", "Fn::GetStackOutput", "Fn::If", "Fn::ImportValue", "Fn::Join", "Fn::Length",
		"Fn::Not", "Fn::Or", "Fn::RefAll", "Fn::Select", "Fn::Split", "Fn::Sub", "Fn::ToJsonString", "Fn::Transform", "Fn::ValueOf", "Fn::ValueOfAll",
	}
}

// callOf returns the name and the argument of the function that a value is, in its short or its
// long form.
func callOf(v source.Value) (name string, arg source.Value, ok bool) {
	if tag := v.Tag(); tag != "" {
		name = strings.TrimPrefix(tag, "!")
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return name, v.Untagged(), true
	}
	if v.Node.Kind != yaml.MappingNode || len(v.Node.Content) != 2 {
		return "", source.Value{}, false
	}
	for key, value := range v.Entries() {
		name = key.Node.Value
		isLoop := strings.HasPrefix(name, loopPrefix) // a key of a mapping, whose other keys may be missing
		if name == "Ref" || name == "Condition" || strings.HasPrefix(name, "Fn::") && !isLoop {
			return name, value, true
		}
	}
	return "", source.Value{}, false
}

// value is what a function returns: a text, a list of them, or nothing.
type value struct {
	text   Text
	list   []Text
	isList bool
	none   bool
}

// unknown returns the result of a function that has none yet.
func unknown(why *Unresolved) value { return value{text: Text{Unresolved: why}} }

// text returns a value that has to be a text. If it is missing, the text is not given.
func (s *scope) text(v source.Value) Text {
	switch result := s.eval(v); {
	case result.none:
		return Text{}
	case result.isList:
		return unresolved(v.Position(), "expected a string, found a list")
	default:
		return s.static(result.text.at(v.Position()))
	}
}

// list returns a value that has to be a list. Its entries may be unresolved.
func (s *scope) list(v source.Value) ([]Text, *Unresolved) {
	switch result := s.eval(v); {
	case result.none || result.isList:
		return result.list, nil
	case result.text.Unresolved != nil:
		return nil, result.text.Unresolved
	default:
		return nil, unresolved(v.Position(), "expected a list, found a string").Unresolved
	}
}

// static returns a text that has no dynamic reference in it:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
func (s *scope) static(t Text) Text {
	if t.Unresolved == nil && strings.Contains(t.Reveal(), "{{resolve:") {
		return unresolved(t.At, "a dynamic reference, {{resolve:…}}, is not known before the stack is deployed")
	}
	return t
}

// eval returns what a value is.
func (s *scope) eval(v source.Value) value {
	at := v.Position()
	name, arg, ok := callOf(v)
	if ok {
		return s.call(name, arg, at)
	}
	switch v.Node.Kind {
	case yaml.SequenceNode:
		return s.evalItems(v)
	case yaml.MappingNode:
		return s.unresolved(at, "expected a string, found a mapping")
	}
	if v.IsNull() {
		return value{none: true}
	}
	if problem := s.loopVariable(v.Node.Value, at); problem != nil {
		return unknown(problem)
	}
	return value{text: Text{plain: v.Node.Value, At: at}}
}

func (s *scope) evalItems(v source.Value) value {
	list := value{isList: true}
	for item := range v.Items() {
		if !s.spend(itemSize) {
			return s.tooLarge(v.Position())
		}
		switch result := s.eval(item); {
		case result.none:
		case result.isList:
			list.list = append(list.list, unresolved(item.Position(), "expected a string, found a list"))
		default:
			list.list = append(list.list, s.static(result.text))
		}
	}
	return list
}

// call returns the result of a function.
func (s *scope) call(name string, arg source.Value, at source.Position) value {
	switch name {
	case "Ref":
		if arg.Node.Kind != yaml.ScalarNode {
			return s.unresolved(at, "Ref takes the name of a parameter or resource")
		}
		return s.ref(arg.Node.Value, at)
	case "Fn::Sub":
		return s.sub(arg, at)
	case "Fn::Join":
		return s.join(arg, at)
	case "Fn::Split":
		return s.split(arg, at)
	case "Fn::Select":
		return s.selectItem(arg, at)
	case "Fn::FindInMap":
		return s.findInMap(arg, at)
	case "Fn::If":
		chosen, problem := s.branch(arg, at)
		if problem != nil {
			return unknown(problem)
		}
		return s.eval(chosen)
	case "Fn::Base64":
		t := s.text(arg)
		if t.Unresolved != nil {
			return value{text: t}
		}
		return s.made(base64.StdEncoding.EncodeToString([]byte(t.Reveal())), t.Secret(), at)
	case "Fn::GetAZs":
		return s.zones(arg, at)
	case "Fn::Length":
		list, problem := s.list(arg)
		if problem != nil {
			return unknown(problem)
		}
		return s.made(strconv.Itoa(len(list)), false, at)
	}
	if !slices.Contains(functionNames(), name) {
		return s.unresolved(at, "there is no function %s%s", name, didYouMean[any](s, name, nil, functionNames()...))
	}
	return s.unresolved(at, "%s is not known before the stack is deployed", name)
}

// made returns a text that a function has made.
func (s *scope) made(text string, secret bool, at source.Position) value {
	if !s.spend(len(text)) {
		return s.tooLarge(at)
	}
	if secret {
		return value{text: secretText(text).at(at)}
	}
	return value{text: Text{plain: text, At: at}}
}

// args returns the arguments of a function that takes a list of them.
func (s *scope) args(name string, arg source.Value, at source.Position, least, most int) ([]source.Value, *Unresolved) {
	if arg.Node.Kind == yaml.SequenceNode && arg.Tag() == "" {
		if args := slices.Collect(arg.Items()); len(args) >= least && len(args) <= most {
			return args, nil
		}
	}
	return nil, unresolved(at, "%s takes a list of %d arguments", name, least).Unresolved
}
