// Package placeholder fills in the placeholders of a text, such as {{.Version}}.
//
// The syntax is the part of Go's template language that cannot loop or call anything:
//
//	{{.Name}}, {{$.Name}}                the value of Name
//	{{with .Name}}...{{else}}...{{end}}  the first part if Name is not empty, with {{.}} as its value
//	{{if .Name}}...{{else}}...{{end}}    the same, without {{.}}
//
// The texts come from users, and a build service fills them in for people that it does not know:
// so the size of the text and of the result are limited.
package placeholder

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"
)

// maxSize is the maximum size of a text and of a result, in bytes. No URL, tag or cache option is
// nearly as long.
const maxSize = 8 << 10

// maxShown is how much of a text an error shows.
const maxShown = 100

// Fill returns text with the values in place of its placeholders. A placeholder without a value is
// an error, and so is any template syntax other than the forms above.
func Fill(text string, values map[string]string) (string, error) {
	root, names, err := parseText(text)
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if _, ok := values[name]; !ok {
			return "", fmt.Errorf("there is no .%s: use .%s", name, strings.Join(slices.Sorted(maps.Keys(values)), ", ."))
		}
	}
	f := filler{values: values}
	if f.list(root, ""); f.out.Len() > maxSize {
		return "", fmt.Errorf("the result has more than %d bytes", maxSize)
	}
	return f.out.String(), nil
}

// Uses reports whether text has a placeholder for name; false for a text that [Fill] refuses.
func Uses(text, name string) bool {
	_, names, err := parseText(text)
	return err == nil && names[name]
}

// parseText returns the text's nodes, all of which filler knows, and the names in them.
func parseText(text string) (*parse.ListNode, map[string]bool, error) {
	if len(text) > maxSize {
		return nil, nil, fmt.Errorf("it has %d bytes, and at most %d are allowed", len(text), maxSize)
	}
	trees, err := parse.Parse("text", text, "", "")
	if err != nil {
		return nil, nil, errors.New(parserPrefix.ReplaceAllString(err.Error(), ""))
	}
	if len(trees) != 1 {
		return nil, nil, errForm("{{define}}")
	}
	c := checker{names: map[string]bool{}}
	root := trees["text"].Root
	return root, c.names, c.list(root, false)
}

// parserPrefix matches what the parser puts before its message: the name of the text and a line.
var parserPrefix = regexp.MustCompile(`^template: text:(\d+: )?`)

func errForm(found string) error {
	if len(found) > maxShown {
		found = strings.ToValidUTF8(found[:maxShown], "") + "..."
	}
	return fmt.Errorf("%s is not allowed: use {{.NAME}}, {{with .NAME}}...{{end}} or {{if .NAME}}...{{end}}", found)
}

// checker refuses the nodes that filler does not know.
type checker struct {
	names map[string]bool // that it found
}

// list checks the nodes. inWith says whether they are inside a {{with}}.
func (c checker) list(list *parse.ListNode, inWith bool) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		if err := c.node(node, inWith); err != nil {
			return err
		}
	}
	return nil
}

func (c checker) node(node parse.Node, inWith bool) error {
	switch node := node.(type) {
	case *parse.TextNode:
		return nil
	case *parse.ActionNode:
		return c.pipe(node.Pipe, inWith)
	case *parse.IfNode:
		return cmp.Or(c.pipe(node.Pipe, inWith), c.list(node.List, inWith), c.list(node.ElseList, inWith))
	case *parse.WithNode:
		return cmp.Or(c.pipe(node.Pipe, inWith), c.list(node.List, true), c.list(node.ElseList, inWith))
	}
	return errForm(node.String())
}

func (c checker) pipe(pipe *parse.PipeNode, inWith bool) error {
	name, root, ok := nameOf(pipe)
	switch {
	case !ok:
		return errForm("{{" + pipe.String() + "}}")
	case name == "" && !inWith:
		return errors.New("{{.}} has a value inside {{with .NAME}}...{{end}} only")
	case name != "" && !root && inWith:
		return fmt.Errorf("{{.%s}} has no value inside {{with}}: use {{$.%s}}", name, name)
	case name != "":
		c.names[name] = true
	}
	return nil
}

// nameOf returns the name in {{.Name}} or {{$.Name}}; root is true for the second. The name is
// empty for {{.}}.
func nameOf(pipe *parse.PipeNode) (name string, root, ok bool) {
	if len(pipe.Decl) > 0 || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return "", false, false
	}
	switch arg := pipe.Cmds[0].Args[0].(type) {
	case *parse.DotNode:
		return "", false, true
	case *parse.FieldNode:
		return arg.Ident[0], false, len(arg.Ident) == 1
	case *parse.VariableNode:
		if len(arg.Ident) == 2 && arg.Ident[0] == "$" {
			return arg.Ident[1], true, true
		}
	}
	return "", false, false
}

// filler writes one text that was checked.
type filler struct {
	values map[string]string
	out    strings.Builder
}

// list writes the nodes until the result is too large; dot is the value of {{.}}.
func (f *filler) list(list *parse.ListNode, dot string) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		if f.out.Len() > maxSize {
			return
		}
		switch node := node.(type) {
		case *parse.TextNode:
			f.out.Write(node.Text)
		case *parse.ActionNode:
			f.out.WriteString(f.value(node.Pipe, dot))
		case *parse.IfNode:
			if f.value(node.Pipe, dot) != "" {
				f.list(node.List, dot)
			} else {
				f.list(node.ElseList, dot)
			}
		case *parse.WithNode:
			if value := f.value(node.Pipe, dot); value != "" {
				f.list(node.List, value)
			} else {
				f.list(node.ElseList, dot)
			}
		}
	}
}

func (f *filler) value(pipe *parse.PipeNode, dot string) string {
	if name, _, _ := nameOf(pipe); name != "" {
		return f.values[name]
	}
	return dot
}
