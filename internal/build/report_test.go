package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
)

func TestFailedErrorTellsWhatWasPushed(t *testing.T) {
	t.Parallel()
	cause := errors.New("failed to solve: the registry said no")
	failed := &FailedError{
		Failures: []builder.Result{{Name: "java21", Err: cause}},
		Pushed:   []Built{{Refs: []Ref{{"registry.example.com/ci/sam:1", "sha256:ab"}}}},
		pushing:  true,
	}
	want := `java21: the registry said no
already pushed (the same command pushes the rest):
  registry.example.com/ci/sam:1@sha256:ab`
	if failed.Error() != want {
		t.Errorf("the error is\n%s\nwant\n%s", failed, want)
	}
	if !errors.Is(failed, cause) {
		t.Error("the error lost its cause")
	}
}

// A builder that was lost may have pushed after it was heard last.
func TestFailedErrorWithoutABuilder(t *testing.T) {
	t.Parallel()
	failed := &FailedError{pushing: true, Failures: []builder.Result{{Name: "java21", Err: &builder.LostError{Builder: "buildkitd", Err: errors.New("EOF")}}}}
	lost := &builder.LostError{Builder: "buildkitd", Err: errors.New("dial unix /b.sock: connect: connection refused")}
	if err := explain(lost, project.Target{Base: "docker.io/library/alpine"}, builder.Result{}); err != error(lost) {
		t.Errorf("the error of a lost builder becomes one of a registry: %v", err)
	}
	if got := failed.Error(); !strings.HasSuffix(got, "\nnothing is known to have been pushed") {
		t.Errorf("the error is\n%s", got)
	}
}

// A push that was under way when an image failed may have been the last thing that the builder did.
// Targets that fail for the same reason share a line.
func TestFailedErrorSaysWhatMayBePushed(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost the connection")
	failed := &FailedError{
		Failures: []builder.Result{{Name: "java21", Err: lost}, {Name: "ruby3.2", Err: errors.New("no")}, {Name: "python3.12", Err: lost}},
		Perhaps:  []string{"registry.example.com/ci/sam:1@sha256:ab"},
		pushing:  true,
	}
	const want = "java21, python3.12: lost the connection\nruby3.2: no\nperhaps pushed already:\n  registry.example.com/ci/sam:1@sha256:ab"
	if failed.Error() != want {
		t.Errorf("the error is\n%s\nwant\n%s", failed, want)
	}
	for i := range failed.Failures {
		failed.Failures[i].Err = context.Canceled
	}
	if got, want := failed.Remaining().Error(), "perhaps pushed already:\n  registry.example.com/ci/sam:1@sha256:ab"; got != want {
		t.Errorf("after Ctrl-C the error is\n%s\nwant\n%s", got, want)
	}
}

// A registry that cannot be reached is one error, though each target's names another tag.
func TestFailedErrorSaysOnceThatARegistryIsDown(t *testing.T) {
	t.Parallel()
	failed := &FailedError{pushing: true}
	for _, name := range []string{"java21", "python3.12"} {
		err := errors.New("failed to push localhost:5404/ci/sam:" + name + `: Head "http://localhost:5404/v2/": dial tcp 127.0.0.1:5404: connect: connection refused`)
		target := project.Target{Name: name, Refs: []string{"localhost:5404/ci/sam:" + name}}
		failed.Failures = append(failed.Failures, builder.Result{Name: name, Err: explain(err, target, builder.Result{})})
		if b := (&baseLayers{}); b.uploadUnmounted(t.Context(), builder.Result{Err: err}) {
			t.Error("the layers are uploaded")
		}
	}
	if got := failed.Error(); strings.Count(got, "cannot be reached") != 1 || !strings.HasPrefix(got, "java21, python3.12: ") {
		t.Errorf("the error is\n%s", got)
	}
}

func TestExplainSaysHowABuilderAllowsAPrivilege(t *testing.T) {
	t.Parallel()
	err := explain(errors.New("granting entitlement network.host is not allowed by build daemon configuration"), project.Target{}, builder.Result{})
	if !strings.Contains(err.Error(), `insecure-entitlements = ["network.host"]`) || !strings.Contains(err.Error(), "--allow-insecure-entitlement network.host") {
		t.Errorf("got %v", err)
	}
}

func TestCancelledImagesAreNotListed(t *testing.T) {
	t.Parallel()
	failed := &FailedError{pushing: true, Failures: []builder.Result{
		{Name: "java21", Err: context.Canceled}, {Name: "python3.12", Err: errors.New("no")},
	}}
	if got, want := failed.Remaining().Error(), "python3.12: no\nnothing was pushed"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
}

func TestDecodeKeepsTextAndUnpacksJSON(t *testing.T) {
	t.Parallel()
	got := decode(map[string]string{
		"containerimage.digest":     "sha256:ab",
		"containerimage.descriptor": "eyJzaXplIjoxfQ==", // {"size":1}
		"image.name":                "abcd",             // base64 by accident
		"empty":                     "",
	})
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"containerimage.descriptor":{"size":1},"containerimage.digest":"sha256:ab","empty":"","image.name":"abcd"}`
	if string(data) != want {
		t.Errorf("the metadata is %s, want %s", data, want)
	}
}

func TestParseAttest(t *testing.T) {
	t.Parallel()
	kind, rest, err := parseAttest("type=provenance,mode=max,inline-only=true")
	if kind != "provenance" || rest != "mode=max,inline-only=true" || err != nil {
		t.Errorf("got %q, %q, %v", kind, rest, err)
	}
	if _, attrs, err := parseAttest(`type=sbom,"platforms=one,two"`); attrs != `"platforms=one,two"` || err != nil {
		t.Errorf("the attributes are %q, %v", attrs, err)
	}
	if kind, _, err := parseAttest("type=provenance,disabled=true"); kind != "" || err != nil {
		t.Errorf("a disabled attestation is %q, %v", kind, err)
	}
	if _, _, err := parseAttest("mode=max"); err == nil {
		t.Error("an attestation without a type is accepted")
	}
}

// A registry's error while resolving an image is about that image, not about the one that is
// pushed. npm's errors about its registry are not about the images' registry.
func TestExplainLeavesAStepsErrorsAlone(t *testing.T) {
	t.Parallel()
	target := project.Target{Refs: []string{"registry.example.com/ci/sam:1"}, Base: "public.ecr.aws/sam/build-python3.12:1"}
	step := fmt.Errorf("failed to solve: %w", &gatewaypb.ExitError{ExitCode: 1, Err: errors.New("too many requests, denied")})
	const log = "samforge: the npm registry has had too many requests\n"
	if got, want := explain(step, target, builder.Result{Log: log}).Error(), "the npm registry has had too many requests: "+step.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := explain(step, target, builder.Result{}); got != step {
		t.Errorf("got %v", got)
	}
}

func TestExplainNamesTheImageThatWasNotResolved(t *testing.T) {
	t.Parallel()
	result := builder.Result{Cause: fmt.Errorf("python3.12: %w", &frontend.ResolveError{Ref: "docker.io/library/docker:28-cli", Err: errors.New("unauthorized")})}
	err := explain(errors.New("failed to solve: unauthorized"), project.Target{Refs: []string{"registry.example.com/ci/sam:1"}}, result)
	if want := "docker.io wants credentials for docker.io/library/docker"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
