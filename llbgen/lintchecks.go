package llbgen

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/source"
)

// The checks behind the rules that need the build file only, one function a rule. compat.go,
// download.go and the frontend report findings too.

// lint applies the rules to a build file that has no mistakes.
func (p *Plan) lint() {
	p.lintImages()
	p.lintDocker()
	p.lintGoTemplate()
	p.lintTagVersion()
	p.lintMerged()
}

// lintImages checks every image in the build file. It checks a node image only once if it is the
// runtime image too.
func (p *Plan) lintImages() {
	f := p.File
	p.lintPinned("plugin.image", f.Plugin.Image)
	switch d := f.Docker; {
	case d.Image != "":
		p.lintPinned("docker.image", d.Image)
	case d.Archive == "" && d.Version != "":
		p.lintPinned("docker.version", dockerImage(d.Version))
	}
	for i, entry := range f.Runtimes {
		at := fmt.Sprintf("runtimes[%d]", i)
		p.lintPinned(at+".image", entry.Image)
		p.lintOfficial(at+".image", entry.Image)
		if entry.Node != "" && !sameImage(entry.Image, entry.Node) {
			p.lintPinned(at+".node", entry.Node)
			p.lintOfficialNode(at+".node", entry.Node)
			p.lintLargeNode(at+".node", entry.Node)
		}
	}
}

// movingTag matches tags that will point to another image some day: a name for the newest image, or
// a version without its last number. A date, a commit and a full version stay.
var movingTag = regexp.MustCompile(`^(?:(?:latest|stable|edge|nightly|current|lts|main|master|cli|dind)|v?\d{1,5}(?:\.\d{1,5})?)(?:-[a-z][a-z0-9_.]*)*$`)

// lintPinned finds images whose reference may point to another image tomorrow.
func (p *Plan) lintPinned(field, ref string) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return // which fails when it is resolved
	}
	if _, digested := named.(reference.Digested); digested {
		return
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		p.findf(RuleUnpinnedBase, field, "%s has no tag, which means latest: add a tag that does not move, or a digest", ref)
		return
	}
	sam, _ := catalogue.ParseSAMReference(ref)
	switch tag := tagged.Tag(); {
	case catalogue.LambdaLanguage(named) != "" && movingTag.MatchString(tag):
		p.findf(RuleUnpinnedBase, field, "the tag %s moves when AWS builds the image again: use one with the time of a build, such as 22.2025.08.04.11, or a digest", tag)
	case sam.Runtime != "" && sam.SAMVersion != "" && sam.Timestamp == "":
		p.findf(RuleUnpinnedBase, field, "the tag %s moves when AWS builds the image again: use one with the time of a build, such as 1.143.0-20250822194415, or a digest", tag)
	case movingTag.MatchString(tag):
		p.findf(RuleUnpinnedBase, field, "the tag %s moves from image to image: use a full version, or a digest", tag)
	}
}

// Where AWS publishes the SAM build images, and the base images of Lambda.
const (
	samGallery    = "public.ecr.aws/sam"
	lambdaGallery = "public.ecr.aws/lambda"
)

// lintOfficial finds images that are neither in AWS's gallery nor in its mirror, as the build file
// names it.
func (p *Plan) lintOfficial(field, ref string) {
	image, _ := catalogue.ParseSAMReference(ref)
	if image.Runtime == "" || !p.isAt(ref, samGallery+"/build-"+image.Runtime) {
		p.findf(RuleUnofficialBase, field, "%s is not in the gallery %s: name the image there, and a copy of it under mirrors", ref, samGallery)
	}
}

// lintOfficialNode does the same for a node image, which may come from two galleries.
func (p *Plan) lintOfficialNode(field, ref string) {
	node, _ := catalogue.ParseNodeReference(ref)
	if node.SAM {
		p.lintOfficial(field, ref)
	} else if !p.isAt(ref, lambdaGallery+"/nodejs") {
		p.findf(RuleUnofficialBase, field, "%s is in neither of the galleries %s and %s: name the image there, and a copy of it under mirrors", ref, samGallery, lambdaGallery)
	}
}

// isAt reports whether an image is in a repository, or in its mirror.
func (p *Plan) isAt(ref, official string) bool {
	repository := func(ref string) string {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return ""
		}
		return named.Name()
	}
	mirror := p.File.Mirrors.Image(official + ":latest") // any tag: mirrors look at whole names
	return repository(ref) == official || repository(ref) == repository(mirror)
}

// lintLargeNode finds SAM images that are pulled only for their Node.js. It accepts one that is
// also a runtime image of the build file.
func (p *Plan) lintLargeNode(field, ref string) {
	node, _ := catalogue.ParseNodeReference(ref)
	known, ok := p.catalogue.Node(node.Runtime)
	if !node.SAM || !ok {
		return
	}
	if slices.ContainsFunc(p.File.Runtimes, func(r RuntimeImage) bool { return sameImage(r.Image, ref) }) {
		return
	}
	p.findf(RuleLargeNodeImage, field, "%s is pulled for its Node.js alone: the Lambda base image has the same at an eighth of the size; use %s or a newer build", ref, known.Image)
}

// lintEndOfLife finds runtimes that AWS does not maintain any more.
func (p *Plan) lintEndOfLife(field string, r catalogue.Runtime) {
	switch p.status(r) {
	case catalogue.StatusRemoved:
		p.findf(RuleRuntimeEndOfLife, field, "AWS no longer publishes images for %s: it stays at its last version", r.Name)
	case catalogue.StatusDeprecated:
		advice := ""
		if r.Successor != "" {
			advice = ": move to " + r.Successor
		}
		p.findf(RuleRuntimeEndOfLife, field, "%s is past its end of life, %s%s", r.Name, r.EOL, advice)
	}
}

// lintNodeEndOfLife does the same for a node image, if the runtime can use another one that is
// maintained.
func (p *Plan) lintNodeEndOfLife(field string, runtime, node catalogue.Runtime) {
	if runtime.Name == node.Name || p.status(node) == catalogue.StatusCurrent {
		return
	}
	maintained := slices.DeleteFunc(slices.Clone(runtime.Nodes), func(name string) bool {
		r, _ := p.catalogue.Runtime(name)
		return p.status(r) != catalogue.StatusCurrent
	})
	if len(maintained) > 0 {
		p.findf(RuleRuntimeEndOfLife, field, "%s is past its end of life, %s: use %s", node.Name, node.EOL, strings.Join(maintained, " or "))
	}
}

// status returns the status of a runtime on the day given by [Today].
func (p *Plan) status(r catalogue.Runtime) catalogue.Status {
	if p.today.IsZero() {
		return r.Status
	}
	return r.StatusOn(p.today)
}

// The Docker CLI of this release and later speaks API 1.44, the oldest that Docker Engine 29
// accepts: https://docs.docker.com/engine/release-notes/29/
const oldestDockerCLI = 25

// dockerVersion finds the major version of Docker in a tag or the name of an archive. Docker's
// versions begin with 17 since 2017. A smaller number is from somebody's own image.
var dockerVersion = regexp.MustCompile(`^(?:.*/docker-)?(1[7-9]|[2-9]\d)(?:\.|-|$)`)

// lintDocker finds Docker CLIs that a current engine refuses.
func (p *Plan) lintDocker() {
	d := p.File.Docker
	field, version := "docker.version", d.Version
	switch {
	case version != "":
	case d.Image != "":
		field, version = "docker.image", tagOf(d.Image)
	case d.Archive != "":
		field, version = "docker.archive", d.Archive
	}
	m := dockerVersion.FindStringSubmatch(version)
	if m == nil {
		return
	}
	if major, _ := strconv.Atoi(m[1]); major < oldestDockerCLI {
		p.findf(RuleOldDockerCLI, field, "Docker CLI %s is older than API 1.44, and Docker Engine 29 refuses it: use %d or later, such as %s", m[1], oldestDockerCLI, DefaultDockerVersion)
	}
}

// fixedGoTemplate is the first release whose dependencies have the fixes for CVEs in
// golang.org/x/crypto: https://github.com/harness/go-template
const fixedGoTemplate = "0.4.8"

var threeNumbers = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)$`)

// lintGoTemplate finds releases from before the security fixes.
func (p *Plan) lintGoTemplate() {
	m := threeNumbers.FindStringSubmatch(p.File.GoTemplate.Version)
	if m != nil && compareVersions(m[1], fixedGoTemplate) < 0 {
		p.findf(RuleOldGoTemplate, "goTemplate.version", "go-template %s has known vulnerabilities: use v%s or later, such as %s", p.File.GoTemplate.Version, fixedGoTemplate, DefaultGoTemplateVersion)
	}
}

// hasPassword reports whether value contains a URL with a password. URLs are separated as in
// SAMFORGE_MIRRORS.
func hasPassword(value string) bool {
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == '=' }) {
		if u, err := url.Parse(part); err == nil && u.User != nil {
			if _, ok := u.User.Password(); ok {
				return true
			}
		}
	}
	return false
}

// lintArgs finds build arguments that contain secrets, without showing them, and those that nothing
// uses.
func (p *Plan) lintArgs(args map[string]string, unused []string) {
	for _, name := range slices.Sorted(maps.Keys(args)) {
		switch {
		case slices.Contains(credentialArgs, name): // a mistake
		case credentials.LooksSecret(name):
			p.find(RuleSecretInBuildArg, p.doc.Diagnostic(source.Position{Arg: name}, "", "this looks like a secret, and build arguments are recorded with the image: use `docker login`, or --secret"))
		case hasPassword(args[name]):
			p.find(RuleSecretInBuildArg, p.doc.Diagnostic(source.Position{Arg: name}, "", "the address has a password in it, and build arguments are recorded with the image: leave it out"))
		}
		if slices.Contains(unused, name) && !credentials.LooksSecret(name) {
			p.find(RuleUnusedBuildArg, &source.Diagnostic{Message: fmt.Sprintf("build argument %s is not used by this build file%s", name, nearArg(name))})
		}
	}
}

// nearArg is a question about the build argument that is meant by an unknown one, or "".
func nearArg(name string) string {
	var known []string
	for _, v := range Variables() {
		known = append(known, v.Name)
	}
	return didYouMean(name, known)
}

// baseSuffix is what follows the version in the tag of a plugin image.
var baseSuffix = regexp.MustCompile(`-base(?:-image)?(?:-(?:amd64|arm64|x86_64))?$`)

// droppedPart matches the rest of a version: more numbers, and the mark of a prerelease.
var droppedPart = regexp.MustCompile(`^(?:\.\d+)*(?:[-.]?(?:alpha|beta|rc|dev|pre|preview|snapshot)[0-9.]*)?`)

// lintTagVersion finds tags that name another release than the plugin image does: the published
// pipeline calls its images 1.1.2 with a plugin 1.1.2-beta inside.
func (p *Plan) lintTagVersion() {
	version := p.File.Plugin.Version
	tag := baseSuffix.ReplaceAllString(tagOf(p.File.Plugin.Image), "")
	rest, ok := strings.CutPrefix(strings.TrimPrefix(tag, "v"), strings.TrimPrefix(version, "v"))
	if dropped := droppedPart.FindString(rest); ok && dropped != "" {
		p.findf(RuleTagDropsVersion, "plugin.version", "the tags say %s, and the plugin image is %s%s: use the whole version", version, version, dropped)
	}
}

// lintMerged finds node images whose files may replace those of the runtime image. Only
// --verify=full can say which files.
func (p *Plan) lintMerged() {
	if p.File.Node.Layout != layoutMerged {
		return
	}
	for i, entry := range p.File.Runtimes {
		if !sameImage(entry.Image, entry.Node) {
			p.findf(RuleOverwritesBase, fmt.Sprintf("runtimes[%d].node", i), "%s and %s of the node image lie over those of the runtime image: node.layout: isolated keeps them apart", languageDir, optDir)
		}
	}
}

// unverified finds downloads without a known checksum, on any architecture that the targets can
// have. Build reports the same for its own architecture, with the checksum to pin.
func (p *Plan) unverified(targets []Target) (found []*source.Diagnostic) {
	f := p.File
	add := func(field, format string, args ...any) {
		d := p.doc.At(field, format, args...)
		if d.Rule = RuleUnverifiedDownload; p.checks.Wants(d.Rule) {
			found = append(found, d)
		}
	}
	if g := f.GoTemplate; !g.Disabled && !p.checked(targets, goTemplateURL, g.Version, g.SHA256) {
		add("goTemplate", "go-template %s is not checked against a known checksum: run samforge lock, or give goTemplate.sha256", g.Version)
	}
	if d := f.Docker; d.Archive != "" && !p.checked(targets, d.Archive, d.Version, d.SHA256) {
		add("docker.archive", "%s is not checked against a known checksum: run samforge lock, or give docker.sha256", d.Archive)
	}
	p.kind().unpinned(p, targets, add)
	for _, pkg := range p.packages(targets...) {
		if _, embedded := p.embeddedLock(pkg); pkg.lock == "" && !embedded {
			add(pkg.field+".version", "%s", pkg.noLock())
		}
	}
	return found
}

// checked reports whether there is a checksum of a download: given, locked or known.
func (p *Plan) checked(targets []Target, address, version string, given map[string]string) bool {
	return slices.ContainsFunc(targets, func(t Target) bool {
		return slices.ContainsFunc(architectures(), func(arch string) bool {
			expanded, _ := expandURL(address, urlFields{Version: version, Arch: arch})
			_, known := p.checksums.ForURL(expanded, arch)
			locked := p.lockfile != nil && p.lockfile.Downloads[expanded] != ""
			return (t.Arch == "" || t.Arch == arch) && (known || locked || given[arch] != "")
		})
	})
}
