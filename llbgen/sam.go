package llbgen

import "context"

// samKind is the image that CI steps run the AWS SAM CLI in: an AWS SAM build
// image, with the plugin, go-template and the Docker CLI added.
type samKind struct{}

func (samKind) build(ctx context.Context, b *build) (*Image, error) {
	return b.assemble(ctx, recipe{
		entrypoint: pluginScriptsDir + "/sam-plugin.sh",
		layers: []layerFunc{
			b.plugin("harness-sam-plugin", "sam-plugin.sh"),
			b.goTemplate,
			b.dockerCLI,
		},
		checks: append(b.languageChecks(), check{name: "sam", field: b.target.path + ".image", script: "sam --version"}),
	})
}

func (samKind) variants() []string { return []string{""} }

// SAMTag is the template of a SAM image's tag. An index that holds several
// platforms has no Arch.
const SAMTag = "{{.Version}}-{{.Runtime}}-{{.SAMVersion}}{{with .Arch}}-linux-{{.}}{{end}}"

func (samKind) tag(string) string { return SAMTag }

// validate refuses what only a Serverless image has.
func (samKind) validate(p *Plan) { p.refuseServerlessFields() }
