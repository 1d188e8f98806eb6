package main

import (
	"bytes"
	"html"
	"net/url"
	"path"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Page is one page of Markdown.
type Page struct {
	Path   string // in the repository, with slashes
	Source []byte
	Tree   ast.Node
}

// Heading is a title in a page, with the anchor that links name.
type Heading struct {
	Level    int
	Text, ID string
}

// Link is a link or a picture.
type Link struct {
	Target  string // as it is written
	File    string // the file in the repository, "" for another site
	Anchor  string // without #
	Text    string
	Section string // the heading above it
	Node    ast.Node
}

func markdown() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(extension.Table, extension.Strikethrough),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		// docs/images.svg and the like are pictures; comments are the only HTML of the pages.
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(looks{}, 100))),
	)
}

// Parse reads a page. name is its path in the repository.
func Parse(name string, source []byte) *Page {
	context := parser.NewContext(parser.WithIDs(anchors{}))
	return &Page{name, source, markdown().Parser().Parse(text.NewReader(source), parser.WithContext(context))}
}

// Title is the first heading.
func (p *Page) Title() string {
	for _, heading := range p.Headings() {
		return heading.Text
	}
	return p.Path
}

// Headings returns all headings in their order.
func (p *Page) Headings() []Heading {
	var all []Heading
	p.walk(func(n ast.Node) {
		if h, ok := n.(*ast.Heading); ok {
			id, _ := h.AttributeString("id")
			all = append(all, Heading{h.Level, plain(h, p.Source), string(id.([]byte))})
		}
	})
	return all
}

// Sections returns the headings of the second level, for a table of contents. A page with few of
// them needs none.
func (p *Page) Sections() []Heading {
	var sections []Heading
	for _, heading := range p.Headings() {
		if heading.Level == 2 {
			sections = append(sections, heading)
		}
	}
	if len(sections) < 3 {
		return nil
	}
	return sections
}

// Links returns all links and pictures in their order.
func (p *Page) Links() []Link {
	var all []Link
	section := ""
	p.walk(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.Heading:
			section = plain(n, p.Source)
		case *ast.Link:
			all = append(all, p.link(n, string(n.Destination), section))
		case *ast.Image:
			all = append(all, p.link(n, string(n.Destination), section))
		}
	})
	return all
}

func (p *Page) link(n ast.Node, target, section string) Link {
	link := Link{Target: target, Text: plain(n, p.Source), Section: section, Node: n}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" {
		return link
	}
	link.File, link.Anchor = p.Path, u.Fragment
	if u.Path != "" {
		link.File = path.Join(path.Dir(p.Path), u.Path)
	}
	return link
}

// HTML returns the page with its links to other pages of the site, and to the repository for other
// files.
func (p *Page) HTML(s *Site) ([]byte, error) {
	tree := Parse(p.Path, p.Source) // of its own, since the links change
	for _, link := range tree.Links() {
		target := []byte(s.address(link))
		switch n := link.Node.(type) {
		case *ast.Link:
			n.Destination = target
		case *ast.Image:
			n.Destination = target
		}
	}
	var rendered bytes.Buffer
	err := markdown().Renderer().Render(&rendered, p.Source, tree.Tree)
	return rendered.Bytes(), err
}

// address is where a link leads on the site.
func (s *Site) address(link Link) string {
	if link.File == "" {
		return link.Target
	}
	target := Repository + link.File
	if page := s.Page(link.File); page != nil {
		target = page.Address()
	} else if link.Node.Kind() == ast.KindImage {
		target = link.File
	}
	if link.Anchor != "" {
		target += "#" + link.Anchor
	}
	return target
}

func (p *Page) walk(visit func(ast.Node)) {
	_ = ast.Walk(p.Tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			visit(n)
		}
		return ast.WalkContinue, nil
	})
}

// plain is the text of a node, without its markup.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(n.Segment.Value(source))
				if n.SoftLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.String:
			if entering {
				b.Write(n.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// anchors gives headings the anchors that GitHub gives them, so that a link holds on both.
type anchors map[string]bool

// Generate returns the anchor of a heading: lower case, without punctuation, with hyphens for
// spaces.
func (a anchors) Generate(value []byte, _ ast.NodeKind) []byte {
	id := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, string(value))
	for unique, n := id, 1; ; n++ {
		if !a[unique] {
			a[unique] = true
			return []byte(unique)
		}
		unique = id + "-" + string(rune('0'+n))
	}
}

// Put keeps an anchor that is written in the page.
func (a anchors) Put(value []byte) { a[string(value)] = true }

// looks renders a heading as a link to itself, and code.
type looks struct{}

// RegisterFuncs sets how headings and code are rendered.
func (looks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindCodeSpan, codeSpan)
	r.Register(ast.KindHeading, func(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		level := string(rune('0' + n.(*ast.Heading).Level))
		id, _ := n.AttributeString("id")
		if entering {
			_, _ = w.WriteString("<h" + level + ` id="` + string(id.([]byte)) + `">`)
		} else {
			_, _ = w.WriteString(` <a class="anchor" href="#` + string(id.([]byte)) + `" aria-label="Link to this section">#</a></h` + level + ">\n")
		}
		return ast.WalkContinue, nil
	})
}

// shortCode is how many characters of code stay on one line.
const shortCode = 26

// codeSpan renders code. A flag or a name is not broken at its hyphens.
func codeSpan(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	text := plain(n, source)
	class := ""
	if len(text) <= shortCode {
		class = ` class="short"`
	}
	_, _ = w.WriteString("<code" + class + ">" + html.EscapeString(text) + "</code>")
	return ast.WalkSkipChildren, nil
}
