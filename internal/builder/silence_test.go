package builder

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// A builder that is silent and answers is told of, with the step that it is at; one that does not
// answer is lost.
func TestSilence(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	gone := errors.New("no answer")
	answers := []error{nil, gone}
	var told []string
	s := newSilence(time.Millisecond, func(context.Context) error {
		answer := answers[0]
		answers = answers[1:]
		return answer
	}, func(sentence string) { told = append(told, sentence) })
	now := time.Now()
	s.hear(&client.SolveStatus{Vertexes: []*client.Vertex{
		{Digest: digest.FromString("a"), Name: "exporting to image", Started: &now},
		{Digest: digest.FromString("b"), Name: "a step that ended", Started: &now, Completed: &now},
	}})
	err := s.watch(ctx)
	cancel()
	if !errors.Is(err, gone) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("the error is %v", err)
	}
	if len(told) != 1 || !strings.HasSuffix(told[0], "it is at: exporting to image") {
		t.Errorf("told %q", told)
	}
	if err := newSilence(0, nil, nil).watch(ctx); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}
