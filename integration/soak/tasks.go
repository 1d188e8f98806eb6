package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/registry/awsfake"
)

// task is one thing that people do with samforge.
type task struct {
	name string
	// command returns the arguments and the variables of a run.
	command func(r *run) (args, env []string)
	// writes says that a run writes the file run.output, unless it fails.
	writes bool
	// large says that it pulls large images, and private that it starts a builder of its own.
	large, private bool
	// exit is the exit code without faults, and prints the output, see run.printed.
	exit   int
	prints string
	// says is what the log says then.
	says string
}

// allTasks are the tasks. prepare writes the files that they name.
func (s *soak) allTasks() []*task {
	return []*task{
		{name: "build: SAM images", command: s.builds(samImages)},
		{name: "build: SAM images for two platforms", command: s.builds(samIndexes)},
		{name: "build: a SAM image into an archive", command: s.builds(samArchive), writes: true},
		{name: "build: Serverless base images", command: s.builds(serverlessImages), large: true},
		{name: "build: a CDK image, with npm", command: s.builds(cdkImage), large: true},
		{name: "build: functions of a template", command: s.builds(functions)},
		{name: "build: --verify=event", command: s.builds(verifiedFunction)},
		{name: "build: a function that fails --verify=event", command: s.builds(unprovenFunction), exit: 1, says: "this is no number"},
		{name: "package", command: s.packages, writes: true},
		{name: "invoke", command: s.invokes("Good", "-e", "event.json")},
		{name: "invoke --invocations 5", command: s.invokes("Good", "--invocations", "5")},
		{name: "invoke --image", command: s.invokes("--image", s.relay.Addr+"/base/function:1")},
		{name: "invoke: a function that throws", command: s.invokes("Throws"), exit: 1},
		{name: "invoke: a function that takes too long", command: s.invokes("Sleeps"), exit: 1},
		{name: "plugin: a Dockerfile", command: s.step},
		{name: "plugin: a bake file", command: s.bakeStep},
		{name: "plugin: Amazon ECR", command: s.amazonStep},
		{name: "plugin: a private buildkitd", command: s.privateStep, private: true},
	}
}

// template is the SAM template of the tasks.
const template = "app/template.yaml"

// builds returns the command that runs samforge build with further arguments.
func (s *soak) builds(more func(r *run) []string) func(*run) (args, env []string) {
	return func(r *run) (args, env []string) {
		args = append([]string{"build", "--progress", "plain", "--builder", r.address}, more(r)...)
		if !slices.Contains(args, template) {
			args = append(args, s.mirrors()...)
		}
		return append(args, r.again("--no-cache")...), nil
	}
}

// again returns a flag or a variable for runs that do not use the builder's cache.
func (r *run) again(flag string) []string {
	if r.fresh {
		return []string{flag}
	}
	return nil
}

// mirrors are the flags that point samforge to the stand-ins.
func (s *soak) mirrors() []string {
	return []string{
		"--mirror", "https://app.harness.io/=" + s.files.URL() + "/", "--mirror", "https://registry.npmjs.org/=" + s.npm.URL() + "/",
		"--mirror", "public.ecr.aws=" + s.relay.Addr + "/ecr", "--mirror", "docker.io=" + s.relay.Addr + "/hub",
	}
}

func samImages(r *run) []string {
	return []string{"-f", "sam/samforge.yaml", "--repo", r.repository, "--push"}
}

func samIndexes(r *run) []string {
	return append(samImages(r), "--platform", "linux/amd64,linux/arm64")
}

func samArchive(r *run) []string {
	return []string{"-f", "sam/samforge.yaml", "--target", "nodejs22.x", "--repo", r.repository, "--output", "type=oci,dest=" + r.output}
}

func serverlessImages(r *run) []string {
	return []string{"-f", "serverless/samforge.yaml", "--target", "base", "--repo", r.repository, "--push"}
}

func cdkImage(r *run) []string {
	return []string{"-f", "cdk/samforge.yaml", "--repo", r.repository, "--push"}
}

func functions(r *run) []string {
	return []string{"-f", template, "--target", "Good", "--target", "Throws", "--target", "Empty", "--repo", r.repository, "--push"}
}

func verifiedFunction(r *run) []string {
	return []string{"-f", template, "--target", "Good", "--repo", r.repository, "--push", "--verify", "event", "--no-skip"}
}

func unprovenFunction(r *run) []string {
	return []string{"-f", template, "--target", "Throws", "--repo", r.repository + "-unproven", "--push", "--verify", "event", "--no-skip"}
}

func (s *soak) packages(r *run) (args, env []string) {
	args = []string{"package", "--progress", "plain", "--builder", r.address, "-t", template, "--image-repository", r.repository, "--output-template-file", r.output}
	return append(args, r.again("--no-cache")...), nil
}

func (s *soak) invokes(more ...string) func(*run) (args, env []string) {
	return func(r *run) (args, env []string) {
		args = []string{"invoke", "--progress", "plain", "--builder", r.address}
		if more[0] != "--image" {
			args = append(args, "-t", template)
		}
		return append(args, more...), nil
	}
}

// step is a step of a pipeline: all its settings are variables.
func (s *soak) step(r *run) (args, env []string) {
	settings := []string{"BUILDKIT_HOST=" + r.address, "PLUGIN_REPO=" + r.repository, "PLUGIN_TAGS=1.2.3", "PLUGIN_EXPAND_TAG=true", "PLUGIN_CONTEXT=step", "PLUGIN_DOCKERFILE=step/Dockerfile", "PLUGIN_REPRODUCIBLE=true", "SOURCE_DATE_EPOCH=1700000000"}
	return nil, append(settings, r.again("PLUGIN_NO_CACHE=true")...)
}

func (s *soak) privateStep(r *run) (args, env []string) {
	args, env = s.step(r)
	return args, append(env, "BUILDKIT_HOST=private://")
}

func (s *soak) bakeStep(r *run) (args, env []string) {
	return nil, append([]string{"BUILDKIT_HOST=" + r.address, "PLUGIN_BAKE_FILE=bake/docker-bake.hcl", "REPO=" + r.repository, "PLUGIN_REPRODUCIBLE=true", "SOURCE_DATE_EPOCH=1700000000"}, r.again("PLUGIN_NO_CACHE=true")...)
}

func (s *soak) amazonStep(r *run) (args, env []string) {
	r.repository = strings.Replace(r.repository, s.relay.Addr, testenv.AWSHost, 1)
	args, env = s.step(r)
	return args, append(env, "PLUGIN_REPO="+strings.TrimPrefix(r.repository, testenv.AWSHost+"/"), "PLUGIN_REGISTRY="+testenv.AWSHost, "PLUGIN_CREATE_REPOSITORY=true",
		"PLUGIN_ACCESS_KEY=AKIAEXAMPLE", "PLUGIN_SECRET_KEY="+awsfake.Password, "PLUGIN_REGION="+testenv.AWSRegion, "AWS_EC2_METADATA_DISABLED=true",
		"HTTPS_PROXY="+s.amazon.ProxyURL, "SSL_CERT_FILE="+s.amazon.CAFile, "AWS_CA_BUNDLE="+s.amazon.CAFile)
}

// taskFiles are what the tasks build. HOST is the registry's.
var taskFiles = map[string]string{
	"sam/samforge.yaml": "kind: sam\nplugin: {image: '" + testenv.SAMPlugin + "', version: 1.1.2}\ndocker: {version: 28.5.2}\ngoTemplate: {version: v0.4.15}\n" +
		"runtimes:\n  - image: " + testenv.Node22Base + "\n  - image: " + testenv.Python312Base + "\n",
	"serverless/samforge.yaml": "kind: serverless\nplugin: {image: '" + testenv.ServerlessPlugin + "', version: 1.1.0-beta}\nserverless: {version: 3.39.0}\ngoTemplate: {version: v0.4.15}\n" +
		"runtimes:\n  - {image: '" + testenv.Python312Base + "', node: '" + testenv.Lambda20Base + "'}\n  - {image: '" + testenv.Java21Base + "', node: '" + testenv.Lambda20Base + "'}\n",
	"cdk/samforge.yaml": "kind: cdk\nplugin: {image: '" + cdkPlugin + "', version: 1.0.0}\ngoTemplate: {version: v0.4.15}\n" +
		"runtimes:\n  - {image: '" + testenv.Python312Base + "', node: '" + testenv.Lambda20Base + "'}\n",
	template: `Transform: AWS::Serverless-2016-10-31
Resources:
  Good:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image, MemorySize: 256, Timeout: 30}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./code}
  Throws:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image, MemorySize: 256, Timeout: 30, ImageConfig: {Command: [app.throws]}}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./code}
  Sleeps:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image, MemorySize: 256, Timeout: 1, ImageConfig: {Command: [app.sleeps]}}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./code}
  Empty:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
    Metadata: {Dockerfile: Empty.Dockerfile, DockerContext: ./code}
`,
	"app/events/Good.json":          `{"name": "world"}`,
	"app/events/Good.response.json": `{"hello": "world"}`,
	"app/events/Throws.json":        `{}`,
	"app/code/app.mjs": "export const good = async (event) => ({ hello: event.name });\nexport const throws = async () => { throw new TypeError('this is no number'); };\n" +
		"export const sleeps = async () => new Promise((resolve) => setTimeout(resolve, 60000));\n",
	"app/code/Dockerfile": "FROM HOST/ecr/lambda/nodejs:22 AS made\nRUN mkdir /made && echo made >/made/file && touch -d @0 /made/file\n" +
		"FROM HOST/ecr/lambda/nodejs:22\nENV LAMBDA_TASK_ROOT=/.\nCOPY app.mjs /\nCOPY --from=made /made/file /made\nCMD [\"app.good\"]\n",
	"app/code/Empty.Dockerfile": "FROM scratch\nCOPY app.mjs /\nENTRYPOINT [\"/app.mjs\"]\n",
	"event.json":                `{"name": "world"}`,
	"step/Dockerfile":           "FROM HOST/base/program:1\nCOPY common /common\nRUN [\"/program\", \"--version\"]\nCOPY app /app\n",
	"step/common":               "common\n",
	"step/app":                  strings.Repeat("app\n", 1<<16),
	"bake/docker-bake.hcl": `variable "REPO" { default = "none" }
group "default" { targets = ["web", "tool"] }
target "base" {
  context           = "bake"
  dockerfile-inline = "FROM HOST/base/program:1\nCOPY base /base\nRUN [\"/program\", \"--version\"]\n"
}
target "web" {
  context           = "bake"
  contexts          = { base = "target:base" }
  dockerfile-inline = "FROM base\nCOPY web /web\n"
  tags              = ["${REPO}:web"]
}
target "tool" {
  context           = "bake"
  contexts          = { base = "target:base" }
  dockerfile-inline = "FROM base\nCOPY tool /tool\n"
  tags              = ["${REPO}:tool", "${REPO}:latest"]
}
`,
	"bake/base": "base\n",
	"bake/web":  strings.Repeat("web\n", 1<<16),
	"bake/tool": strings.Repeat("tool\n", 1<<16),
}

// work returns the path of a file of the tasks.
func (s *soak) work(name string) string { return filepath.Join(s.dir, "work", name) }

func (s *soak) writeFiles() error {
	for name, text := range taskFiles {
		path, text := s.work(name), strings.ReplaceAll(text, "HOST/", s.relay.Addr+"/")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	return nil
}
