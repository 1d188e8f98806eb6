package build

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	bkclient "github.com/moby/buildkit/client"
)

// exporterMoby stores an image in the Docker engine that builds it.
const exporterMoby = "moby"

// throughEngine changes the exports for the Docker engine's own BuildKit, which cannot push: the
// engine stores the image, and `docker push` pushes it from there.
func throughEngine(entries []bkclient.ExportEntry) []bkclient.ExportEntry {
	var changed []bkclient.ExportEntry
	stored := false
	for _, e := range entries {
		switch {
		case e.Type != bkclient.ExporterImage:
			changed = append(changed, e)
		case !stored && e.Attrs["name"] != "":
			changed = append(changed, bkclient.ExportEntry{Type: exporterMoby, Attrs: map[string]string{"name": e.Attrs["name"]}})
			stored = true
		}
	}
	return changed
}

// enginePush pushes the references of an image from the engine and returns the image's digest.
func enginePush(ctx context.Context, refs []string) (digest string, err error) {
	docker, err := exec.LookPath("docker")
	if err != nil {
		return "", errors.New("pushing from the Docker engine needs the docker command on PATH: install the Docker CLI, or name a buildkitd with --builder")
	}
	for _, ref := range refs {
		out, err := exec.CommandContext(ctx, docker, "push", ref).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("failed to push %s: docker push: %w: %s", ref, err, strings.TrimSpace(string(out)))
		}
		pushed := pushedDigest.FindSubmatch(out)
		if pushed == nil {
			return "", fmt.Errorf("docker push %s did not say which digest it pushed: %s", ref, strings.TrimSpace(string(out)))
		}
		digest = string(pushed[1])
	}
	return digest, nil
}

// pushedDigest matches the last line of docker push, "TAG: digest: sha256:... size: 1234".
var pushedDigest = regexp.MustCompile(`(?m): digest: (sha256:[0-9a-f]{64}) size: \d+\s*$`)
