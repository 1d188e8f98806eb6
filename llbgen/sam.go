package llbgen

import "context"

// samKind makes the images in which CI steps run the AWS SAM CLI: an AWS SAM build image with the
// plugin, go-template and the Docker CLI added.
type samKind struct{ plainKind }

func (samKind) build(ctx context.Context, b *build) (*Image, error) {
	return b.assemble(ctx, recipe{
		entrypoint: pluginScriptsDir + "/sam-plugin.sh",
		layers: []layerFunc{
			b.plugin(harnessPlugin("harness-sam-plugin", "sam-plugin.sh")),
			b.goTemplate,
			b.dockerCLI,
		},
		checks: b.baseChecks(),
	})
}

// samCheck checks the SAM CLI of the base image. A Lambda base image, which the kinds with Node.js
// can be built on, has none.
func (b *build) samCheck() check {
	script := "sam --version"
	if b.target.Node != "" {
		script = "if command -v sam >/dev/null; then sam --version; fi"
	}
	return check{name: "sam", field: b.target.path + ".image", script: script}
}

func (samKind) name() string { return "sam" }
func (samKind) help() string { return "the AWS SAM CLI" }

// SAMTag is the template of a SAM image's tag. Arch is empty for an index of several platforms.
const SAMTag = "{{.Version}}-{{.Runtime}}-{{.SAMVersion}}{{with .Arch}}-linux-{{.}}{{end}}"

func (samKind) tag(string) string { return SAMTag }

func (samKind) describe(_ *Plan, t Target) string {
	return t.Runtime + " with the plugin and SAM CLI " + t.SAMVersion
}

func (samKind) variables() []Variable {
	return []Variable{{
		Name: "SAM_BASE_IMAGE", Help: "the one base image to build on",
		set: func(f *File, v string) string {
			f.Runtimes = []RuntimeImage{{Image: v}}
			return "runtimes[0].image"
		},
		get: func(_ *Plan, t Target) (string, string) { return t.path + ".image", t.Base },
	}}
}
