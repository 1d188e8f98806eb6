package samtemplate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/source"
)

// scope is what the values of one template can refer to.
type scope struct {
	doc        *source.Document
	parameters map[string]parameter
	pseudo     map[string]Text
	conditions map[string]*condition
	mappings   map[string]map[string]map[string]source.Value
	resources  map[string]bool
	// loops are the variables of Fn::ForEach around a value, and the loop of each.
	loops map[string]string
	// budget is how much text the functions of an application may still make.
	budget *int
	// suggestions is how many names were looked for that are near a wrong one.
	suggestions int
}

// For how many wrong names of a template the nearest right one is looked for, and among how many at
// most. It takes its time, and a file may have very many names.
const (
	maxSuggestions = 20
	maxKnown       = 500
)

// didYouMean returns a question with the known name that is nearest to a wrong one; "" for none.
func didYouMean[V any](s *scope, name string, known map[string]V, more ...string) string {
	if s.suggestions++; s.suggestions > maxSuggestions || len(known) > maxKnown {
		return ""
	}
	if near := suggest.Nearest(name, slices.Concat(slices.Sorted(maps.Keys(known)), more)); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// What intrinsic functions may make at most, in bytes: far more than anyone writes. A few lines of
// nested Fn::Sub can ask for more than there is memory.
const (
	maxText   = 1 << 20
	maxBudget = 16 << 20
)

// spend takes the size of a new text from the budget, and reports whether it was there.
func (s *scope) spend(size int) bool {
	*s.budget -= size
	return size <= maxText && *s.budget >= 0
}

// noValue is the pseudo parameter that removes what it is the value of.
const noValue = "AWS::NoValue"

// ref returns what a name stands for.
func (s *scope) ref(name string, at source.Position) value {
	if problem := s.loopVariable("${"+name+"}", at); problem != nil {
		return unknown(problem)
	}
	if name == noValue {
		return value{none: true}
	}
	if p, ok := s.parameters[name]; ok {
		return s.parameter(p, at)
	}
	if text, ok := s.pseudo[name]; ok {
		return value{text: text.at(at)}
	}
	switch {
	case slices.Contains(pseudoParameters(), name):
		return s.unresolved(at, "%s is not known before the stack is deployed: give it with --parameter-overrides %s=…", name, name)
	case s.resources[name]:
		return s.unresolved(at, "%s is a resource, which has no value before the stack is deployed", name)
	}
	return s.unresolved(at, "there is no parameter or resource %q%s", name, didYouMean(s, name, s.parameters, pseudoParameters()...))
}

func (s *scope) parameter(p parameter, at source.Position) value {
	switch {
	case p.value.Unresolved != nil:
		return s.unresolved(at, "%s", p.value.Unresolved.Reason)
	case !p.isList:
		return value{text: p.value.at(at)}
	}
	var list []Text
	if !s.spend(len(p.value.Reveal()) + itemSize*strings.Count(p.value.Reveal(), ",")) {
		return s.tooLarge(at)
	}
	for item := range strings.SplitSeq(p.value.Reveal(), ",") {
		list = append(list, p.value.as(strings.TrimSpace(item)).at(at))
	}
	return value{list: list, isList: true}
}

// itemSize is about what an entry of a list needs beside its text.
const itemSize = 64

func (s *scope) unresolved(at source.Position, format string, args ...any) value {
	return value{text: unresolved(at, format, args...)}
}

func (s *scope) tooLarge(at source.Position) value {
	return s.unresolved(at, "the intrinsic functions make too large a text here: at most %d bytes, and %d in all", maxText, maxBudget)
}
