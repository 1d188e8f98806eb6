package frontend

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
)

// supportedCaps are what a client may require of the frontend, as the label
// moby.buildkit.frontend.caps of its image says; see Dockerfile.frontend.
var supportedCaps = []string{
	"moby.buildkit.frontend.inputs",
	"moby.buildkit.frontend.subrequests",
	"moby.buildkit.frontend.contexts",
	"moby.buildkit.frontend.gitquerystring",
	"moby.buildkit.frontend.contexts.zstd",
}

// checkCaps refuses a build that requires what this frontend does not have.
// What follows a "+" says whether a frontend that hands the build over to
// another one may ignore that; this one never does.
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
