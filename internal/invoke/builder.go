package invoke

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/lambda/instance"
	"github.com/samforge/samforge/internal/project"
)

// needs are the capabilities of a builder that the step of an instance needs, which older ones lack.
var needs = []struct {
	capability apicaps.CapID
	what       string
}{
	{pb.CapExecMountSSH, "gives build steps no sockets of the session"},
	{pb.CapExecMetaNetwork, "runs no build steps without a network"},
	{pb.CapExecMountTmpfs, "gives build steps no /tmp in memory"},
}

// checkBuilder returns an error that names what a builder lacks to run a function.
func checkBuilder(caps apicaps.CapSet) error {
	for _, need := range needs {
		if caps.Supports(need.capability) != nil {
			return fmt.Errorf("the builder is too old to run functions: it %s; update it, or name another one with --builder", need.what)
		}
	}
	return nil
}

// temporary returns the mount of /tmp with its size in MiB. A builder that is too old to limit it has one
// without, and a warning.
func temporary(caps apicaps.CapSet, size int64) (mount llb.MountOption, warning string) {
	if caps.Supports(pb.CapExecMountTmpfsSize) != nil {
		return llb.Tmpfs(), fmt.Sprintf("the builder is too old to limit the size of /tmp, which has %d MB on Lambda", size)
	}
	return llb.Tmpfs(llb.TmpfsSize(size << 20)), ""
}

// explain says why the step of an instance failed before the instance itself could say so. Other steps
// explain themselves.
func explain(err error, t project.Target, workers []gateway.WorkerInfo) error {
	if err == nil || !strings.Contains(err.Error(), instance.Program) {
		return err
	}
	platform := t.Platforms[0]
	runs := slices.ContainsFunc(workers, func(w gateway.WorkerInfo) bool {
		return slices.ContainsFunc(w.Platforms, func(p ocispecs.Platform) bool { return p.Architecture == platform.Architecture })
	})
	if !runs {
		return fmt.Errorf("the builder cannot run programs for %s/%s: name a builder of that architecture, or let it emulate one (binfmt_misc)", platform.OS, platform.Architecture)
	}
	return fmt.Errorf("the builder cannot run build steps, and a function runs in one (%s): samforge doctor --try says what stands in the way, of a builder that has an address with --builder", lastCause(err))
}

// lastCause returns the end of a chain of causes.
func lastCause(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "]: "); i >= 0 { // of old builders
		return text[i+3:]
	}
	if _, cause, found := strings.Cut(text, " did not complete successfully: "); found {
		return cause
	}
	return text
}
