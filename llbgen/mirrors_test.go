package llbgen_test

import (
	"testing"

	"github.com/samforge/samforge/llbgen"
)

func TestMirrorsImage(t *testing.T) {
	t.Parallel()
	const sum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	mirrors := llbgen.Mirrors{
		"public.ecr.aws":             "mirror.example.com/ecr",
		"public.ecr.aws/sam":         "localhost:5000",
		"docker.io":                  "mirror.example.com/hub",
		"docker.io/harness":          "mirror.example.com/harness/",
		"ghcr.io/":                   "mirror.example.com/ghcr",
		"https://quay.io/":           "https://files.example.com/",
		"registry.example.com:5000":  "mirror.example.com",
		"registry.example.com/a/b/c": "mirror.example.com/deep",
	}
	for name, test := range map[string]struct{ ref, want string }{
		"a registry":                               {"public.ecr.aws/lambda/python:3.12", "mirror.example.com/ecr/lambda/python:3.12"},
		"a registry with a path wins over it":      {"public.ecr.aws/sam/build-java21:1.144.0", "localhost:5000/build-java21:1.144.0"},
		"a path ends where a component does":       {"public.ecr.aws/samforge/base:1", "mirror.example.com/ecr/samforge/base:1"},
		"a longer host name is another host":       {"public.ecr.aws.example.com/sam/build-java21:1.144.0", "public.ecr.aws.example.com/sam/build-java21:1.144.0"},
		"a host name in the path is no host":       {"example.com/public.ecr.aws/sam:1", "example.com/public.ecr.aws/sam:1"},
		"another port is another host":             {"registry.example.com:5001/base:1", "registry.example.com:5001/base:1"},
		"a registry with a port":                   {"registry.example.com:5000/base:1", "mirror.example.com/base:1"},
		"a deep path":                              {"registry.example.com/a/b/c/d:1", "mirror.example.com/deep/d:1"},
		"a name without a registry is Docker's":    {"docker:28-cli", "mirror.example.com/hub/library/docker:28-cli"},
		"a name with a path is Docker's too":       {"acme/base:1", "mirror.example.com/hub/acme/base:1"},
		"a slash at the end of the mirror":         {"harness/aws-sam-plugin:1.1.2", "mirror.example.com/harness/aws-sam-plugin:1.1.2"},
		"a slash at the end of the registry":       {"ghcr.io/acme/base:1", "mirror.example.com/ghcr/acme/base:1"},
		"another name of Docker Hub":               {"registry-1.docker.io/acme/base:1", "mirror.example.com/hub/acme/base:1"},
		"a whole repository":                       {"registry.example.com/a/b/c:1", "mirror.example.com/deep:1"},
		"a host without its port is another":       {"docker.io:5000/base:1", "docker.io:5000/base:1"},
		"a digest stays":                           {"public.ecr.aws/lambda/python@" + sum, "mirror.example.com/ecr/lambda/python@" + sum},
		"a tag and a digest stay":                  {"docker:28-cli@" + sum, "mirror.example.com/hub/library/docker:28-cli@" + sum},
		"no mirror for it":                         {"gcr.io/distroless/static:nonroot", "gcr.io/distroless/static:nonroot"},
		"a URL prefix is for downloads":            {"quay.io/acme/base:1", "quay.io/acme/base:1"},
		"what is no reference comes back as it is": {"Not A Reference", "Not A Reference"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := mirrors.Image(test.ref); got != test.want {
				t.Errorf("Image(%q)\n got %q\nwant %q", test.ref, got, test.want)
			}
		})
	}
}

// TestNamesOfDockerHub: a mirror of any name of Docker Hub applies to references.
func TestNamesOfDockerHub(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"docker.io":                "mirror.example.com/library/docker:28-cli",
		"index.docker.io":          "mirror.example.com/library/docker:28-cli",
		"index.docker.io/":         "mirror.example.com/library/docker:28-cli",
		"registry-1.docker.io":     "mirror.example.com/library/docker:28-cli",
		"registry.hub.docker.com/": "mirror.example.com/library/docker:28-cli",
		"docker.io:443":            "mirror.example.com/library/docker:28-cli",
		"Index.Docker.io:443/":     "mirror.example.com/library/docker:28-cli",
		"index.docker.io/library":  "mirror.example.com/docker:28-cli",
		"index.docker.io/harness":  "docker:28-cli",
	} {
		plan := load(t, buildFile, map[string]string{"SAMFORGE_MIRRORS": key + "=mirror.example.com"})
		if got := plan.File.Mirrors.Image("docker:28-cli"); got != want {
			t.Errorf("with a mirror for %s it is %q, want %q", key, got, want)
		}
	}
}

func TestMirrorsURL(t *testing.T) {
	t.Parallel()
	mirrors := llbgen.Mirrors{
		"https://app.harness.io/":               "https://files.example.com/harness/",
		"https://bare.example.com":              "https://files.example.com/bare",
		"https://app.harness.io/public/shared/": "http://localhost:8080/",
		"http://plain.example.com/":             "https://files.example.com/plain/",
		"download.docker.com":                   "mirror.example.com",
	}
	for name, test := range map[string]struct{ url, want string }{
		"a prefix":                  {"https://app.harness.io/other/go-template", "https://files.example.com/harness/other/go-template"},
		"a prefix without a slash":  {"https://bare.example.com/a", "https://files.example.com/bare/a"},
		"a longer host name":        {"https://bare.example.com.evil.example/a", "https://bare.example.com.evil.example/a"},
		"the longest prefix wins":   {"https://app.harness.io/public/shared/tools/go-template", "http://localhost:8080/tools/go-template"},
		"the scheme counts":         {"http://app.harness.io/other", "http://app.harness.io/other"},
		"a plain prefix":            {"http://plain.example.com/file?x=1", "https://files.example.com/plain/file?x=1"},
		"a longer host is another":  {"https://app.harness.io.example.com/file", "https://app.harness.io.example.com/file"},
		"a registry is for images":  {"https://download.docker.com/linux/static/stable", "https://download.docker.com/linux/static/stable"},
		"no mirror for it":          {"https://example.com/https://app.harness.io/", "https://example.com/https://app.harness.io/"},
		"nothing but the prefix":    {"https://app.harness.io/", "https://files.example.com/harness/"},
		"an empty address is empty": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := mirrors.URL(test.url); got != test.want {
				t.Errorf("URL(%q)\n got %q\nwant %q", test.url, got, test.want)
			}
		})
	}
}

func TestNoMirrors(t *testing.T) {
	t.Parallel()
	var none llbgen.Mirrors
	if got := none.Image("docker:28-cli"); got != "docker:28-cli" {
		t.Errorf("Image = %q", got)
	}
	if got := none.URL("https://example.com/"); got != "https://example.com/" {
		t.Errorf("URL = %q", got)
	}
}
