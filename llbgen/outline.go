package llbgen

import "github.com/samforge/samforge/npm"

import "strconv"

// Argument is a build argument that a target takes, with its value.
type Argument struct {
	Variable
	// Value is what the build file or the argument says; empty for what is not
	// set.
	Value string
	// At is the place of the value.
	At *Diagnostic
}

// Arguments returns the build arguments that have a meaning for a target, in the
// order of [Variables].
func (p *Plan) Arguments(t Target) []Argument {
	var args []Argument
	for _, v := range Variables() {
		if field, value, ok := p.argument(t, v.Name); ok {
			args = append(args, Argument{v, value, p.doc.at(field, "")})
		}
	}
	return args
}

// argument returns the field that a build argument sets and the value of it, or
// false where the kind has no use for it.
func (p *Plan) argument(t Target, name string) (field, value string, ok bool) {
	f := &p.File
	serverless := f.Kind == "serverless"
	switch name {
	case "HARNESS_BASE_IMAGE":
		return "plugin.image", f.Plugin.Image, true
	case "VERSION":
		return "plugin.version", f.Plugin.Version, true
	case "TARGET_REPO":
		return "repo", f.Repo, true
	case "SAM_BASE_IMAGE":
		return t.path + ".image", t.Base, !serverless
	case "RUNTIME_BASE_IMAGE_VERSION":
		return t.path + ".image", t.Base, serverless
	case "NODEJS_BASE_IMAGE_VERSION":
		return t.path + ".node", t.Node, serverless
	case "SERVERLESS_VERSION":
		return "serverless.version", f.Serverless.Version, serverless
	case "SAMFORGE_SERVERLESS_LOCK":
		return "serverless.lock", f.Serverless.Lock, serverless
	case "DOCKER_VERSION":
		return "docker.version", f.Docker.Version, true
	case "HARNESS_GO_PLUGIN_VERSION":
		return "goTemplate.version", f.GoTemplate.Version, true
	case "INSTALL_GO_TEMPLATE_BINARY":
		return "goTemplate", strconv.FormatBool(!f.GoTemplate.Disabled), true
	case verifyArg:
		return "", p.Verify, true
	case "SAMFORGE_KIND":
		return "kind", f.Kind, true
	case "SAMFORGE_MIRRORS":
		_, mirrors := MirrorsArg(f.Mirrors)
		return "mirrors", mirrors, true
	}
	return "", "", true // a switch of the pipeline's, such as UNIFIED_PIPELINE
}

// Secrets returns the IDs of the secrets that building a target can use. All are
// optional.
func (p *Plan) Secrets(t Target) []string {
	if t.Variant != variantServerless || p.File.Serverless.fromArchive() {
		return nil
	}
	return []string{npm.SecretNPMRC, npm.SecretCA}
}

// Description says in a few words what a target is.
func (p *Plan) Description(t Target) string {
	switch t.Variant {
	case variantBase:
		return t.Runtime + " with Node.js and the plugin"
	case variantServerless:
		return t.Runtime + " with Node.js, the plugin and " + p.File.Serverless.Flavor + " " + p.File.Serverless.Version
	default:
		return t.Runtime + " with the plugin and SAM CLI " + t.SAMVersion
	}
}

// Place is where the build file names the runtime of a target.
func (p *Plan) Place(t Target) *Diagnostic { return p.doc.at(t.path+".image", "") }
