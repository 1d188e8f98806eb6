// Package packaging writes a SAM template in which each function names the image that was pushed for
// it, as `sam package` does.
package packaging

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/moby/sys/atomicwriter"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/samtemplate"
)

// Options say where the template is written, and how.
type Options struct {
	// Output is the file; empty for Stdout. The templates of nested stacks are written beside it.
	Output string
	Stdout io.Writer
	// Digest writes the digests of the images, and not their tags.
	Digest bool
}

// Check refuses, before anything is built, what [Write] could not write.
func Check(p *project.Project, opt Options) error {
	t := p.Template()
	if opt.Output != "" {
		if err := checkFolder(t, opt.Output); err != nil {
			return err
		}
	}
	images := map[string]string{}
	for _, f := range t.AllFunctions() {
		images[f.Path] = "registry.example.com/image:1"
	}
	files, err := rewrite(t, images, opt.Output)
	if err == nil && opt.Output == "" && len(files) > 1 {
		err = errors.New("the template has nested stacks with functions, and their templates are files of their own: name a file with --output-template-file")
	}
	return err
}

// checkFolder refuses a file in another folder than the template's if the template has relative
// paths that would lead elsewhere from there.
func checkFolder(t *samtemplate.Template, output string) error {
	from, err := filepath.Abs(filepath.Dir(t.Name))
	if err != nil {
		return err
	}
	to, err := filepath.Abs(filepath.Dir(output))
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(to); err == nil {
		to = real
	}
	if from == to {
		return nil
	}
	const remedy = "write the template into its own folder, %s"
	for _, f := range t.ZipFunctions {
		if f.Local {
			return fmt.Errorf("--output-template-file %s: the code of %s is at %s, relative to the template: "+remedy, output, f.Path, f.CodeUri, from)
		}
	}
	for _, nested := range t.Nested {
		if nested.Template != nil && len(nested.Template.AllFunctions()) == 0 {
			return fmt.Errorf("--output-template-file %s: the template of %s is at %s, relative to the template: "+remedy, output, nested.LogicalID, nested.Location, from)
		}
	}
	return nil
}

// Write writes the template with the images that were built. The templates of nested stacks come
// first, so that the one to be deployed is there only when all others are.
func Write(p *project.Project, built []build.Built, opt Options) error {
	images := map[string]string{}
	for _, image := range built {
		if len(image.Refs) == 0 {
			return fmt.Errorf("%s has no image in a registry", image.Target.Name)
		}
		images[image.Target.Name] = image.Refs[0].Name
		if opt.Digest {
			images[image.Target.Name] = registry.Repository(image.Refs[0].Name) + "@" + image.Refs[0].Digest
		}
	}
	files, err := rewrite(p.Template(), images, opt.Output)
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
// image, from the inside out. images are by the paths of the functions.
func rewrite(t *samtemplate.Template, images map[string]string, output string) ([]file, error) {
	edits := samtemplate.Edits{Images: map[string]string{}, Locations: map[string]string{}}
	var files []file
	for _, nested := range t.Nested {
		if nested.Template == nil || !hasImage(nested.Template, images) {
			continue
		}
		below, err := rewrite(nested.Template, images, besides(output, nested.LogicalID))
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
		edits.Locations[nested.LogicalID] = filepath.ToSlash(filepath.Base(besides(output, nested.LogicalID)))
	}
	for _, f := range t.Functions {
		if image, ok := images[f.Path]; ok && f.Origin == samtemplate.FromDockerfile {
			edits.Images[f.LogicalID] = image
		}
	}
	text, err := t.Rewrite(edits)
	return append(files, file{output, text}), err
}

func hasImage(t *samtemplate.Template, images map[string]string) bool {
	for _, f := range t.AllFunctions() {
		if _, ok := images[f.Path]; ok && f.Origin == samtemplate.FromDockerfile {
			return true
		}
	}
	return false
}

// besides returns the name of a nested stack's template: packaged-Child.yaml beside packaged.yaml.
func besides(output, stack string) string {
	ext := filepath.Ext(output)
	return strings.TrimSuffix(output, ext) + "-" + stack + ext
}
