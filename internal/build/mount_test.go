package build

import (
	"errors"
	"testing"

	"github.com/samforge/samforge/internal/builder"
)

// A repository that does not exist accepts no layers either, so nothing is uploaded to it.
func TestNothingIsUploadedToARepositoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"failed to push registry.example.com/ci/sam:1: name unknown: repository name not known to registry",
		"failed to push 123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci/sam:1: name unknown: The repository with name 'ci/sam' does not exist in the registry with id '123456789012'",
	} {
		b := &baseLayers{warn: func(message string) { t.Errorf("%s: %s", text, message) }}
		if b.uploadUnmounted(t.Context(), builder.Result{Err: errors.New(text)}) {
			t.Errorf("%s: pushed again", text)
		}
	}
}
