package frontend

import (
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/gateway/client"
)

// Each layer of the base has an entry before those of the image, and an image on a base that has a
// history stays as it is.
func TestHistoryOfTheBase(t *testing.T) {
	t.Parallel()
	const config = `{"architecture":"amd64","extra":1,"history":[{"created_by":"ENV A=b","empty_layer":true},{"created_by":"COPY"}]}`
	const entry = `{"created":"1980-01-01T00:00:00Z","created_by":"base image"}`
	for name, c := range map[string]struct{ base, config, want string }{
		"none at all": {
			`{"rootfs":{"diff_ids":["sha256:1","sha256:2"]}}`, `{"history":[{"created_by":"COPY"}]}`,
			`{"history":[` + entry + `,` + entry + `,{"created_by":"COPY"}]}`,
		},
		"some": {
			`{"rootfs":{"diff_ids":["sha256:1"]},"history":[{"created_by":"ENV A=b","empty_layer":true}]}`, config,
			`{"architecture":"amd64","extra":1,"history":[{"created_by":"ENV A=b","empty_layer":true},` + entry + `,{"created_by":"COPY"}]}`,
		},
		"all":     {`{"rootfs":{"diff_ids":["sha256:1"]},"history":[{"created_by":"ADD"}]}`, config, config},
		"no base": {"", config, config},
	} {
		res := client.NewResult()
		res.AddMeta("containerimage.config/linux/amd64", []byte(c.config))
		if c.base != "" {
			res.AddMeta("containerimage.base.config/linux/amd64", []byte(c.base))
		}
		err := completeHistory(res, time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC))
		if got := string(res.Metadata["containerimage.config/linux/amd64"]); err != nil || got != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.want)
		}
	}
}
