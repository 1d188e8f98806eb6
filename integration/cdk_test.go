package integration

import (
	"strings"
	"testing"
)

// synth makes a template of a small app, with the CDK's library from the npm registry.
const synth = `
cdk --version
node --version
mkdir app && cd app
HOME=/tmp npm install --silent --no-audit --no-fund --registry=REGISTRY aws-cdk-lib@2.200.0 constructs@10.4.2
cat >app.js <<'END'
const { App, Stack, CfnOutput } = require('aws-cdk-lib');
const stack = new Stack(new App(), 'Smoke');
new CfnOutput(stack, 'Greeting', { value: 'hello' });
END
HOME=/tmp cdk synth --no-version-reporting --no-notices --app 'node app.js'
`

// The AWS CDK runs in each image of the example, beside the runtime's own language.
func TestCDKExample(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	args := []string{"-f", example(t, "cdk/samforge.yaml"), "--repo", b.repo("ci/cdk"), "--mirror", "https://registry.npmjs.org/=" + npm.URL() + "/"}
	b.build(append(args, "--target", "python3.12", "--platform", "linux/amd64", "--verify", "full")...).ok(t)
	lines := b.build(append(args, "--platform", "linux/amd64,linux/arm64", "--push")...).ok(t)
	for _, runtime := range []string{"nodejs22.x", "python3.12"} {
		tag := b.repo("ci/cdk:" + runtime + "-1.0.0-2.1148.1")
		if !strings.Contains(strings.Join(lines, "\n"), tag+"@") || !strings.Contains(strings.Join(lines, "\n"), tag+"-linux-arm64@") {
			t.Errorf("stdout is %q, want the tags %s and its members", lines, tag)
			continue
		}
		image, err := b.Registry.ReadImage(t.Context(), tag, "linux/amd64")
		must(t, err)
		plugin := image.Files["/opt/harness/aws-cdk-plugin"]
		if image.Config.Entrypoint[0] != "/opt/harness/scripts/run.sh" || plugin.Mode&0o777 != 0o755 {
			t.Errorf("%s: the entrypoint is %q, the plugin %+v", runtime, image.Config.Entrypoint, plugin)
		}
	}
	output, err := b.inside(b.Buildkitd, b.repo("ci/cdk:python3.12-1.0.0-2.1148.1"), strings.ReplaceAll(synth, "REGISTRY", npm.URL()))
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, want := range []string{"2.1148.1 (build ", "v22.", "Greeting:", "Value: hello"} {
		if !strings.Contains(output, want) {
			t.Errorf("the output does not have %q:\n%s", want, output)
		}
	}
}
