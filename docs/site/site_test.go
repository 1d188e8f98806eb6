package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each link of a page leads to a file of the repository, and to a heading of it if it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, page := range s.Pages {
		for _, link := range page.Links() {
			file, anchor := link.File, link.Anchor
			if path, ok := strings.CutPrefix(link.Target, Repository); ok {
				file, anchor, _ = strings.Cut(path, "#")
			}
			if file == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", file)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page.Path, link.Target)
			}
			if anchor != "" && !hasAnchor(s.Page(file), anchor) {
				t.Errorf("%s: %s has no heading #%s", page.Path, file, anchor)
			}
		}
	}
}

func hasAnchor(page *Page, anchor string) bool {
	return page != nil && slices.ContainsFunc(page.Headings(), func(h Heading) bool { return h.ID == anchor })
}

// A page that an example, a file of the program or a page names is there.
var namedPage = regexp.MustCompile(`\bdocs/[a-z-]+\.md(#[a-z0-9-]+)?`)

// What the program, the examples and the pages say about pages of docs is true.
func TestNamedPagesAreThere(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, folder := range []string{"examples", "cmd", "internal", "frontend", "llbgen", "docs"} {
		must(t, filepath.WalkDir(filepath.Join("../..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			for _, name := range namedPage.FindAllString(string(data), -1) {
				file, anchor, _ := strings.Cut(name, "#")
				if page := s.Page(file); page == nil || anchor != "" && !hasAnchor(page, anchor) {
					t.Errorf("%s names %s, which is not there", path, name)
				}
			}
			return err
		}))
	}
}

// The site has all pages and pictures, and its own links lead to them.
func TestSiteIsWhole(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	s := load(t)
	must(t, s.Write(out))
	address := regexp.MustCompile(`(?:href|src)="([^"#]*)(?:#([^"]*))?"`)
	pages, err := filepath.Glob(filepath.Join(out, "*.html"))
	must(t, err)
	if len(pages) != len(s.Pages) {
		t.Errorf("%d pages became %d files", len(s.Pages), len(pages))
	}
	for _, file := range pages {
		html, err := os.ReadFile(file)
		must(t, err)
		for _, m := range address.FindAllStringSubmatch(string(html), -1) {
			if m[1] == "" || strings.Contains(m[1], "://") {
				continue
			}
			target, err := os.ReadFile(filepath.Join(out, m[1]))
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
			} else if m[2] != "" && !strings.Contains(string(target), `id="`+m[2]+`"`) {
				t.Errorf("%s: %s has no %s", filepath.Base(file), m[1], m[2])
			}
		}
		if strings.Contains(string(html), "<script") {
			t.Errorf("%s has a script", filepath.Base(file))
		}
	}
}

// Anchors are those of GitHub.
func TestAnchors(t *testing.T) {
	t.Parallel()
	page := Parse("docs/x.md", []byte("# `samforge plan`, and more!\n## The two: A_b\n## The two: A_b\n"))
	var ids []string
	for _, h := range page.Headings() {
		ids = append(ids, h.ID)
	}
	if want := []string{"samforge-plan-and-more", "the-two-a_b", "the-two-a_b-1"}; !slices.Equal(ids, want) {
		t.Errorf("%q, want %q", ids, want)
	}
}

// A page that docs/README.md does not list is an error.
func TestPageThatIsNotListed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	must(t, os.Mkdir(filepath.Join(root, "docs"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "docs", "README.md"), []byte("# Pages\n- [a](a.md)\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(root, "docs", "a.md"), []byte("# A\n"), 0o644))
	_, err := Load(root)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(root, "docs", "b.md"), []byte("# B\n"), 0o644))
	if _, err = Load(root); err == nil || err.Error() != "docs/README.md does not list docs/b.md" {
		t.Errorf("error %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T) *Site {
	t.Helper()
	s, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
