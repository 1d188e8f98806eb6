package inputs

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

// Image is an image that a build reaches: a base image, one that files are copied or mounted from,
// or the frontend of the Dockerfile.
type Image struct {
	// Name is the reference with its tag, such as docker.io/library/node:22. Written is the reference
	// of a frontend as the Dockerfile has it, and Name for any other image.
	Name, Written string
	Platform      ocispecs.Platform
	// Digest is that of the image for the platform, as far as [Finder.Resolve] returns that.
	Digest digest.Digest
	// Config is the digest of its configuration, if that was looked up.
	Config digest.Digest
	// Pin is the entry of the lock file.
	Pin llbgen.Pin
	// Frontend is true for the frontend of the Dockerfile.
	Frontend bool
	// Given is true for an image that a named context of the user has. No lock file replaces it.
	Given bool

	stage bool // a stage has its name
}

// Reached are the images that a build reaches.
type Reached struct {
	Images []Image
	// Foreign is the frontend that the Dockerfile names, if it is not Docker's own: it may reach more
	// images.
	Foreign string
	// Unlocked has a sentence for each image that the lock file of the build does not pin. It is empty
	// for a build without a lock file.
	Unlocked []string
}

// Images returns the images that a build reaches, without looking for its files. data is the
// Dockerfile. Mistakes in it are errors, with its lines.
func (f *Finder) Images(ctx context.Context, b Build, data []byte) (Reached, error) {
	b = b.withBuilder()
	image, foreign, err := f.syntax(ctx, b, data)
	if err != nil {
		return Reached{}, err
	}
	var reached Reached
	if image != nil {
		reached.Images = append(reached.Images, *image)
	}
	if foreign {
		reached.Foreign = image.Written
	} else {
		c, _, err := f.convert(ctx, b, data)
		if err != nil {
			return Reached{}, err
		}
		reached.Images = append(reached.Images, c.reached()...)
	}
	reached.compare(b.Lock)
	return reached, nil
}

// reached returns the images in the order of their names.
func (c *offline) reached() (images []Image) {
	for _, name := range slices.Sorted(maps.Keys(c.images)) {
		images = append(images, c.images[name])
	}
	return images
}

// dockerFrontend is the repository of Docker's own Dockerfile frontend.
const dockerFrontend = "docker.io/docker/dockerfile"

// syntax returns the frontend that `# syntax=` names, nil if it names none, and whether that is
// another one than Docker's own.
func (f *Finder) syntax(ctx context.Context, b Build, data []byte) (image *Image, foreign bool, err error) {
	written, _, _, ok := parser.DetectSyntax(data)
	if !ok {
		return nil, false, nil
	}
	named, err := reference.ParseNormalizedNamed(written)
	if err != nil {
		return nil, false, fmt.Errorf("# syntax=%s is not an image: %w", written, err)
	}
	named = reference.TagNameOnly(named)
	// A frontend runs on the builder.
	image = &Image{Name: named.String(), Written: written, Platform: b.Builder, Frontend: true}
	image.Pin = b.Lock.Pin(image.Name, b.Builder)
	if image.Digest = image.Pin.Manifest; image.Digest == "" {
		image.Digest, _, err = f.Resolve(ctx, image.Name, b.Builder)
	}
	return image, named.Name() != dockerFrontend, err
}

// Fixed reports whether the Dockerfile itself has the digest of the image, so that no lock file needs
// to have it.
func (i Image) Fixed() bool {
	named, err := reference.ParseNormalizedNamed(i.Name)
	_, fixed := named.(reference.Digested)
	return err == nil && fixed
}

// Context returns the named context that gives the image of the lock file to the Dockerfile frontend:
// its name and docker-image://REFERENCE@DIGEST. It is empty for an image that the lock file does not
// have, and for a frontend.
func (i Image) Context() (name, source string) {
	if i.Pin.Digest == "" || i.Frontend || i.stage {
		return "", ""
	}
	return contextName(i.Name), imageScheme + withDigest(i.Name, i.Pin.Digest)
}

// compare sets the sentences about images that a lock file does not pin.
func (r *Reached) compare(lockfile *llbgen.Lockfile) {
	if lockfile == nil {
		return
	}
	say := func(format string, args ...any) { r.Unlocked = append(r.Unlocked, fmt.Sprintf(format, args...)) }
	for _, image := range r.Images {
		switch {
		case image.Fixed() || image.Pin.Digest != "" && !image.stage:
		case image.Given:
			say("the named context %s has no digest: name one, as in docker-image://REFERENCE@sha256:…", image.Name)
		case image.stage:
			say("%v", image.Lockable())
		default:
			say("%s does not have %s for %s, so its current state is used: run samforge lock", lockfile.Name, image.Name, platforms.Format(image.Platform))
		}
	}
	if r.Foreign != "" {
		say("the frontend %s may read images that samforge does not know of, and does not lock", r.Foreign)
	}
}

// Lockable returns an error for an image that a lock file cannot pin.
func (i Image) Lockable() error {
	if i.stage && !i.Fixed() {
		return fmt.Errorf("%s cannot be locked, because a stage of the Dockerfile has its name: give the image a tag, or the stage another name", i.Name)
	}
	return nil
}

// imageScheme is that of a named context that is an image.
const imageScheme = "docker-image://"

// pins returns the images that the lock file has for a build: their names in the lock file, by their
// references with digests. A named context of the user comes before the lock file.
func pins(b Build, dockerfile []byte) map[string]string {
	found := map[string]string{}
	if b.Lock == nil {
		return found
	}
	taken := stages(dockerfile)
	for name := range b.Contexts {
		taken[name] = true
	}
	for name, digests := range b.Lock.Images {
		if dgst := digests[llbgen.DigestKey]; dgst != "" && !taken[contextName(name)] {
			found[withDigest(name, dgst)] = name
		}
	}
	return found
}

// contextName returns the name of the named context by which the Dockerfile frontend replaces an
// image for every platform:
// https://github.com/moby/buildkit/blob/v0.34.2/frontend/dockerui/config.go#L474
func contextName(name string) string {
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		name = strings.TrimSuffix(reference.FamiliarString(named), ":latest")
	}
	return name
}

// withDigest returns a reference with a digest. A name that is no reference stays as it is, and no
// Dockerfile has it.
func withDigest(name string, dgst digest.Digest) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	canonical, err := reference.WithDigest(named, dgst)
	if err != nil {
		return name
	}
	return canonical.String()
}

// isContext reports whether an image is that of a named context of the user.
func (c *offline) isContext(name string) bool {
	for _, source := range c.build.Contexts {
		ref, ok := strings.CutPrefix(source, imageScheme)
		if !ok {
			continue
		}
		if named, err := reference.ParseNormalizedNamed(ref); err == nil && reference.TagNameOnly(named).String() == name {
			return true
		}
	}
	return false
}

// stages returns the names of the stages of a Dockerfile. A named context of such a name would replace
// the stage: `FROM node AS node` has one that cannot be told from its base image.
func stages(dockerfile []byte) map[string]bool {
	names := map[string]bool{}
	for _, instruction := range instructionsOf(dockerfile) {
		if !strings.EqualFold(instruction.Value, command.From) {
			continue
		}
		words := values(instruction)
		if len(words) == 3 && strings.EqualFold(words[1], "as") {
			names[strings.ToLower(words[2])] = true
		}
	}
	return names
}

// variables reports whether the paths that a Dockerfile reads have variables in them, which the
// configuration of a base image may set.
func variables(dockerfile []byte) bool {
	for _, instruction := range instructionsOf(dockerfile) {
		read := slices.Clone(instruction.Flags)
		switch strings.ToLower(instruction.Value) {
		case command.Add, command.Copy:
			words := values(instruction)
			read = append(read, words[:max(len(words)-1, 0)]...) // the last one is where files are copied to
		case command.Run:
		default:
			continue
		}
		if slices.ContainsFunc(read, func(text string) bool { return strings.Contains(text, "$") }) {
			return true
		}
	}
	return false
}

// instructionsOf returns the instructions of a Dockerfile. One that does not parse has none: that is a
// mistake later on.
func instructionsOf(dockerfile []byte) []*parser.Node {
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return nil
	}
	return parsed.AST.Children
}

// values returns the words of an instruction.
func values(instruction *parser.Node) (words []string) {
	for word := instruction.Next; word != nil; word = word.Next {
		words = append(words, word.Value)
	}
	return words
}
