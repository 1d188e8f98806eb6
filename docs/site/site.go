package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed page.html style.css
var assets embed.FS

// Repository is where links to files that are no pages lead.
const Repository = "https://github.com/samforge/samforge/blob/main/"

// Index lists the pages in their order. The site makes its navigation from it.
const Index = "docs/README.md"

// Site is the documentation of a repository.
type Site struct {
	Pages  []*Page
	Images []string // paths of pictures, relative to the repository
	root   string
}

// Load reads README.md and all pages of docs. A page that docs/README.md does not list is an error,
// because no reader would find it.
func Load(root string) (*Site, error) {
	s := &Site{root: root}
	for _, pattern := range []string{"README.md", "CHANGELOG.md", "docs/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			page, err := s.read(file)
			if err != nil {
				return nil, err
			}
			s.Pages = append(s.Pages, page)
		}
	}
	return s, s.complete()
}

func (s *Site) read(file string) (*Page, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	name, err := filepath.Rel(s.root, file)
	if err != nil {
		return nil, err
	}
	return Parse(filepath.ToSlash(name), source), nil
}

// complete reports a page that the index does not list.
func (s *Site) complete() error {
	index := s.Page(Index)
	if index == nil {
		return fmt.Errorf("there is no %s", Index)
	}
	listed := map[string]bool{Index: true}
	for _, link := range index.Links() {
		listed[link.File] = true
	}
	for _, page := range s.Pages {
		if !listed[page.Path] {
			return fmt.Errorf("%s does not list %s", Index, page.Path)
		}
		for _, link := range page.Links() {
			if ext := path.Ext(link.File); ext == ".svg" || ext == ".png" {
				s.Images = append(s.Images, link.File)
			}
		}
	}
	return nil
}

// Page returns the page made from a file of the repository, or nil.
func (s *Site) Page(name string) *Page {
	for _, page := range s.Pages {
		if page.Path == name {
			return page
		}
	}
	return nil
}

// Write makes the site in a folder. Files of an earlier site are replaced.
func (s *Site) Write(out string) error {
	layout, err := template.ParseFS(assets, "page.html")
	if err != nil {
		return err
	}
	style, err := assets.ReadFile("style.css")
	if err != nil {
		return err
	}
	if err := write(out, "style.css", style); err != nil {
		return err
	}
	for _, image := range s.Images {
		data, err := os.ReadFile(filepath.Join(s.root, image))
		if err != nil {
			return err
		}
		if err := write(out, image, data); err != nil {
			return err
		}
	}
	for i, page := range s.Pages {
		body, err := page.HTML(s)
		if err != nil {
			return err
		}
		var html bytes.Buffer
		data := pageData{Page: page, Body: template.HTML(body), Menu: s.menu(page), Sections: page.Sections()}
		data.Source = Repository + s.Pages[i].Path
		if err := layout.Execute(&html, data); err != nil {
			return err
		}
		if err := write(out, page.Address(), html.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// pageData is what page.html shows.
type pageData struct {
	*Page
	Body     template.HTML
	Menu     []menuGroup
	Sections []Heading
	Source   string
}

type menuGroup struct {
	Title string
	Items []menuItem
}

type menuItem struct {
	Title, Address string
	Current        bool
}

// menu makes the navigation from the headings and the lists of the index.
func (s *Site) menu(current *Page) []menuGroup {
	var menu []menuGroup
	for _, link := range s.Page(Index).Links() {
		page := s.Page(link.File)
		if page == nil {
			continue
		}
		if len(menu) == 0 || menu[len(menu)-1].Title != link.Section {
			menu = append(menu, menuGroup{Title: link.Section})
		}
		group := &menu[len(menu)-1]
		group.Items = append(group.Items, menuItem{link.Text, page.Address(), page == current})
	}
	return menu
}

func write(out, name string, data []byte) error {
	file := filepath.Join(out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// Address is where a page of the site is: all pages are in one folder, so that each link is the
// same on all of them.
func (p *Page) Address() string {
	switch p.Path {
	case "README.md":
		return "index.html"
	case Index:
		return "contents.html"
	}
	return strings.ToLower(strings.TrimSuffix(path.Base(p.Path), ".md")) + ".html"
}
