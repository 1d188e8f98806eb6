package llbgen

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

// How far images are checked.
const (
	// VerifyStatic checks what the catalogue knows, before anything is pulled.
	VerifyStatic = "static"
	// VerifyFull checks the finished image too, which unpacks its base.
	VerifyFull = "full"
	// VerifyOff checks nothing.
	VerifyOff = "off"
)

// checkDir is the working directory of an image's checks.
const checkDir = "/samforge/check"

// Check is a command that must succeed in the finished image.
type Check struct {
	// Name says what is checked: "node".
	Name string
	// Field is the place in the build file that the program comes from.
	Field string
	// Remedy says what to do when the check fails; optional.
	Remedy string
	// State is the step that runs the command. Solving it runs the check; the image does not depend
	// on it.
	State llb.State
	// Program is the path of a program whose shared libraries must be in the image; empty if there
	// is none to check.
	Program string
	// LibraryPath are the directories to search for the program's libraries, before the system's.
	LibraryPath []string
}

// check is a [Check] without its step.
type check struct {
	name, field, remedy string
	script              string // of /bin/sh
	program             string
	libraries           []string // directories, before those of the image's environment
}

// renderScript renders a template with go-template, as a CI step does.
const renderScript = goTemplatePath + ` --version
echo 'Hello {{.Values.name}}' >template.txt
echo 'name: samforge' >values.yaml
` + goTemplatePath + ` -t template.txt -f values.yaml -o rendered
test "$(cat rendered/template.txt)" = 'Hello samforge'
`

// sslScript loads the ssl module in each Python of the image: the runtime's own, and the system's,
// which the system's tools use. An image may have neither.
const sslScript = `for python in python3 /usr/bin/python3; do
  if command -v "$python" >/dev/null; then "$python" -c 'import ssl'; fi
done
`

// baseChecks check what the base image brings, since the libraries of another runtime can break it:
// Python, be it the runtime's language or the system's, and the SAM CLI.
func (b *build) baseChecks() []check {
	ssl := check{name: "python", field: b.target.path + ".image", script: sslScript}
	if b.target.Node != "" && b.plan.File.Node.Layout == layoutMerged {
		ssl.remedy = "Node.js's libraries come before Python's own there: use node.layout: isolated"
	}
	return []check{ssl, b.samCheck()}
}

// checks returns the steps that check the image. Each runs on its own, with the image's environment
// and user and without a network, and leaves nothing behind.
func (b *build) checks(base *SourceImage, layers []*Layer, config *dockerspec.DockerOCIImage, r recipe) []*Check {
	if b.plan.Verify != VerifyFull {
		return nil
	}
	root := b.wholeImage(base.State, layers).User(config.Config.User)
	var libraryPath []string
	for _, variable := range config.Config.Env {
		name, value, _ := strings.Cut(variable, "=")
		root = root.AddEnv(name, value)
		if name == "LD_LIBRARY_PATH" {
			libraryPath = strings.Split(value, ":")
		}
	}
	all := slices.Clone(r.checks)
	for _, l := range layers {
		all = append(all, l.checks...)
	}
	var checks []*Check
	for _, c := range all {
		opts := append(slices.Clone(b.opt.Run),
			llb.Args([]string{"/bin/sh", "-ec", c.script}),
			llb.Dir(checkDir),
			llb.Network(pb.NetMode_NONE),
			llb.AddEnv("SLS_TELEMETRY_DISABLED", "1"),
			llb.AddEnv("SLS_NOTIFICATIONS_MODE", "off"),
		)
		for _, o := range b.step(c.field, "check %s in the image", c.name) {
			opts = append(opts, o)
		}
		done := root.Run(opts...).AddMount(checkDir, b.checkFiles())
		checks = append(checks, &Check{
			Name: c.name, Field: c.field, Remedy: c.remedy, State: done,
			Program: c.program, LibraryPath: append(slices.Clone(c.libraries), libraryPath...),
		})
	}
	return checks
}

// checkFiles makes the working directory of a check, in which any user may write.
func (b *build) checkFiles() llb.State {
	return llb.Scratch().File(llb.Mkdir(path.Base(checkDir), 0o777), b.step("", "make a directory for the checks")...)
}

// wholeImage returns the image as a root file system to run checks in. Unlike the exported image,
// its merge may come from the cache, and so may the checks.
func (b *build) wholeImage(base llb.State, layers []*Layer) llb.State {
	if b.opt.NoMerge {
		return b.stackByCopy(base, layers)
	}
	return llb.Merge(states(base, layers), b.step("runtimes", AssembleStep)...)
}
