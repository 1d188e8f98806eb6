package samtemplate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// loop is an Fn::ForEach: [variable, collection, what to repeat]. A function in it has one image
// for all iterations, so nothing that the image is built from may depend on the variable.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html
type loop struct {
	name     string
	variable string
	values   []string // nil if they are not known before the stack is deployed
	around   *loop
}

const (
	// loopPrefix is before the name of a loop, in a key of a mapping.
	loopPrefix         = "Fn::ForEach::"
	languageExtensions = "AWS::LanguageExtensions"
)

// readLoop reads the resources in a loop.
func (r *reader) readLoop(key source.Value, name string, v source.Value, keys []string) {
	if !r.transforms[languageExtensions] {
		key.Errorf("Fn::ForEach needs the transform %s: write Transform: [%s, AWS::Serverless-2016-10-31]", languageExtensions, languageExtensions)
		return
	}
	args, problem := r.args("Fn::ForEach", v, v.Position(), 3, 3)
	switch {
	case problem != nil:
		v.Errorf("%s: the variable, the collection, and what to repeat", problem.Reason)
		return
	case literal(args[0]) == "":
		args[0].Errorf("expected the name of the loop's variable")
		return
	case args[2].Node.Kind != yaml.MappingNode || args[2].Tag() != "":
		args[2].WrongType("a mapping of names to resources")
		return
	}
	inner := *r
	s := *r.scope
	inner.scope = &s
	inner.loop = &loop{name: name, variable: args[0].Node.Value, around: r.loop, values: r.collection(args[1])}
	s.loops = maps.Clone(s.loops)
	s.loops[inner.loop.variable] = name
	inner.readResources(args[2], append(slices.Clone(keys), "2"))
}

// collection returns the values of a loop's variable; nil if they are not known.
func (r *reader) collection(v source.Value) []string {
	list, problem := r.list(v)
	if problem != nil {
		return nil
	}
	values := []string{}
	for _, t := range list {
		if t.Unresolved != nil || t.Secret() {
			return nil
		}
		values = append(values, t.Reveal())
	}
	return values
}

// common returns the part of a resource's name that all iterations have in common, or the name of
// the loop if there is no such part.
func (l *loop) common(key string) string {
	for around := l; around != nil; around = around.around {
		key = around.replace(key, "")
	}
	if key == "" {
		return l.name
	}
	return key
}

// maxIterations is how many resources of a loop are named. CloudFormation takes 500 in a template.
const maxIterations = 1000

// names returns the names of the resources that the loop makes of a key; nil if they are not known.
func (l *loop) names(key string) []string {
	names := []string{key}
	for around := l; around != nil; around = around.around {
		var next []string
		for _, name := range names {
			for _, value := range around.values {
				next = append(next, around.replace(name, value))
			}
			if len(next) > maxIterations {
				return nil
			}
		}
		names = next
	}
	return names
}

// replace replaces the variable in a text. In the form &{Name}, only letters and digits of the
// value count.
func (l *loop) replace(text, value string) string {
	alphanumeric := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, value)
	return strings.NewReplacer("${"+l.variable+"}", value, "&{"+l.variable+"}", alphanumeric).Replace(text)
}

// loopVariable says why a text is not known that has the variable of a loop in it; nil if it has
// none.
func (s *scope) loopVariable(text string, at source.Position) *Unresolved {
	for _, variable := range slices.Sorted(maps.Keys(s.loops)) {
		if strings.Contains(text, "${"+variable+"}") || strings.Contains(text, "&{"+variable+"}") {
			return &Unresolved{At: at, Reason: fmt.Sprintf(
				"%s is another text in each iteration of Fn::ForEach::%s, and one image has to serve all of them: write the functions out", variable, s.loops[variable])}
		}
	}
	return nil
}
