package catalogue

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

const testDigest = digest.Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

func TestParseSAMReference(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, ref string
		want      SAMReference
		missing   []string // fields to set by hand
	}{{
		name: "a build for one architecture tells everything",
		ref:  "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415-x86_64",
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-python3.12", Tag: "1.143.0-20250822194415-x86_64",
			Runtime: "python3.12", SAMVersion: "1.143.0", Timestamp: "20250822194415", Arch: "amd64",
		},
	}, {
		name: "a build for both architectures has no architecture",
		ref:  "public.ecr.aws/sam/build-nodejs20.x:1.109.0-20240206202436",
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-nodejs20.x", Tag: "1.109.0-20240206202436",
			Runtime: "nodejs20.x", SAMVersion: "1.109.0", Timestamp: "20240206202436",
		},
	}, {
		name: "a version of three numbers stands alone",
		ref:  "public.ecr.aws/sam/build-java8.al2:1.24.1",
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-java8.al2", Tag: "1.24.1",
			Runtime: "java8.al2", SAMVersion: "1.24.1",
		},
	}, {
		name: "a version of two numbers stays as it is",
		ref:  "public.ecr.aws/sam/build-provided.al2023:1.103",
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-provided.al2023", Tag: "1.103",
			Runtime: "provided.al2023", SAMVersion: "1.103",
		},
	}, {
		name: "a version may have an architecture and no timestamp",
		ref:  "public.ecr.aws/sam/build-java17.al2023:1.164.0-arm64",
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-java17.al2023", Tag: "1.164.0-arm64",
			Runtime: "java17.al2023", SAMVersion: "1.164.0", Arch: "arm64",
		},
	}, {
		name: "a digest after the tag is kept beside it",
		ref:  "public.ecr.aws/sam/build-ruby3.4:1.143.0-20250822194415-arm64@" + testDigest.String(),
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-ruby3.4", Tag: "1.143.0-20250822194415-arm64", Digest: testDigest,
			Runtime: "ruby3.4", SAMVersion: "1.143.0", Timestamp: "20250822194415", Arch: "arm64",
		},
	}, {
		name: "a mirror with a port and a deep path is read like the original",
		ref:  "localhost:5000/ecr/sam/build-dotnetcore3.1:1.30.0",
		want: SAMReference{
			Registry: "localhost:5000", Repository: "ecr/sam/build-dotnetcore3.1", Tag: "1.30.0",
			Runtime: "dotnetcore3.1", SAMVersion: "1.30.0",
		},
	}, {
		name: "a mirror that flattens paths is read from the last build-",
		ref:  "mirror.example.com/ecr/ci-build-cache-sam-build-python3.13:1.143.0",
		want: SAMReference{
			Registry: "mirror.example.com", Repository: "ecr/ci-build-cache-sam-build-python3.13", Tag: "1.143.0",
			Runtime: "python3.13", SAMVersion: "1.143.0",
		},
	}, {
		name: "a reference without a registry is on Docker Hub",
		ref:  "acme/build-go1.x:1.100.0",
		want: SAMReference{
			Registry: "docker.io", Repository: "acme/build-go1.x", Tag: "1.100.0",
			Runtime: "go1.x", SAMVersion: "1.100.0",
		},
	}, {
		name: "latest tells the runtime only",
		ref:  "public.ecr.aws/sam/build-python3.12:latest",
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-python3.12", Tag: "latest", Runtime: "python3.12",
		},
		missing: []string{"runtimes[].samVersion"},
	}, {
		name: "latest for one architecture tells that too",
		ref:  "public.ecr.aws/sam/build-python3.12:latest-x86_64",
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-python3.12", Tag: "latest-x86_64", Runtime: "python3.12", Arch: "amd64",
		},
		missing: []string{"runtimes[].samVersion"},
	}, {
		name: "a digest alone tells the runtime only",
		ref:  "public.ecr.aws/sam/build-python3.12@" + testDigest.String(),
		want: SAMReference{
			Registry: "public.ecr.aws", Repository: "sam/build-python3.12", Digest: testDigest, Runtime: "python3.12",
		},
		missing: []string{"runtimes[].samVersion"},
	}, {
		name:    "no tag tells the runtime only",
		ref:     "public.ecr.aws/sam/build-python3.12",
		want:    SAMReference{Registry: "public.ecr.aws", Repository: "sam/build-python3.12", Runtime: "python3.12"},
		missing: []string{"runtimes[].samVersion"},
	}, {
		name: "a mirror without build- tells the version only",
		ref:  "mirror.example.com/sam/python3.12:1.143.0-20250822194415-x86_64",
		want: SAMReference{
			Registry: "mirror.example.com", Repository: "sam/python3.12", Tag: "1.143.0-20250822194415-x86_64",
			SAMVersion: "1.143.0", Timestamp: "20250822194415", Arch: "amd64",
		},
		missing: []string{"runtimes[].name"},
	}, {
		name:    "build- with something else than a runtime tells no runtime",
		ref:     "mirror.example.com/acme/build-tools:1.143.0",
		want:    SAMReference{Registry: "mirror.example.com", Repository: "acme/build-tools", Tag: "1.143.0", SAMVersion: "1.143.0"},
		missing: []string{"runtimes[].name"},
	}, {
		name:    "build- in an earlier path component is not the runtime's",
		ref:     "mirror.example.com/build-python3.12/image:1.143.0",
		want:    SAMReference{Registry: "mirror.example.com", Repository: "build-python3.12/image", Tag: "1.143.0", SAMVersion: "1.143.0"},
		missing: []string{"runtimes[].name"},
	}, {
		name:    "a timestamp of the wrong length is not part of a version",
		ref:     "public.ecr.aws/sam/build-java21:1.140.0-2025",
		want:    SAMReference{Registry: "public.ecr.aws", Repository: "sam/build-java21", Tag: "1.140.0-2025", Runtime: "java21"},
		missing: []string{"runtimes[].samVersion"},
	}, {
		name:    "an image of one's own tells neither",
		ref:     "registry.example.com/base:stable",
		want:    SAMReference{Registry: "registry.example.com", Repository: "base", Tag: "stable"},
		missing: []string{"runtimes[].name", "runtimes[].samVersion"},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.want.Image = test.ref
			got, err := ParseSAMReference(test.ref)
			if got != test.want {
				t.Errorf("ParseSAMReference(%q)\n got %+v\nwant %+v", test.ref, got, test.want)
			}
			var fields []string
			for _, e := range referenceErrors(err) {
				fields = append(fields, e.Field)
				if text := e.Error(); !strings.Contains(text, test.ref) || !strings.Contains(text, e.Field) {
					t.Errorf("error %q names neither the reference nor the field", text)
				}
			}
			if !slices.Equal(fields, test.missing) {
				t.Errorf("to set by hand: got %q, want %q (error: %v)", fields, test.missing, err)
			}
		})
	}
}

func TestParseSAMReferenceSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ ref, reason string }{
		"it is empty":                       {"", "it is empty"},
		"the repository is in upper case":   {"public.ecr.aws/SAM/build-python3.12:1.143.0", "must be lowercase"},
		"there is a space":                  {"public.ecr.aws/sam/build-python3.12: 1.143.0", "white space"},
		"there is a line break at the end":  {"public.ecr.aws/sam/build-python3.12:1.143.0\n", "white space"},
		"it is a URL":                       {"https://public.ecr.aws/sam/build-python3.12:1.143.0", "it is a URL"},
		"the digest is too short":           {"public.ecr.aws/sam/build-python3.12@sha256:abc", `the digest "sha256:abc" is not valid`},
		"the digest's algorithm is unknown": {"public.ecr.aws/sam/build-python3.12@crc32:" + strings.Repeat("a", 64), "unsupported digest algorithm"},
		"the tag is empty":                  {"public.ecr.aws/sam/build-python3.12:", "invalid reference format"},
		"it is an image ID":                 {strings.Repeat("a1", 32), "64-byte hexadecimal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseSAMReference(test.ref)
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("ParseSAMReference(%q): got error %v, want one with %q", test.ref, err, test.reason)
			}
			if referenceErrors(err) != nil || got != (SAMReference{}) {
				t.Errorf("ParseSAMReference(%q) = %+v, %v: an invalid reference tells nothing", test.ref, got, err)
			}
		})
	}
}

func TestReferenceErrorText(t *testing.T) {
	t.Parallel()
	_, err := ParseSAMReference("public.ecr.aws/sam/build-python3.12:latest")
	want := `cannot read the SAM CLI version from image reference "public.ecr.aws/sam/build-python3.12:latest": ` +
		`the tag "latest" is not of the form 1.143.0 or 1.143.0-20250822194415; set runtimes[].samVersion by hand`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func FuzzParseSAMReference(f *testing.F) {
	for _, seed := range []string{
		"public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415-x86_64",
		"public.ecr.aws/sam/build-nodejs22.x:1.103-arm64@" + testDigest.String(),
		"public.ecr.aws/sam/build-java8.al2:latest-x86_64",
		"mirror.example.com:5000/sam/python3.12@" + testDigest.String(),
		"build-provided",
	} {
		f.Add(seed)
	}
	runtime := regexp.MustCompile(`^[a-z]+[0-9]*(\.[a-z0-9]+)*$`)
	version := regexp.MustCompile(`^[0-9]+\.[0-9]+(\.[0-9]+)?$`)
	f.Fuzz(func(t *testing.T, ref string) {
		got, err := ParseSAMReference(ref)
		if strings.ContainsAny(got.Runtime+got.SAMVersion, "/:@ \t\r\n") {
			t.Errorf("runtime %q and version %q are no parts of a tag", got.Runtime, got.SAMVersion)
		}
		if err != nil {
			return
		}
		if got.Image != ref {
			t.Errorf("Image = %q, want it as given: %q", got.Image, ref)
		}
		if !runtime.MatchString(got.Runtime) || !version.MatchString(got.SAMVersion) {
			t.Errorf("no error, but runtime %q, version %q", got.Runtime, got.SAMVersion)
		}
		repo, _ := reference.ParseNormalizedNamed("registry.example.com/ci/plugin")
		tag := "1.1.2-" + got.Runtime + "-" + got.SAMVersion + "-linux-" + got.Arch
		if _, err := reference.WithTag(repo, tag); err != nil {
			t.Errorf("tag %q: %v", tag, err)
		}
		if !slices.Contains([]string{"", "amd64", "arm64"}, got.Arch) {
			t.Errorf("architecture %q", got.Arch)
		}
	})
}

// referenceErrors takes joined errors apart.
func referenceErrors(err error) []*ReferenceError {
	var found []*ReferenceError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			found = append(found, referenceErrors(e)...)
		}
		return found
	}
	var one *ReferenceError
	if errors.As(err, &one) {
		found = append(found, one)
	}
	return found
}
