package llbgen

import "context"

// kind is what a build file can be for. A new one is a file that implements
// this, and a line in kinds.
type kind interface {
	// validate checks what the kind alone has or lacks.
	validate(p *Plan)
	// variants are the images that it makes of each runtime, by name; one
	// image without a name is the empty string.
	variants() []string
	// tag is the template of the tag of a variant's image.
	tag(variant string) string
	// build expresses one target as a graph.
	build(ctx context.Context, b *build) (*Image, error)
}

// kindNames are the kinds in the order they are told.
func kindNames() []string { return []string{"sam", "serverless"} }

func kindNamed(name string) (kind, bool) {
	switch name {
	case "sam":
		return samKind{}, true
	case "serverless":
		return serverlessKind{}, true
	}
	return nil, false
}

// kind is the plan's kind, which was found to exist when it was loaded.
func (p *Plan) kind() kind {
	k, _ := kindNamed(p.File.Kind)
	return k
}
