package samtemplate

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/source"
)

// Dockerfile is the Dockerfile of a function, for the rules.
type Dockerfile struct {
	// Name is the file's path. Messages show it.
	Name string
	Data []byte
	// Args are build arguments that replace those of the function.
	Args map[string]string
	// IsPinned reports whether a build takes a certain image in place of the one that the Dockerfile
	// names. If it is nil, it takes none.
	IsPinned func(ref string) bool
	// Catalogue knows when runtimes are at the end of their lives, and Today is the day to compare that
	// with. Without a catalogue this is not checked.
	Catalogue *catalogue.Catalogue
	Today     time.Time
}

// LintDockerfile returns what samforge's own rules find in the function's Dockerfile, in the stages
// that its image is made of. A Dockerfile that does not parse has no findings: Docker's own rules
// say what is wrong.
func (f *Function) LintDockerfile(file Dockerfile) []*source.Diagnostic {
	l, err := newDockerfileLint(f, file)
	if err != nil || len(l.stages) == 0 {
		return nil
	}
	target := l.target()
	if target < 0 {
		return nil
	}
	chain := l.chain(target)
	l.lintEntrypoint(chain)
	l.lintArchitecture(l.stages[chain[len(chain)-1]])
	for _, image := range l.images(target) {
		l.lintImage(image)
	}
	return l.found.that(l.wants())
}

// CheckTarget returns the mistake that the Dockerfile has no stage of the name in DockerBuildTarget;
// nil if it has one, does not parse, or is for a frontend that may be another than Docker's.
func (f *Function) CheckTarget(file Dockerfile) *source.Diagnostic {
	name := f.Target.Reveal()
	if _, _, _, foreign := parser.DetectSyntax(file.Data); foreign || name == "" {
		return nil
	}
	l, err := newDockerfileLint(f, file)
	if err != nil || l.target() >= 0 {
		return nil
	}
	var names []string
	for _, stage := range l.stages {
		if stage.Name != "" {
			names = append(names, stage.Name)
		}
	}
	advice := fmt.Sprintf(" (stages: %s)", strings.Join(names, ", "))
	if len(names) == 0 {
		advice = ": give one a name with FROM … AS " + name
	}
	if near := suggest.Nearest(name, names); near != "" {
		advice = fmt.Sprintf(": did you mean %q?", near)
	}
	return f.Diagnostic(f.Target.At, "DockerBuildTarget: %s has no stage %q%s", file.Name, name, advice)
}

// dockerfileLint applies the rules to a Dockerfile.
type dockerfileLint struct {
	*Function
	file   Dockerfile
	doc    *source.Document
	stages []instructions.Stage
	lex    *shell.Lex
	args   map[string]string // those that FROM may use
	found  findings
}

func newDockerfileLint(f *Function, file Dockerfile) (*dockerfileLint, error) {
	parsed, err := parser.Parse(bytes.NewReader(file.Data))
	if err != nil {
		return nil, err
	}
	stages, args, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, err
	}
	l := &dockerfileLint{
		Function: f, file: file, doc: source.New(file.Name, file.Data, source.Syntax{}),
		stages: stages, lex: shell.NewLex(parsed.EscapeToken),
	}
	l.readArgs(args)
	return l, nil
}

// readArgs finds the values of the arguments before the first FROM. Those about the builder are not
// known.
func (l *dockerfileLint) readArgs(declared []instructions.ArgCommand) {
	os, arch, _ := strings.Cut(l.Platform(), "/")
	l.args = map[string]string{"TARGETPLATFORM": l.Platform(), "TARGETOS": os, "TARGETARCH": arch}
	given := map[string]string{}
	for _, arg := range l.Args {
		given[arg.Name] = arg.Value.Reveal()
	}
	maps.Copy(given, l.file.Args)
	for _, command := range declared {
		for _, arg := range command.Args {
			if value, ok := given[arg.Key]; ok {
				l.args[arg.Key] = value
			} else if arg.Value != nil {
				if value, ok := l.expand(*arg.Value); ok {
					l.args[arg.Key] = value
				}
			}
		}
	}
}

// expand returns a word with the arguments in place of their names. The second result is false if
// one is not known.
func (l *dockerfileLint) expand(word string) (string, bool) {
	var env []string
	for name, value := range l.args {
		env = append(env, name+"="+value)
	}
	result, err := l.lex.ProcessWordWithMatches(word, shell.EnvsFromSlice(env))
	return result.Result, err == nil && len(result.Unmatched) == 0
}

// named returns the index of the stage of that name before a stage, -1 for none.
func (l *dockerfileLint) named(name string, before int) int {
	for i, s := range slices.Backward(l.stages[:before]) {
		if s.Name != "" && strings.EqualFold(s.Name, name) {
			return i
		}
	}
	return -1
}

// stage returns the index of the stage of that name or number before a stage, -1 for none.
func (l *dockerfileLint) stage(name string, before int) int {
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < before {
		return n
	}
	return l.named(name, before)
}

// target returns the index of the stage that the image is, -1 if there is none of that name.
func (l *dockerfileLint) target() int {
	if name := l.Target.Reveal(); name != "" {
		return l.named(name, len(l.stages))
	}
	return len(l.stages) - 1
}

// base returns the index of the stage that a stage begins with, -1 for an image.
func (l *dockerfileLint) base(n int) int {
	name, _ := l.expand(l.stages[n].BaseName)
	return l.named(name, n)
}

// chain returns a stage, the one that it begins with, and so on.
func (l *dockerfileLint) chain(n int) []int {
	chain := []int{n}
	for n = l.base(n); n >= 0; n = l.base(n) {
		chain = append(chain, n)
	}
	return chain
}

// usedImage is an image that a Dockerfile names.
type usedImage struct {
	ref  string
	line int
}

// images returns the images that a stage reaches, in the order of the Dockerfile.
func (l *dockerfileLint) images(target int) []usedImage {
	var images []usedImage
	seen := map[int]bool{}
	var visit func(n int)
	use := func(name string, before int, at []parser.Range) {
		if n := l.stage(name, before); n >= 0 {
			visit(n)
		} else if name != "" && len(at) > 0 {
			images = append(images, usedImage{name, at[0].Start.Line})
		}
	}
	visit = func(n int) {
		if seen[n] {
			return
		}
		seen[n] = true
		if base := l.base(n); base >= 0 {
			visit(base)
		} else if ref, ok := l.expand(l.stages[n].BaseName); ok {
			images = append(images, usedImage{ref, l.line(n)})
		}
		for _, command := range l.stages[n].Commands {
			switch c := command.(type) {
			case *instructions.CopyCommand:
				use(c.From, n, c.Location())
			case *instructions.RunCommand:
				for _, mount := range instructions.GetMounts(c) {
					use(mount.From, n, c.Location())
				}
			}
		}
	}
	visit(target)
	slices.SortStableFunc(images, func(a, b usedImage) int { return a.line - b.line })
	return slices.Compact(images)
}

// line returns that of the FROM of a stage.
func (l *dockerfileLint) line(n int) int {
	if at := l.stages[n].Location; len(at) > 0 {
		return at[0].Start.Line
	}
	return 1
}

func (l *dockerfileLint) findf(rule string, line int, format string, args ...any) {
	l.found.add(rule, l.doc.Diagnostic(source.Position{Line: line, Column: 1}, "", format, args...))
}

// lintImage finds an image that moves with every release, and one past its end of life.
func (l *dockerfileLint) lintImage(image usedImage) {
	named, err := reference.ParseNormalizedNamed(image.ref)
	if err != nil || strings.EqualFold(image.ref, "scratch") || strings.Contains(image.ref, "$") {
		return
	}
	l.lintEndOfLife(named, image.line)
	if _, digested := named.(reference.Digested); digested || l.file.IsPinned != nil && l.file.IsPinned(image.ref) {
		return
	}
	tagged, ok := named.(reference.Tagged)
	switch {
	case !ok:
		l.findf(rules.UnpinnedBase, image.line, "%s has no tag, which means latest: add a tag or a digest", image.ref)
	case tagged.Tag() == "latest":
		l.findf(rules.UnpinnedBase, image.line, "%s is another image with every release: use the tag of a version, or a digest", image.ref)
	}
}

// lintEndOfLife finds an image of a runtime that AWS does not maintain any more.
func (l *dockerfileLint) lintEndOfLife(named reference.Named, line int) {
	name := catalogue.ImageRuntime(named)
	if name == "" || l.file.Catalogue == nil {
		return
	}
	r, known := l.file.Catalogue.Runtime(name)
	if !known || r.StatusOn(l.file.Today) == catalogue.StatusCurrent {
		return
	}
	advice := ""
	if r.Successor != "" {
		advice = ": move to " + r.Successor
	}
	l.findf(rules.RuntimeEndOfLife, line, "%s is past its end of life, %s%s", r.Name, r.EOL, advice)
}

// archSuffix matches the architecture at the end of a tag.
var archSuffix = regexp.MustCompile(`(?:^|[-_.])(x86_64|amd64|arm64|aarch64|arm64v8)$`)

// lintArchitecture finds a base image that is for another architecture than the function, as its
// tag or --platform says.
func (l *dockerfileLint) lintArchitecture(stage instructions.Stage) {
	line := stage.Location[0].Start.Line
	if text, ok := l.expand(stage.Platform); ok && text != "" {
		if p, err := platforms.Parse(text); err == nil && "linux/"+p.Architecture != l.Platform() {
			l.findf(rules.WrongArchitecture, line, "--platform is %s, and the function is for %s: leave --platform out, or change Architectures to [%s]",
				text, l.Platform(), architectureOf(p.Architecture))
			return
		}
	}
	ref, ok := l.expand(stage.BaseName)
	named, err := reference.ParseNormalizedNamed(ref)
	tagged, isTagged := named.(reference.Tagged)
	if !ok || err != nil || !isTagged {
		return
	}
	m := archSuffix.FindStringSubmatch(tagged.Tag())
	if m == nil {
		return
	}
	arch := "arm64"
	if m[1] == "x86_64" || m[1] == "amd64" {
		arch = "amd64"
	}
	if "linux/"+arch != l.Platform() {
		l.findf(rules.WrongArchitecture, line, "the image is for %s, and the function for %s: use the tag for it, or change Architectures to [%s]",
			m[1], l.Platform(), architectureOf(arch))
	}
}

// architectureOf returns Lambda's name for an architecture.
func architectureOf(arch string) string {
	if arch == "amd64" {
		return archX86
	}
	return arch
}

// lintEntrypoint finds an ENTRYPOINT that Lambda does not start, unless ImageConfig replaces it.
// chain are the stages that may set it, the image first.
func (l *dockerfileLint) lintEntrypoint(chain []int) {
	if len(l.ImageConfig.EntryPoint) > 0 || l.ImageConfig.Unresolved != nil {
		return
	}
	for _, n := range chain {
		for _, command := range slices.Backward(l.stages[n].Commands) {
			entry, ok := command.(*instructions.EntrypointCommand)
			if !ok {
				continue
			}
			starts := entry.CmdLine
			if entry.PrependShell {
				starts = slices.Concat([]string{"/bin/sh", "-c"}, starts)
			}
			if len(starts) == 0 { // ENTRYPOINT [] leaves it to CMD
				return
			}
			if _, problem := lambda.EntryPointProblem(starts, "ENTRYPOINT"); problem != "" {
				l.findf(rules.RelativeEntrypoint, entry.Location()[0].Start.Line, "%s", problem)
			}
			return
		}
	}
}

// wants returns which rules count: those that neither the template nor the Dockerfile turns off.
func (l *dockerfileLint) wants() func(rule string) bool {
	own := rules.Choice{}
	if options, _, _, ok := parser.ParseDirective("check", l.file.Data); ok && !l.template.replaced {
		own, _ = rules.Parse(options) // Docker's own rules say what is wrong with it
	}
	return func(rule string) bool { return l.template.checks.Wants(rule) && !own.Skips(rule) }
}
