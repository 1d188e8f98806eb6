package ci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/registry"
)

// artifact is the content of PLUGIN_ARTIFACT_FILE:
// https://github.com/drone-plugins/drone-plugin-lib/blob/master/drone/artifact.go
type artifact struct {
	Kind string       `json:"kind"`
	Data artifactData `json:"data"`
}

type artifactData struct {
	RegistryType string          `json:"registryType"`
	RegistryURL  string          `json:"registryUrl"`
	Images       []artifactImage `json:"images"`
}

type artifactImage struct {
	Image  string `json:"image"`
	Digest string `json:"digest"`
}

// writeOutputs writes the files that tell other steps of the image. existing are the references that
// were in the registry before, maybe of other images. Only if nothing was built or pushed, they are
// the image.
func (s *Step) writeOutputs(built []build.Built, existing, pushed []build.Ref) error {
	refs, images := slices.Concat(existing, pushed), pushed
	if len(pushed) == 0 {
		images = existing
	}
	digest := ""
	if len(images) > 0 {
		digest = images[len(images)-1].Digest
	}
	for _, image := range built {
		for _, ref := range image.Refs {
			digest = ref.Digest
		}
	}
	if err := s.writeArtifact(refs); err != nil {
		return fmt.Errorf("PLUGIN_ARTIFACT_FILE: %w", err)
	}
	var names, tagged strings.Builder
	for _, ref := range refs {
		fmt.Fprintln(&tagged, ref)
	}
	for _, ref := range images {
		if line := registry.Repository(ref.Name) + "@" + ref.Digest + "\n"; !strings.Contains(names.String(), line) {
			names.WriteString(line)
		}
	}
	for name, file := range map[string]struct{ path, text string }{
		"PLUGIN_IMAGE_NAME_WITH_DIGEST_FILE":     {s.digestFile, names.String()},
		"PLUGIN_IMAGE_NAME_TAG_WITH_DIGEST_FILE": {s.tagDigestFile, tagged.String()},
	} {
		if err := write(file.path, []byte(file.text)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return s.writeStepOutputs(digest)
}

// writeArtifact writes PLUGIN_ARTIFACT_FILE, if something was pushed.
func (s *Step) writeArtifact(refs []build.Ref) error {
	if s.artifactFile == "" || len(refs) == 0 {
		return nil
	}
	of, _, _ := strings.Cut(registry.Repository(refs[0].Name), "/")
	a := artifact{Kind: "docker/v1", Data: artifactData{RegistryType: s.registryType, RegistryURL: of}}
	if a.Data.RegistryType == "" {
		a.Data.RegistryType = typeOf(of)
	}
	for _, ref := range refs {
		a.Data.Images = append(a.Data.Images, artifactImage{ref.Name, ref.Digest})
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "\t")
	if err := encoder.Encode(a); err != nil {
		return err
	}
	return write(s.artifactFile, out.Bytes())
}

// typeOf returns the type of a registry by its host.
func typeOf(host string) string {
	switch {
	case strings.Contains(host, ".dkr.ecr") || strings.Contains(host, ".dkr-ecr.") || host == "public.ecr.aws":
		return "ECR"
	case strings.HasSuffix(host, ".pkg.dev"):
		return "GAR"
	case host == "gcr.io" || strings.HasSuffix(host, ".gcr.io"):
		return "GCR"
	case strings.HasSuffix(host, ".azurecr.io"):
		return "ACR"
	}
	return "Docker"
}

// writeStepOutputs adds the outputs of the step to DRONE_OUTPUT, a file of NAME="VALUE" that other
// steps may have written to.
func (s *Step) writeStepOutputs(digest string) error {
	if s.outputFile == "" {
		return nil
	}
	text := ""
	if digest != "" {
		text += fmt.Sprintf("digest=%q\n", digest)
	}
	if s.tarPath != "" {
		text += fmt.Sprintf("IMAGE_TAR_PATH=%q\n", s.tarPath)
	}
	file, err := os.OpenFile(s.outputFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("DRONE_OUTPUT: %w", err)
	}
	if _, err = file.WriteString(text); err != nil {
		_ = file.Close()
		return fmt.Errorf("DRONE_OUTPUT: %w", err)
	}
	return file.Close()
}
