package samtemplate

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/source"
)

// dockerKeys are the keys of Metadata that say how to build an image:
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build.html
func dockerKeys() []string {
	return []string{
		"Dockerfile", "DockerContext", "DockerTag", "DockerImage", "DockerBuildArgs", "DockerBuildTarget", "DockerBuildExtraParams",
	}
}

// readBuild reads how to build the image of a function.
func (r *reader) readBuild(f *Function, res resource) {
	metadata := r.withoutCDK(res)
	r.checkKeys(res)
	if v, ok := metadata["SkipBuild"]; ok {
		f.SkipBuild = isTrue(r.need(v).Reveal())
	}
	if f.SkipBuild {
		return
	}
	f.Dockerfile = r.dockerKey(metadata, "Dockerfile")
	f.Context = r.dockerKey(metadata, "DockerContext")
	if tag := r.dockerKey(metadata, "DockerTag"); tag.Given() {
		f.Tag = tag
	}
	f.Image = r.dockerKey(metadata, "DockerImage")
	f.Target = r.dockerKey(metadata, "DockerBuildTarget")
	f.Event = r.dockerKey(metadata, "SamforgeEvent")
	f.ContextDir = r.contextDir(f.Context.Reveal())
	r.checkTag(f, metadata["DockerTag"])
	f.Args = r.buildArgs(metadata["DockerBuildArgs"])
	if v, ok := metadata["DockerBuildExtraParams"]; ok {
		f.setExtra(r.extraParams(v))
	}
	for _, arg := range f.Args {
		if credentials.LooksSecret(arg.Name) {
			line := arg.Value.At.Line
			r.doc.HideValue(line, arg.Value.Reveal())
			r.doc.HideValue(line+1, arg.Value.Reveal()) // after --build-arg on a line of its own
		}
	}
}

// dockerKey returns the text of a key, if it is there.
func (r *reader) dockerKey(metadata map[string]source.Value, name string) Text {
	v, ok := metadata[name]
	if !ok {
		return Text{}
	}
	t := r.need(v)
	r.checkPublic(v, t)
	if t.Given() && t.Unresolved == nil && t.Reveal() == "" {
		v.Errorf("%s is empty", name)
	}
	return t
}

// checkPublic refuses a secret in what is the name of something, as names are shown everywhere.
func (r *reader) checkPublic(v source.Value, t Text) {
	if t.Secret() {
		v.Errorf("the name has the value of a parameter with NoEcho in it, and would be shown: use a parameter without NoEcho")
	}
}

// contextDir returns the path that a DockerContext means. One that is an address stays as it is.
func (r *reader) contextDir(context string) string {
	switch {
	case context == "" || strings.Contains(context, "://") || strings.HasPrefix(context, "git@"):
		return context
	case path.IsAbs(context):
		return path.Clean(context)
	case r.loader.opt.BaseDir != "":
		return path.Join(r.loader.opt.BaseDir, context)
	}
	return path.Join(path.Dir(r.template.Name), context)
}

// legalTag follows the OCI distribution specification, "Pulling manifests":
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md
var legalTag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// plainNumber matches whole numbers that are always written in the same way.
var plainNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

func (r *reader) checkTag(f *Function, v source.Value) {
	if v.Node != nil && (v.Node.Tag == "!!float" || v.Node.Tag == "!!int" && !plainNumber.MatchString(v.Node.Value)) {
		r.warn(v, rules.NumericDockerTag, "the tag is a number, and SAM would write it in another way than %s: put it in quotes", v.Node.Value)
	}
	if tag := f.Tag.Reveal(); f.Tag.Unresolved == nil && tag != "" && !legalTag.MatchString(tag) {
		v.Errorf("%q is not a legal tag: at most 128 letters, digits, dots, dashes and underscores, with a letter, a digit or an underscore first", f.Tag)
	}
}

func (r *reader) buildArgs(v source.Value) []Variable {
	args := r.variables(v)
	for _, arg := range args {
		switch value := arg.Value; {
		case value.Unresolved != nil:
			r.doc.ErrorAt(value.Unresolved.At, source.Join(v.Path, arg.Name), "%s", value.Unresolved.Reason)
		case value.Secret():
			r.warnAt(value.At, source.Join(v.Path, arg.Name), rules.SecretInBuildArg, "the build argument has the value of a parameter with NoEcho, and whoever has the image can read it: give the value to the build as a secret, with --secret and RUN --mount=type=secret")
		}
	}
	return args
}

func (r *reader) extraParams(v source.Value) []Text {
	list, problem := r.list(v)
	if problem != nil {
		r.doc.ErrorAt(problem.At, v.Path, "%s", problem.Reason)
	}
	for _, param := range list {
		if param.Unresolved != nil {
			r.doc.ErrorAt(param.Unresolved.At, v.Path, "%s", param.Unresolved.Reason)
		}
		r.checkPublic(v, param)
	}
	return list
}

// checkKeys refuses keys of Metadata that look like ours and are not. SAM does not build a function
// with such a key, and does not say so.
func (r *reader) checkKeys(res resource) {
	v, ok := res.fields["Metadata"]
	if !ok || v.Node.Kind != yaml.MappingNode || v.Tag() != "" {
		return
	}
	for key := range v.Entries() {
		name := key.Node.Value
		if strings.HasPrefix(strings.ToLower(name), "docker") && !slices.Contains(dockerKeys(), name) {
			v.UnknownKey(key, dockerKeys())
		}
	}
}

// What the AWS CDK writes in Metadata:
// https://github.com/aws/aws-cdk/blob/main/packages/aws-cdk-lib/cx-api/lib/assets.ts
const (
	cdkPath       = "aws:cdk:path"
	assetPath     = "aws:asset:path"
	assetProperty = "aws:asset:property"
	assetBundled  = "aws:asset:is-bundled"
)

// withoutCDK returns the Metadata of a function with SAM's keys in place of the CDK's.
func (r *reader) withoutCDK(res resource) map[string]source.Value {
	if literal(res.metadata[assetProperty]) != "Code.ImageUri" {
		return res.metadata
	}
	metadata := maps.Clone(res.metadata)
	for from, to := range map[string]string{
		assetPath:                             "DockerContext",
		"aws:asset:dockerfile-path":           "Dockerfile",
		"aws:asset:docker-build-args":         "DockerBuildArgs",
		"aws:asset:docker-build-target":       "DockerBuildTarget",
		"aws:asset:docker-build-extra-params": "DockerBuildExtraParams",
		assetBundled:                          "SkipBuild",
	} {
		if v, ok := res.metadata[from]; ok {
			metadata[to] = v
		}
	}
	return metadata
}

// resourceID returns the second name of a function.
func (r *reader) resourceID(res resource) string {
	if id := literal(res.metadata["SamResourceId"]); id != "" {
		return id
	}
	if construct := strings.Split(literal(res.metadata[cdkPath]), "/"); len(construct) > 1 {
		return construct[len(construct)-2]
	}
	return res.id
}
