package catalogue

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestChecksumsAreWellFormed(t *testing.T) {
	t.Parallel()
	checksums := loadChecksums(t)
	file := regexp.MustCompile(`^docker-\d+\.\d+\.\d+\.tgz$`)
	if len(checksums.archives) == 0 {
		t.Fatal("no sums")
	}
	seen := map[digest.Digest]string{}
	for name, sums := range checksums.archives {
		if !file.MatchString(name) || len(sums) == 0 {
			t.Errorf("%q with %d sums is not an archive", name, len(sums))
		}
		for _, machine := range slices.Sorted(maps.Keys(sums)) {
			at := machine + "/" + name
			if machine != "x86_64" && machine != "aarch64" {
				t.Errorf("%s: unknown machine", at)
			}
			sum, _ := checksums.lookup(name, machine)
			if err := sum.Validate(); err != nil {
				t.Errorf("%s: %v", at, err)
			}
			if twin := seen[sum]; twin != "" {
				t.Errorf("%s has the sum of %s", at, twin)
			}
			seen[sum] = at
		}
	}
}

func TestDockerArchives(t *testing.T) {
	t.Parallel()
	checksums := loadChecksums(t)
	for name, test := range map[string]struct {
		version, arch string
		want          digest.Digest
	}{
		"both architectures are known: amd64":  {"28.5.2", "amd64", "sha256:ea90cfd12e1eeb12aa1c971741adb8bd4ed88e2a574eaac13f5029a1dbc6300d"},
		"both architectures are known: arm64":  {"28.5.2", "arm64", "sha256:9e4f82996ab790724094475ebed33a736434bfe5d45231b676fef22ffb80044d"},
		"one architecture is known: amd64":     {"20.10.24", "amd64", "sha256:ab91092320a87691a1eaf0225b48585db9c69cff0ed4b0f569f744ff765515e3"},
		"one architecture is known, not arm64": {"20.10.24", "arm64", ""},
		"the version is not known":             {"26.0.1", "amd64", ""},
		"the architecture has no archive":      {"28.5.2", "riscv64", ""},
		"the version is empty":                 {"", "amd64", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := checksums.ForURL(dockerArchives+Machine(test.arch)+"/docker-"+test.version+".tgz", test.arch)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, test.want)
			}
		})
	}
}

func TestForURL(t *testing.T) {
	t.Parallel()
	checksums := loadChecksums(t)
	const amd64 = digest.Digest("sha256:4f798b3ee1e0140eab5bf30b0edc4e84f4cdb53255a429dc3bbae9524845d640")
	for name, test := range map[string]struct {
		url, arch string
		want      digest.Digest
	}{
		"Docker's own address":              {"https://download.docker.com/linux/static/stable/x86_64/docker-27.5.1.tgz", "amd64", amd64},
		"the architecture in uname's words": {"https://download.docker.com/linux/static/stable/x86_64/docker-27.5.1.tgz", "x86_64", amd64},
		"another architecture's archive":    {"https://download.docker.com/linux/static/stable/x86_64/docker-27.5.1.tgz", "arm64", ""},
		"an unknown version":                {"https://download.docker.com/linux/static/stable/x86_64/docker-26.0.1.tgz", "amd64", ""},
		"another file beside it":            {"https://download.docker.com/linux/static/stable/x86_64/docker-rootless-extras-27.5.1.tgz", "amd64", ""},
		"another channel":                   {"https://download.docker.com/linux/static/test/x86_64/docker-27.5.1.tgz", "amd64", ""},
		"another host":                      {"https://files.example.com/linux/static/stable/x86_64/docker-27.5.1.tgz", "amd64", ""},
		"a directory":                       {"https://download.docker.com/linux/static/stable/x86_64/", "amd64", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := checksums.ForURL(test.url, test.arch)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, test.want)
			}
		})
	}
}

func loadChecksums(t *testing.T) *Checksums {
	t.Helper()
	checksums, err := LoadChecksums()
	if err != nil {
		t.Fatal(err)
	}
	return checksums
}
