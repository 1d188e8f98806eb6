package project

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
)

func TestExplainNotCopied(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "src/lib"), 0o755),
		os.WriteFile(filepath.Join(dir, "src/app.py"), nil, 0o644),
		os.Symlink(outside, filepath.Join(dir, "out")),
		os.Symlink("src", filepath.Join(dir, "in")),
		os.Symlink("nowhere", filepath.Join(dir, "broken")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"src/ap.py":      `has no src/ap.py: did you mean "app.py"?`,
		"sry/app.py":     `has no sry/app.py: did you mean "src"?`,
		"entirely/other": "has no entirely/other",
		"src/app.py":     "src/app.py is in the build context " + dir + ", but its ignore file leaves it out",
		"in/app.py":      "in/app.py is in the build context",
		"out/file":       filepath.Join(dir, "out") + " is a link out of the build context " + dir + ", to " + outside,
		"broken/file":    "is a link that leads nowhere",
	} {
		cause := errors.New(`failed to compute cache key: failed to calculate checksum of ref abc::def: "/` + path + `": not found`)
		if got := explainNotCopied(cause, dir); !strings.Contains(got, want) || strings.HasSuffix(want, path) && strings.Contains(got, "mean") {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
		ofStage := errdefs.WithSource(cause, &errdefs.Source{
			Info:   &pb.SourceInfo{Filename: "Dockerfile", Data: []byte("FROM scratch\nCOPY --from=build /a /b\n")},
			Ranges: []*pb.Range{{Start: &pb.Position{Line: 2}, End: &pb.Position{Line: 2}}},
		})
		if got := explainNotCopied(ofStage, dir); got != "" {
			t.Errorf("%s of another stage: got %q", path, got)
		}
	}
	if got := explainNotCopied(errors.New("something else"), dir); got != "" {
		t.Errorf("got %q", got)
	}
}
