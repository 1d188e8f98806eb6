package samtemplate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/samforge/samforge/source"
)

// join is Fn::Join: [delimiter, list].
func (s *scope) join(arg source.Value, at source.Position) value {
	args, problem := s.args("Fn::Join", arg, at, 2, 2)
	if problem != nil {
		return unknown(problem)
	}
	delimiter := s.text(args[0])
	list, problem := s.list(args[1])
	if problem != nil {
		return unknown(problem)
	}
	var parts []string
	size, secret := 0, delimiter.Secret()
	for _, t := range slices.Concat(list, []Text{delimiter}) {
		if t.Unresolved != nil {
			return value{text: t}
		}
		secret = secret || t.Secret()
	}
	for _, t := range list {
		parts = append(parts, t.Reveal())
		size += len(t.Reveal()) + len(delimiter.Reveal())
	}
	if size > maxText {
		return s.tooLarge(at)
	}
	return s.made(strings.Join(parts, delimiter.Reveal()), secret, at)
}

// split is Fn::Split: [delimiter, text].
func (s *scope) split(arg source.Value, at source.Position) value {
	args, problem := s.args("Fn::Split", arg, at, 2, 2)
	if problem != nil {
		return unknown(problem)
	}
	delimiter, text := s.text(args[0]), s.text(args[1])
	switch {
	case delimiter.Unresolved != nil:
		return value{text: delimiter}
	case text.Unresolved != nil:
		return value{text: text}
	case delimiter.Reveal() == "":
		return s.unresolved(at, "the delimiter of Fn::Split is empty")
	case !s.spend(len(text.Reveal()) + itemSize*strings.Count(text.Reveal(), delimiter.Reveal())):
		return s.tooLarge(at)
	}
	result := value{isList: true}
	for part := range strings.SplitSeq(text.Reveal(), delimiter.Reveal()) {
		result.list = append(result.list, text.as(part).at(at))
	}
	return result
}

// selectItem is Fn::Select: [index, list].
func (s *scope) selectItem(arg source.Value, at source.Position) value {
	args, problem := s.args("Fn::Select", arg, at, 2, 2)
	if problem != nil {
		return unknown(problem)
	}
	index := s.text(args[0])
	list, problem := s.list(args[1])
	n, err := strconv.Atoi(index.Reveal())
	switch {
	case index.Unresolved != nil:
		return value{text: index}
	case problem != nil:
		return unknown(problem)
	case err != nil || n < 0:
		return s.unresolved(at, "the index of Fn::Select is not a whole number: %q", index)
	case n >= len(list):
		return s.unresolved(at, "Fn::Select asks for entry %d, and the list has %d: the first is 0", n, len(list))
	}
	return value{text: list[n]}
}

// zones is Fn::GetAZs. Which zones an account has is not known here; every region has these three,
// with few exceptions.
func (s *scope) zones(arg source.Value, at source.Position) value {
	region := s.text(arg)
	if region.Unresolved != nil {
		return value{text: region}
	}
	if region.Reveal() == "" {
		region = s.pseudo["AWS::Region"]
	}
	result := value{isList: true}
	for _, zone := range []string{"a", "b", "c"} {
		result.list = append(result.list, region.as(region.Reveal()+zone).at(at))
	}
	return result
}
