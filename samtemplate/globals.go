package samtemplate

import (
	"maps"

	"github.com/samforge/samforge/source"
)

// readGlobals returns the Function section of Globals: properties that the functions of type
// AWS::Serverless::Function have too.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
func (s *scope) readGlobals(section source.Value) map[string]source.Value {
	globals := plainEntries(plainEntries(section)["Function"])
	for _, name := range []string{"PackageType", "ImageUri", "ImageConfig"} {
		if v, ok := globals[name]; ok {
			v.Errorf("SAM does not take %s in Globals: write it in each function", name)
		}
	}
	return globals
}

// globalsFor returns the globals that a resource does not ignore.
func (r *reader) globalsFor(fields map[string]source.Value) map[string]source.Value {
	ignore, ok := fields["IgnoreGlobals"]
	if !ok {
		return r.globals
	}
	if literal(ignore) == "*" {
		return nil
	}
	list, _ := r.list(ignore)
	globals := maps.Clone(r.globals)
	for _, name := range list {
		delete(globals, name.Reveal())
	}
	return globals
}

// withGlobals returns the properties of a function of type AWS::Serverless::Function with the
// globals below them. Environment is read from each.
func withGlobals(properties, globals map[string]source.Value) map[string]source.Value {
	all := map[string]source.Value{}
	maps.Copy(all, globals)
	maps.Copy(all, properties)
	return all
}

// checkArchitectures warns about a function that has an architecture beside that of Globals.
func (r *reader) checkArchitectures(res resource, own, globals map[string]source.Value) {
	v, given := own["Architectures"]
	if _, both := globals["Architectures"]; given && both {
		r.warn(v, "", "Globals has Architectures too, and some versions of SAM join both lists and refuse two entries: write IgnoreGlobals: [Architectures] at %s", res.id)
	}
}
