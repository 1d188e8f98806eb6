package integration

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/integration/testenv"
)

// podSecurity is what a container may do, for a pod or a container. Woodpecker writes apparmorProfile.
type podSecurity struct {
	RunAsUser                string `yaml:"runAsUser"`
	RunAsGroup               string `yaml:"runAsGroup"`
	AllowPrivilegeEscalation *bool  `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRootFilesystem   bool   `yaml:"readOnlyRootFilesystem"`
	Capabilities             struct{ Drop, Add []string }
	Seccomp                  struct{ Type string } `yaml:"seccompProfile"`
	AppArmor                 struct{ Type string } `yaml:"appArmorProfile"`
	WoodpeckerAppArmor       struct{ Type string } `yaml:"apparmorProfile"`

	workDir string   // has the checkout
	mounts  []string // folders that volumes are mounted at
}

// find adds what a template says of the pod, and after that of its containers. A step of Harness has
// runAsUser alone, and its pod the text of a PodSpec.
func (s *podSecurity) find(t *testing.T, node *yaml.Node) {
	t.Helper()
	if node.Kind != yaml.MappingNode {
		for _, child := range node.Content {
			s.find(t, child)
		}
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		switch value := node.Content[i+1]; node.Content[i].Value {
		case "securityContext":
			must(t, value.Decode(s))
		case "runAsUser":
			s.RunAsUser = value.Value
		case "mountPath":
			s.mounts = append(s.mounts, value.Value)
		case "workingDir":
			s.workDir = value.Value
		case "podSpecOverlay":
			var overlay yaml.Node
			must(t, yaml.Load([]byte(value.Value), &overlay))
			s.find(t, &overlay)
		default:
			s.find(t, value)
		}
	}
}

// options returns the options of docker run that allow the same.
func (s *podSecurity) options() (options []string) {
	if s.RunAsUser != "" {
		options = append(options, "--user "+strings.TrimSuffix(s.RunAsUser+":"+s.RunAsGroup, ":"))
	}
	for _, name := range s.Capabilities.Drop {
		options = append(options, "--cap-drop "+name)
	}
	for _, name := range s.Capabilities.Add {
		options = append(options, "--cap-add "+name)
	}
	if may := s.AllowPrivilegeEscalation; may != nil && !*may {
		options = append(options, "--security-opt no-new-privileges")
	}
	if s.ReadOnlyRootFilesystem {
		options = append(options, "--read-only")
	}
	if s.Seccomp.Type != "" {
		options = append(options, "--security-opt seccomp="+strings.ToLower(s.Seccomp.Type))
	}
	if name := s.AppArmor.Type + s.WoodpeckerAppArmor.Type; name != "" {
		options = append(options, "--security-opt apparmor="+strings.ToLower(name))
	}
	for _, folder := range s.mounts {
		if folder != s.workDir {
			options = append(options, "--tmpfs "+folder+":exec,mode=0777") // as an emptyDir
		}
	}
	return options
}

var (
	// dockerOptions finds the options in a command line of docker run that say what the container
	// may do.
	dockerOptions = regexp.MustCompile(`--(?:user|cap-drop|cap-add|security-opt) \S+`)
	// gitLabOptions finds those of GitLab's runner.
	gitLabOptions = regexp.MustCompile(`security_opt = \["([^"]*)", "([^"]*)"\]`)
)

// containerOptions returns the options of docker run that a template states for the containers of
// its steps.
func containerOptions(t *testing.T, template string) []string {
	t.Helper()
	text, err := os.ReadFile(example(t, template))
	must(t, err)
	if found := dockerOptions.FindAllString(string(text), -1); found != nil {
		return found
	}
	if found := gitLabOptions.FindStringSubmatch(string(text)); found != nil {
		return []string{"--security-opt " + strings.Replace(found[1], ":", "=", 1), "--security-opt " + strings.Replace(found[2], ":", "=", 1)}
	}
	var document yaml.Node
	must(t, yaml.Load(text, &document))
	var security podSecurity
	security.find(t, &document)
	return security.options()
}

// stepTemplate is a template of the Build and Push step.
type stepTemplate struct {
	folder   string     // where the CI system puts the checkout in the container; "" if the template says it
	writable bool       // for all users, as the folders of GitLab's runner are
	images   [][]string // that each step pushes
	needs    int        // how many rights the containers take
}

var stepTemplates = map[string]stepTemplate{
	"step-harness-kubernetes.yaml": {folder: "/harness", needs: 1, images: [][]string{
		{testenv.AWSHost + "/team/app:7", testenv.AWSHost + "/team/app:abc1234"},
		{"europe-docker.pkg.dev/your-project/images/app:7"}, {"yourregistry.azurecr.io/team/app:7"}, {"team/app:7"},
	}},
	"step-harness-vm.yaml": {needs: 3, images: [][]string{{testenv.AWSHost + "/team/app:7", testenv.AWSHost + "/team/app:latest"}}},
	"step-drone.yml": {folder: "/drone/src", images: [][]string{
		{"registry.example.com/team/app:1", "registry.example.com/team/app:1.4", "registry.example.com/team/app:1.4.2"},
	}},
	"step-woodpecker.yaml": {folder: "/woodpecker/src/git.example.com/team/app", needs: 1, images: [][]string{
		{"registry.example.com/team/app:latest", "registry.example.com/team/app:f00d"},
	}},
	"step-gitlab-ci.yml": {folder: "/builds/team/app", writable: true, needs: 1, images: [][]string{
		{"registry.example.com/team/gitlab:cafe", "registry.example.com/team/gitlab:latest"},
	}},
	"step-github-actions.yml":  {needs: 3, images: [][]string{{"registry.example.com/team/app:beef"}}},
	"step-tekton.yaml":         {needs: 3, images: [][]string{{"registry.example.com/team/tekton:latest"}}},
	"step-kubernetes-job.yaml": {needs: 3, images: [][]string{{testenv.AWSHost + "/team/app:1", testenv.AWSHost + "/team/app:1.2", testenv.AWSHost + "/team/app:1.2.3"}}},
}

// runner is docker as a runner of a CI system has it: its network and its variables are those of the
// containers.
const runner = `#!/bin/sh
[ "$1" != run ] || { shift; set -- run --rm --network host --volume "$SSL_CERT_FILE:$SSL_CERT_FILE:ro" \
  --env HTTPS_PROXY --env SSL_CERT_FILE --env AWS_CA_BUNDLE --env AWS_EC2_METADATA_DISABLED \
  --env AWS_ACCESS_KEY_ID --env AWS_SECRET_ACCESS_KEY "$@"; }
exec /usr/bin/docker "$@"
`

// samforgeImage is the name of samforge's image in the templates.
const samforgeImage = "registry.example.com/samforge:1"

// templateRun runs the steps of a template.
type templateRun struct {
	*bed
	stepTemplate
	name         string
	dir, results string // the checkout, and the folder of Tekton's results
	docker       string // the runner's
	config       string // the folder of Docker's configuration
	expressions  []string
}

// step runs a step with these options of docker run and further variables.
func (r *templateRun) step(t *testing.T, step platformStep, options []string, more ...string) result {
	t.Helper()
	env := append(step.variables(t, r.expressions...), "DRONE_COMMIT_REF=refs/tags/v1.4.2", "DRONE_REPO_BRANCH=main")
	if r.name == "step-gitlab-ci.yml" {
		env = append(env, "DOCKER_AUTH_CONFIG="+stepAuth) // a variable of the project
	}
	env = append(env, more...)
	argv := append(slices.Clone(errexit), step.script)
	if step.script == "" {
		argv = append([]string{r.docker, "run"}, strings.Fields(strings.Join(options, " "))...)
		for _, variable := range env {
			name, _, _ := strings.Cut(variable, "=")
			argv = append(argv, "--env", name)
		}
		work := strings.NewReplacer(r.expressions...).Replace(step.dir) + r.folder
		argv = append(argv, "--volume", r.dir+":"+work, "--workdir", work, "--volume", r.results+":/tekton/results")
		if len(step.args) > 0 && step.args[0] == errexit[0] {
			argv = append(argv, "--entrypoint", "")
		}
		argv = append(append(argv, samforgeImage), step.args...)
	}
	return r.stepBy(r.dir, argv, append(env, "DOCKER_CONFIG="+r.config)...)
}

// test runs the steps, and the first one again without each of the rights that it takes.
func (r *templateRun) test(t *testing.T) {
	must(t, os.Chmod(r.dir, map[bool]os.FileMode{true: 0o777, false: 0o755}[r.writable]))
	options, steps := containerOptions(t, "ci/"+r.name), platformSteps(t, "ci/"+r.name)
	if len(steps) != len(r.images) {
		t.Fatalf("the template has %d steps, want %d", len(steps), len(r.images))
	}
	for n, step := range steps {
		r.wantStep(t, r.step(t, step, options), r.images[n]...)
	}
	needed := 0
	for n, option := range options {
		want := "are dropped here, so newuidmap cannot map ids"
		switch {
		case strings.Contains(option, "seccomp"):
			want = "user namespaces are forbidden here"
		case !strings.HasPrefix(option, "--cap-add"):
			continue // takes rights away, or is AppArmor's
		}
		step := steps[0]
		step.script = strings.Replace(step.script, option, "", 1)
		got := r.step(t, step, slices.Delete(slices.Clone(options), n, n+1), "PLUGIN_NO_PUSH=true")
		if got.code != 1 || !strings.Contains(got.stderr, want) {
			t.Errorf("without %s: exit code %d, want 1 and %q:\n%s", option, got.code, want, got.stderr)
		}
		needed++
	}
	if needed != r.needs {
		t.Errorf("it has the options %q; want %d that it needs", options, r.needs)
	}
}

// stepTemplatesInContainers runs each template of the Build and Push step in samforge's image, which
// the engine has: by its commands, with its variables and its container settings, from a checkout to
// registries under their real names. The build runs a program and makes a file of another user.
// Without any one of the rights that a template takes, its step fails. (This machine has no AppArmor,
// so nothing is shown of that.)
func stepTemplatesInContainers(t *testing.T, engine *testenv.Dockerd) {
	t.Helper()
	b, aws := newStepBed(t, false)
	aws.Add("team/app", "")
	bin, results := t.TempDir(), t.TempDir()
	must(t, os.Chmod(results, 0o777)) // as an emptyDir
	must(t, os.WriteFile(filepath.Join(bin, "docker"), []byte(runner), 0o755))
	b.env = append(b.env, "PATH="+bin+":"+os.Getenv("PATH"), "DOCKER_HOST="+engine.Host, "RUNNER_TEMP="+t.TempDir())
	program, err := testenv.Executable(t.Context(), "app", "amd64", "1.0.0")
	must(t, err)
	run := templateRun{bed: b, results: results, docker: filepath.Join(bin, "docker"), config: t.TempDir(), expressions: []string{
		"<+pipeline.sequenceId>", "7", "<+codebase.shortCommitSha>", "abc1234", "${DRONE_BUILD_NUMBER}", "8", "${CI_COMMIT_SHA}", "f00d", "$CI_COMMIT_SHORT_SHA", "cafe",
		"$CI_REGISTRY_IMAGE", "registry.example.com/team/gitlab", "${{ github.sha }}", "beef", "$(params.repository)", "registry.example.com/team/tekton", "$(params.tags)", "latest",
		"$(results.image.path)", "/tekton/results/image", "$(workspaces.source.path)", "/workspace/source", "tcp://buildkitd.ci:1234", forward(t, b.Buildkitd.Addr),
	}}
	run.dir = checkout(t, map[string]string{"app": string(program), "Dockerfile": `FROM --platform=$BUILDPLATFORM scratch AS run
COPY --chmod=755 app /app
RUN ["/app", "--version"]
FROM scratch
ARG VERSION=none
LABEL version=$VERSION
COPY --from=run --chown=1:1 /app /app
`})
	files, err := filepath.Glob("../examples/ci/step-*")
	must(t, err)
	if len(files) != len(stepTemplates) {
		t.Errorf("there are %d templates, and %d are tested", len(files), len(stepTemplates))
	}
	for run.name, run.stepTemplate = range stepTemplates {
		t.Run(run.name, run.test)
	}
	image, err := b.Registry.ReadImage(t.Context(), b.Registry.Addr+"/team/app:f00d", "linux/amd64")
	if err != nil || image.Config.Labels["team"] != "platform" {
		t.Errorf("Woodpecker's mapping does not become labels: %v, %+v", err, image)
	}
	if got, err := os.ReadFile(filepath.Join(results, "image")); err != nil || !strings.HasPrefix(string(got), "registry.example.com/team/tekton@sha256:") {
		t.Errorf("the result of the Task is %q, %v", got, err)
	}
}

// forward listens on TCP for what listens on a Unix socket, and returns the address.
func forward(t *testing.T, socket string) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", strings.TrimPrefix(socket, "unix://"))
			if err != nil {
				_ = from.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				}()
			}
		}
	}()
	return "tcp://" + listener.Addr().String()
}
