package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/llbgen"
)

// Blocks of commands that [TestDocumentedCommands] does not run, and why. A block that needs an
// account of a cloud says so in its first line: "# Needs …".
var notRunHere = map[string]string{
	"make demo":           "takes two minutes; it is the demo that integration/demo has",
	"make image":          "TestImage runs it",
	"make frontend-image": "TestFrontendImage runs it",
	"curl -fsSL https://github.com/samforge/samforge/releases/":                 "needs a release; TestInstallScript runs install.sh",
	"CGO_ENABLED=0 go install github.com/samforge/samforge/cmd/samforge@latest": "TestGoInstall runs it",
}

// mostNotRun limits how many blocks need an account.
const mostNotRun = 3

// Each block of commands in README.md and docs does what it should. The blocks of a section run one
// after the other, in a folder of their own. Lines below a command are lines of its output;
// … stands for any text.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	d := newDocsBed(t)
	t.Run("sections", func(t *testing.T) {
		needsAccount := 0
		for _, section := range documented(t) {
			blocks, notRun := toRun(section)
			for _, reason := range notRun {
				t.Logf("%s: not run, it needs %s", section.Page, reason)
			}
			needsAccount += len(notRun)
			if len(blocks) > 0 {
				t.Run(section.Page+"/"+section.Title, func(t *testing.T) {
					t.Parallel()
					d.runSection(t, section, blocks)
				})
			}
		}
		if needsAccount > mostNotRun {
			t.Errorf("%d blocks need an account, at most %d may", needsAccount, mostNotRun)
		}
	})
	d.wantOneDigest(t)
}

// toRun returns the blocks that are run here, and what those need that need an account.
func toRun(s testenv.Section) (blocks []testenv.Block, notRun []string) {
	for _, b := range s.Blocks {
		if reason, ok := strings.CutPrefix(b.Text, "# Needs "); ok {
			notRun = append(notRun, strings.Split(reason, "\n")[0])
		} else if !isNotRunHere(b.Text) {
			blocks = append(blocks, b)
		}
	}
	return blocks, notRun
}

func isNotRunHere(text string) bool {
	for begins := range notRunHere {
		if strings.HasPrefix(text, begins) {
			return true
		}
	}
	return false
}

// wantOneDigest fails the test unless the three commands of docs/building.md gave one image.
func (d *docsBed) wantOneDigest(t *testing.T) {
	digests := map[string]bool{}
	for _, title := range []string{"samforge build", "docker buildx build", "docker buildx bake"} {
		registry := d.sectionRegistry(testenv.Section{Page: "building.md", Title: title})
		digests[d.digestOfTag(registry+"/ci/aws-sam-plugin:1.1.2-beta-python3.12-1.143.0")] = true
	}
	if len(digests) != 1 {
		t.Errorf("three ways give %v", digests)
	}
}

// documented returns the sections of all pages that have commands.
func documented(t *testing.T) (all []testenv.Section) {
	t.Helper()
	pages, err := filepath.Glob("../docs/*.md")
	must(t, err)
	for _, page := range append([]string{"../README.md"}, pages...) {
		sections, err := testenv.Sections(page)
		must(t, err)
		all = append(all, sections...)
	}
	return all
}

// docsBed is what the commands of the pages run on.
type docsBed struct {
	*buildx
	app *exampleApplication
	npm string
}

// docsFolder is where the commands of a section run.
type docsFolder struct {
	*docsBed
	dir      string
	registry string // stands for registry.example.com
}

func newDocsBed(t *testing.T) *docsBed {
	t.Helper()
	b, npm := sharedBed(t)
	b.prefix += fmt.Sprint(time.Now().UnixNano()) + "/" // what an earlier run pushed would be skipped
	return &docsBed{b.newBuildx(b.Buildkitd), newExampleApplication(t, b, npm), npm.URL()}
}

// runSection runs the blocks of a section in a folder that has what its page speaks of.
func (d *docsBed) runSection(t *testing.T, section testenv.Section, blocks []testenv.Block) {
	f := &docsFolder{d, t.TempDir(), d.sectionRegistry(section)}
	switch key := section.Page + "#" + section.Title; {
	case section.Page == "applications.md" && section.Title != "A first application", section.Page == "invoke.md":
		d.app.checkout(t, f.dir)
		f.change(t, "template.yaml", func(text string) string { return "# syntax=" + d.frontend + "\n" + text })
	case section.Page == "step.md", key == "README.md#You have a Build and Push step":
		f.write(t, "Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
	case section.Page == "lambda.md":
		f.write(t, "Dockerfile", "FROM scratch\nCOPY Dockerfile /app\nENTRYPOINT [\"/app\"]\n")
	case section.Page == "compatibility.md":
		f.write(t, "pair.yaml", refusedPair)
	case section.Page == "building.md", section.Page == "plan.md", section.Page == "output.md":
		f.write(t, llbgen.Filename, f.local(exampleFile(t)))
	}
	base, err := d.Registry.Ref(testenv.NodeFunctionBase)
	must(t, err)
	mirrors := d.Registry.Mirrors()
	mirrors["https://app.harness.io/"] = d.Files.URL() + "/"
	for _, b := range blocks {
		for _, c := range b.Commands() {
			must(t, testenv.UseStandIns(f.dir, mirrors, base))
			wantOutput(t, c, f.run(t, c))
		}
	}
}

// sectionRegistry is what stands for registry.example.com in a section: each has repositories of its
// own.
func (d *docsBed) sectionRegistry(s testenv.Section) string {
	return d.repo(strings.Trim(notInNames.ReplaceAllString(strings.ToLower(s.Page+" "+s.Title), "-"), "-"))
}

// refusedPair is the build file of docs/compatibility.md.
const refusedPair = `kind: serverless
plugin:
  image: harness/serverless-plugin:1.1.0-beta-base-image
  version: 1.1.0-beta
runtimes:
  - image: public.ecr.aws/sam/build-python3.11:1.143.0-20250822194415
    node: public.ecr.aws/lambda/nodejs:20.2025.03.25.16
`

// exampleFile returns the build file of docs/build-file.md.
func exampleFile(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/build-file.md")
	must(t, err)
	_, file, _ := strings.Cut(string(page), "```yaml\n")
	file, _, _ = strings.Cut(file, "```")
	return file
}

// local replaces the page's registry by the one of the test bed.
func (f *docsFolder) local(text string) string {
	text = strings.ReplaceAll(text, "registry.example.com/samforge-frontend:1", f.frontend)
	return strings.ReplaceAll(text, "registry.example.com", f.registry)
}

// change edits a file of the folder, if it is there.
func (f *docsFolder) change(t *testing.T, name string, edit func(string) string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if os.IsNotExist(err) {
		return
	}
	must(t, err)
	f.write(t, name, edit(string(text)))
}

func (f *docsFolder) write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o644))
}

// varying are parts of the output that differ from run to run: times, sizes, whether the builder had
// it, and the spaces after them.
var varying = regexp.MustCompile(`\b\d+(\.\d+)?(s|ms|[kMG]?B)\b|\bbuilt\b|\bfrom the cache\b| +`)

// wantOutput fails the test unless the output has the lines of the page. Parts that vary are not
// compared, nor is the order: standard output and standard error come through two pipes.
func wantOutput(t *testing.T, c testenv.Command, output string) {
	t.Helper()
	lines := strings.Split(varying.ReplaceAllString(output, " "), "\n")
	for _, line := range c.Output {
		line = regexp.QuoteMeta(varying.ReplaceAllString(line, " "))
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(line, "…", ".*") + " *$")
		if !slices.ContainsFunc(lines, pattern.MatchString) {
			t.Errorf("%s does not print the line\n  %s\nIt prints\n%s", strings.TrimSpace(c.Text), line, output)
		}
	}
}

// endsWithCtrlC are commands that go on until they are interrupted, after their first result.
var endsWithCtrlC = regexp.MustCompile(`--watch\b`)

// blockLimit ends a block that hangs.
const blockLimit = 2 * time.Minute

// run runs a command as a user's shell does, and returns all of its output as the page shows it.
func (f *docsFolder) run(t *testing.T, c testenv.Command) string {
	t.Helper()
	goesOn := endsWithCtrlC.MatchString(c.Text)
	text := strings.ReplaceAll(f.local(c.Text), "3000", freePort(t))
	if !goesOn { // what is in the background ends with the block
		text = "set -eo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + text
	}
	ctx, cancel := context.WithTimeout(t.Context(), blockLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", text)
	cmd.Dir = f.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(samforgeBinary)+":"+os.Getenv("PATH"), "BUILDKIT_HOST="+f.Buildkitd.Addr,
		"DOCKER_CONFIG="+f.config, "BUILDX_CONFIG="+f.config+"/buildx", "BUILDX_BUILDER=remote", "REGISTRY_PASSWORD=secret",
		"npm_config_registry="+f.npm, "HOME="+t.TempDir())
	var out output
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, &stdout), &out
	if goesOn {
		cmd.Stdout = &interrupter{&out, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }}
	}
	if err := cmd.Run(); (err != nil) != c.Fails() {
		t.Fatalf("%s: error %v, want one: %t\n%s", text, err, c.Fails(), &out.text)
	}
	shown := out.text.String() + "\n" + stdout.String() // its last line may have no end on a terminal
	return strings.ReplaceAll(shown, f.registry, "registry.example.com")
}

// output collects what a command writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(data)
}

// interrupter calls a function when something is written.
type interrupter struct {
	*output
	interrupt func()
}

func (i *interrupter) Write(data []byte) (int, error) {
	defer i.interrupt()
	return i.output.Write(data)
}

// freePort returns a port of loopback that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}
