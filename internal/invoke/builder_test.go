package invoke

import (
	"errors"
	"strings"
	"testing"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/project"
)

// without returns the capabilities of a builder that lacks one.
func without(capability apicaps.CapID) apicaps.CapSet {
	all := pb.Caps.All()
	for i := range all {
		if all[i].ID == string(capability) {
			all = append(all[:i:i], all[i+1:]...)
			break
		}
	}
	return pb.Caps.CapSet(all)
}

// A builder that lacks a part is told which; one that cannot limit /tmp runs functions all the same.
func TestOldBuilders(t *testing.T) {
	t.Parallel()
	if err := checkBuilder(without("")); err != nil {
		t.Errorf("got %v", err)
	}
	for _, need := range needs {
		if err := checkBuilder(without(need.capability)); err == nil || !strings.Contains(err.Error(), need.what) {
			t.Errorf("without %s: got %v", need.capability, err)
		}
	}
	if _, warning := temporary(without(""), 512); warning != "" {
		t.Errorf("got the warning %q", warning)
	}
	old := without(pb.CapExecMountTmpfsSize)
	if _, warning := temporary(old, 512); checkBuilder(old) != nil || !strings.Contains(warning, "which has 512 MB on Lambda") {
		t.Errorf("got %v, %q", checkBuilder(old), warning)
	}
}

// What BuildKit says of the step of an instance becomes one sentence, and of other steps it stays.
func TestExplain(t *testing.T) {
	t.Parallel()
	arm := project.Target{Platforms: []ocispecs.Platform{{OS: "linux", Architecture: "arm64"}}}
	workers := []gateway.WorkerInfo{{Platforms: []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}}}}
	emulates := append(workers, gateway.WorkerInfo{Platforms: arm.Platforms})
	for _, c := range []struct {
		err     string
		workers []gateway.WorkerInfo
		want    string
	}{
		{`process "/.samforge/instance /.samforge-socket" did not complete successfully: exit code: 255`, workers, "the builder cannot run programs for linux/arm64: "},
		{`process "/.samforge/instance /.samforge-socket" did not complete successfully: exit code: 1`, emulates, "a function runs in one (exit code: 1): "},
		{`executor failed running [/.samforge/instance /.samforge-socket]: network bridge not found`, emulates, "a function runs in one (network bridge not found): "},
		{`process "/bin/false" did not complete successfully: exit code: 1`, workers, `process "/bin/false" did not`},
	} {
		if got := explain(errors.New(c.err), arm, c.workers); !strings.Contains(got.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.err, got, c.want)
		}
	}
	if err := explain(nil, arm, workers); err != nil {
		t.Errorf("got %v", err)
	}
}
