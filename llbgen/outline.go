package llbgen

import "github.com/samforge/samforge/source"

// Argument is a build argument that a target takes, with its value.
type Argument struct {
	Variable
	// Value comes from the build file or the argument; empty if neither sets it.
	Value string
	// At is the place of the value.
	At *source.Diagnostic
}

// Arguments returns the build arguments that a target uses, in the order of [Variables].
func (p *Plan) Arguments(t Target) []Argument {
	var args []Argument
	for _, v := range append(commonVariables(), p.kind().variables()...) {
		field, value := v.get(p, t)
		args = append(args, Argument{v, value, p.doc.At(field, "")})
	}
	return args
}

// Place returns the place where the build file names the runtime of a target.
func (p *Plan) Place(t Target) *source.Diagnostic { return p.doc.At(t.path+".image", "") }
