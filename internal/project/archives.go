package project

import (
	"slices"

	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// Archive is the image of a function that ImageUri names as a file.
type Archive struct {
	// Name is the path of the function, such as Child/HelloFunction.
	Name string
	// File is the path of the archive.
	File string
	// Lambda is what the function sets.
	Lambda lambda.Function

	of  *samtemplate.Function
	app *application
	p   *Project
}

// Archives returns the images of a template's functions that are in files; none for a
// samforge.yaml.
func (p *Project) Archives() []Archive {
	app, ok := p.origin.(*application)
	if !ok {
		return nil
	}
	var archives []Archive
	for _, f := range app.archives {
		archives = append(archives, Archive{Name: f.Path, File: f.Archive, Lambda: *onLambda(f), of: f, app: app, p: p})
	}
	return archives
}

// Platform returns the platform of the image, such as linux/amd64.
func (a Archive) Platform() string { return a.of.Platform() }

// Reference returns the reference to push the image to. id are the hex digits of the image's ID, which
// take the place of the digest that the tags of built images have.
func (a Archive) Reference(id string) (string, error) {
	fields := a.app.fieldsOf(a.p, a.of)
	fields["Inputs"] = id[:shortDigest]
	return a.app.reference(a.p, a.of, fields)
}

// Diagnostic returns a sentence about the image, at the place of its ImageUri.
func (a Archive) Diagnostic(format string, args ...any) *source.Diagnostic {
	return a.of.Diagnostic(a.of.ImageUri.At, format, args...)
}

// withImages returns the functions that have an image of their own: one that is built, or one in a file.
func (a *application) withImages() []*samtemplate.Function {
	return slices.Concat(a.functions, a.archives)
}
