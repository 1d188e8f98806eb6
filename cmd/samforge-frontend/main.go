// Command samforge-frontend is samforge as a BuildKit frontend: buildkitd runs it in a container
// when a build file begins with `# syntax=`.
package main

import (
	"os"

	"github.com/moby/buildkit/frontend/gateway/grpcclient"
	"github.com/moby/buildkit/util/appcontext"
	"github.com/moby/buildkit/util/bklog"
	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto" // BuildKit's codec

	"github.com/samforge/samforge/frontend"
)

// version is set by the linker.
var version = "of an unknown version"

func main() {
	f := frontend.Frontend{Version: version}
	if err := grpcclient.RunFromEnvironment(appcontext.Context(), f.Build); err != nil {
		bklog.L.Errorf("fatal error: %+v", err)
		os.Exit(1)
	}
}
