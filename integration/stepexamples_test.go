package integration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/registry/awsfake"
	"github.com/samforge/samforge/internal/registry/azurefake"
)

// stepRegistries are the registries of the templates and examples, beside the one of
// testenv.AWSHost. Docker Hub is at registry-1.docker.io.
var stepRegistries = []string{
	awsfake.Account + ".dkr.ecr.us-east-1.amazonaws.com", "us-docker.pkg.dev", "us.gcr.io", "europe-docker.pkg.dev", "yourregistry.azurecr.io",
	"registry.example.com", "registry-1.docker.io", testenv.EntraHost,
}

// Secrets of the templates, by the name that they have in the secret manager.
var stepSecrets = map[string]string{
	"registry_password":  ciPassword,
	"google_key":         `{"type": "service_account", "private_key": "canary-of-google"}`,
	"azure_secret":       "canary-of-azure",
	"aws_access_key":     "AKIAEXAMPLE",
	"aws_secret_key":     "canary-of-aws",
	"docker_auth_config": stepAuth,
	"registry":           stepAuth,
}

var stepAuth = fmt.Sprintf(`{"auths": {"registry.example.com": {"auth": %q}}}`, base64.StdEncoding.EncodeToString([]byte("ci:"+ciPassword)))

// newStepBed starts a bed whose registry has the real names of stepRegistries, behind a proxy. Its
// environment has a role in AWS.
func newStepBed(t *testing.T, immutable bool) (*bed, *testenv.AWS) {
	t.Helper()
	aws, err := testenv.StartAWS(stepRegistries...)
	must(t, err)
	t.Cleanup(func() { must(t, aws.Close()) })
	authorities := map[string]string{testenv.AWSHost: aws.CAFile, "docker.io": aws.CAFile}
	for _, host := range stepRegistries {
		authorities[host] = aws.CAFile
	}
	b := &bed{t: t, Env: testenv.New(t, testenv.Options{
		Registry: testenv.RegistryOptions{TokenAuth: true, AnonymousPull: true, ImmutableTags: immutable, Users: map[string]testenv.Account{
			"AWS":                                  {Password: awsfake.Password, Push: true},
			"ci":                                   {Password: ciPassword, Push: true},
			"your_user":                            {Password: ciPassword, Push: true},
			"_json_key":                            {Password: stepSecrets["google_key"], Push: true},
			azurefake.User:                         {Password: azurefake.Password, Push: true},
			"11111111-2222-3333-4444-555555555555": {Password: stepSecrets["azure_secret"], Push: true},
		}},
		Buildkitd: testenv.BuildkitdOptions{Rootless: true, Proxy: aws.ProxyURL, Authorities: authorities},
	})}
	aws.Serve(b.Registry)
	b.env = []string{
		"PATH=" + filepath.Dir(samforgeBinary) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"HTTPS_PROXY=" + aws.ProxyURL, "SSL_CERT_FILE=" + aws.CAFile, "AWS_CA_BUNDLE=" + aws.CAFile, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=AKIAROLE", "AWS_SECRET_ACCESS_KEY=canary-of-the-role",
	}
	return b, aws
}

// wantStep fails the test unless the step printed these references, with the digests that they have
// in the registry, and no secret.
func (b *bed) wantStep(t *testing.T, r result, refs ...string) (digest string) {
	t.Helper()
	lines := r.ok(t)
	for n := range max(len(lines), len(refs)) {
		if n >= len(lines) || n >= len(refs) || !strings.HasPrefix(lines[n], refs[n]+"@sha256:") {
			t.Fatalf("the images are\n%s\nwant\n%s\n%s", strings.Join(lines, "\n"), strings.Join(refs, "\n"), r.stderr)
		}
		path := refs[n]
		if host, rest, _ := strings.Cut(path, "/"); strings.Contains(host, ".") {
			path = rest
		}
		if got := b.digestOfTag(b.Registry.Addr + "/" + path); got != digestOf(lines[n]) {
			t.Errorf("%s is %s in the registry", lines[n], got)
		}
	}
	if all := r.stdout + r.stderr; strings.Contains(all, "canary") || strings.Contains(all, ciPassword) {
		t.Errorf("a secret is shown:\n%s", all)
	}
	return digestOf(lines[0])
}

// platformStep is a step of a template, with the variables that its CI system gives to it.
type platformStep struct {
	env    map[string]string
	script string   // that the machine runs, which has Docker
	args   []string // of the container; after --entrypoint for GitLab's script
	dir    string   // that the container works in; "" for the folder of the CI system
}

// platformSteps returns the steps of a template that build an image.
func platformSteps(t *testing.T, name string) (steps []platformStep) {
	t.Helper()
	data, err := os.ReadFile(example(t, name))
	must(t, err)
	var document yaml.Node
	must(t, yaml.Load(data, &document, yaml.WithV4Defaults()))
	findSteps(&document, &steps)
	if len(steps) == 0 {
		t.Fatalf("%s has no step", name)
	}
	return steps
}

func findSteps(node *yaml.Node, steps *[]platformStep) {
	fields := map[string]*yaml.Node{}
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			fields[node.Content[i].Value] = node.Content[i+1]
		}
	}
	step := platformStep{env: map[string]string{}}
	if settings := fields["settings"]; settings != nil {
		for i := 0; i < len(settings.Content); i += 2 {
			step.env["PLUGIN_"+strings.ToUpper(settings.Content[i].Value)] = settingValue(settings.Content[i+1])
		}
	}
	for _, key := range []string{"env", "envVariables", "variables"} {
		if fields[key] != nil {
			addVariables(step.env, fields[key])
		}
	}
	if step.env["PLUGIN_REPO"] == "" {
		for _, child := range node.Content {
			findSteps(child, steps)
		}
		return
	}
	for _, key := range []string{"command", "run"} {
		if fields[key] != nil {
			step.script = fields[key].Value
		}
	}
	if list := fields["script"]; list != nil {
		step.args = append(slices.Clone(errexit), strings.Join(values(list), "\n"))
	}
	if list := fields["args"]; list != nil {
		step.args = values(list)
	}
	if dir := fields["workingDir"]; dir != nil {
		step.dir = dir.Value
	}
	*steps = append(*steps, step)
}

// settingValue returns the text of a setting, as Drone, Woodpecker and Harness write it: lists of
// scalars with commas, everything else as JSON.
func settingValue(node *yaml.Node) string {
	switch node.Kind {
	case yaml.ScalarNode:
		return node.Value
	case yaml.SequenceNode:
		return strings.Join(values(node), ",")
	}
	content := map[string]any{}
	if err := node.Decode(&content); err != nil {
		return err.Error()
	}
	if secret, ok := content["from_secret"].(string); ok {
		return stepSecrets[secret]
	}
	data, _ := json.Marshal(content) // of maps with strings as keys
	return string(data)
}

// addVariables adds variables, which are a mapping, or a list as Kubernetes has it.
func addVariables(env map[string]string, node *yaml.Node) {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			env[node.Content[i].Value] = node.Content[i+1].Value
		}
		return
	}
	var list []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef struct{ Name string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	if err := node.Decode(&list); err != nil {
		return // a list of something else
	}
	for _, variable := range list {
		env[variable.Name] = variable.Value + stepSecrets[variable.ValueFrom.SecretKeyRef.Name]
	}
}

var (
	secretExpression = regexp.MustCompile(`<\+secrets\.getValue\("(\w+)"\)>|\$\{\{ secrets\.(\w+) \}\}`)
	anyExpression    = regexp.MustCompile(`<\+|\$\(|\$\{|\$[A-Z]`)
)

// variables returns the variables of a step with the values of the CI system's expressions.
func (s platformStep) variables(t *testing.T, expressions ...string) (env []string) {
	t.Helper()
	for name, value := range s.env {
		value = secretExpression.ReplaceAllStringFunc(value, func(expression string) string {
			parts := secretExpression.FindStringSubmatch(expression)
			return stepSecrets[strings.ToLower(parts[1]+parts[2])]
		})
		value = strings.NewReplacer(expressions...).Replace(value)
		if anyExpression.MatchString(value) {
			t.Errorf("%s has an expression without a value: %s", name, value)
		}
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}
