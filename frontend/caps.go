package frontend

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
)

// supportedCaps are the capabilities that a client may require of the frontend. They are also in
// the label moby.buildkit.frontend.caps of its image; see Dockerfile.frontend.
var supportedCaps = []string{
	"moby.buildkit.frontend.inputs",
	"moby.buildkit.frontend.subrequests",
	"moby.buildkit.frontend.contexts",
	"moby.buildkit.frontend.gitquerystring",
	"moby.buildkit.frontend.contexts.zstd",
}

// checkCaps refuses a build that requires a capability that this frontend does not have. The part
// after a "+" is for frontends that hand the build over to another one, which this one never does.
func checkCaps(required string) error {
	if required == "" {
		return nil
	}
	for c := range strings.SplitSeq(required, ",") {
		name, _, _ := strings.Cut(c, "+")
		if !slices.Contains(supportedCaps, name) {
			return grpcerrors.WrapCode(errdefs.NewUnsupportedFrontendCapError(name), codes.Unimplemented)
		}
	}
	return nil
}
