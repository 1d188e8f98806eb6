package catalogue

import (
	_ "crypto/sha256" // the digests a reference may hold, see
	_ "crypto/sha512" // https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// SAMReference is what the reference of a SAM build image says. A field is empty if the reference
// does not say it.
type SAMReference struct {
	Image string // as given

	Registry   string        // public.ecr.aws; docker.io where none is given
	Repository string        // within the registry: sam/build-python3.12
	Tag        string        // 1.143.0-20250822194415-x86_64
	Digest     digest.Digest // sha256:…

	Runtime    string // python3.12
	SAMVersion string // of the SAM CLI in the image: 1.143.0, or 1.103
	Timestamp  string // when the image was built: 20250822194415, UTC
	Arch       string // amd64 or arm64; empty for a tag that has both
}

// ReferenceError says that a part of a tag cannot be read from a valid reference, and which field
// of the build file gives it instead.
type ReferenceError struct {
	Ref     string
	Missing string // "runtime" or "samVersion"
	Field   string // "runtimes[].name" or "runtimes[].samVersion"
	Reason  string // why it cannot be read
}

func (e *ReferenceError) Error() string {
	what := map[string]string{"runtime": "runtime", "samVersion": "SAM CLI version"}[e.Missing]
	return fmt.Sprintf("cannot read the %s from image reference %q: %s; set %s by hand", what, e.Ref, e.Reason, e.Field)
}

// The patterns are strict and bounded, so that what they match makes a legal tag (at most 128
// characters of [A-Za-z0-9_.-]).
var (
	samRuntime = regexp.MustCompile(`^(?:provided|[a-z]{1,20}[0-9]{1,4})(?:\.[a-z0-9]{1,10}){0,2}$`)
	samVersion = regexp.MustCompile(`^[0-9]{1,5}\.[0-9]{1,5}(?:\.[0-9]{1,5})?$`)
	samTag     = regexp.MustCompile(`^([0-9.]+)(?:-([0-9]{14}))?$`)
)

// ParseSAMReference reads a reference to a SAM build image or to a mirror of one. These tags of
// build-<runtime> exist. Each may end in -x86_64 or -arm64; without, it has both architectures:
//
//	1.143.0-20250822194415   one build
//	1.143.0, 1.103           a SAM CLI version, moved when it is built again
//	latest                   no version can be read
//
// A digest may follow the tag. For an invalid reference, the error says what is wrong with it. For
// a valid one, the result has everything that can be read. The error is then nil, or a
// [*ReferenceError] for what cannot be read, or two of them joined by [errors.Join], the runtime
// first.
func ParseSAMReference(ref string) (SAMReference, error) {
	named, err := ParseReference(ref)
	if err != nil {
		return SAMReference{}, err
	}
	r := SAMReference{
		Image:      ref,
		Registry:   reference.Domain(named),
		Repository: reference.Path(named),
		Runtime:    runtimeOf(named),
	}
	if digested, ok := named.(reference.Digested); ok {
		r.Digest = digested.Digest()
	}
	if tagged, ok := named.(reference.Tagged); ok {
		r.readTag(tagged.Tag())
	}
	return r, errors.Join(r.missingRuntime(), r.missingVersion())
}

// SAMRepository returns the repository of a runtime's SAM build images.
func SAMRepository(runtime string) string { return "public.ecr.aws/sam/build-" + runtime }

// runtimeOf reads the runtime from the last component of the repository, build-<runtime>. Mirrors
// that flatten paths put more before it: sam-build-<runtime>.
func runtimeOf(named reference.Named) string {
	path := reference.Path(named)
	component := "-" + path[strings.LastIndexByte(path, '/')+1:]
	const marker = "-build-"
	i := strings.LastIndex(component, marker)
	if i < 0 {
		return ""
	}
	runtime := component[i+len(marker):]
	if !samRuntime.MatchString(runtime) {
		return ""
	}
	return runtime
}

func (r *SAMReference) readTag(tag string) {
	r.Tag = tag
	for suffix, arch := range map[string]string{"-x86_64": "amd64", "-arm64": "arm64"} {
		if rest, ok := strings.CutSuffix(tag, suffix); ok {
			tag, r.Arch = rest, arch
			break
		}
	}
	if m := samTag.FindStringSubmatch(tag); m != nil && samVersion.MatchString(m[1]) {
		r.SAMVersion, r.Timestamp = m[1], m[2]
	}
}

func (r *SAMReference) missingRuntime() error {
	if r.Runtime != "" {
		return nil
	}
	return &ReferenceError{
		Ref:     r.Image,
		Missing: "runtime",
		Field:   "runtimes[].name",
		Reason:  fmt.Sprintf("the repository %q does not end in build-<runtime>, such as build-python3.12", r.Repository),
	}
}

func (r *SAMReference) missingVersion() error {
	if r.SAMVersion != "" {
		return nil
	}
	var reason string
	switch {
	case r.Tag != "":
		reason = fmt.Sprintf("the tag %q is not of the form 1.143.0 or 1.143.0-20250822194415", r.Tag)
	case r.Digest != "":
		reason = "it has a digest and no tag"
	default:
		reason = "it has no tag"
	}
	return &ReferenceError{Ref: r.Image, Missing: "samVersion", Field: "runtimes[].samVersion", Reason: reason}
}

// ParseReference checks the reference against the grammar that container tools share
// (https://pkg.go.dev/github.com/distribution/reference), and says more than that package about
// what is wrong.
func ParseReference(ref string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err == nil {
		return named, nil
	}
	_, sum, hasDigest := strings.Cut(ref, "@")
	_, digestErr := digest.Parse(sum)
	switch {
	case ref == "":
		err = errors.New("it is empty")
	case strings.ContainsFunc(ref, unicode.IsSpace):
		err = errors.New("it contains white space")
	case strings.Contains(ref, "://"):
		err = errors.New("it is a URL: leave out what stands before the registry's host name")
	case hasDigest && digestErr != nil:
		err = fmt.Errorf("the digest %q is not valid: %w", sum, digestErr)
	}
	return nil, fmt.Errorf("%q is not an image reference: %w", ref, err)
}
