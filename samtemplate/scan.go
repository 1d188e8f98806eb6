package samtemplate

import (
	"bytes"
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"
)

// scan finds out where values end. The parser only tells where they begin. What it finds is checked
// by parsing the text that is made of it.
type scan struct {
	*lines
	// flow is true for a value in a mapping or list in flow style: {a: b}.
	flow bool
	// column is that of the mapping or list around the value.
	column int
}

var errStyle = errors.New("the text of its value cannot be found in the template: write it on one line")

// isEmpty reports whether a value is null because nothing is written.
func isEmpty(value *yaml.Node) bool {
	return value.Kind == yaml.ScalarNode && value.Value == "" && value.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// end returns where a value ends. key is the one before it in a mapping; nil in a list.
func (s scan) end(key, value *yaml.Node) (int, error) {
	start := s.offset(value.Line, value.Column)
	if value.Kind == yaml.AliasNode {
		return s.word(start), nil
	}
	if isEmpty(value) {
		return s.afterKey(key)
	}
	at, err := s.skipProperties(start)
	if err != nil {
		return 0, err
	}
	switch {
	case value.Kind == yaml.ScalarNode && value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return s.block(at), nil
	case value.Kind == yaml.ScalarNode && value.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return s.quote(at)
	case value.Kind == yaml.ScalarNode:
		return s.plain(at), nil
	case value.Style&yaml.FlowStyle != 0:
		return s.brackets(at)
	}
	return s.last(value)
}

// last returns where a mapping or list in block style ends: where its last value does.
func (s scan) last(value *yaml.Node) (int, error) {
	n := len(value.Content)
	if n == 0 {
		return 0, errStyle
	}
	item := value.Content[n-1]
	if value.Kind == yaml.MappingNode {
		return scan{s.lines, false, value.Content[0].Column}.end(value.Content[n-2], item)
	}
	spaces, _ := s.indent(item.Line - 1)
	return scan{s.lines, false, spaces + 1}.end(nil, item)
}

// afterKey returns where the colon after a key ends.
func (s scan) afterKey(key *yaml.Node) (int, error) {
	if key == nil {
		return 0, errStyle
	}
	at, err := s.skipProperties(s.offset(key.Line, key.Column))
	if err != nil {
		return 0, err
	}
	if key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		if at, err = s.quote(at); err != nil {
			return 0, err
		}
	} else {
		at += len(key.Value)
	}
	for s.at(at) == ' ' || s.at(at) == '\t' {
		at++
	}
	if s.at(at) != ':' {
		return 0, errStyle
	}
	return at + 1, nil
}

// skipProperties returns where a value begins after its tag and its anchor.
func (s scan) skipProperties(at int) (int, error) { return s.lines.skipProperties(at) }

func (t *lines) skipProperties(at int) (int, error) {
	for t.at(at) == '!' || t.at(at) == '&' {
		at = t.word(at)
		for strings.IndexByte(" \t\r\n", t.at(at)) >= 0 {
			at++
		}
		if t.at(at) == '#' {
			return 0, errStyle
		}
	}
	return at, nil
}

// word returns where a tag, an anchor or an alias ends.
func (t *lines) word(at int) int {
	if i := bytes.IndexAny(t.data[at:], " \t\r\n,[]{}"); i >= 0 {
		return at + i
	}
	return len(t.data)
}

// quote returns where a string in quotes ends.
func (s scan) quote(at int) (int, error) {
	quote := s.at(at)
	if quote != '"' && quote != '\'' {
		return 0, errStyle
	}
	for at++; at < len(s.data); at++ {
		switch {
		case quote == '"' && s.data[at] == '\\', quote == '\'' && s.data[at] == quote && s.at(at+1) == quote:
			at++
		case s.data[at] == quote:
			return at + 1, nil
		}
	}
	return 0, errStyle
}

// brackets returns where a mapping or list in flow style ends.
func (s scan) brackets(at int) (int, error) {
	depth := 0
	for ; at < len(s.data); at++ {
		before := byte(' ')
		if at > 0 {
			before = s.data[at-1]
		}
		switch c := s.data[at]; {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return at + 1, nil
			}
		case c == '"' || c == '\'':
			if strings.IndexByte(" \t\r\n,:[{", before) < 0 {
				continue // within a plain string
			}
			end, err := s.quote(at)
			if err != nil {
				return 0, err
			}
			at = end - 1
		case c == '#' && strings.IndexByte(" \t\r\n", before) >= 0:
			at = s.stop[s.lineAt(at)]
		}
	}
	return 0, errStyle
}

// block returns where a string in block style, | or >, ends: with its last line that is not empty.
func (s scan) block(at int) int {
	line := s.lineAt(at)
	end := s.stop[line]
	for next := line + 1; next < len(s.start); next++ {
		spaces, ok := s.indent(next)
		if ok && spaces < s.column {
			break
		}
		if ok {
			end = s.stop[next]
		}
	}
	return end
}

// plain returns where a string without quotes ends. It may go on in lines that are indented.
func (s scan) plain(at int) int {
	line := s.lineAt(at)
	end, comment := s.plainLine(at, s.stop[line])
	for next := line + 1; next < len(s.start) && !comment; next++ {
		spaces, ok := s.indent(next)
		if !ok {
			continue
		}
		from := s.start[next] + spaces
		for s.at(from) == '\t' {
			from++
		}
		if s.at(from) == '#' || !s.flow && spaces < s.column || s.flow && s.endsFlow(end, from) {
			break
		}
		end, comment = s.plainLine(from, s.stop[next])
	}
	return end
}

// endsFlow reports whether a plain string in flow style that ended at an offset ended for good.
func (s scan) endsFlow(end, next int) bool {
	return strings.IndexByte(",]}", s.at(end)) >= 0 || strings.IndexByte(",]}", s.at(next)) >= 0
}

// plainLine returns where a part of a plain string ends, and whether a comment follows it.
func (s scan) plainLine(from, to int) (end int, comment bool) {
	text := s.data[from:to]
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			text, comment = text[:i], true
			break
		}
	}
	if s.flow {
		if i := bytes.IndexAny(text, ",[]{}"); i >= 0 {
			text = text[:i]
		}
	}
	return from + len(bytes.TrimRight(text, " \t")), comment
}
