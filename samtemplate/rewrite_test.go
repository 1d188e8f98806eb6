package samtemplate_test

import (
	"bytes"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

// images returns an image for each function of a template, and a place for each nested template.
func images(template *samtemplate.Template) samtemplate.Edits {
	edits := samtemplate.Edits{Images: map[string]string{}, Locations: map[string]string{}}
	for _, f := range template.Functions {
		if f.Origin == samtemplate.FromDockerfile {
			edits.Images[f.LogicalID] = "localhost:5000/app:" + strings.ToLower(regexp.MustCompile("[^A-Za-z]").ReplaceAllString(f.LogicalID, "")) + "-1"
		}
	}
	for _, nested := range template.Nested {
		if nested.Template != nil {
			edits.Locations[nested.LogicalID] = nested.LogicalID + ".yaml"
		}
	}
	return edits
}

// TestGoldenRewrite shows the templates of testdata with images in them.
func TestGoldenRewrite(t *testing.T) {
	t.Parallel()
	for _, name := range templates(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := loadTestdata(t, name, nil)
			text, err := template.Rewrite(images(template))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, string(text))
		})
	}
}

// TestRewriteLeavesTheRest: with any ends of lines, and with a byte order mark, the new text is the
// old one with nothing but ImageUri changed.
func TestRewriteLeavesTheRest(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(string) string{
		"lines as they are":        func(text string) string { return text },
		"lines of Windows":         func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") },
		"with a byte order mark":   func(text string) string { return "\ufeff" + text },
		"without an end of line":   func(text string) string { return strings.TrimSuffix(text, "\n") },
		"with a document's limits": func(text string) string { return "%YAML 1.1\n---\n" + text + "\n...\n" },
	} {
		for _, file := range templates(t) {
			t.Run(name+" "+file, func(t *testing.T) {
				t.Parallel()
				if strings.Contains(name, "limits") && file == "line.json" {
					t.Skip("JSON has no directives")
				}
				template := loadTestdata(t, file, change)
				edits := images(template)
				text, err := template.Rewrite(edits)
				if err != nil {
					t.Fatal(err)
				}
				checkRewritten(t, file, text, edits)
				before, err := os.ReadFile(path.Join(templatesDir, file))
				if err != nil {
					t.Fatal(err)
				}
				checkLines(t, change(string(before)), string(text), edits)
				if strings.Contains(name, "Windows") && bytes.Count(text, []byte("\n")) != bytes.Count(text, []byte("\r\n")) {
					t.Error("a line ends otherwise than the others")
				}
			})
		}
	}
}

// checkLines compares two texts line by line: each line of the new one is in the old one, in the same
// order, or has an image or a location in it, and there are no more of these than edits. Rewrite itself
// has compared the values.
func checkLines(t *testing.T, before, after string, edits samtemplate.Edits) {
	t.Helper()
	old := strings.SplitAfter(before, "\n")
	values := slices.Concat(slices.Collect(maps.Values(edits.Images)), slices.Collect(maps.Values(edits.Locations)))
	changed := 0
	for line := range strings.Lines(after) {
		if i := slices.Index(old, line); i >= 0 {
			old = old[i+1:]
			continue
		}
		changed++
		if !slices.ContainsFunc(values, func(value string) bool { return strings.Contains(line, value) }) {
			t.Errorf("this line is new:\n%s", line)
		}
	}
	if changed > len(values) {
		t.Errorf("%d lines are changed by %d edits", changed, len(values))
	}
}

// checkRewritten reads a text again: each function has its image.
func checkRewritten(t *testing.T, name string, text []byte, edits samtemplate.Edits) {
	t.Helper()
	read := func(string) (samtemplate.File, error) {
		return samtemplate.File{Name: "other.yaml", Data: []byte("Resources: {}")}, nil
	}
	template, err := samtemplate.Load(samtemplate.File{Name: name, Data: text}, samtemplate.Options{ReadTemplate: read})
	if err != nil {
		if strings.Contains(err.Error(), "is given, but the template has none") {
			return // the stand-in for the nested template has no parameters
		}
		t.Fatalf("%v\n%s", err, text)
	}
	got := samtemplate.Edits{Images: map[string]string{}, Locations: map[string]string{}}
	for _, f := range template.Functions {
		if _, ok := edits.Images[f.LogicalID]; ok {
			got.Images[f.LogicalID] = f.ImageUri.Reveal()
		}
	}
	for _, nested := range template.Nested {
		if _, ok := edits.Locations[nested.LogicalID]; ok {
			got.Locations[nested.LogicalID] = nested.Location.Reveal()
		}
	}
	if !maps.Equal(got.Images, edits.Images) || !maps.Equal(got.Locations, edits.Locations) {
		t.Errorf("got  %v\nwant %v\n%s", got, edits, text)
	}
}

// TestRewriteMistakes: what cannot be changed without changing something else is a mistake, and so
// is a function that the template does not have.
func TestRewriteMistakes(t *testing.T) {
	t.Parallel()
	const other = "  Other:\n    Type: AWS::Serverless::Function\n    Metadata: {" + complete + "}\n    Properties: "
	for name, test := range map[string]struct {
		template string
		images   map[string]string
		want     string
	}{
		"there is no such function": {
			fn("", complete), map[string]string{"Fm": "a/b"}, "template.yaml: there is no function or nested stack Fm",
		},
		"the image is empty": {
			fn("", complete), map[string]string{"Fn": ""}, "template.yaml:2:3: Fn: cannot set its ImageUri: it is empty",
		},
		"another function has the same properties": {
			strings.Replace(fn("", complete), "{Pack", "&p {Pack", 1) + other + "*p\n", map[string]string{"Fn": "a/b"},
			"template.yaml:4:17: Resources.Other.Properties: cannot write the images into the template, because this would change with them",
		},
		"another function has the same merged properties": {
			strings.Replace(fn("", complete), "{Pack", "&p {Pack", 1) + other + "{<<: *p}\n", map[string]string{"Fn": "a/b"}, "Resources.Other.Properties: cannot write the images",
		},
		"the properties are merged": {
			fn("", complete) + "  Third: {<<: &base {Properties: {PackageType: Image}}, Type: AWS::Serverless::Function, Metadata: {" + complete + "}}\n", map[string]string{"Third": "a/b"},
			"template.yaml:6:3: Third: cannot set its ImageUri: Properties comes from a merge key (<<): write it out in the resource",
		},
		"the resource is another": {
			strings.Replace(fn("", complete), "Fn:\n", "Fn: &fn\n", 1) + "  Other: *fn\n", map[string]string{"Fn": "a/b", "Other": "a/c"},
			"template.yaml:6:3: Other: cannot set its ImageUri: *fn stands for the whole resource: write it out",
		},
		"the image has an anchor that is used": {
			strings.Replace(fn("", complete), "Image}", "Image, ImageUri: &i a, Description: *i}", 1), map[string]string{"Fn": "a/b"}, "cannot write the images into the template, because the result cannot be read: template.yaml:4:",
		},
		"keys are in the long style": {
			"Resources:\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties:\n      ? PackageType\n      : Image\n    Metadata: {" + complete + "}\n", map[string]string{"Fn": "a/b"}, "cannot write the images into the template",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := mustLoad(t, test.template, nil).Rewrite(samtemplate.Edits{Images: test.images})
			if err == nil || !strings.Contains(err.Error(), test.want) || text != nil {
				t.Errorf("got %v, want %s\n%s", err, test.want, text)
			}
		})
	}
}

// TestRewriteShared: functions that share their properties get an image each, if all of them do.
func TestRewriteShared(t *testing.T) {
	t.Parallel()
	template := mustLoad(t, strings.Replace(fn("", complete), "{Pack", "&p {Pack", 1)+"  Other:\n    Type: AWS::Serverless::Function\n    Metadata: {"+complete+"}\n    Properties: *p\n", nil)
	edits := samtemplate.Edits{Images: map[string]string{"Fn": "a.example.com/a", "Other": "a.example.com/b"}}
	text, err := template.Rewrite(edits)
	if err != nil {
		t.Fatal(err)
	}
	checkRewritten(t, "template.yaml", text, edits)
}

// TestRewriteOfNothing returns the same bytes.
func TestRewriteOfNothing(t *testing.T) {
	t.Parallel()
	for _, name := range templates(t) {
		text, err := loadTestdata(t, name, nil).Rewrite(samtemplate.Edits{})
		if before, _ := os.ReadFile(path.Join(templatesDir, name)); err != nil || !bytes.Equal(text, before) {
			t.Errorf("%s: got %v\n%s", name, err, text)
		}
	}
}
