package integration

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/llbgen"
)

// script is a shell script of a CI template, with the command line that the CI system uses to run
// it.
type script struct {
	text  string
	shell []string
}

// The shells of CI systems. For GitHub's see
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
var (
	plainShell = []string{"sh", "-c"}
	errexit    = []string{"sh", "-e", "-c"}
	githubBash = []string{"bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"}
)

// scripts returns the shell scripts of a CI template, in its order: the commands that Harness and
// GitHub run, GitLab's scripts, and the arguments that Kubernetes passes to samforge's image.
func scripts(t *testing.T, name string) (found []script) {
	t.Helper()
	data, err := os.ReadFile(example(t, name))
	must(t, err)
	documents, err := yaml.NewLoader(bytes.NewReader(data))
	must(t, err)
	for {
		var document yaml.Node
		if err := documents.Load(&document); errors.Is(err, io.EOF) {
			break
		} else {
			must(t, err)
		}
		walk(&document, &found)
	}
	if len(found) == 0 {
		t.Fatalf("%s has no commands", name)
	}
	return found
}

func walk(node *yaml.Node, found *[]script) {
	if node.Kind != yaml.MappingNode {
		for _, item := range node.Content {
			walk(item, found)
		}
		return
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		fields[node.Content[i].Value] = node.Content[i+1]
	}
	if text := fields["command"]; text != nil && text.Kind == yaml.ScalarNode {
		*found = append(*found, script{text.Value, plainShell})
	}
	if text := fields["run"]; text != nil && text.Kind == yaml.ScalarNode {
		shell := errexit
		if name := fields["shell"]; name != nil && name.Value == "bash" {
			shell = githubBash
		}
		*found = append(*found, script{text.Value, shell})
	}
	if lines := fields["script"]; lines != nil {
		*found = append(*found, script{strings.Join(values(lines), "\n"), errexit})
	}
	for program, repository := range map[string]string{"samforge": "/samforge:", "aws": "/aws-cli:"} {
		if image := fields["image"]; image != nil && strings.Contains(image.Value, repository) && fields["args"] != nil {
			*found = append(*found, script{program + " " + arguments(fields["args"]), plainShell})
		}
	}
	for i := 1; i < len(node.Content); i += 2 {
		walk(node.Content[i], found)
	}
}

// arguments returns the arguments of a container as a shell writes them. Kubernetes replaces
// $(NAME).
func arguments(list *yaml.Node) string {
	var words []string
	for _, word := range values(list) {
		if name, ok := strings.CutPrefix(word, "$("); ok {
			words = append(words, `"$`+strings.TrimSuffix(name, ")")+`"`)
			continue
		}
		words = append(words, "'"+word+"'")
	}
	return strings.Join(words, " ")
}

func values(list *yaml.Node) (values []string) {
	for _, item := range list.Content {
		values = append(values, item.Value)
	}
	return values
}

// ciJob is the environment that a CI system provides for the scripts of a template.
type ciJob struct {
	*bed
	dir string // the work tree
	env []string
}

const ciPassword = "s3cr3t-of-the-ci-account"

// newCIJob provides scripts with a repository that requires credentials, mirrors to the stand-ins
// and a builder, all by variables.
func newCIJob(t *testing.T, b *bed, npm *testenv.NPMRegistry, variables ...string) *ciJob {
	t.Helper()
	mirrors := llbgen.Mirrors{"https://app.harness.io/": b.Files.URL() + "/"}
	for from, to := range b.Registry.Mirrors() {
		mirrors[from] = to
	}
	if npm != nil {
		mirrors["https://registry.npmjs.org/"] = npm.URL() + "/"
	}
	name, value := llbgen.MirrorsArg(mirrors)
	auth := base64.StdEncoding.EncodeToString([]byte("ci:" + ciPassword))
	return &ciJob{bed: b, dir: t.TempDir(), env: append([]string{
		"PATH=" + filepath.Dir(samforgeBinary) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		name + "=" + value, "BUILDKIT_HOST=" + b.Buildkitd.Addr, "TARGET_REPO=" + b.repo("ci/images"),
		fmt.Sprintf("DOCKER_AUTH_CONFIG={\"auths\": {%q: {\"auth\": %q}}}", b.Registry.Addr, auth),
	}, variables...)}
}

// ciRegistry requires credentials for pushes.
func ciRegistry() testenv.Options {
	return testenv.Options{Registry: testenv.RegistryOptions{
		TokenAuth: true, AnonymousPull: true,
		Users: map[string]testenv.Account{"ci": {Password: ciPassword, Push: true}},
	}}
}

// run runs a script as its CI system does, and returns all of its output.
func (j *ciJob) run(t *testing.T, s script) string {
	t.Helper()
	said, err := j.output(t, s)
	if err != nil {
		t.Errorf("%v of\n%s\nIt said:\n%s", err, s.text, said)
	}
	if strings.Contains(said, ciPassword) || strings.Contains(said, base64.StdEncoding.EncodeToString([]byte("ci:"+ciPassword))) {
		t.Errorf("the password is printed by\n%s", s.text)
	}
	return said
}

func (j *ciJob) output(t *testing.T, s script) (string, error) {
	t.Helper()
	text := strings.ReplaceAll(s.text, "registry.example.com", j.Registry.Addr)
	cmd := exec.CommandContext(t.Context(), s.shell[0], append(slices.Clone(s.shell[1:]), text)...)
	cmd.Dir, cmd.Env = j.dir, append(os.Environ(), j.env...)
	said, err := cmd.CombinedOutput()
	return string(said), err
}

var pushed = regexp.MustCompile(`(?m)^(\S+)@(sha256:[0-9a-f]{64})$`)

// wantImages fails the test unless the output names n images, all of which are in the registry.
func (j *ciJob) wantImages(t *testing.T, said string, n int) {
	t.Helper()
	images := pushed.FindAllStringSubmatch(said, -1)
	if len(images) != n {
		t.Errorf("%d images are printed, want %d:\n%s", len(images), n, said)
	}
	for _, image := range images {
		if got := j.digestOfTag(image[1]); got != image[2] {
			t.Errorf("%s is %s in the registry, %s was printed", image[1], got, image[2])
		}
	}
}

// Each template's own commands build its images. The credentials of the registry come from one
// variable, and nothing prints it.
func TestCITemplates(t *testing.T) {
	t.Parallel()
	b := newBed(t, ciRegistry())
	b.base(testenv.Node22Base, "nodejs22.x", "amd64")
	t.Run("Harness, SAM", func(t *testing.T) {
		j := newCIJob(t, b, nil, "VERSION=1.1.2-beta", "HARNESS_BASE_IMAGE="+testenv.SAMPlugin, "SAM_BASE_IMAGE="+testenv.Node22Base)
		step := scripts(t, "ci/harness-sam.yaml")[0]
		step.text += "\necho \"IMAGE is $IMAGE\""
		said := j.run(t, step)
		j.wantImages(t, said, 1)
		if want := "IMAGE is " + b.repo("ci/images:1.1.2-beta-nodejs22.x-1.144.0-linux-amd64@sha256:"); !strings.Contains(said, want) {
			t.Errorf("the output variable is not %s:\n%s", want, said)
		}
	})
	// These templates have a build file and its lock in their repository.
	work := func(t *testing.T) *ciJob {
		j := newCIJob(t, b, nil)
		file := strings.Replace(samFile, "version: 1.1.2}", "version: 1.1.2-beta}", 1)
		must(t, os.WriteFile(filepath.Join(j.dir, llbgen.Filename), []byte(file), 0o600))
		j.run(t, script{"samforge lock --env-args", plainShell})
		return j
	}
	t.Run("GitHub Actions", func(t *testing.T) {
		j := work(t)
		for _, step := range scripts(t, "ci/github-actions.yml") {
			if said := j.run(t, step); strings.Contains(step.text, "samforge build") {
				j.wantImages(t, said, 1)
			}
		}
	})
	t.Run("GitLab", func(t *testing.T) {
		j := work(t)
		for _, step := range scripts(t, "ci/gitlab-ci.yml") {
			if said := j.run(t, step); strings.Contains(step.text, "samforge build") {
				j.wantImages(t, said, 1)
			}
		}
	})
	t.Run("Kubernetes, a Job", func(t *testing.T) {
		j := work(t)
		j.wantImages(t, j.run(t, scripts(t, "ci/kubernetes-job.yaml")[0]), 1)
	})
	t.Run("Kubernetes, several builders", func(t *testing.T) {
		j := work(t)
		step := scripts(t, "ci/kubernetes-builders.yaml")[0]
		for n := range 3 {
			address := fmt.Sprintf("tcp://buildkitd-%d.buildkitd:1234", n)
			if !strings.Contains(step.text, address) {
				t.Fatalf("the template does not use %s:\n%s", address, step.text)
			}
			step.text = strings.ReplaceAll(step.text, address, startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{Rootless: true}).Addr)
		}
		j.wantImages(t, j.run(t, step), 1)
	})
}

// The nine pairs in one step, as a normal user's buildkitd builds them.
func TestCITemplateOfServerless(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, ciRegistry(), testenv.ServerlessOptions{})
	j := newCIJob(t, b, npm, "VERSION=1.1.0-beta", "HARNESS_BASE_IMAGE="+testenv.ServerlessPlugin, "SERVERLESS_VERSION=3.39.0")
	j.wantImages(t, j.run(t, scripts(t, "ci/harness-serverless.yaml")[0]), 18)
}

var building = regexp.MustCompile(`samforge '?(build|package)\b`)

// A failed build fails the step of each template, even after it has printed images, and nothing
// after the build is run.
func TestABuildThatFailsFailsTheTemplate(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/ci/*")
	must(t, err)
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "samforge"), []byte("#!/bin/sh\necho registry.example.com/ci/image:1@sha256:0\n[ \"$1\" != build ] && [ \"$1\" != package ]\n"), 0o755))
	for _, deploys := range []string{"aws", "sam"} {
		must(t, os.WriteFile(filepath.Join(bin, deploys), []byte("#!/bin/sh\n"), 0o755))
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "step-") {
			continue // has settings in place of commands, see TestImageOfSamforge
		}
		built := false
		for _, step := range scripts(t, filepath.Join("ci", filepath.Base(file))) {
			cmd := exec.CommandContext(t.Context(), step.shell[0], append(slices.Clone(step.shell[1:]), step.text)...)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TARGET_REPO=registry.example.com/ci/image")
			said, err := cmd.CombinedOutput()
			builds := building.MatchString(step.text)
			built = built || builds
			if builds != (err != nil) {
				t.Errorf("%s: the step ended with %v; it builds: %t\n%s\nIt said:\n%s", file, err, builds, step.text, said)
			}
		}
		if !built {
			t.Errorf("%s has no step that builds", file)
		}
	}
}

// privileges match what would make a container privileged, or print a secret.
var privileges = regexp.MustCompile(`\bprivileged\b|dind|docker\.sock|PASSWORD|docker login`)

// No template asks for a privileged container, and none prints a secret.
func TestCITemplatesNeedNoPrivileges(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/ci/*")
	must(t, err)
	if len(files) < 10 {
		t.Fatalf("there are %d templates", len(files))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		lines := slices.DeleteFunc(strings.Split(string(data), "\n"), func(line string) bool { return strings.HasPrefix(line, "#") })
		text := strings.Join(lines, "\n")
		if no := privileges.FindString(text); no != "" {
			t.Errorf("%s has %q", file, no)
		}
	}
}
