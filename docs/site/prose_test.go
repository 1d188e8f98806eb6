package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
)

const (
	mostWords       = 29  // of a sentence
	mostLines       = 200 // of a page
	mostReadmeLines = 120
	fewWords        = 6 // shorter sentences, such as "The same", may stand twice
)

// No sentence has 30 words or more. Headings, list items and cells of tables count as sentences. A
// code span is one word, however long it is; code blocks are no prose.
func TestSentencesAreShort(t *testing.T) {
	t.Parallel()
	for _, page := range load(t).Pages {
		for _, s := range sentences(page) {
			if n := len(strings.Fields(s)); n > mostWords {
				t.Errorf("%s: %d words: %s", page.Path, n, s)
			}
		}
	}
}

// Nothing is said on two pages. A table may say the same of several rows.
func TestNothingIsSaidTwice(t *testing.T) {
	t.Parallel()
	said := map[string]string{} // sentence to its page
	for _, page := range load(t).Pages {
		for _, s := range sentences(page) {
			if len(strings.Fields(s)) <= fewWords {
				continue
			}
			key := strings.Trim(strings.ToLower(s), ".!?: ")
			if other, twice := said[key]; twice && other != page.Path {
				t.Errorf("%s and %s: %s", other, page.Path, s)
			}
			said[key] = page.Path
		}
	}
}

func TestPagesAreShort(t *testing.T) {
	t.Parallel()
	for _, page := range load(t).Pages {
		most := mostLines
		if page.Path == "README.md" {
			most = mostReadmeLines
		}
		if n := strings.Count(string(page.Source), "\n"); n > most {
			t.Errorf("%s has %d lines, and may have %d", page.Path, n, most)
		}
	}
}

// The checks above see what they should.
func TestSentencesOfAPage(t *testing.T) {
	t.Parallel()
	page := Parse("docs/x.md", []byte("# A title\nOne `long code` here. Two, e.g. this\nline! `code` begins [the\nthird](x.md)\n\n- item one\n  - inner\n\n| a | b |\n|---|---|\n| cell 1.5 | cell. Two |\n\n```sh\nno prose\n```\n"))
	want := []string{"A title", "One `long_code` here.", "Two, e.g this line!", "`code` begins the third", "item one", "inner", "a", "b", "cell 1.5", "cell.", "Two"}
	if got := strings.Join(sentences(page), "|"); got != strings.Join(want, "|") {
		t.Errorf("got  %s\nwant %s", got, strings.Join(want, "|"))
	}
}

// The end of a sentence, and the abbreviations that end none.
var (
	sentenceEnd  = regexp.MustCompile(`([.!?][)"]?) +`)
	abbreviation = regexp.MustCompile(`\b(e\.g|i\.e|vs|etc)\. `)
)

// sentences returns the prose of a page. A code span has no spaces.
func sentences(p *Page) []string {
	var all []string
	p.walk(func(n ast.Node) {
		switch n.Kind() {
		case ast.KindHeading, ast.KindParagraph, ast.KindTextBlock, extast.KindTableCell:
			text := abbreviation.ReplaceAllString(prose(n, p.Source), "$1 ")
			text = sentenceEnd.ReplaceAllString(text, "$1\n")
			for s := range strings.SplitSeq(text, "\n") {
				if s = strings.TrimSpace(s); s != "" {
					all = append(all, s)
				}
			}
		}
	})
	return all
}

// prose is the text of a block on one line.
func prose(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.CodeSpan:
			if entering {
				b.WriteString("`" + strings.ReplaceAll(plain(n, source), " ", "_") + "`")
			}
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if entering {
				b.Write(n.Segment.Value(source))
				if n.SoftLineBreak() {
					b.WriteByte(' ')
				}
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
