package lambda_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/lambda"
)

// FuzzCheck: whatever a registry has as the manifest and the configuration of an image, there are
// findings of known rules, a sentence each. An image that has more than Lambda takes is found.
func FuzzCheck(f *testing.F) {
	const (
		manifest = `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 32}]}`
		config   = `{"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/bin/sh", "-c", "a"], "Env": ["A=b"], "WorkingDir": "/"}}`
	)
	for _, seed := range [][2]string{
		{manifest, config}, {strings.Replace(manifest, "32", "99999999999", 1), `{"config": {"Cmd": ["a"]}}`}, {strings.Replace(manifest, "gzip", "zstd", 1), "{"},
		{`{"manifests": [{"platform": {"os": "linux", "architecture": "arm64"}, "digest": "sha256:a"}, {"annotations": {"vnd.docker.reference.type": "x"}}]}`, "null"},
		{strings.Replace(manifest, `[{`, `[{"size": 9223372036854775807}, {"size": 9223372036854775807}, {`, 1), config}, {"null", "[]"}, {"", ""},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]), true, "app.handler")
		f.Add([]byte(seed[0]), []byte(seed[1]), false, "")
	}
	f.Fuzz(func(t *testing.T, manifest, config []byte, arm bool, command string) {
		of := lambda.Function{}
		if arm {
			of.Architecture = "arm64"
		}
		if command != "" {
			of.Command = []string{command}
		}
		findings := lambda.Check(lambda.Image{Manifest: manifest, Config: config}, of)
		for _, found := range findings {
			if found.Message == "" || !slices.Contains(lambda.Rules(), found.Rule) || len(found.Message) > 2000 {
				t.Errorf("%+v", found)
			}
		}
		has := func(rule lambda.Rule) bool {
			return slices.ContainsFunc(findings, func(found lambda.Finding) bool { return found.Rule == rule })
		}
		var stored struct {
			Layers []struct{ Size int64 } `json:"layers"`
		}
		if json.Unmarshal(manifest, &stored) != nil || has(lambda.RuleManifest) {
			return
		}
		for _, layer := range stored.Layers {
			if layer.Size > 10<<30 && !has(lambda.RuleSize) {
				t.Errorf("a layer of %d bytes is no finding: %s", layer.Size, manifest)
			}
		}
	})
}
