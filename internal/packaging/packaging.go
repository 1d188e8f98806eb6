// Package packaging writes a SAM template in which each function names the image that was pushed for
// it, as `sam package` does.
package packaging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/atomicwriter"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/samtemplate"
)

// Options say where the template is written, and how.
type Options struct {
	// Output is the file; empty for Stdout. The templates of nested stacks are written beside it.
	Output string
	Stdout io.Writer
	// JSON writes JSON, whatever form the template has.
	JSON bool
	// Digest writes the digests of the images, and not their tags.
	Digest bool
}

// Check refuses, before anything is built, what [Write] could not write. It makes the folder of the
// output.
func Check(p *project.Project, opt Options) error {
	t := p.Template()
	if opt.Output != "" {
		if err := os.MkdirAll(filepath.Dir(opt.Output), 0o755); err != nil {
			return fmt.Errorf("--output-template-file: %w", err)
		}
	}
	images := map[string]string{}
	for _, f := range t.AllFunctions() {
		images[f.Path] = "registry.example.com/image:1"
	}
	files, err := rewrite(t, images, opt, opt.Output)
	if err != nil {
		return err
	}
	if opt.Output == "" && len(files) > 1 {
		return errors.New("the template has nested stacks with functions, and their templates are files of their own: name a file with --output-template-file")
	}
	for _, file := range files {
		if file.name == "" {
			continue
		}
		if err := checkFile(t, file.name); err != nil {
			return fmt.Errorf("--output-template-file: %w", err)
		}
	}
	return nil
}

// checkFile refuses a file that is one of the templates, or that cannot be written.
func checkFile(t *samtemplate.Template, name string) error {
	there, err := os.Stat(name)
	for template := range t.All() {
		if read, readErr := os.Stat(template.Name); err == nil && readErr == nil && os.SameFile(there, read) {
			return fmt.Errorf("%s is the template itself: name another file", name)
		}
	}
	writer, err := atomicwriter.New(name, 0o644)
	if err != nil {
		return err
	}
	return writer.Close() // nothing was written, so nothing is changed
}

// Write writes the template with the images that were built. The templates of nested stacks come
// first, so that the one to be deployed is there only when all others are.
//
// pushed are the images of archives.
func Write(p *project.Project, built []build.Built, pushed map[string]build.Ref, opt Options) error {
	refs := maps.Clone(pushed)
	if refs == nil {
		refs = map[string]build.Ref{}
	}
	for _, image := range built {
		if len(image.Refs) == 0 {
			return fmt.Errorf("%s has no image in a registry", image.Target.Name)
		}
		refs[image.Target.Name] = image.Refs[0]
	}
	images := map[string]string{}
	for name, ref := range refs {
		images[name] = ref.Name
		if opt.Digest {
			images[name] = registry.Repository(ref.Name) + "@" + ref.Digest
		}
	}
	files, err := rewrite(p.Template(), images, opt, opt.Output)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.name == "" {
			_, err = opt.Stdout.Write(file.text)
		} else {
			err = atomicwriter.WriteFile(file.name, file.text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write the template: %w", err)
		}
	}
	return nil
}

// file is a template to be written.
type file struct {
	name string
	text []byte
}

// rewrite returns the texts of a template and of its nested stacks that have a function with an
// image, from the inside out. images are by the paths of the functions. The template of the nested
// stack Child is packaged-Child.yaml beside packaged.yaml, which output names.
func rewrite(t *samtemplate.Template, images map[string]string, opt Options, output string) ([]file, error) {
	edits := samtemplate.Edits{Images: map[string]string{}, Locations: map[string]string{}}
	var files []file
	for _, nested := range t.Nested {
		if nested.Template == nil || !hasImage(nested.Template, images) {
			continue
		}
		ext := filepath.Ext(output)
		name := strings.TrimSuffix(output, ext) + "-" + nested.LogicalID + ext
		below, err := rewrite(nested.Template, images, opt, name)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
		edits.Locations[nested.LogicalID] = "./" + filepath.Base(name)
	}
	for _, f := range t.Functions {
		if image, ok := images[f.Path]; ok && hasOwnImage(f) {
			edits.Images[f.LogicalID] = image
		}
	}
	var err error
	if edits.Moved, err = moved(t, output); err != nil {
		return nil, err
	}
	text, err := t.Rewrite(edits)
	if err == nil && edits.Moved != nil && bytes.Contains(text, []byte("AWS::Include")) {
		err = fmt.Errorf("--output-template-file %s: %s has AWS::Include, whose path is relative to the template: write the template into its own folder", output, t.Name)
	}
	if err == nil && opt.JSON {
		text, err = samtemplate.JSON(t.Name, text)
	}
	return append(files, file{output, text}), err
}

// moved returns what becomes of the paths in a template that is written into the folder of output;
// nil if that is its own.
func moved(t *samtemplate.Template, output string) (func(path string) (string, bool), error) {
	if output == "" {
		return nil, nil
	}
	from, err := userfile.RealPath(filepath.Dir(t.Name))
	if err != nil {
		return nil, err
	}
	to, err := userfile.RealPath(filepath.Dir(output))
	if err != nil || from == to {
		return nil, err
	}
	return func(path string) (string, bool) {
		meant := filepath.Join(from, path)
		if _, err := os.Lstat(meant); err != nil || !samtemplate.IsLocal(path) {
			return "", false // an address, or a name of something else
		}
		relative, err := filepath.Rel(to, meant)
		return filepath.ToSlash(relative), err == nil
	}, nil
}

func hasOwnImage(f *samtemplate.Function) bool {
	return f.Origin == samtemplate.FromDockerfile || f.Origin == samtemplate.FromArchive
}

func hasImage(t *samtemplate.Template, images map[string]string) bool {
	for _, f := range t.AllFunctions() {
		if _, ok := images[f.Path]; ok && hasOwnImage(f) {
			return true
		}
	}
	return false
}
