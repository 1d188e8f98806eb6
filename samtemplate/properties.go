package samtemplate

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// readFunction reads a function, and adds it to those of the template.
func (r *reader) readFunction(res resource) {
	own, globals := res.properties, map[string]source.Value(nil)
	if res.kind == serverlessFunction {
		globals = r.globalsFor(res.fields)
		res.properties = withGlobals(own, globals)
	}
	isImage, ok := r.isImage(res)
	switch {
	case !ok:
		return
	case !isImage:
		r.readZipFunction(res)
		return
	}
	f := &Function{
		LogicalID:  res.id,
		Path:       r.path(res.id),
		ResourceID: r.resourceID(res),
		Type:       res.kind,
		At:         res.key.Position(),
		Build:      Build{Tag: Text{plain: "latest"}},
		template:   r.template,
		keys:       res.keys,
	}
	if r.loop != nil {
		f.Iterations = r.loop.names(res.key.Node.Value)
	}
	if r.ids[f.LogicalID] {
		res.key.Errorf("two functions would be called %s, which is the name without the variable of the loop: rename one", f.LogicalID)
		return
	}
	r.ids[f.LogicalID] = true
	r.template.Functions = append(r.template.Functions, f)
	if condition, off := r.isOff(res); off {
		f.Origin, f.Reason = NotBuilt, "its condition "+condition+" is false"
		return
	}
	r.checkProperties(res)
	r.readBuild(f, res)
	r.readImageUri(f, res)
	r.readOrigin(f, res)
	r.checkArchitectures(res, own, globals)
	f.Architecture = r.architecture(res)
	r.readSettings(f, res)
	f.Environment = r.environment(own, globals)
	r.readRoutes(f, res)
}

// isImage reports whether the code of a function is an image. The second result is false if that is
// a mistake.
func (r *reader) isImage(res resource) (isImage, ok bool) {
	v, given := res.properties["PackageType"]
	if !given {
		return false, true
	}
	switch t := r.need(v); {
	case t.Unresolved != nil:
		return false, false
	case t.Reveal() == "Image":
		return true, true
	case t.Reveal() == "Zip" || !t.Given():
		return false, true
	default:
		v.Errorf("PackageType is Image or Zip, not %q", t)
		return false, false
	}
}

// checkProperties refuses properties that Lambda does not take for an image. SAM builds such a
// function, and the deployment fails.
func (r *reader) checkProperties(res resource) {
	for _, name := range []string{"Runtime", "Handler", "Layers"} {
		v, ok := res.properties[name]
		switch {
		case !ok:
		case strings.HasPrefix(v.Path, "Globals."):
			v.Errorf("Lambda takes no %s for %s, whose code is an image: write IgnoreGlobals: [%s] at the function, beside its Type", name, res.id, name)
		default:
			v.Errorf("Lambda takes no %s for a function whose code is an image: remove it", name)
		}
	}
}

// readImageUri reads the image that a function names: ImageUri, or Code.ImageUri.
func (r *reader) readImageUri(f *Function, res resource) {
	v, ok := res.properties["ImageUri"]
	if res.kind == lambdaFunction {
		code := res.properties["Code"]
		if code.Node != nil && code.Node.Kind == yaml.MappingNode {
			if name, _, isCall := callOf(code); isCall {
				f.ImageUri = unresolved(code.Position(), "Code is the function %s", name)
				return
			}
		}
		v, ok = plainEntries(code)["ImageUri"]
	}
	if ok {
		f.ImageUri = r.text(v)
		r.checkPublic(v, f.ImageUri)
	}
}

// readOrigin finds out where the image comes from.
func (r *reader) readOrigin(f *Function, res resource) {
	image := f.ImageUri.Reveal()
	archive := path.Join(path.Dir(r.template.Name), image)
	if path.IsAbs(image) {
		archive = path.Clean(image)
	}
	switch {
	case f.SkipBuild:
		f.Origin, f.Reason = NotBuilt, "its Metadata has SkipBuild"
	case f.Dockerfile.Given() && f.Context.Given():
		f.Origin = FromDockerfile
	case f.Dockerfile.Given():
		r.metadata(res).Errorf("DockerContext is missing: it is the folder of the code, relative to the template")
	case f.Context.Given():
		r.metadata(res).Errorf("Dockerfile is missing: it is a path in DockerContext, such as Dockerfile")
	case !f.ImageUri.Given():
		res.key.Errorf("nothing says where the image of the function comes from: give it Metadata with Dockerfile and DockerContext, or an ImageUri")
	case f.ImageUri.Unresolved != nil || inRegistry(image):
		f.Origin, f.Reason = FromRegistry, "its ImageUri names an image, and there is no Dockerfile in its Metadata"
	case r.loader.opt.isFile(archive):
		f.Origin, f.Archive = FromArchive, archive
	default:
		r.doc.ErrorAt(f.ImageUri.At, source.Join(res.key.Path, "ImageUri"), "%q is neither an image in a registry nor a file: to build the image, give the function Metadata with Dockerfile and DockerContext", f.ImageUri)
	}
}

// metadata returns the place for mistakes in the Metadata of a resource.
func (r *reader) metadata(res resource) source.Value {
	if v, ok := res.fields["Metadata"]; ok {
		return v
	}
	return res.key
}

// inRegistry reports whether the name of an image begins with a registry.
func inRegistry(image string) bool {
	for _, archive := range []string{".tar", ".tar.gz", ".tgz"} {
		if strings.HasSuffix(image, archive) {
			return false
		}
	}
	host, _, ok := strings.Cut(image, "/")
	return ok && strings.Trim(host, ".") != "" && (strings.ContainsAny(host, ".:") || host == "localhost")
}

// architecture returns the one architecture of a function.
func (r *reader) architecture(res resource) Text {
	fallback := Text{plain: archX86}
	v, ok := res.properties["Architectures"]
	if !ok {
		return fallback
	}
	list, problem := r.list(v)
	switch {
	case problem != nil:
		r.doc.ErrorAt(problem.At, v.Path, "%s", problem.Reason)
		return fallback
	case len(list) != 1:
		v.Errorf("a function has exactly one architecture, %s or %s: the list has %d", archX86, archARM, len(list))
		return fallback
	case list[0].Unresolved != nil:
		r.doc.ErrorAt(list[0].Unresolved.At, v.Path, "%s", list[0].Unresolved.Reason)
		return fallback
	}
	if known := []string{archX86, archARM}; !slices.Contains(known, list[0].Reveal()) {
		v.Errorf("unknown architecture %q: it is %s or %s", list[0], archX86, archARM)
	}
	if !list[0].Given() {
		return list[0].at(v.Position())
	}
	return list[0]
}

// readZipFunction reads a function whose code is no image.
func (r *reader) readZipFunction(res resource) {
	zip := &ZipFunction{LogicalID: res.id, Path: r.path(res.id), At: res.key.Position()}
	v, ok := res.properties["CodeUri"]
	if res.kind == lambdaFunction {
		v, ok = res.properties["Code"]
	}
	if ok && v.Node.Kind == yaml.ScalarNode {
		zip.CodeUri = r.text(v)
		zip.Local = zip.CodeUri.Unresolved == nil && !strings.Contains(zip.CodeUri.Reveal(), "://")
	}
	r.template.ZipFunctions = append(r.template.ZipFunctions, zip)
	image, hasImage := res.properties["ImageUri"]
	if res.kind == lambdaFunction {
		image, hasImage = plainEntries(v)["ImageUri"]
	}
	const unused = "%s is not used: the function has no PackageType: Image"
	if dockerfile, ok := res.metadata["Dockerfile"]; ok {
		r.warn(dockerfile, "", unused, "the Dockerfile")
	} else if hasImage {
		r.warn(image, "", unused, "ImageUri")
	}
}
