package llbgen

import "context"

// sam is the image that CI steps run the AWS SAM CLI in: an AWS SAM build
// image, with the plugin, go-template and the Docker CLI added.
func (b *build) sam(ctx context.Context) (*Image, error) {
	return b.assemble(ctx, pluginScriptsDir+"/sam-plugin.sh",
		b.plugin("harness-sam-plugin", "sam-plugin.sh"),
		b.goTemplate,
		b.dockerCLI,
	)
}
