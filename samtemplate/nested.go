package samtemplate

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// What an application may have at most. A template that is nested twice counts twice: a few files
// that nest each other can ask for more than there is memory.
const (
	maxTemplates = 500
	maxSize      = 64 << 20 // bytes, without the root
)

// readNested reads a nested stack and, if it is a local file, its template.
func (r *reader) readNested(res resource) {
	nested := &Nested{LogicalID: res.id, At: res.key.Position()}
	if _, off := r.isOff(res); off {
		r.template.Nested = append(r.template.Nested, nested)
		return
	}
	property := "TemplateURL"
	if res.kind == serverlessApplication {
		property = "Location"
	}
	nested.keys = append(slices.Clone(res.keys), "Properties", property)
	v, ok := res.properties[property]
	if literal(res.metadata[assetProperty]) == property {
		if asset, given := res.metadata[assetPath]; given {
			v, ok = asset, true
		}
	}
	if !ok {
		res.key.Errorf("the nested stack has no %s", property)
		return
	}
	r.template.Nested = append(r.template.Nested, nested)
	if v.Node.Kind == yaml.MappingNode && v.Tag() == "" {
		if _, _, isCall := callOf(v); !isCall { // ApplicationId and SemanticVersion
			r.warn(v, "", "the application is one of the Serverless Application Repository: its functions are not built")
			return
		}
	}
	nested.Location = r.text(v)
	r.checkPublic(v, nested.Location)
	location := nested.Location.Reveal()
	switch {
	case nested.Location.Unresolved != nil:
		r.warn(v, "", "the functions of the nested stack are not built, because its template is not known: %s", nested.Location.Unresolved.Reason)
	case isRemote(location):
		r.warn(v, "", "the functions of the nested stack are not built, because its template is not a local file")
	case r.loop != nil:
		v.Errorf("a nested stack with a local template cannot be in Fn::ForEach: write the stacks out")
	default:
		nested.Template = r.loadNested(res, v, strings.TrimPrefix(location, "file://"))
	}
}

// isRemote reports whether the template of a nested stack is not a local file.
func isRemote(location string) bool {
	scheme, _, ok := strings.Cut(location, "://")
	return ok && scheme != "file"
}

// loadNested reads the template of a nested stack. It returns nil after a mistake.
func (r *reader) loadNested(res resource, v source.Value, location string) *Template {
	l := r.loader
	if l.opt.ReadTemplate == nil {
		v.Errorf("nested stacks are not read here")
		return nil
	}
	if !path.IsAbs(location) {
		location = path.Join(path.Dir(r.template.Name), location)
	}
	file, err := l.opt.ReadTemplate(location)
	if err != nil {
		mistake := r.doc.Diagnostic(v.Position(), v.Path, "cannot read the template of the nested stack: %v", err)
		mistake.Err = err
		l.mistakes = append(l.mistakes, mistake)
		return nil
	}
	name := path.Clean(file.Name)
	if i := slices.Index(l.around, name); i >= 0 {
		v.Errorf("the template nests itself: %s", strings.Join(append(slices.Clone(l.around[i:]), name), " nests "))
		return nil
	}
	switch l.size += len(file.Data); {
	case l.templates >= maxTemplates:
		v.Errorf("the application has more than %d templates", maxTemplates)
		return nil
	case l.size > maxSize:
		v.Errorf("the templates of the application have more than %d bytes", maxSize)
		return nil
	}
	return l.load(file, r.path(res.id), r.arguments(res))
}

// arguments returns the parameters that a template gives to a nested stack. A list becomes a text
// with commas, as the nested template has it.
func (r *reader) arguments(res resource) arguments {
	given := arguments{values: map[string]Text{}}
	section, ok := res.properties["Parameters"]
	if !ok {
		return given
	}
	keys := map[string]source.Value{}
	given.refuse = func(name, message string) { keys[name].Errorf("%s", message) }
	for key, v := range section.Entries() {
		result := r.eval(v)
		if result.none {
			continue
		}
		t := r.static(result.text)
		if result.isList {
			t = joined(result.list)
		}
		keys[key.Node.Value] = key
		given.values[key.Node.Value] = t.at(source.Position{}) // that of this template means nothing there
	}
	return given
}

// joined returns the texts of a list with commas between them.
func joined(list []Text) Text {
	var texts []string
	like := Text{}
	for _, t := range list {
		if t.Unresolved != nil {
			return t
		}
		if texts = append(texts, t.Reveal()); t.Secret() {
			like = t
		}
	}
	return like.as(strings.Join(texts, ","))
}
