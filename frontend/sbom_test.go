package frontend

import "testing"

func TestScannerIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		key, value string
		want       bool
	}{
		"--sbom=true":                          {"attest:sbom", "", false},
		"--sbom with a parameter":              {"attest:sbom", "SELECT_CATALOGERS=go", false},
		"--sbom generator=IMAGE":               {"attest:sbom", "generator=registry.example.com/scanner:1", true},
		"BuildKit's own scanner, by its name":  {"attest:sbom", "generator=docker/buildkit-syft-scanner:stable-1", true},
		"a generator after a parameter":        {"attest:sbom", "SELECT_CATALOGERS=go,generator=scanner", true},
		"BUILDKIT_ATTEST_SBOM without a value": {"build-arg:BUILDKIT_ATTEST_SBOM", "", false},
		"BUILDKIT_ATTEST_SBOM with an image":   {"build-arg:BUILDKIT_ATTEST_SBOM", "generator=scanner", true},
		"another attestation":                  {"attest:provenance", "generator=scanner", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := namesScanner(map[string]string{test.key: test.value, "filename": "samforge.yaml"}); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
