package frontend

import (
	"os"
	"strings"
	"testing"

	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
)

func TestCheckCaps(t *testing.T) {
	t.Parallel()
	for required, missing := range map[string]string{
		"":                              "",
		"moby.buildkit.frontend.inputs": "",
		"moby.buildkit.frontend.contexts+forward,moby.buildkit.frontend.subrequests": "",
		"moby.buildkit.frontend.inputs,moby.buildkit.frontend.future":                "moby.buildkit.frontend.future",
		"moby.buildkit.frontend.future+forward":                                      "moby.buildkit.frontend.future",
	} {
		err := checkCaps(required)
		if missing == "" && err != nil {
			t.Errorf("%q: %v", required, err)
		}
		if missing != "" && (err == nil || !strings.Contains(err.Error(), "unsupported frontend capability "+missing) || grpcerrors.Code(err) != codes.Unimplemented) {
			t.Errorf("%q: the error is %v", required, err)
		}
	}
}

// BuildKit reads the capabilities of the frontend from its image, before it runs it.
func TestTheImageSaysWhatTheFrontendCan(t *testing.T) {
	t.Parallel()
	dockerfile, err := os.ReadFile("../Dockerfile.frontend")
	must(t, err)
	if label := `moby.buildkit.frontend.caps="` + strings.Join(supportedCaps, ",") + `"`; !strings.Contains(string(dockerfile), label) {
		t.Errorf("Dockerfile.frontend has no label %s", label)
	}
}
