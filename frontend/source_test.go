package frontend

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
)

const withMistakes = "kind: sam\nplugins: {}\nrepo: [a]\n"

func newBuild(file string) *build {
	source := &dockerui.Source{SourceMap: llb.NewSourceMap(nil, "samforge.yaml", "yaml", []byte(file))}
	return &build{src: source}
}

func TestEveryMistakeIsTiedToItsLine(t *testing.T) {
	t.Parallel()
	_, mistakes := llbgen.Load("samforge.yaml", []byte(withMistakes), nil)
	err := newBuild(withMistakes).atSource(fmt.Errorf("load: %w", mistakes))
	sources := errdefs.Sources(err)
	if len(sources) != 1 || len(sources[0].Ranges) != 2 {
		t.Fatalf("the error has the sources %v, want one with two ranges", sources)
	}
	if first, second := sources[0].Ranges[0].Start.Line, sources[0].Ranges[1].Start.Line; first != 2 || second != 3 {
		t.Errorf("the lines are %d and %d, want 2 and 3", first, second)
	}
	if strings.Contains(err.Error(), "|") {
		t.Errorf("the text repeats the lines that the client shows:\n%v", err)
	}
}

// The text around an error of buildkitd must not be lost in the gateway, and neither must the
// error's code.
func TestTextSurvivesTheGateway(t *testing.T) {
	t.Parallel()
	plan, err := llbgen.Load("samforge.yaml", []byte("kind: sam\nplugin: {image: p, version: 1}\nruntimes: [{image: public.ecr.aws/sam/build-java21:1.143.0}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	inner := grpcerrors.FromGRPC(status.Error(codes.ResourceExhausted, "no space left on device"))
	tied := newBuild("").atSource(plan.At("plugin.image", fmt.Errorf("plugin image p: %w", inner)))
	back := grpcerrors.FromGRPC(grpcerrors.ToGRPC(t.Context(), tied))
	if want := "samforge.yaml:2:17: plugin.image: plugin image p: "; !strings.Contains(back.Error(), want) {
		t.Errorf("the text is %q, want %q in it", back, want)
	}
	if code := grpcerrors.Code(back); code != codes.ResourceExhausted {
		t.Errorf("the code is %s, want ResourceExhausted", code)
	}
}

// An error without a line must not be shown at the line of `# syntax=`. Without any source it would
// be.
func TestErrorsWithoutALineNameNone(t *testing.T) {
	t.Parallel()
	err := newBuild("# syntax=x\n").atSource(errors.New("other"))
	sources := errdefs.Sources(err)
	if err.Error() != "other" || len(sources) != 1 || len(sources[0].Ranges) != 0 {
		t.Errorf("the error is %q with the sources %v", err, sources)
	}
}

func TestAnOldFrontendSaysSo(t *testing.T) {
	t.Parallel()
	b := newBuild(withMistakes)
	b.Version = "v1.2.3"
	_, mistakes := llbgen.Load("samforge.yaml", []byte(withMistakes), nil)
	if err := b.atSource(mistakes); !strings.Contains(err.Error(), "this is samforge-frontend v1.2.3: if the build file is made for a newer one") {
		t.Errorf("the error is %q", err)
	}
	_, mistakes = llbgen.Load("samforge.yaml", []byte("kind: other\n"), nil)
	if err := b.atSource(mistakes); strings.Contains(err.Error(), "samforge-frontend") {
		t.Errorf("without an unknown key the error is %q", err)
	}
}

// The lines around a mistake in a template are shown without the values of NoEcho parameters.
func TestLinesAroundAMistakeHaveNoSecrets(t *testing.T) {
	t.Parallel()
	const template = "Parameters:\n  P: {Type: String, NoEcho: true, Default: canary}\nResources:\n  Fn: []\n"
	_, mistakes := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: []byte(template)}, samtemplate.Options{})
	var shown strings.Builder
	for _, s := range errdefs.Sources(newBuild(template).atSource(mistakes)) {
		if err := s.Print(&shown); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(shown.String(), "   4 | >>>   Fn: []\n") || strings.Contains(shown.String(), "canary") {
		t.Errorf("the lines are\n%s", shown.String())
	}
}
