// Package packaging writes a SAM template in which each function names the image that was pushed for
// it, as `sam package` does.
package packaging

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/moby/sys/atomicwriter"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/samtemplate"
)

// Options say where the template is written, and how.
type Options struct {
	// Output is the file; empty for Stdout. The templates of nested stacks are written beside their
	// own.
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
	files, err := rewrite(t, images, opt.Output, "")
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
		writer, err := atomicwriter.New(file.name, 0o644)
		if err == nil {
			err = writer.Close() // nothing was written, so nothing is changed
		}
		if err != nil {
			return fmt.Errorf("--output-template-file: %w", err)
		}
	}
	return nil
}

// relativePaths matches the properties of resources that may be paths, relative to the template:
// https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html
var relativePaths = regexp.MustCompile(`\b(CodeUri|ContentUri|DefinitionUri|DefinitionS3Location|BodyS3Location|SchemaUri|Location|TemplateURL|ScriptLocation|AWS::Include|SourceBundle|LicenseUrl|ReadmeUrl)\b`)

// checkFolder refuses a file in another folder than the template's if the template may have paths,
// which would lead elsewhere from there.
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
	if real, err := filepath.EvalSymlinks(from); err == nil {
		from = real
	}
	text, err := t.Rewrite(samtemplate.Edits{})
	if err != nil || from == to {
		return err
	}
	if found := relativePaths.Find(text); found != nil {
		return fmt.Errorf("--output-template-file %s: the template has %s, whose paths are relative to the template: write the template into its own folder, %s", output, found, from)
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
	files, err := rewrite(p.Template(), images, opt.Output, "")
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
// image, from the inside out. images are by the paths of the functions. The template of a nested
// stack stays in its folder, because its paths are relative to it: packaged.yaml becomes
// packaged-Child.yaml there.
func rewrite(t *samtemplate.Template, images map[string]string, output, stack string) ([]file, error) {
	edits := samtemplate.Edits{Images: map[string]string{}, Locations: map[string]string{}}
	var files []file
	for _, nested := range t.Nested {
		if nested.Template == nil || !hasImage(nested.Template, images) {
			continue
		}
		ext := filepath.Ext(output)
		name := strings.TrimSuffix(filepath.Base(output), ext) + stack + "-" + nested.LogicalID + ext
		name = filepath.Join(filepath.Dir(nested.Template.Name), name)
		below, err := rewrite(nested.Template, images, output, stack+"-"+nested.LogicalID)
		if err != nil {
			return nil, err
		}
		below[len(below)-1].name = name
		files = append(files, below...)
		location, err := filepath.Rel(filepath.Dir(t.Name), name)
		if err != nil {
			return nil, err
		}
		edits.Locations[nested.LogicalID] = "./" + filepath.ToSlash(location)
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
